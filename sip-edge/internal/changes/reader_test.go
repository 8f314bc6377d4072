package changes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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

// told is what a reader has told so far, and whether it was ready.
type told struct {
	mu    sync.Mutex
	names []string
	ready bool
}

func (o *told) got() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.names)
}

// run reads s in fake time while test runs.
func run(t *testing.T, s *stream, test func(t *testing.T, o *told)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &told{}
		r := Reader{Table: "core", Tables: s, Streams: s, Log: slog.New(slog.DiscardHandler), Inserted: func(_, sk string) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.names = append(o.names, sk)
		}}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() {
			done <- r.Run(ctx, func() {
				o.mu.Lock()
				defer o.mu.Unlock()
				if o.ready {
					t.Error("ready was called twice")
				}
				o.ready = true
			})
		}()
		synctest.Wait()
		test(t, o)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func (o *told) want(t *testing.T, after time.Duration, names ...string) {
	t.Helper()
	time.Sleep(after) // fake
	synctest.Wait()
	if got := o.got(); !slices.Equal(got, names) {
		t.Errorf("got %v, want %v", got, names)
	}
}

func TestTellsWhatComesAfterTheStart(t *testing.T) {
	s := newStream()
	s.write("s0", "old-1", "old-2")
	run(t, s, func(t *testing.T, o *told) {
		if !o.ready {
			t.Fatal("not ready")
		}
		s.write("s0", "a")
		o.want(t, idlePoll, "a")
		s.write("s0", "b", "c", "d", "e")
		o.want(t, idlePoll, "a", "b", "c", "d", "e")
		o.want(t, time.Hour, "a", "b", "c", "d", "e")
	})
}

func TestTellsOnlyInsertions(t *testing.T) {
	s := newStream()
	run(t, s, func(t *testing.T, o *told) {
		s.change(func() {
			s.add("s0", "modified", types.OperationTypeModify, true, true)
			s.add("s0", "removed", types.OperationTypeRemove, false, true)
			s.add("s0", "removed-by-ttl", types.OperationType("UNKNOWN"), false, true)
			s.add("s0", "misnamed", types.OperationTypeModify, true, false)
			s.add("s0", "keys-only", types.OperationTypeInsert, false, false)
			sh := s.find("s0")
			sh.records = append(sh.records, types.Record{EventName: types.OperationTypeInsert})
		})
		s.write("s0", "a")
		o.want(t, time.Second, "misnamed", "keys-only", "a")
	})
}

func TestReadsParentsBeforeChildren(t *testing.T) {
	s := newStream()
	run(t, s, func(t *testing.T, o *told) {
		s.write("s0", "a", "b", "c", "d", "e")
		s.split("s0", "s1", "s2")
		s.write("s1", "f", "g")
		s.split("s1", "s3")
		s.write("s3", "h")
		o.want(t, 2*time.Second, "a", "b", "c", "d", "e", "f", "g", "h")
		s.write("s2", "i")
		o.want(t, idlePoll, "a", "b", "c", "d", "e", "f", "g", "h", "i")
	})
}

func TestFindsChildrenThatAreListedLate(t *testing.T) {
	s := newStream()
	s.hidden["s1"] = true
	run(t, s, func(t *testing.T, o *told) {
		s.split("s0", "s1")
		s.write("s1", "a")
		o.want(t, 3*time.Second)
		s.change(func() { s.hidden["s1"] = false })
		o.want(t, 8*time.Second, "a")
	})
}

func TestFindsShardsWithoutAParent(t *testing.T) {
	s := newStream()
	run(t, s, func(t *testing.T, o *told) {
		time.Sleep(time.Hour) // fake
		s.change(func() { s.shards = append(s.shards, &shard{id: "s9", parent: "long-gone"}) })
		s.write("s9", "a")
		o.want(t, describePeriod+idlePoll, "a")
	})
}

func TestSkipsWhatWasClosedBeforeTheStart(t *testing.T) {
	s := newStream()
	s.write("s0", "old")
	s.split("s0", "s1")
	s.write("s1", "old-2")
	run(t, s, func(t *testing.T, o *told) {
		s.write("s1", "a")
		o.want(t, time.Minute, "a")
	})
}

func TestGoesOnAfterAnExpiredIterator(t *testing.T) {
	s := newStream()
	run(t, s, func(t *testing.T, o *told) {
		s.write("s0", "a", "b", "c")
		o.want(t, time.Second, "a", "b", "c")
		s.change(func() { s.expired["arn-1|s0|3|1"] = true })
		s.write("s0", "d")
		o.want(t, time.Second, "a", "b", "c", "d")
	})
}

func TestGoesOnAfterTrimming(t *testing.T) {
	s := newStream()
	run(t, s, func(t *testing.T, o *told) {
		s.write("s0", "a")
		o.want(t, time.Second, "a")
		s.write("s0", "b", "c")
		s.change(func() { s.find("s0").trimmed = 2 }) // b is gone
		o.want(t, time.Second, "a", "c")
	})
}

func TestGoesOnAfterErrors(t *testing.T) {
	for _, call := range []string{"DescribeTable", "DescribeStream", "GetShardIterator", "GetRecords"} {
		for _, failure := range []error{&types.LimitExceededException{}, errors.New("no route")} {
			t.Run(call+fmt.Sprintf("%T", failure), func(t *testing.T) {
				s := newStream()
				broken := true
				s.fail = func(name string) error {
					if broken && name == call {
						return failure
					}
					return nil
				}
				run(t, s, func(t *testing.T, o *told) {
					time.Sleep(time.Minute) // fake
					o.mu.Lock()
					if o.ready && call != "GetRecords" {
						t.Error("ready although the stream cannot be read")
					}
					o.mu.Unlock()
					s.change(func() {
						if got := s.calls[call]; got > 60 {
							t.Errorf("got %d calls in a minute, want some pause between them", got)
						}
						broken = false
					})
					time.Sleep(errorPauseMax)
					synctest.Wait()
					s.write("s0", "a")
					o.want(t, time.Second, "a")
				})
			})
		}
	}
}

func TestFollowsTheNextStream(t *testing.T) {
	s := newStream()
	run(t, s, func(t *testing.T, o *told) {
		s.write("s0", "a")
		o.want(t, time.Second, "a")
		s.change(func() { s.arn, s.shards = "arn-2", []*shard{{id: "t0"}} })
		s.write("t0", "b")
		o.want(t, describePeriod+10*time.Second, "a", "b")
		s.write("t0", "c")
		o.want(t, idlePoll, "a", "b", "c")
	})
}

func TestPollsFiveTimesASecondWhenIdle(t *testing.T) {
	s := newStream()
	run(t, s, func(t *testing.T, _ *told) {
		var before int
		s.change(func() { before = s.calls["GetRecords"] })
		time.Sleep(time.Minute) // fake
		synctest.Wait()
		s.change(func() {
			if got := s.calls["GetRecords"] - before; got < 290 || got > 310 {
				t.Errorf("got %d reads in a minute, want 300", got)
			}
			if got := s.calls["DescribeStream"]; got > 15 {
				t.Errorf("got %d descriptions in a minute, want few", got)
			}
		})
	})
}
