package changes

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/dialplane/dialplane/shared/wait"
)

// pageSize is the most that GetRecords returns.
const pageSize = 1000

// position is a place in a shard: after a record, or where reading began.
type position struct {
	from types.ShardIteratorType // if after is empty
	// after is the sequence number of the last record told: decimal digits,
	// longer than any integer.
	after string
}

// readShard tells the records of a shard from the given place to its end. It
// calls opened when nothing after that place can be missed any more, and
// returns when the shard has ended or is gone, or ctx ends.
func (r *Reader) readShard(ctx context.Context, arn, shard string, from types.ShardIteratorType, opened func()) {
	defer opened()
	at := position{from: from}
	log := r.Log.With("shard", shard)
	var iterator *string
	pause := errorPause
	for ctx.Err() == nil {
		var page *dynamodbstreams.GetRecordsOutput
		var err error
		if iterator == nil {
			iterator, err = r.iterator(ctx, arn, shard, at)
		}
		if err == nil {
			opened()
			page, err = r.Streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: iterator, Limit: aws.Int32(pageSize)})
		}
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			if gone(err) {
				return
			}
			if lost(err) {
				// An iterator lives 15 minutes.
				iterator = nil
			}
			if _, trimmed := errors.AsType[*types.TrimmedDataAccessException](err); trimmed {
				log.Warn("records were trimmed before they were read")
				iterator, at = nil, position{from: types.ShardIteratorTypeTrimHorizon}
			}
			log.Warn("shard not read", "err", err)
			pause = backOff(ctx, pause)
			continue
		}
		pause = errorPause
		for _, record := range page.Records {
			r.tell(record)
			if record.Dynamodb != nil && record.Dynamodb.SequenceNumber != nil {
				at.after = *record.Dynamodb.SequenceNumber
			}
		}
		if iterator = page.NextShardIterator; iterator == nil {
			return // the end of the shard
		}
		if len(page.Records) == 0 {
			wait.For(ctx, idlePoll)
		}
	}
}

// iterator returns an iterator at a place of a shard.
func (r *Reader) iterator(ctx context.Context, arn, shard string, at position) (*string, error) {
	in := &dynamodbstreams.GetShardIteratorInput{StreamArn: &arn, ShardId: &shard, ShardIteratorType: at.from}
	if at.after != "" {
		in.ShardIteratorType, in.SequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &at.after
	}
	out, err := r.Streams.GetShardIterator(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("get shard iterator: %w", err)
	}
	if out.ShardIterator == nil {
		return nil, errors.New("get shard iterator: empty answer")
	}
	return out.ShardIterator, nil
}

// gone tells that the shard or its stream does not exist any more.
func gone(err error) bool {
	_, ok := errors.AsType[*types.ResourceNotFoundException](err)
	return ok
}

// lost tells that an iterator is of no use any more.
func lost(err error) bool {
	_, ok := errors.AsType[*types.ExpiredIteratorException](err)
	return ok
}

// tell reports a record if it is an insertion. The images decide before the
// name of the event.
func (r *Reader) tell(record types.Record) {
	change := record.Dynamodb
	if change == nil {
		return
	}
	inserted := record.EventName == types.OperationTypeInsert
	if change.NewImage != nil || change.OldImage != nil {
		inserted = change.NewImage != nil && change.OldImage == nil
	}
	pk, hasPK := change.Keys["pk"].(*types.AttributeValueMemberS)
	sk, hasSK := change.Keys["sk"].(*types.AttributeValueMemberS)
	if inserted && hasPK && hasSK {
		r.Inserted(pk.Value, sk.Value)
	}
}
