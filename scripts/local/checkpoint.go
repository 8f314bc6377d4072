package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// mark is how far a shard has been processed.
type mark struct {
	// Start is where reading began: TRIM_HORIZON or LATEST.
	Start string `json:"start"`
	// Sequence is the last record that was delivered, filtered out or given
	// up; "" if there was none yet.
	Sequence string `json:"sequence,omitempty"`
	// Done says that the shard has ended and all of it is processed.
	Done bool `json:"done,omitempty"`
}

// checkpoint keeps the marks of one event source mapping in a file, so that a
// restart goes on where it stopped. It is for one stream: another ARN, which
// is a new table, starts anew.
type checkpoint struct {
	path string

	mu    sync.Mutex
	state checkpointState // guarded by mu
}

type checkpointState struct {
	Stream string          `json:"stream"`
	Shards map[string]mark `json:"shards"`
}

// openCheckpoint reads the file at path; one that is missing or about another
// stream is an empty checkpoint.
func openCheckpoint(path, streamARN string) (*checkpoint, error) {
	c := &checkpoint{path: path}
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if err := json.Unmarshal(data, &c.state); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	if c.state.Stream != streamARN || c.state.Shards == nil {
		c.state = checkpointState{Stream: streamARN, Shards: map[string]mark{}}
	}
	return c, nil
}

// empty reports whether no shard has a mark.
func (c *checkpoint) empty() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.state.Shards) == 0
}

// mark returns a shard's mark and whether it has one.
func (c *checkpoint) mark(shardID string) (mark, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.state.Shards[shardID]
	return m, ok
}

// set stores a shard's mark.
func (c *checkpoint) set(shardID string, m mark) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Shards[shardID] = m
	return c.save()
}

// advance stores that a shard is processed up to a sequence number.
func (c *checkpoint) advance(shardID, sequence string) error {
	m, _ := c.mark(shardID)
	m.Sequence = sequence
	return c.set(shardID, m)
}

// prune forgets the shards that are no longer in the stream.
func (c *checkpoint) prune(listed map[string]shard) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.state.Shards)
	for id := range c.state.Shards {
		if _, ok := listed[id]; !ok {
			delete(c.state.Shards, id)
		}
	}
	if len(c.state.Shards) == before {
		return nil
	}
	return c.save()
}

// save needs c.mu.
func (c *checkpoint) save() error {
	data, err := json.MarshalIndent(c.state, "", "  ")
	if err != nil {
		return fmt.Errorf("encode checkpoint: %w", err)
	}
	return replaceFile(c.path, append(data, '\n'), 0o644)
}

// replaceFile writes a file whole or not at all.
func replaceFile(path string, data []byte, mode fs.FileMode) error {
	next := path + ".new"
	if err := os.WriteFile(next, data, mode); err != nil {
		return err
	}
	return os.Rename(next, path)
}
