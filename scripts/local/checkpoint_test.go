package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCheckpointSurvives(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "marks.json")
	c, err := openCheckpoint(path, "arn:1")
	if err != nil || !c.empty() {
		t.Fatalf("got %v, %v; want an empty checkpoint", c, err)
	}
	if err := c.set("a", mark{Start: "LATEST"}); err != nil {
		t.Fatal(err)
	}
	if err := c.advance("a", "17"); err != nil {
		t.Fatal(err)
	}
	if err := c.set("b", mark{Start: "TRIM_HORIZON", Done: true}); err != nil {
		t.Fatal(err)
	}
	again, err := openCheckpoint(path, "arn:1")
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := again.mark("a"); !ok || got != (mark{Start: "LATEST", Sequence: "17"}) {
		t.Errorf("got %+v", got)
	}
	if err := again.prune(map[string]shard{"a": {id: "a"}}); err != nil {
		t.Fatal(err)
	}
	if _, ok := again.mark("b"); ok {
		t.Error("a shard that is gone is remembered")
	}
	other, err := openCheckpoint(path, "arn:2")
	if err != nil || !other.empty() {
		t.Errorf("got %v, %v; another stream must start anew", other, err)
	}
}

func TestCheckpointRefusesABrokenFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "marks.json")
	if err := os.WriteFile(path, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := openCheckpoint(path, "arn"); err == nil {
		t.Error("got no error: records would be delivered again")
	}
}
