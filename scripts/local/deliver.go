package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// Why a batch was given up, in Lambda's words.
const (
	ageExceeded      = "RecordAgeExceeded"
	retriesExhausted = "RetryAttemptsExhausted"
)

// deadLetter tells of a batch that was given up. Like what Lambda sends to an
// on-failure destination it says where the records stand in the stream, not
// what is in them.
type deadLetter struct {
	RequestContext struct {
		FunctionArn string `json:"functionArn"`
		Condition   string `json:"condition"`
		InvokeCount int    `json:"approximateInvokeCount"`
	} `json:"requestContext"`
	Version   string    `json:"version"`
	Timestamp time.Time `json:"timestamp"`
	Batch     struct {
		ShardID       string    `json:"shardId"`
		StartSequence string    `json:"startSequenceNumber"`
		EndSequence   string    `json:"endSequenceNumber"`
		FirstArrival  time.Time `json:"approximateArrivalOfFirstRecord"`
		LastArrival   time.Time `json:"approximateArrivalOfLastRecord"`
		Size          int       `json:"batchSize"`
		StreamArn     string    `json:"streamArn"`
	} `json:"DDBStreamBatchInfo"`
}

// deliver invokes the function until every record of the batch is processed
// or given up, and marks the progress. It fails only when ctx ends or a mark
// cannot be stored.
func (m *mapping) deliver(ctx context.Context, shardID string, batch []record) error {
	for tries := 0; len(batch) > 0; {
		if n := m.tooOld(batch); n > 0 {
			if err := m.abandon(shardID, batch[:n], ageExceeded, tries); err != nil {
				return err
			}
			batch = batch[n:]
			continue
		}
		done, err := m.attempt(ctx, batch)
		if ctx.Err() != nil || errors.Is(err, errStopping) {
			return cmp.Or(ctx.Err(), err)
		}
		tries++
		if done > 0 {
			if err := m.marks.advance(shardID, batch[done-1].sequence); err != nil {
				return err
			}
			batch, tries = batch[done:], 0
			continue
		}
		switch retry := m.spec.MaxRetries < 0 || tries <= m.spec.MaxRetries; {
		case m.mustSplit(batch, err):
			// Splitting is no retry: the halves have all theirs. A batch whose
			// first record fails is split too, which brings out the one that
			// is to blame.
			m.log.Warn("batch failed and is split", "shard_id", shardID, "records", len(batch), "err", err)
			half := len(batch) / 2
			if err := m.deliver(ctx, shardID, batch[:half]); err != nil {
				return err
			}
			batch, tries = batch[half:], 0
		case retry:
			pause := backoff(tries)
			m.log.Warn("batch failed and is tried again", "shard_id", shardID, "records", len(batch), "pause_s", pause.Seconds(), "err", err)
			if err := m.sleep(ctx, pause); err != nil {
				return err
			}
		default:
			m.log.Error("batch failed for the last time", "shard_id", shardID, "records", len(batch), "err", err)
			return m.abandon(shardID, batch, retriesExhausted, tries)
		}
	}
	return nil
}

// errTooBig is a batch that exceeds Lambda's payload.
var errTooBig = fmt.Errorf("the batch is larger than %d bytes", maxPayload)

func (m *mapping) mustSplit(batch []record, err error) bool {
	return len(batch) > 1 && (m.spec.Bisect || errors.Is(err, errTooBig))
}

// attempt invokes the function once. It returns how many records from the
// start are processed; err says why not all.
func (m *mapping) attempt(ctx context.Context, batch []record) (done int, err error) {
	payload, err := eventPayload(batch)
	if err != nil {
		return 0, fmt.Errorf("encode the batch: %w", err)
	}
	if len(payload) > maxPayload {
		return 0, errTooBig
	}
	answer, err := m.target.invoke(ctx, payload)
	if err != nil {
		return 0, err
	}
	if !m.spec.PartialFailures {
		return len(batch), nil
	}
	return processed(answer, batch)
}

// processed reads which records a function reports as failed: all before the
// first of them are done. An empty answer means that all are; one that names
// no record of the batch means that none is ("Configuring partial batch
// response with DynamoDB and Lambda").
func processed(answer []byte, batch []record) (int, error) {
	if answer = bytes.TrimSpace(answer); len(answer) == 0 {
		return len(batch), nil
	}
	var report struct {
		BatchItemFailures []struct {
			ItemIdentifier string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(answer, &report); err != nil {
		return 0, fmt.Errorf("read the batch item failures: %w", err)
	}
	done := len(batch)
	for _, failure := range report.BatchItemFailures {
		i := slices.IndexFunc(batch, func(r record) bool { return r.sequence == failure.ItemIdentifier })
		if i < 0 {
			return 0, fmt.Errorf("the function reports %q, which is not in the batch", failure.ItemIdentifier)
		}
		done = min(done, i)
	}
	if done < len(batch) {
		return done, fmt.Errorf("the function reports that record %s failed", batch[done].sequence)
	}
	return done, nil
}

// abandon records that a batch is given up and goes on after it.
func (m *mapping) abandon(shardID string, batch []record, condition string, tries int) error {
	first, last := batch[0], batch[len(batch)-1]
	var letter deadLetter
	letter.Version, letter.Timestamp = "1.0", m.now().UTC()
	letter.RequestContext.FunctionArn = functionARN(m.target.name)
	letter.RequestContext.Condition, letter.RequestContext.InvokeCount = condition, tries
	letter.Batch.ShardID, letter.Batch.StreamArn, letter.Batch.Size = shardID, m.stream, len(batch)
	letter.Batch.StartSequence, letter.Batch.EndSequence = first.sequence, last.sequence
	letter.Batch.FirstArrival, letter.Batch.LastArrival = first.created.UTC(), last.created.UTC()
	m.log.Error("batch given up", "condition", condition, "shard_id", shardID, "records", len(batch),
		"start_sequence", first.sequence, "end_sequence", last.sequence)
	if err := m.giveUp(letter); err != nil {
		return fmt.Errorf("record the given-up batch: %w", err)
	}
	return m.marks.advance(shardID, last.sequence)
}

// deadLetterFile appends letters to a file, one JSON line each.
type deadLetterFile struct {
	path string
	mu   sync.Mutex
}

func (f *deadLetterFile) add(letter deadLetter) error {
	line, err := json.Marshal(letter)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(append(line, '\n'))
	return errors.Join(err, file.Close())
}
