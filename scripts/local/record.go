package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// record is a stream record as Lambda delivers it.
type record struct {
	sequence string
	created  time.Time // zero if the stream did not say
	json     json.RawMessage
}

// newRecord encodes a record of the stream with that ARN ("Using AWS Lambda
// with Amazon DynamoDB", example event).
func newRecord(r types.Record, streamARN string) (record, error) {
	change := r.Dynamodb
	if change == nil {
		return record{}, fmt.Errorf("record %s has no change", aws.ToString(r.EventID))
	}
	out := events.DynamoDBEventRecord{
		AWSRegion:      localRegion,
		EventID:        aws.ToString(r.EventID),
		EventName:      string(r.EventName),
		EventSource:    "aws:dynamodb",
		EventVersion:   "1.1",
		EventSourceArn: streamARN,
		Change: events.DynamoDBStreamRecord{
			ApproximateCreationDateTime: events.SecondsEpochTime{Time: aws.ToTime(change.ApproximateCreationDateTime)},
			SequenceNumber:              aws.ToString(change.SequenceNumber),
			SizeBytes:                   aws.ToInt64(change.SizeBytes),
			StreamViewType:              string(change.StreamViewType),
		},
	}
	if id := r.UserIdentity; id != nil {
		out.UserIdentity = &events.DynamoDBUserIdentity{Type: aws.ToString(id.Type), PrincipalID: aws.ToString(id.PrincipalId)}
	}
	var err error
	for _, image := range []struct {
		from map[string]types.AttributeValue
		to   *map[string]events.DynamoDBAttributeValue
	}{{change.Keys, &out.Change.Keys}, {change.NewImage, &out.Change.NewImage}, {change.OldImage, &out.Change.OldImage}} {
		if *image.to, err = attributes(image.from); err != nil {
			return record{}, fmt.Errorf("record %s: %w", out.Change.SequenceNumber, err)
		}
	}
	encoded, err := json.Marshal(out)
	if err != nil {
		return record{}, fmt.Errorf("encode record %s: %w", out.Change.SequenceNumber, err)
	}
	return record{sequence: out.Change.SequenceNumber, created: aws.ToTime(change.ApproximateCreationDateTime), json: encoded}, nil
}

func attributes(item map[string]types.AttributeValue) (map[string]events.DynamoDBAttributeValue, error) {
	if item == nil {
		return nil, nil
	}
	out := make(map[string]events.DynamoDBAttributeValue, len(item))
	for name, value := range item {
		converted, err := attribute(value)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		out[name] = converted
	}
	return out, nil
}

func attribute(value types.AttributeValue) (events.DynamoDBAttributeValue, error) {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return events.NewStringAttribute(v.Value), nil
	case *types.AttributeValueMemberN:
		return events.NewNumberAttribute(v.Value), nil
	case *types.AttributeValueMemberB:
		return events.NewBinaryAttribute(v.Value), nil
	case *types.AttributeValueMemberBOOL:
		return events.NewBooleanAttribute(v.Value), nil
	case *types.AttributeValueMemberNULL:
		return events.NewNullAttribute(), nil
	case *types.AttributeValueMemberSS:
		return events.NewStringSetAttribute(v.Value), nil
	case *types.AttributeValueMemberNS:
		return events.NewNumberSetAttribute(v.Value), nil
	case *types.AttributeValueMemberBS:
		return events.NewBinarySetAttribute(v.Value), nil
	case *types.AttributeValueMemberM:
		converted, err := attributes(v.Value)
		if converted == nil {
			converted = map[string]events.DynamoDBAttributeValue{}
		}
		return events.NewMapAttribute(converted), err
	case *types.AttributeValueMemberL:
		list := make([]events.DynamoDBAttributeValue, len(v.Value))
		for i, item := range v.Value {
			converted, err := attribute(item)
			if err != nil {
				return events.DynamoDBAttributeValue{}, err
			}
			list[i] = converted
		}
		return events.NewListAttribute(list), nil
	}
	return events.DynamoDBAttributeValue{}, fmt.Errorf("unknown type %T", value)
}

// eventPayload is what the function is invoked with.
func eventPayload(batch []record) ([]byte, error) {
	raw := make([]json.RawMessage, len(batch))
	for i, r := range batch {
		raw[i] = r.json
	}
	return json.Marshal(map[string]any{"Records": raw})
}
