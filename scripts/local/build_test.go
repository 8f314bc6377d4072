package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestDistinctNames(t *testing.T) {
	t.Parallel()
	got := distinctNames([]string{"f/users/list", "f/devices/list", "f/devices/get", "edge", "f/accounts/list"})
	want := [][]string{{"edge", "f/accounts/list", "f/devices/get"}, {"f/devices/list"}, {"f/users/list"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBuildMakesRunnableBinaries(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"functions/test/lambda", "functions/streams/copy", edgeFolder} {
		info, err := os.Stat(binary(t, folder))
		if err != nil || info.Mode()&0o100 == 0 {
			t.Errorf("%s: got %v, %v", folder, info, err)
		}
	}
}

func TestBuildTellsWhatTheCompilerSays(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module broken\n", "f/main.go": "package main\n\nfunc main() { undefined() }\n"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	quiet := newConsole(io.Discard, Config{})
	_, err := build(context.Background(), root, t.TempDir(), []string{"f"}, quiet)
	if err == nil || !strings.Contains(err.Error(), "f/main.go:3") || !strings.Contains(err.Error(), "undefined") {
		t.Errorf("got %v, want the compiler's words", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := build(ctx, root, t.TempDir(), []string{"f"}, quiet); err != context.Canceled {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
