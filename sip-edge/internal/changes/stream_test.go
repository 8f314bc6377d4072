package changes

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// stream is a stream that a test writes, splits and breaks.
type stream struct {
	mu       sync.Mutex
	arn      string
	shards   []*shard
	sequence int
	hidden   map[string]bool         // shards that DescribeStream does not list yet
	fail     func(call string) error // nil: nothing fails
	expired  map[string]bool         // iterators
	calls    map[string]int
}

type shard struct {
	id, parent string
	records    []types.Record
	closed     bool
	trimmed    int // records that are gone
}

func newStream() *stream {
	return &stream{arn: "arn-1", shards: []*shard{{id: "s0"}}, hidden: map[string]bool{}, expired: map[string]bool{}, calls: map[string]int{}}
}

func (s *stream) begin(call string) error {
	s.mu.Lock()
	s.calls[call]++
	if s.fail != nil {
		return s.fail(call)
	}
	return nil
}

func (s *stream) DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error) {
	err := s.begin("DescribeTable")
	defer s.mu.Unlock()
	return &dynamodb.DescribeTableOutput{Table: &dbtypes.TableDescription{LatestStreamArn: aws.String(s.arn)}}, err
}

// DescribeStream gives one shard a page.
func (s *stream) DescribeStream(_ context.Context, in *dynamodbstreams.DescribeStreamInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error) {
	err := s.begin("DescribeStream")
	defer s.mu.Unlock()
	if err == nil && *in.StreamArn != s.arn {
		err = &types.ResourceNotFoundException{}
	}
	if err != nil {
		return nil, err
	}
	out := &types.StreamDescription{}
	next := in.ExclusiveStartShardId == nil
	for _, sh := range s.shards {
		if s.hidden[sh.id] {
			continue
		}
		if next && len(out.Shards) == 1 {
			out.LastEvaluatedShardId = out.Shards[0].ShardId
			break
		}
		if next {
			described := types.Shard{ShardId: &sh.id, SequenceNumberRange: &types.SequenceNumberRange{StartingSequenceNumber: aws.String("1")}}
			if sh.parent != "" {
				described.ParentShardId = &sh.parent
			}
			if sh.closed {
				described.SequenceNumberRange.EndingSequenceNumber = aws.String("9")
			}
			out.Shards = append(out.Shards, described)
		}
		next = next || sh.id == aws.ToString(in.ExclusiveStartShardId)
	}
	return &dynamodbstreams.DescribeStreamOutput{StreamDescription: out}, nil
}

func (s *stream) find(id string) *shard {
	i := slices.IndexFunc(s.shards, func(sh *shard) bool { return sh.id == id })
	if i < 0 {
		return nil
	}
	return s.shards[i]
}

func (s *stream) GetShardIterator(_ context.Context, in *dynamodbstreams.GetShardIteratorInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetShardIteratorOutput, error) {
	err := s.begin("GetShardIterator")
	defer s.mu.Unlock()
	sh := s.find(*in.ShardId)
	if err == nil && (sh == nil || *in.StreamArn != s.arn) {
		err = &types.ResourceNotFoundException{}
	}
	if err != nil {
		return nil, err
	}
	at := len(sh.records)
	switch in.ShardIteratorType {
	case types.ShardIteratorTypeTrimHorizon:
		at = sh.trimmed
	case types.ShardIteratorTypeAfterSequenceNumber:
		at = slices.IndexFunc(sh.records, func(r types.Record) bool { return *r.Dynamodb.SequenceNumber == *in.SequenceNumber }) + 1
		if at < sh.trimmed {
			return nil, &types.TrimmedDataAccessException{}
		}
	}
	return &dynamodbstreams.GetShardIteratorOutput{ShardIterator: aws.String(fmt.Sprintf("%s|%s|%d|%d", s.arn, sh.id, at, s.calls["GetShardIterator"]))}, nil
}

// GetRecords gives at most two records a page.
func (s *stream) GetRecords(_ context.Context, in *dynamodbstreams.GetRecordsInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error) {
	err := s.begin("GetRecords")
	defer s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if s.expired[*in.ShardIterator] {
		return nil, &types.ExpiredIteratorException{}
	}
	parts := strings.Split(*in.ShardIterator, "|")
	sh := s.find(parts[1])
	if sh == nil || parts[0] != s.arn {
		return nil, &types.ResourceNotFoundException{}
	}
	at, _ := strconv.Atoi(parts[2])
	if at < sh.trimmed {
		return nil, &types.TrimmedDataAccessException{}
	}
	end := min(at+2, len(sh.records))
	out := &dynamodbstreams.GetRecordsOutput{Records: sh.records[at:end]}
	if !sh.closed || end < len(sh.records) {
		out.NextShardIterator = aws.String(fmt.Sprintf("%s|%s|%d|%s", s.arn, sh.id, end, parts[3]))
	}
	return out, nil
}

// write inserts items into a shard.
func (s *stream) write(id string, names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		s.add(id, name, types.OperationTypeInsert, true, false)
	}
}

func (s *stream) add(id, name string, event types.OperationType, newImage, oldImage bool) {
	s.sequence++
	change := &types.StreamRecord{
		SequenceNumber: aws.String(strings.Repeat("9", 20) + strconv.Itoa(s.sequence)),
		Keys:           map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "pk"}, "sk": &types.AttributeValueMemberS{Value: name}},
	}
	if newImage {
		change.NewImage = change.Keys
	}
	if oldImage {
		change.OldImage = change.Keys
	}
	sh := s.find(id)
	sh.records = append(sh.records, types.Record{EventName: event, Dynamodb: change})
}

// split closes a shard and opens others in its place.
func (s *stream) split(id string, children ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.find(id).closed = true
	for _, child := range children {
		s.shards = append(s.shards, &shard{id: child, parent: id})
	}
}

func (s *stream) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}
