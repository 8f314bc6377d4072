package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

var (
	// errExpired is an iterator that was not used for 15 minutes.
	errExpired = errors.New("the shard iterator has expired")
	// errTrimmed is a position that is no longer in the stream, which keeps
	// records for 24 hours.
	errTrimmed = errors.New("the position is older than the stream")
)

// maxRead is GetRecords' limit.
const maxRead = 1000

// shard is one shard of a stream.
type shard struct {
	id     string
	parent string // "" for none
	closed bool   // takes no more records
}

// position is where reading a shard starts: after a sequence number, or at
// TRIM_HORIZON or LATEST if there is none.
type position struct {
	after string
	start string
}

// streamReader reads one stream.
type streamReader interface {
	// shards returns all shards, in any order.
	shards(ctx context.Context) ([]shard, error)
	// open returns an iterator. It fails with errTrimmed.
	open(ctx context.Context, shardID string, at position) (iterator string, err error)
	// read returns up to limit records, maybe none, and the next iterator,
	// which is "" when the shard has ended. It fails with errExpired or
	// errTrimmed.
	read(ctx context.Context, iterator string, limit int) (records []record, next string, err error)
}

// dynamoStream reads a stream of DynamoDB.
type dynamoStream struct {
	client *dynamodbstreams.Client
	arn    string
}

var _ streamReader = dynamoStream{}

func (s dynamoStream) shards(ctx context.Context) ([]shard, error) {
	var all []shard
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: &s.arn}
	for {
		out, err := s.client.DescribeStream(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("describe stream: %w", err)
		}
		for _, found := range out.StreamDescription.Shards {
			one := shard{id: aws.ToString(found.ShardId), parent: aws.ToString(found.ParentShardId)}
			if r := found.SequenceNumberRange; r != nil {
				one.closed = r.EndingSequenceNumber != nil
			}
			all = append(all, one)
		}
		if in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return all, nil
		}
	}
}

func (s dynamoStream) open(ctx context.Context, shardID string, at position) (string, error) {
	in := &dynamodbstreams.GetShardIteratorInput{
		StreamArn: &s.arn, ShardId: &shardID, ShardIteratorType: types.ShardIteratorType(at.start)}
	if at.after != "" {
		in.ShardIteratorType, in.SequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &at.after
	}
	out, err := s.client.GetShardIterator(ctx, in)
	if err != nil {
		return "", fmt.Errorf("get shard iterator: %w", streamError(err))
	}
	return aws.ToString(out.ShardIterator), nil
}

func (s dynamoStream) read(ctx context.Context, iterator string, limit int) ([]record, string, error) {
	out, err := s.client.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{
		ShardIterator: &iterator, Limit: aws.Int32(int32(min(limit, maxRead)))})
	if err != nil {
		return nil, "", fmt.Errorf("get records: %w", streamError(err))
	}
	records := make([]record, len(out.Records))
	for i, found := range out.Records {
		if records[i], err = newRecord(found, s.arn); err != nil {
			return nil, "", err
		}
	}
	return records, aws.ToString(out.NextShardIterator), nil
}

// streamError puts our own errors in the chain of those that a caller handles.
func streamError(err error) error {
	if _, ok := errors.AsType[*types.ExpiredIteratorException](err); ok {
		return fmt.Errorf("%w: %w", errExpired, err)
	}
	if _, ok := errors.AsType[*types.TrimmedDataAccessException](err); ok {
		return fmt.Errorf("%w: %w", errTrimmed, err)
	}
	return err
}
