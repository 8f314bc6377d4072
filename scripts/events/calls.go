package events

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/dialplane/dialplane/scripts/policy"
)

// operation is what this package reads of DynamoDB's requests (AWS JSON 1.0;
// "Amazon DynamoDB API Reference").
type operation struct {
	TableName                 string
	IndexName                 string
	Key, Item                 attributes
	KeyConditionExpression    string
	ExpressionAttributeValues attributes
	RequestItems              map[string]struct{ Keys []attributes }
	TransactItems             []map[string]operation
}

type attributes map[string]struct{ S string }

// transactActions are the permissions that the parts of a transaction need
// ("Using IAM with Amazon DynamoDB transactions").
var transactActions = map[string]string{
	"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem",
}

// partition is the condition of a query on its partition key.
var partition = regexp.MustCompile(`^\s*#?\w+\s*=\s*(:\w+)`)

// Permissions returns what IAM must allow for one request to DynamoDB: target
// is its X-Amz-Target, and tables gives the resource for each table's name.
func Permissions(target string, body []byte, tables map[string]string) ([]policy.Request, error) {
	_, action, _ := strings.Cut(target, ".")
	var op operation
	if err := json.Unmarshal(body, &op); err != nil {
		return nil, fmt.Errorf("%s: %w", action, err)
	}
	switch action {
	case "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query":
		return []policy.Request{op.request(action, tables)}, nil
	case "BatchGetItem":
		var all []policy.Request
		for name, of := range op.RequestItems {
			r := policy.Request{Action: "dynamodb:BatchGetItem", Resource: tables[name]}
			for _, key := range of.Keys {
				r.LeadingKeys = append(r.LeadingKeys, key["pk"].S)
			}
			all = append(all, r)
		}
		return all, nil
	case "TransactWriteItems":
		var all []policy.Request
		for _, part := range op.TransactItems {
			for kind, inner := range part {
				all = append(all, inner.request(transactActions[kind], tables))
			}
		}
		return all, nil
	}
	return nil, fmt.Errorf("%s: what it needs is not known here", target)
}

// request is what an operation on one item, or one query, needs.
func (op operation) request(action string, tables map[string]string) policy.Request {
	r := policy.Request{Action: "dynamodb:" + action, Resource: tables[op.TableName]}
	if op.IndexName != "" {
		r.Resource += "/index/" + op.IndexName
	}
	switch {
	case op.Key != nil:
		r.LeadingKeys = []string{op.Key["pk"].S}
	case op.Item != nil:
		r.LeadingKeys = []string{op.Item["pk"].S}
	default:
		if found := partition.FindStringSubmatch(op.KeyConditionExpression); found != nil {
			r.LeadingKeys = []string{op.ExpressionAttributeValues[found[1]].S}
		}
	}
	return r
}
