package changes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

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
