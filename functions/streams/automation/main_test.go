package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/dialplane/dialplane/shared/stream"
)

func TestAudit(t *testing.T) {
	t.Parallel()
	var batch events.DynamoDBEvent
	text, err := os.ReadFile("../../../events/streams/automation.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &batch); err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	quiet := slog.New(slog.NewJSONHandler(io.Discard, nil))
	got := stream.Handle(t.Context(), quiet, batch, audit(slog.New(slog.NewJSONHandler(&logged, nil))))
	if len(got.BatchItemFailures) != 0 {
		t.Fatalf("got failures %v", got.BatchItemFailures)
	}
	lines := strings.Split(strings.TrimSpace(logged.String()), "\n")
	for i, change := range []string{"created", "updated", "deleted"} {
		if i >= len(lines) || !strings.Contains(lines[i], `"change":"`+change+`"`) || !strings.Contains(lines[i], `"kind":"device"`) {
			t.Errorf("line %d tells nothing of a device that was %s: %s", i, change, logged.String())
		}
	}
	if strings.Contains(logged.String(), "secret") || !strings.Contains(logged.String(), `"sip.password"`) {
		t.Errorf("the line must name sip.password and not show it: %s", logged.String())
	}
}
