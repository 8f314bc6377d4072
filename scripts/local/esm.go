package main

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/dialplane/dialplane/scripts/template"
)

const (
	// pollPeriod is how often an idle shard is asked, as Lambda does.
	pollPeriod = 250 * time.Millisecond
	// discoverPeriod is how often new shards are looked for; the end of a
	// shard makes it happen at once.
	discoverPeriod = 10 * time.Second
	// Lambda does not document its backoff; this one doubles.
	firstBackoff = time.Second
	maxBackoff   = time.Minute
)

// mapping is an event source mapping: it delivers the records of a stream to
// a function, in order within each shard and parents before children, each at
// least once, until the function has processed them or they are given up
// ("Process DynamoDB records with Lambda"). There is one poller a shard:
// ParallelizationFactor is not imitated.
type mapping struct {
	target  target
	spec    template.Stream
	stream  string // ARN
	filters filters
	reader  streamReader
	marks   *checkpoint
	// giveUp records a batch that is not tried again.
	giveUp func(deadLetter) error
	log    *slog.Logger
	now    func() time.Time
	sleep  func(ctx context.Context, d time.Duration) error
}

// sleep waits for d or until ctx ends, whose error it returns.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// backoff returns the pause before retry n, which counts from 1.
func backoff(n int) time.Duration {
	return time.Duration(min(float64(maxBackoff), float64(firstBackoff)*math.Pow(2, float64(n-1))))
}

// run delivers until ctx ends.
func (m *mapping) run(ctx context.Context) {
	var pollers sync.WaitGroup
	defer pollers.Wait()
	active := map[string]bool{}
	ended := make(chan string)
	failures := 0
	for ctx.Err() == nil {
		ready, err := m.discover(ctx, active)
		if err != nil {
			failures++
			m.log.Warn("stream cannot be read", "err", err)
			_ = m.sleep(ctx, backoff(failures)) // the loop asks ctx
			continue
		}
		failures = 0
		for _, id := range ready {
			active[id] = true
			pollers.Go(func() {
				m.poll(ctx, id)
				select {
				case ended <- id:
				case <-ctx.Done():
				}
			})
		}
		timer := time.NewTimer(discoverPeriod)
		select {
		case id := <-ended:
			delete(active, id)
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// discover returns the shards that can be polled now: not done, not polled
// yet, and their parent done or gone.
func (m *mapping) discover(ctx context.Context, active map[string]bool) ([]string, error) {
	found, err := m.reader.shards(ctx)
	if err != nil {
		return nil, err
	}
	listed := map[string]shard{}
	for _, s := range found {
		listed[s.id] = s
	}
	if err := m.marks.prune(listed); err != nil {
		return nil, err
	}
	if m.spec.StartingPosition == "LATEST" && m.marks.empty() {
		if err := m.skipToLatest(found); err != nil {
			return nil, err
		}
	}
	var ready []string
	for _, s := range found {
		known, ok := m.marks.mark(s.id)
		if known.Done || active[s.id] {
			continue
		}
		if _, inStream := listed[s.parent]; inStream {
			if parent, _ := m.marks.mark(s.parent); !parent.Done {
				continue
			}
		}
		if !ok {
			if err := m.marks.set(s.id, mark{Start: "TRIM_HORIZON"}); err != nil {
				return nil, err
			}
		}
		ready = append(ready, s.id)
	}
	return ready, nil
}

// skipToLatest marks what the stream had before the mapping began.
func (m *mapping) skipToLatest(found []shard) error {
	for _, s := range found {
		if err := m.marks.set(s.id, mark{Start: "LATEST", Done: s.closed}); err != nil {
			return err
		}
	}
	return nil
}

// poll reads a shard and delivers its records until it has ended, which its
// mark then says, or ctx has.
func (m *mapping) poll(ctx context.Context, shardID string) {
	iterator, failures := "", 0
	for ctx.Err() == nil {
		g, err := m.gather(ctx, shardID, iterator)
		iterator = g.next
		if err == nil {
			if err = m.process(ctx, shardID, g); err != nil {
				iterator = "" // to go on from the mark
			}
		}
		if errors.Is(err, errTrimmed) {
			m.log.Error("records are lost: they left the stream before they were delivered", "shard_id", shardID)
			if err = m.marks.set(shardID, mark{Start: "TRIM_HORIZON"}); err == nil {
				continue
			}
		}
		switch {
		case err == nil && g.ended:
			return
		case err == nil:
			failures = 0
			if g.last == "" {
				_ = m.sleep(ctx, pollPeriod) // the loop asks ctx
			}
		case errors.Is(err, errExpired): // opened anew from the mark
		case ctx.Err() == nil:
			failures++
			m.log.Warn("shard cannot be processed", "shard_id", shardID, "err", err)
			_ = m.sleep(ctx, backoff(failures)) // the loop asks ctx
		}
	}
}

// process delivers what was gathered and marks it.
func (m *mapping) process(ctx context.Context, shardID string, g gathered) error {
	if g.last != "" {
		if err := m.deliver(ctx, shardID, g.batch); err != nil {
			return err
		}
		if err := m.marks.advance(shardID, g.last); err != nil {
			return err
		}
	}
	if !g.ended {
		return nil
	}
	known, _ := m.marks.mark(shardID)
	known.Done = true
	return m.marks.set(shardID, known)
}

// gathered is what was read of a shard for one invocation.
type gathered struct {
	batch []record // what passed the filters
	last  string   // sequence number of the last record read; "" if none was
	next  string   // the next iterator, "" to open one
	ended bool     // the shard has no more
}

// gather reads until a batch is full, the batching window is over or the
// shard has ended. Without a window it reads once.
func (m *mapping) gather(ctx context.Context, shardID, iterator string) (gathered, error) {
	if iterator == "" {
		known, _ := m.marks.mark(shardID)
		var err error
		iterator, err = m.reader.open(ctx, shardID, position{after: known.Sequence, start: known.Start})
		if err != nil {
			return gathered{}, err
		}
	}
	g := gathered{next: iterator}
	deadline := m.now().Add(m.spec.BatchingWindow)
	for {
		read, next, err := m.reader.read(ctx, g.next, m.spec.BatchSize-len(g.batch))
		if err != nil {
			if g.last != "" || errors.Is(err, errExpired) || errors.Is(err, errTrimmed) {
				g.next = ""
			}
			return gathered{next: g.next}, err
		}
		for _, r := range read {
			pass, err := m.filters.pass(r.json)
			if err != nil {
				return gathered{}, err
			}
			if g.last = r.sequence; pass {
				g.batch = append(g.batch, r)
			}
		}
		g.next, g.ended = next, next == ""
		full := len(g.batch) >= m.spec.BatchSize
		if g.ended || full || len(g.batch) == 0 || !m.now().Before(deadline) {
			return g, nil
		}
		if err := m.sleep(ctx, pollPeriod); err != nil {
			return gathered{}, err
		}
	}
}

// tooOld returns how many records at the head of the batch have passed the
// maximum age. DynamoDB Local rounds the creation time down to the minute.
func (m *mapping) tooOld(batch []record) int {
	if m.spec.MaxRecordAge == 0 {
		return 0
	}
	oldest := m.now().Add(-m.spec.MaxRecordAge - time.Minute)
	n := slices.IndexFunc(batch, func(r record) bool { return !r.created.Before(oldest) })
	if n < 0 {
		return len(batch)
	}
	return n
}
