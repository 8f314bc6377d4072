package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/dialplane/dialplane/scripts/template"
)

// tableWait bounds the making of one table.
const tableWait = 30 * time.Second

// localTable is a table of the template as it exists here.
type localTable struct {
	name      string
	streamARN string // "" for a table without a stream
}

// errOtherShape is a table that another template.yaml made.
var errOtherShape = errors.New("it was made from another template.yaml")

// makeTables makes the template's tables whose condition holds by default, or
// checks those that exist, and returns them by logical id. It fails with
// errOtherShape.
func makeTables(ctx context.Context, db *dynamodb.Client, from *template.Template, prefix string) (map[string]localTable, error) {
	made := map[string]localTable{}
	for _, t := range from.Tables {
		if holds, err := from.Holds(t.Condition, template.Scope{}); err != nil || !holds {
			if err != nil {
				return nil, err
			}
			continue
		}
		// A TableName would be one in an account; locally the prefix separates.
		name := prefix + strings.ToLower(strings.TrimSuffix(t.ID, "Table"))
		l, err := makeTable(ctx, db, t, name)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", name, err)
		}
		made[t.ID] = l
	}
	return made, nil
}

func makeTable(ctx context.Context, db *dynamodb.Client, t template.Table, name string) (localTable, error) {
	ctx, cancel := context.WithTimeout(ctx, tableWait)
	defer cancel()
	want := t.CreateInput(name)
	_, err := db.CreateTable(ctx, want)
	if _, exists := errors.AsType[*types.ResourceInUseException](err); err != nil && !exists {
		return localTable{}, fmt.Errorf("create: %w", err)
	}
	// DynamoDB answers before the table can be used.
	waiter := dynamodb.NewTableExistsWaiter(db, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second
	})
	out, err := waiter.WaitForOutput(ctx, &dynamodb.DescribeTableInput{TableName: &name}, tableWait)
	if err != nil {
		return localTable{}, fmt.Errorf("wait until it can be used: %w", err)
	}
	if problem := differs(want, out.Table); problem != "" {
		return localTable{}, fmt.Errorf("%w: %s", errOtherShape, problem)
	}
	if err := expire(ctx, db, name, t.TTL); err != nil {
		return localTable{}, err
	}
	return localTable{name: name, streamARN: aws.ToString(out.Table.LatestStreamArn)}, nil
}

// expire turns time to live on, unless it is.
func expire(ctx context.Context, db *dynamodb.Client, name, attribute string) error {
	if attribute == "" {
		return nil
	}
	out, err := db.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err != nil {
		return fmt.Errorf("describe time to live: %w", err)
	}
	if d := out.TimeToLiveDescription; d != nil && d.TimeToLiveStatus == types.TimeToLiveStatusEnabled {
		if found := aws.ToString(d.AttributeName); found != attribute {
			return fmt.Errorf("%w: it expires items by %s, not by %s", errOtherShape, found, attribute)
		}
		return nil
	}
	_, err = db.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName:               &name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &attribute, Enabled: aws.Bool(true)},
	})
	if err != nil {
		return fmt.Errorf("turn time to live on: %w", err)
	}
	return nil
}

// differs says in what a table is not as it is wanted, "" if in nothing.
func differs(want *dynamodb.CreateTableInput, got *types.TableDescription) string {
	wantKeys, gotKeys := keyText(want.KeySchema, want.AttributeDefinitions), keyText(got.KeySchema, got.AttributeDefinitions)
	if wantKeys != gotKeys {
		return fmt.Sprintf("its key is %s, not %s", gotKeys, wantKeys)
	}
	var wantView, gotView types.StreamViewType
	if s := want.StreamSpecification; s != nil {
		wantView = s.StreamViewType
	}
	if s := got.StreamSpecification; s != nil && aws.ToBool(s.StreamEnabled) {
		gotView = s.StreamViewType
	}
	if wantView != gotView {
		return fmt.Sprintf("its stream is %q, not %q", gotView, wantView)
	}
	gotIndexes := map[string]string{}
	for _, index := range got.GlobalSecondaryIndexes {
		gotIndexes[*index.IndexName] = keyText(index.KeySchema, got.AttributeDefinitions) + projectionText(index.Projection)
	}
	for _, index := range want.GlobalSecondaryIndexes {
		name := *index.IndexName
		text := keyText(index.KeySchema, want.AttributeDefinitions) + projectionText(index.Projection)
		switch found, ok := gotIndexes[name]; {
		case !ok:
			return fmt.Sprintf("it lacks the index %q", name)
		case found != text:
			return fmt.Sprintf("its index %q is %s, not %s", name, found, text)
		}
		delete(gotIndexes, name)
	}
	for name := range gotIndexes {
		return fmt.Sprintf("its index %q is not in the template", name)
	}
	return ""
}

// keyText writes a key as "pk S HASH, sk S RANGE".
func keyText(keys []types.KeySchemaElement, attributes []types.AttributeDefinition) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		name := aws.ToString(k.AttributeName)
		j := slices.IndexFunc(attributes, func(a types.AttributeDefinition) bool { return aws.ToString(a.AttributeName) == name })
		kind := types.ScalarAttributeType("?")
		if j >= 0 {
			kind = attributes[j].AttributeType
		}
		parts[i] = fmt.Sprintf("%s %s %s", name, kind, k.KeyType)
	}
	return strings.Join(parts, ", ")
}

func projectionText(p *types.Projection) string {
	if p == nil {
		return ""
	}
	others := slices.Clone(p.NonKeyAttributes)
	slices.SortFunc(others, cmp.Compare)
	return " projecting " + string(p.ProjectionType) + strings.Join(append([]string{""}, others...), " ")
}
