package tabletest

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/dialplane/dialplane/shared/table"
)

// activeWait bounds how long a new table may take to become ACTIVE.
const activeWait = 30 * time.Second

// Definitions are the tables as template.yaml has them, as far as keys and
// indexes go. A tree check compares the two.
func Definitions(core, registrations, secrets string) []*dynamodb.CreateTableInput {
	all := &types.Projection{ProjectionType: types.ProjectionTypeAll}
	keysOnly := &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}
	return []*dynamodb.CreateTableInput{
		{
			TableName: &core, KeySchema: keySchema(table.AttrPK, table.AttrSK),
			AttributeDefinitions: attributes("pk:S", "sk:S", "due_shard:S", "due_at:N", "owner:S"),
			GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{
				{IndexName: aws.String(table.IndexDue), KeySchema: keySchema("due_shard", table.AttrDueAt), Projection: keysOnly},
				{IndexName: aws.String(table.IndexOwner), KeySchema: keySchema("owner", table.AttrSK), Projection: all},
			},
			StreamSpecification: &types.StreamSpecification{
				StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
		},
		{
			TableName: &registrations, KeySchema: keySchema(table.AttrPK, table.AttrSK),
			AttributeDefinitions: attributes("pk:S", "sk:S", "account_id:S", "device_id:S"),
			GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{
				{IndexName: aws.String(table.IndexAccount), KeySchema: keySchema("account_id", "device_id"), Projection: all},
			},
		},
		{
			TableName: &secrets, KeySchema: keySchema(table.AttrPK, table.AttrSK),
			AttributeDefinitions: attributes("pk:S", "sk:S"),
		},
	}
}

func keySchema(hash, sort string) []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: &hash, KeyType: types.KeyTypeHash}, {AttributeName: &sort, KeyType: types.KeyTypeRange}}
}

// attributes reads "name:type".
func attributes(list ...string) []types.AttributeDefinition {
	var out []types.AttributeDefinition
	for _, s := range list {
		out = append(out, types.AttributeDefinition{
			AttributeName: aws.String(s[:len(s)-2]), AttributeType: types.ScalarAttributeType(s[len(s)-1:])})
	}
	return out
}

// create makes the tables and waits until they can be used.
func create(ctx context.Context, client *dynamodb.Client, wanted []*dynamodb.CreateTableInput) error {
	for _, in := range wanted {
		in.BillingMode = types.BillingModePayPerRequest
		if _, err := client.CreateTable(ctx, in); err != nil {
			return fmt.Errorf("create table %s: %w", *in.TableName, err)
		}
	}
	waiter := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, time.Second
	})
	for _, in := range wanted {
		if err := waiter.Wait(ctx, &dynamodb.DescribeTableInput{TableName: in.TableName}, activeWait); err != nil {
			return fmt.Errorf("wait for table %s: %w", *in.TableName, err)
		}
	}
	return nil
}
