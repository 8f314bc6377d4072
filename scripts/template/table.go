package template

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.yaml.in/yaml/v3"
)

// Table is an AWS::DynamoDB::Table.
type Table struct {
	ID        string
	Condition string // as Resource's
	// Name is the TableName; absent where CloudFormation makes one up.
	Name       Value
	Keys       []types.KeySchemaElement
	Attributes []types.AttributeDefinition
	Indexes    []types.GlobalSecondaryIndex
	// StreamView is the stream's view type, "" for a table without a stream.
	StreamView types.StreamViewType
	// TTL is the attribute by which items expire, "" for none.
	TTL  string
	Line int
}

// CreateInput returns the request that makes the table under name, billed by
// request. Time to live has a request of its own.
func (t Table) CreateInput(name string) *dynamodb.CreateTableInput {
	in := &dynamodb.CreateTableInput{
		TableName:              aws.String(name),
		BillingMode:            types.BillingModePayPerRequest,
		KeySchema:              t.Keys,
		AttributeDefinitions:   t.Attributes,
		GlobalSecondaryIndexes: t.Indexes,
	}
	if t.StreamView != "" {
		in.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: t.StreamView}
	}
	return in
}

func (r *reader) table(res Resource) Table {
	p := r.fields(res.Properties)
	t := Table{
		ID: res.ID, Condition: res.Condition, Line: res.Line, Name: Value{p["TableName"]},
		Keys:       r.keys(p["KeySchema"]),
		StreamView: types.StreamViewType(r.text(r.fields(p["StreamSpecification"])["StreamViewType"])),
	}
	if len(t.Keys) == 0 {
		r.failf(&yaml.Node{Line: res.Line}, "%s: KeySchema is missing", res.ID)
	}
	if node := p["LocalSecondaryIndexes"]; node != nil {
		r.failf(node, "%s: LocalSecondaryIndexes is not supported", res.ID)
	}
	if ttl := r.fields(p["TimeToLiveSpecification"]); r.truth(ttl["Enabled"]) {
		t.TTL = r.text(ttl["AttributeName"])
	}
	for _, item := range r.items(p["AttributeDefinitions"]) {
		f := r.fields(item)
		t.Attributes = append(t.Attributes, types.AttributeDefinition{
			AttributeName: aws.String(r.required(f, "AttributeName", item)),
			AttributeType: types.ScalarAttributeType(r.required(f, "AttributeType", item)),
		})
	}
	for _, item := range r.items(p["GlobalSecondaryIndexes"]) {
		t.Indexes = append(t.Indexes, r.index(item))
	}
	return t
}

func (r *reader) index(item *yaml.Node) types.GlobalSecondaryIndex {
	f := r.fields(item)
	projection := r.fields(f["Projection"])
	index := types.GlobalSecondaryIndex{
		IndexName:  aws.String(r.required(f, "IndexName", item)),
		KeySchema:  r.keys(f["KeySchema"]),
		Projection: &types.Projection{ProjectionType: types.ProjectionType(r.required(projection, "ProjectionType", item))},
	}
	for _, name := range r.items(projection["NonKeyAttributes"]) {
		index.Projection.NonKeyAttributes = append(index.Projection.NonKeyAttributes, r.text(name))
	}
	return index
}

func (r *reader) keys(node *yaml.Node) []types.KeySchemaElement {
	var keys []types.KeySchemaElement
	for _, item := range r.items(node) {
		f := r.fields(item)
		keys = append(keys, types.KeySchemaElement{
			AttributeName: aws.String(r.required(f, "AttributeName", item)),
			KeyType:       types.KeyType(r.required(f, "KeyType", item)),
		})
	}
	return keys
}
