package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/dialplane/dialplane/scripts/template"
)

// scripted is a stream with a script: shards with records, in sequence.
type scripted struct {
	t *testing.T

	mu       sync.Mutex
	all      []shard             // guarded by mu, like all below
	records  map[string][]string // sequence numbers by shard
	running  map[string]bool     // shards that have not ended
	failRead []error             // the next reads fail with these
}

func newScripted(t *testing.T) *scripted {
	return &scripted{t: t, records: map[string][]string{}, running: map[string]bool{}}
}

// shard adds a shard with records.
func (s *scripted) shard(id, parent string, closed bool, records ...string) *scripted {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, shard{id: id, parent: parent, closed: closed})
	s.records[id], s.running[id] = records, !closed
	return s
}

func (s *scripted) shards(context.Context) ([]shard, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all), nil
}

func (s *scripted) open(_ context.Context, id string, at position) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := 0
	switch {
	case at.after == "trimmed":
		return "", errTrimmed
	case at.after != "":
		next = slices.Index(s.records[id], at.after) + 1
		if next == 0 {
			s.t.Errorf("shard %s opened after %q, which is not in it", id, at.after)
		}
	case at.start == "LATEST":
		next = len(s.records[id])
	case at.start != "TRIM_HORIZON":
		s.t.Errorf("shard %s opened at %+v", id, at)
	}
	return fmt.Sprintf("%s:%d", id, next), nil
}

func (s *scripted) read(ctx context.Context, iterator string, limit int) ([]record, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.failRead) > 0 {
		err := s.failRead[0]
		s.failRead = s.failRead[1:]
		return nil, "", err
	}
	id, number, _ := strings.Cut(iterator, ":")
	var next int
	if _, err := fmt.Sscan(number, &next); err != nil {
		s.t.Errorf("iterator %q", iterator)
	}
	var out []record
	for ; next < len(s.records[id]) && len(out) < limit; next++ {
		out = append(out, scriptedRecord(s.records[id][next]))
	}
	if next == len(s.records[id]) && !s.running[id] {
		return out, "", nil
	}
	return out, fmt.Sprintf("%s:%d", id, next), nil
}

var testTime = time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)

// scriptedRecord is a record whose sort key is its sequence number. Those that
// start with "old" are two hours old.
func scriptedRecord(sequence string) record {
	created := testTime
	if strings.HasPrefix(sequence, "old") {
		created = testTime.Add(-2 * time.Hour)
	}
	raw, err := json.Marshal(events.DynamoDBEventRecord{EventName: "INSERT", Change: events.DynamoDBStreamRecord{
		SequenceNumber: sequence, Keys: map[string]events.DynamoDBAttributeValue{"sk": events.NewStringAttribute(sequence)}}})
	if err != nil {
		panic(err)
	}
	return record{sequence: sequence, created: created, json: raw}
}

// journal is what happened to a mapping under test, in order.
type journal struct {
	mu      sync.Mutex
	entries []string
	letters []deadLetter
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, fmt.Sprintf(format, args...))
}

func (j *journal) list() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

// testMapping delivers from s to a function that notes each batch as "a b c"
// and answers as answer says. Sleeps are noted as "wait 1s" and take no time;
// a poll of an idle stream ends the test by idle.
func testMapping(t *testing.T, s *scripted, spec template.Stream, answer func(batch []string) (string, error)) (m *mapping, j *journal, run func()) {
	t.Helper()
	marks, err := openCheckpoint(filepath.Join(t.TempDir(), "marks.json"), "arn")
	if err != nil {
		t.Fatal(err)
	}
	if spec.BatchSize == 0 {
		spec.BatchSize = 100
	}
	if spec.StartingPosition == "" {
		spec.StartingPosition = "TRIM_HORIZON"
	}
	j = &journal{}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	m = &mapping{
		spec: spec, stream: "arn", reader: s, marks: marks, log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		now: func() time.Time { return testTime },
		giveUp: func(l deadLetter) error {
			j.add("give up %s..%s: %s", l.Batch.StartSequence, l.Batch.EndSequence, l.RequestContext.Condition)
			j.mu.Lock()
			defer j.mu.Unlock()
			j.letters = append(j.letters, l)
			return nil
		},
		sleep: func(ctx context.Context, d time.Duration) error {
			if d == pollPeriod {
				cancel()
			} else {
				j.add("wait %v", d)
			}
			return ctx.Err()
		},
		target: target{name: "streams/test", invoke: func(_ context.Context, payload []byte) ([]byte, error) {
			var e events.DynamoDBEvent
			if err := json.Unmarshal(payload, &e); err != nil {
				return nil, err
			}
			var batch []string
			for _, r := range e.Records {
				batch = append(batch, r.Change.SequenceNumber)
			}
			j.add("%s", strings.Join(batch, " "))
			text, err := answer(batch)
			return []byte(text), err
		}},
	}
	return m, j, func() { m.run(ctx) }
}

func succeed([]string) (string, error) { return "", nil }

// failAt reports the record as failed whenever it is in the batch.
func failAt(sequence string) func([]string) (string, error) {
	return func(batch []string) (string, error) {
		if slices.Contains(batch, sequence) {
			return `{"batchItemFailures":[{"itemIdentifier":"` + sequence + `"}]}`, nil
		}
		return `{"batchItemFailures":[]}`, nil
	}
}

// crashAt fails as a whole whenever the record is in the batch.
func crashAt(sequence string) func([]string) (string, error) {
	return func(batch []string) (string, error) {
		if slices.Contains(batch, sequence) {
			return "", errCrashed
		}
		return "", nil
	}
}

// failTimes fails n times, then succeeds.
func failTimes(n int) func([]string) (string, error) {
	return func([]string) (string, error) {
		if n--; n >= 0 {
			return "", errors.New("not yet")
		}
		return "", nil
	}
}
