package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/dialplane/dialplane/shared/stream"
)

var quiet = slog.New(slog.NewJSONHandler(io.Discard, nil))

// batch decodes records as Lambda sends them.
func batch(t *testing.T, records string) events.DynamoDBEvent {
	t.Helper()
	var b events.DynamoDBEvent
	if err := json.Unmarshal([]byte(`{"Records":`+records+`}`), &b); err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	made     = `{"eventName":"INSERT","dynamodb":{"SequenceNumber":"100","Keys":{"pk":{"S":"ACCOUNT#a"},"sk":{"S":"DEVICE#d"}},"NewImage":{"doc":{"S":"{\"name\":\"n\"}"},"rev":{"N":"1"},"by_account":{"S":"a"},"by_user":{"S":"u"},"request_id":{"S":"r"}}}}`
	changed  = `{"eventName":"MODIFY","dynamodb":{"SequenceNumber":"200","Keys":{"pk":{"S":"ACCOUNT#a"},"sk":{"S":"USER#u"}},"OldImage":{"doc":{"S":"{}"}},"NewImage":{"doc":{"S":"{\"x\":1}"}}}}`
	removed  = `{"eventName":"UNKNOWN_TO_SDK_VERSION","dynamodb":{"SequenceNumber":"300","Keys":{"pk":{"S":"ACCOUNT#a"},"sk":{"S":"ACCOUNT"}},"OldImage":{"doc":{"S":"{}"}}}}`
	command  = `{"eventName":"INSERT","dynamodb":{"SequenceNumber":"400","Keys":{"pk":{"S":"DEVICE#a#d"},"sk":{"S":"COMMAND#c"}},"NewImage":{"state":{"S":"pending"}}}}`
	claim    = `{"eventName":"INSERT","dynamodb":{"SequenceNumber":"500","Keys":{"pk":{"S":"REALM#x"},"sk":{"S":"CLAIM"}},"NewImage":{"account_id":{"S":"a"}}}}`
	poisoned = `{"eventName":"INSERT","dynamodb":{"SequenceNumber":"600","Keys":{"pk":{"S":"ACCOUNT#a"},"sk":{"S":"DEVICE#d"}},"NewImage":{"doc":{"S":"no JSON"}}}}`
)

func TestHandle(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		records string
		seen    []string
		failed  string
	}{
		{"SeesDocumentsInOrder", "[" + made + "," + changed + "," + removed + "]", []string{"created device d", "updated user u", "deleted account a"}, ""},
		{"PassesOverTheRest", "[" + command + "," + claim + "]", nil, ""},
		{"StopsAtThePoisonedRecord", "[" + made + "," + poisoned + "," + changed + "]", []string{"created device d"}, "600"},
		{"SeesADuplicateAgain", "[" + made + "," + made + "]", []string{"created device d", "created device d"}, ""},
		{"Empty", "[]", nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var seen []string
			got := stream.Handle(t.Context(), quiet, batch(t, test.records), func(_ context.Context, c stream.Change) error {
				seen = append(seen, c.What()+" "+string(c.Kind)+" "+c.ID)
				return nil
			})
			if !slices.Equal(seen, test.seen) {
				t.Errorf("saw %q, want %q", seen, test.seen)
			}
			checkFailed(t, got, test.failed)
		})
	}
}

func TestStopsWhereTheWorkFails(t *testing.T) {
	t.Parallel()
	got := stream.Handle(t.Context(), quiet, batch(t, "["+made+","+changed+","+removed+"]"), func(_ context.Context, c stream.Change) error {
		if c.What() == "updated" {
			return errors.New("store is down")
		}
		return nil
	})
	checkFailed(t, got, "200")
}

func TestTellsTheAuthor(t *testing.T) {
	t.Parallel()
	stream.Handle(t.Context(), quiet, batch(t, "["+made+"]"), func(_ context.Context, c stream.Change) error {
		if c.ByAccount != "a" || c.ByUser != "u" || c.RequestID != "r" || c.Rev != 1 || c.AccountID != "a" {
			t.Errorf("got %+v", c)
		}
		return nil
	})
}

// checkFailed checks the answer to Lambda; it must be a list, even an empty
// one.
func checkFailed(t *testing.T, got events.DynamoDBEventResponse, want string) {
	t.Helper()
	text, _ := json.Marshal(got)
	expected := `{"batchItemFailures":[]}`
	if want != "" {
		expected = `{"batchItemFailures":[{"itemIdentifier":"` + want + `"}]}`
	}
	if string(text) != expected {
		t.Errorf("got %s, want %s", text, expected)
	}
}
