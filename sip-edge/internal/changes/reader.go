// Package changes follows the stream of a DynamoDB table and tells which items
// were inserted.
//
// It guarantees that what is inserted after ready was called is told at least
// once, within a poll of its appearance, as long as the stream can be read; an
// item's changes are told in their order. It reads parents to the end before
// their children. It is only a wake-up: what came before, and what is lost when
// reading fails for longer than the stream keeps, must be found by other means.
//
// One Reader reads all shards. Leases, by which several readers share them,
// belong into follow: it decides which shard is read, and readShard does not
// care who asked.
package changes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/dialplane/dialplane/shared/wait"
)

const (
	// idlePoll is the wait after an empty page: 5 reads a second, which is the
	// rate that a shard allows one reader of two.
	idlePoll = 200 * time.Millisecond
	// describePeriod is how often shards are looked for when none has ended.
	describePeriod = 30 * time.Second
	// errorPause is the wait after the first of a row of errors; it doubles up
	// to errorPauseMax.
	errorPause, errorPauseMax = 200 * time.Millisecond, 5 * time.Second
)

// Tables is the part of the DynamoDB client that a Reader uses.
type Tables interface {
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
}

// Streams is the part of the DynamoDB Streams client that a Reader uses.
type Streams interface {
	DescribeStream(context.Context, *dynamodbstreams.DescribeStreamInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error)
	GetShardIterator(context.Context, *dynamodbstreams.GetShardIteratorInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetShardIteratorOutput, error)
	GetRecords(context.Context, *dynamodbstreams.GetRecordsInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error)
}

// Reader follows the stream of one table.
type Reader struct {
	Table   string
	Tables  Tables
	Streams Streams
	// Inserted is called with the key attributes pk and sk of each inserted
	// item, by one goroutine a shard. It must not block for long.
	Inserted func(pk, sk string)
	Log      *slog.Logger
}

// errStreamGone says that the stream's ARN names nothing any more.
var errStreamGone = errors.New("the stream is gone")

// Run follows the stream until ctx ends. It calls ready once, when it misses
// nothing any more. Errors are logged and reading goes on.
func (r *Reader) Run(ctx context.Context, ready func()) error {
	ready = sync.OnceFunc(ready)
	pause := errorPause
	for first := true; ctx.Err() == nil; {
		arn, err := r.latest(ctx)
		if err == nil {
			// A stream that takes another's place is read from its start.
			err = r.follow(ctx, arn, first, ready)
			first = false
		}
		if ctx.Err() != nil {
			break
		}
		r.Log.Warn("stream not read", "table", r.Table, "err", err)
		pause = backOff(ctx, pause)
	}
	return nil
}

// latest returns the ARN of the table's stream.
func (r *Reader) latest(ctx context.Context) (string, error) {
	out, err := r.Tables.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &r.Table})
	if err != nil {
		return "", fmt.Errorf("describe table: %w", err)
	}
	if out.Table == nil || aws.ToString(out.Table.LatestStreamArn) == "" {
		return "", errors.New("the table has no stream")
	}
	return *out.Table.LatestStreamArn, nil
}

// phase is how far the reading of a shard is.
type phase int

const (
	reading phase = iota + 1
	finished
)

// follow reads the shards of a stream: from the newest record those that are
// open when first is set, from their start all that come later, each after its
// parent has ended. It returns when ctx ends or the stream is gone.
func (r *Reader) follow(ctx context.Context, arn string, first bool, ready func()) error {
	ctx, cancel := context.WithCancel(ctx)
	var readers sync.WaitGroup
	defer readers.Wait()
	defer cancel()
	shards, err := r.describe(ctx, arn)
	if err != nil {
		return err
	}
	phases := map[string]phase{}
	ended := make(chan string)
	start := func(shard string, from types.ShardIteratorType, opened func()) {
		phases[shard] = reading
		readers.Go(func() {
			r.readShard(ctx, arn, shard, from, opened)
			select {
			case ended <- shard:
			case <-ctx.Done():
			}
		})
	}
	var opening sync.WaitGroup // first readers that have no iterator yet
	for _, s := range shards {
		switch id := aws.ToString(s.ShardId); {
		case !first: // below
		case s.SequenceNumberRange != nil && s.SequenceNumberRange.EndingSequenceNumber != nil:
			phases[id] = finished // all of it is old
		default:
			opening.Add(1)
			start(id, types.ShardIteratorTypeLatest, sync.OnceFunc(opening.Done))
		}
	}
	readers.Go(func() {
		opening.Wait()
		if ctx.Err() == nil {
			ready()
		}
	})
	for pause := time.Duration(0); ; {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case id := <-ended:
			timer.Stop()
			phases[id] = finished
			pause = errorPause // its children are there, or will be soon
		case <-timer.C:
			pause = min(max(2*pause, errorPause), describePeriod)
		}
		if shards, err = r.describe(ctx, arn); err != nil {
			if _, gone := errors.AsType[*types.ResourceNotFoundException](err); gone {
				return errStreamGone
			}
			r.Log.Warn("stream not described", "err", err)
			continue
		}
		listed := map[string]bool{}
		for _, s := range shards {
			listed[aws.ToString(s.ShardId)] = true
		}
		for id, p := range phases {
			if p == finished && !listed[id] {
				delete(phases, id)
			}
		}
		for _, s := range shards {
			id, parent := aws.ToString(s.ShardId), aws.ToString(s.ParentShardId)
			if phases[id] == 0 && (!listed[parent] || phases[parent] == finished) {
				start(id, types.ShardIteratorTypeTrimHorizon, func() {})
			}
		}
	}
}

// describe returns all shards of a stream.
func (r *Reader) describe(ctx context.Context, arn string) ([]types.Shard, error) {
	var shards []types.Shard
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: &arn}
	for {
		out, err := r.Streams.DescribeStream(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("describe stream: %w", err)
		}
		if out.StreamDescription == nil {
			return nil, errors.New("describe stream: empty answer")
		}
		shards = append(shards, out.StreamDescription.Shards...)
		if in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return shards, nil
		}
	}
}

// backOff waits about d and returns the next wait.
func backOff(ctx context.Context, d time.Duration) time.Duration {
	wait.For(ctx, d/2+rand.N(d/2+1))
	return min(2*d, errorPauseMax)
}
