// Command automation follows the stream of the core table and leaves one audit
// line for each document that was made, changed or removed: what, where, by
// whom, and which properties — never their values, some of which are secrets.
//
// Template: StreamsAutomationFunction. Sample event: events/streams/automation.json.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/obs"
	"github.com/dialplane/dialplane/shared/stream"
)

func main() {
	log := obs.Logger(os.Stdout, os.Getenv).With("function", "streams/automation")
	lambda.Start(func(ctx context.Context, batch events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
		return stream.Handle(ctx, log, batch, audit(log)), nil
	})
}

// audit writes the line. A record that is delivered twice is logged twice;
// rev tells.
func audit(log *slog.Logger) func(context.Context, stream.Change) error {
	return func(ctx context.Context, c stream.Change) error {
		log.LogAttrs(ctx, slog.LevelInfo, "audit",
			slog.String("change", c.What()), slog.String("kind", string(c.Kind)),
			slog.String("account_id", c.AccountID), slog.String("id", c.ID), slog.Int64("rev", c.Rev),
			slog.Any("paths", document.Changed(c.Old, c.New)),
			slog.String("caller", c.ByAccount), slog.String("caller_user", c.ByUser),
			slog.String("request_id", c.RequestID))
		return nil
	}
}
