package events

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/dialplane/dialplane/scripts/template"
	"github.com/dialplane/dialplane/shared/tabletest"
)

// What tests say of the tables holds for the deployed ones only if they are
// made alike.
func TestTablesOfTestsAreThoseOfTheTemplate(t *testing.T) {
	t.Parallel()
	tmpl, err := template.Load(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	tables := tabletest.Local(t)
	names := map[string]string{"CoreTable": tables.Names.Core, "RegistrationsTable": tables.Names.Registrations, "SecretsTable": tables.Names.Secrets}
	if len(tmpl.Tables) != len(names) {
		t.Errorf("the template has %d tables, tests have %d", len(tmpl.Tables), len(names))
	}
	for _, wanted := range tmpl.Tables {
		out, err := tables.Client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(names[wanted.ID])})
		if err != nil {
			t.Fatalf("%s: %v", wanted.ID, err)
		}
		in, made := wanted.CreateInput(""), out.Table
		var indexes []types.GlobalSecondaryIndex
		for _, index := range made.GlobalSecondaryIndexes {
			indexes = append(indexes, types.GlobalSecondaryIndex{IndexName: index.IndexName, KeySchema: index.KeySchema, Projection: index.Projection})
		}
		got := shape(made.KeySchema, made.AttributeDefinitions, indexes, made.StreamSpecification)
		want := shape(in.KeySchema, in.AttributeDefinitions, in.GlobalSecondaryIndexes, in.StreamSpecification)
		if !slices.Equal(got, want) {
			t.Errorf("%s: tests have %q, the template %q", wanted.ID, got, want)
		}
	}
}

// shape returns what makes up a table, in one order.
func shape(keys []types.KeySchemaElement, attributes []types.AttributeDefinition, indexes []types.GlobalSecondaryIndex, stream *types.StreamSpecification) []string {
	parts := keySchema("key", keys)
	for _, a := range attributes {
		parts = append(parts, fmt.Sprintf("attribute %s %s", *a.AttributeName, a.AttributeType))
	}
	for _, index := range indexes {
		parts = append(parts, keySchema("index "+*index.IndexName+" key", index.KeySchema)...)
		parts = append(parts, fmt.Sprintf("index %s projects %s", *index.IndexName, index.Projection.ProjectionType))
	}
	if stream != nil {
		parts = append(parts, "stream "+string(stream.StreamViewType))
	}
	slices.Sort(parts)
	return parts
}

func keySchema(of string, keys []types.KeySchemaElement) []string {
	var parts []string
	for _, k := range keys {
		parts = append(parts, fmt.Sprintf("%s %s %s", of, k.KeyType, *k.AttributeName))
	}
	return parts
}
