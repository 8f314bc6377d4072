package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dialplane/dialplane/scripts/template"
)

func TestMappingDelivers(t *testing.T) {
	t.Parallel()
	partial := template.Stream{PartialFailures: true, MaxRetries: 2}
	bisect := template.Stream{PartialFailures: true, MaxRetries: 1, Bisect: true}
	tests := []struct {
		name    string
		spec    template.Stream
		records string
		answer  func([]string) (string, error)
		want    []string
	}{
		{"OneBatch", template.Stream{}, "1 2 3", succeed, []string{"1 2 3"}},
		{"BatchSize", template.Stream{BatchSize: 2}, "1 2 3", succeed, []string{"1 2", "3"}},
		{"BatchingWindow", template.Stream{BatchSize: 3, BatchingWindow: time.Second}, "1 2 3", succeed, []string{"1 2 3"}},
		{"RetriesWithGrowingPauses", template.Stream{MaxRetries: 2}, "1 2", crashAt("2"),
			[]string{"1 2", "wait 1s", "1 2", "wait 2s", "1 2", "give up 1..2: RetryAttemptsExhausted"}},
		{"NoRetries", template.Stream{}, "1 2", crashAt("2"), []string{"1 2", "give up 1..2: RetryAttemptsExhausted"}},
		{"AnswersAreIgnoredUnlessAskedFor", template.Stream{}, "1 2", failAt("2"), []string{"1 2"}},
		{"PartialFailureGoesOnAtTheFailedRecord", partial, "1 2 3", failAt("2"),
			[]string{"1 2 3", "2 3", "wait 1s", "2 3", "wait 2s", "2 3", "give up 2..3: RetryAttemptsExhausted"}},
		{"LowestFailureCounts", partial, "1 2 3", func(batch []string) (string, error) {
			if len(batch) == 3 {
				return `{"batchItemFailures":[{"itemIdentifier":"3"},{"itemIdentifier":"2"}]}`, nil
			}
			return "", nil
		}, []string{"1 2 3", "2 3"}},
		{"BisectFindsTheRecordThatCrashes", template.Stream{Bisect: true, MaxRetries: 1}, "1 2 3 4", crashAt("3"),
			[]string{"1 2 3 4", "1 2", "3 4", "3", "wait 1s", "3", "give up 3..3: RetryAttemptsExhausted", "4"}},
		{"BisectFindsTheRecordThatIsReported", bisect, "1 2 3 4", failAt("2"),
			[]string{"1 2 3 4", "2 3 4", "2", "wait 1s", "2", "give up 2..2: RetryAttemptsExhausted", "3 4"}},
		{"FailureThatPasses", template.Stream{MaxRetries: -1}, "1", failTimes(3),
			[]string{"1", "wait 1s", "1", "wait 2s", "1", "wait 4s", "1"}},
		{"OldRecordsAreGivenUp", template.Stream{MaxRecordAge: time.Hour}, "old1 old2 3", succeed,
			[]string{"give up old1..old2: RecordAgeExceeded", "3"}},
		{"OnlyOldRecords", template.Stream{MaxRecordAge: time.Hour}, "old1", succeed, []string{"give up old1..old1: RecordAgeExceeded"}},
		{"AgeWithoutALimit", template.Stream{}, "old1", succeed, []string{"old1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			records := strings.Fields(tt.records)
			s := newScripted(t).shard("s", "", false, records...)
			m, j, run := testMapping(t, s, tt.spec, tt.answer)
			run()
			if got := j.list(); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got\n%q, want\n%q", got, tt.want)
			}
			if known, _ := m.marks.mark("s"); known.Sequence != records[len(records)-1] {
				t.Errorf("marked up to %q, want %q", known.Sequence, records[len(records)-1])
			}
		})
	}
}

func TestMappingFilters(t *testing.T) {
	t.Parallel()
	s := newScripted(t).shard("s", "", false, "a1", "b1", "a2", "b2")
	m, j, run := testMapping(t, s, template.Stream{}, succeed)
	var err error
	if m.filters, err = parseFilters([]string{`{"dynamodb":{"Keys":{"sk":{"S":[{"prefix":"a"}]}}}}`}); err != nil {
		t.Fatal(err)
	}
	run()
	if got, want := j.list(), []string{"a1 a2"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if known, _ := m.marks.mark("s"); known.Sequence != "b2" {
		t.Errorf("marked up to %q, want what was filtered out included", known.Sequence)
	}
}

func TestMappingReadsParentsBeforeChildren(t *testing.T) {
	t.Parallel()
	s := newScripted(t).
		shard("grandchild", "child", false, "5").
		shard("child", "parent", true, "3", "4").
		shard("parent", "gone", true, "1", "2")
	m, j, run := testMapping(t, s, template.Stream{}, succeed)
	run()
	if got, want := j.list(), []string{"1 2", "3 4", "5"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for id, want := range map[string]mark{
		"parent": {"TRIM_HORIZON", "2", true}, "child": {"TRIM_HORIZON", "4", true}, "grandchild": {"TRIM_HORIZON", "5", false},
	} {
		if got, _ := m.marks.mark(id); got != want {
			t.Errorf("%s: got %+v, want %+v", id, got, want)
		}
	}
}

func TestMappingGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	s := newScripted(t).shard("s", "", false, "1", "2")
	first, j1, run := testMapping(t, s, template.Stream{}, succeed)
	run()
	s.records["s"] = append(s.records["s"], "3")
	second, j2, run := testMapping(t, s, template.Stream{}, succeed)
	marks, err := openCheckpoint(first.marks.path, "arn")
	if err != nil {
		t.Fatal(err)
	}
	second.marks = marks
	run()
	if got1, got2 := j1.list(), j2.list(); !reflect.DeepEqual(got1, []string{"1 2"}) || !reflect.DeepEqual(got2, []string{"3"}) {
		t.Errorf("got %q, then %q", got1, got2)
	}
}

func TestMappingFromLatest(t *testing.T) {
	t.Parallel()
	s := newScripted(t).shard("ended", "", true, "1").shard("running", "ended", false, "2", "3")
	m, j, run := testMapping(t, s, template.Stream{StartingPosition: "LATEST"}, succeed)
	run()
	if got := j.list(); len(got) != 0 {
		t.Errorf("delivered %q, which is older than the mapping", got)
	}
	// A shard that appears later has nothing older than the mapping.
	s.shard("later", "running", false, "5")
	s.records["running"], s.running["running"] = append(s.records["running"], "4"), false
	if err := m.marks.set("running", mark{Start: "LATEST", Sequence: "3"}); err != nil {
		t.Fatal(err)
	}
	again, j, run := testMapping(t, s, template.Stream{StartingPosition: "LATEST"}, succeed)
	again.marks = m.marks
	run()
	if got, want := j.list(), []string{"4", "5"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMappingRecovers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		fail []error
		want []string
	}{
		{"FromAnExpiredIterator", []error{fmt.Errorf("get records: %w", errExpired)}, []string{"1"}},
		{"FromADatabaseThatIsAway", []error{errors.New("refused"), errors.New("refused")}, []string{"wait 1s", "wait 2s", "1"}},
		{"FromATrimmedPosition", []error{errTrimmed}, []string{"1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newScripted(t).shard("s", "", false, "1")
			s.failRead = tt.fail
			_, j, run := testMapping(t, s, template.Stream{}, succeed)
			run()
			if got := j.list(); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestMappingStartsAnewAfterTrimming(t *testing.T) {
	t.Parallel()
	s := newScripted(t).shard("s", "", false, "7")
	m, j, run := testMapping(t, s, template.Stream{}, succeed)
	if err := m.marks.set("s", mark{Start: "TRIM_HORIZON", Sequence: "trimmed"}); err != nil {
		t.Fatal(err)
	}
	run()
	if got, want := j.list(), []string{"7"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMappingDoesNotMarkWhatWasNotDelivered(t *testing.T) {
	t.Parallel()
	s := newScripted(t).shard("s", "", false, "1", "2")
	ctx, cancel := context.WithCancel(context.Background())
	m, j, _ := testMapping(t, s, template.Stream{BatchSize: 1}, func(batch []string) (string, error) {
		if batch[0] == "1" {
			return "", nil
		}
		cancel() // the system stops in the middle
		return "", errStopping
	})
	m.run(ctx)
	if known, _ := m.marks.mark("s"); known.Sequence != "1" || len(j.letters) != 0 {
		t.Errorf("marked up to %q with letters %v, want 1 and none", known.Sequence, j.letters)
	}
}

func TestMappingSplitsWhatLambdaCouldNotTake(t *testing.T) {
	t.Parallel()
	s := newScripted(t)
	m, j, _ := testMapping(t, s, template.Stream{}, succeed)
	batch := []record{scriptedRecord("1"), scriptedRecord("2"), scriptedRecord("3")}
	for i := range batch {
		batch[i].json = append(batch[i].json[:len(batch[i].json)-1:len(batch[i].json)-1],
			[]byte(`,"padding":"`+strings.Repeat("x", 2<<20)+`"}`)...)
	}
	if err := m.deliver(context.Background(), "s", batch); err != nil {
		t.Fatal(err)
	}
	if got, want := j.list(), []string{"1", "2 3"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProcessed(t *testing.T) {
	t.Parallel()
	batch := []record{{sequence: "1"}, {sequence: "2"}}
	tests := []struct {
		name, answer string
		want         int
	}{
		{"Empty", "", 2}, {"Null", "null", 2}, {"EmptyObject", "{}", 2}, {"NullList", `{"batchItemFailures":null}`, 2},
		{"EmptyList", `{"batchItemFailures":[]}`, 2}, {"Second", `{"batchItemFailures":[{"itemIdentifier":"2"}]}`, 1},
		{"First", `{"batchItemFailures":[{"itemIdentifier":"1"}]}`, 0},
		{"EmptyIdentifier", `{"batchItemFailures":[{"itemIdentifier":""}]}`, 0},
		{"NullIdentifier", `{"batchItemFailures":[{"itemIdentifier":null}]}`, 0},
		{"WrongKey", `{"batchItemFailures":[{"sequenceNumber":"2"}]}`, 0},
		{"Stranger", `{"batchItemFailures":[{"itemIdentifier":"2"},{"itemIdentifier":"9"}]}`, 0},
		{"NoJSON", "done", 0}, {"Text", `"done"`, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := processed([]byte(tt.answer), batch)
			if got != tt.want || (err == nil) != (tt.want == len(batch)) {
				t.Errorf("got %d, %v; want %d", got, err, tt.want)
			}
		})
	}
}

func TestBackoffIsBounded(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 5000: time.Minute} {
		if got := backoff(n); got != want {
			t.Errorf("backoff(%d): got %v, want %v", n, got, want)
		}
	}
}
