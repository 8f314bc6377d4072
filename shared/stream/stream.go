// Package stream reads the records of core's stream that Lambda delivers, in
// order, and tells Lambda from which one on to deliver them again.
package stream

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/events"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/table"
)

// Change is one document that was made, changed or removed.
type Change struct {
	table.Item
	Old       document.Object // nil if the document was made
	New       document.Object // nil if it was removed
	ByAccount string          // account that the change was made for; of a removal, the last change before it
	ByUser    string          // user of that account; empty for an API key
	RequestID string
	Rev       int64 // of the document after the change; of a removal, before it
}

// What names what happened: created, updated or deleted. It goes by the images
// and not by the record's event name, which emulators get wrong.
func (c Change) What() string {
	switch {
	case c.Old == nil:
		return "created"
	case c.New == nil:
		return "deleted"
	}
	return "updated"
}

// Handle calls do for each change of a document in batch, in order, until one
// fails. It returns the failed record, from which Lambda shall deliver again
// (ReportBatchItemFailures): what came before is done. Records of claims,
// links and commands are passed over.
func Handle(ctx context.Context, log *slog.Logger, batch events.DynamoDBEvent, do func(context.Context, Change) error) events.DynamoDBEventResponse {
	for _, record := range batch.Records {
		change, ok, err := decode(record)
		if err == nil && ok {
			err = do(ctx, change)
		}
		if err != nil {
			log.Error("record failed", "event_id", record.EventID, "sequence_number", record.Change.SequenceNumber, "err", err)
			return events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{
				{ItemIdentifier: record.Change.SequenceNumber}}}
		}
	}
	return events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{}}
}

// decode returns the change that a record tells of, or false if it tells of no
// document.
func decode(record events.DynamoDBEventRecord) (Change, bool, error) {
	item, ok := table.ParseKey(text(record.Change.Keys, table.AttrPK), text(record.Change.Keys, table.AttrSK))
	if !ok || item.Kind == table.KindCommand {
		return Change{}, false, nil
	}
	c := Change{Item: item}
	var err error
	if c.Old, err = documentOf(record.Change.OldImage); err != nil {
		return Change{}, false, fmt.Errorf("old image: %w", err)
	}
	if c.New, err = documentOf(record.Change.NewImage); err != nil {
		return Change{}, false, fmt.Errorf("new image: %w", err)
	}
	image := record.Change.NewImage
	if c.New == nil {
		image = record.Change.OldImage
	}
	c.ByAccount, c.ByUser = text(image, table.AttrByAccount), text(image, table.AttrByUser)
	c.RequestID = text(image, table.AttrRequestID)
	if rev, ok := image[table.AttrRev]; ok && rev.DataType() == events.DataTypeNumber {
		c.Rev, _ = rev.Integer() // no document has more than an int64's revisions
	}
	return c, true, nil
}

func documentOf(image map[string]events.DynamoDBAttributeValue) (document.Object, error) {
	if len(image) == 0 {
		return nil, nil
	}
	v, err := document.Decode([]byte(text(image, table.AttrDoc)))
	if err != nil {
		return nil, err
	}
	doc, ok := v.(document.Object)
	if !ok {
		return nil, fmt.Errorf("document is no object")
	}
	return doc, nil
}

// text returns a string attribute, or "" if there is none.
func text(image map[string]events.DynamoDBAttributeValue, name string) string {
	if v, ok := image[name]; ok && v.DataType() == events.DataTypeString {
		return v.String()
	}
	return ""
}
