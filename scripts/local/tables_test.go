package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/dialplane/dialplane/scripts/template"
)

func TestDiffers(t *testing.T) {
	t.Parallel()
	tmpl, err := template.Load(filepath.Join(testRoot, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*types.TableDescription)
		want   string // "" if the tables are the same
	}{
		{"Same", func(*types.TableDescription) {}, ""},
		{"MissingIndex", func(d *types.TableDescription) { d.GlobalSecondaryIndexes = nil }, `it lacks the index "owner"`},
		{"OtherIndexKey", func(d *types.TableDescription) {
			d.GlobalSecondaryIndexes[0].KeySchema = d.KeySchema
		}, `its index "owner" is pk S HASH, sk S RANGE projecting KEYS_ONLY, not owner S HASH projecting KEYS_ONLY`},
		{"OtherProjection", func(d *types.TableDescription) {
			d.GlobalSecondaryIndexes[0].Projection = &types.Projection{ProjectionType: types.ProjectionTypeAll}
		}, "projecting ALL, not owner"},
		{"ExtraIndex", func(d *types.TableDescription) {
			d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, types.GlobalSecondaryIndexDescription{IndexName: aws.String("due")})
		}, `its index "due" is not in the template`},
		{"OtherKey", func(d *types.TableDescription) { d.KeySchema = d.KeySchema[:1] }, "its key is pk S HASH, not pk S HASH, sk S RANGE"},
		{"OtherKeyType", func(d *types.TableDescription) {
			d.AttributeDefinitions[0].AttributeType = types.ScalarAttributeTypeN
		}, "its key is pk N HASH"},
		{"NoStream", func(d *types.TableDescription) { d.StreamSpecification = nil }, `its stream is "", not "NEW_AND_OLD_IMAGES"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := tmpl.Tables[0].CreateInput("t")
			got := &types.TableDescription{KeySchema: want.KeySchema, StreamSpecification: want.StreamSpecification,
				AttributeDefinitions: append([]types.AttributeDefinition(nil), want.AttributeDefinitions...)}
			for _, index := range want.GlobalSecondaryIndexes {
				got.GlobalSecondaryIndexes = append(got.GlobalSecondaryIndexes, types.GlobalSecondaryIndexDescription{
					IndexName: index.IndexName, KeySchema: index.KeySchema, Projection: index.Projection})
			}
			tt.change(got)
			if problem := differs(want, got); (tt.want == "") != (problem == "") || !strings.Contains(problem, tt.want) {
				t.Errorf("got %q, want %q", problem, tt.want)
			}
		})
	}
}
