package events

import (
	"reflect"
	"testing"
	"testing/fstest"

	"github.com/dialplane/dialplane/scripts/policy"
)

func TestPermissions(t *testing.T) {
	t.Parallel()
	tables := map[string]string{"core-1": "${CoreTable.Arn}"}
	request := func(action, resource string, keys ...string) policy.Request {
		return policy.Request{Action: "dynamodb:" + action, Resource: resource, LeadingKeys: keys}
	}
	for _, test := range []struct {
		name, action, body string
		want               []policy.Request
	}{
		{"Key", "GetItem", `{"TableName":"core-1","Key":{"pk":{"S":"A#1"},"sk":{"S":"x"}}}`,
			[]policy.Request{request("GetItem", "${CoreTable.Arn}", "A#1")}},
		{"Item", "PutItem", `{"TableName":"core-1","Item":{"pk":{"S":"A#1"},"n":{"N":"1"}}}`,
			[]policy.Request{request("PutItem", "${CoreTable.Arn}", "A#1")}},
		{"Index", "Query", `{"TableName":"core-1","IndexName":"due","KeyConditionExpression":"#s = :s AND due_at <= :n","ExpressionAttributeValues":{":s":{"S":"DUE#1"},":n":{"N":"5"}}}`,
			[]policy.Request{request("Query", "${CoreTable.Arn}/index/due", "DUE#1")}},
		{"Batch", "BatchGetItem", `{"RequestItems":{"core-1":{"Keys":[{"pk":{"S":"A#1"}},{"pk":{"S":"B#1"}}]}}}`,
			[]policy.Request{request("BatchGetItem", "${CoreTable.Arn}", "A#1", "B#1")}},
		{"Transaction", "TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"core-1","Item":{"pk":{"S":"A#1"}}}},{"ConditionCheck":{"TableName":"other","Key":{"pk":{"S":"B#1"}}}}]}`,
			[]policy.Request{request("PutItem", "${CoreTable.Arn}", "A#1"), request("ConditionCheckItem", "", "B#1")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := Permissions("DynamoDB_20120810."+test.action, []byte(test.body), tables)
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
		})
	}
	for _, unknown := range []string{"Scan", "BatchWriteItem", "TransactGetItems"} {
		if _, err := Permissions("DynamoDB_20120810."+unknown, []byte("{}"), tables); err == nil {
			t.Errorf("%s: its permissions are not known, and there is no error", unknown)
		}
	}
}

func TestSamplesRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	list := func(text string) fstest.MapFS { return fstest.MapFS{"expect.txt": {Data: []byte(text)}} }
	got, err := Samples(list("# head\n\na/b.case.json 401 200 # why\n"))
	if want := []Sample{{File: "a/b.case.json", Function: "a/b", AsIs: "401", Seeded: "200"}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, wrong := range []string{"a/b.json 401\n", "a/b 401 200\n", "a/b.json 1 2 3\n"} {
		if _, err := Samples(list(wrong)); err == nil {
			t.Errorf("%q: no error", wrong)
		}
	}
}
