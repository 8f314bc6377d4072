package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dialplane/dialplane/scripts/dynamodblocal"
	"go.uber.org/goleak"
)

// patience bounds every wait of the tests for something that will happen.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		child()
		return
	}
	goleak.VerifyTestMain(suite{m})
}

// suite is all tests with what they share.
type suite struct{ m *testing.M }

// Run runs the tests and clears away, before the check for leaks.
func (s suite) Run() int {
	dir, err := os.MkdirTemp("", "dialplane-local-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	testDir = dir
	status := s.m.Run()
	if serverStarted.Load() {
		if server, err := sharedServer(); err == nil {
			_ = server.Stop() // on Linux it ends with this process anyway
		}
	}
	_ = os.RemoveAll(dir) // the system clears its temporary directory too
	return status
}

// testDir is removed when all tests are over.
var testDir string

// sharedServer is the one DynamoDB Local of all tests but those of the child:
// the one that DYNAMODB_ENDPOINT names, or one that it starts and that
// DYNAMODB_ENDPOINT names from then on.
var sharedServer = sync.OnceValues(func() (*dynamodblocal.Server, error) {
	serverStarted.Store(true)
	server, err := dynamodblocal.Start(context.Background(), dynamodblocal.Options{Tools: toolsDir, Log: os.Stderr})
	if err != nil {
		return nil, err
	}
	return server, os.Setenv(dynamodblocal.EndpointVariable, server.Endpoint())
})

// serverStarted is true once sharedServer was called.
var serverStarted atomic.Bool

// needServer skips the test where there can be no DynamoDB Local, and fails it
// if CI is set.
func needServer(t *testing.T) {
	t.Helper()
	if _, err := sharedServer(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// testRoot is the small repository that the tests run.
var testRoot = filepath.Join("testdata", "system")

// buildTestSystem builds the small repository once for all tests.
var buildTestSystem = sync.OnceValues(func() (map[string]string, error) {
	root, err := filepath.Abs(testRoot)
	if err != nil {
		return nil, err
	}
	folders := []string{"functions/test/lambda", "functions/streams/copy", edgeFolder}
	return build(context.Background(), root, filepath.Join(testDir, "build"), folders, newConsole(io.Discard, Config{}))
})

func binary(t *testing.T, folder string) string {
	t.Helper()
	binaries, err := buildTestSystem()
	if err != nil {
		t.Fatal(err)
	}
	return binaries[folder]
}

// lockedBuffer is a writer whose content can be read meanwhile.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not within %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

// childVariable makes the test binary run the small system until it is
// stopped, with the state in the directory that it names.
const childVariable = "DIALPLANE_LOCAL_TEST_CHILD"

func child() {
	root, err := filepath.Abs(testRoot)
	if err != nil {
		panic(err)
	}
	state := os.Getenv(childVariable)
	err = run(context.Background(), Config{
		Root: root, APIAddr: "127.0.0.1:0", SIPAddr: "127.0.0.1:0", HealthAddr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0",
		StateDir: state, BuildDir: filepath.Join(state, "build"), ToolsDir: toolsDir, seed: noSeed,
	}, os.Stdout)
	fmt.Println("run returned:", err)
}

// toolsDir is the repository's, so that DynamoDB Local is not fetched again.
var toolsDir = filepath.Join("..", "..", ".tools")

// tablePrefix separates the tests that share a server.
func tablePrefix() string { return "local-" + requestID()[:8] + "-" }

// noSeed makes nothing: the small system has no tables for it.
func noSeed(context.Context, store, Credentials) error { return nil }

func waitForOutput(t *testing.T, out *lockedBuffer, want string) {
	t.Helper()
	eventually(t, fmt.Sprintf("output %q", want), func() bool { return strings.Contains(out.String(), want) })
}

// startChild runs the small system in a process of its own, with its own
// DynamoDB Local, and returns when it is ready.
func startChild(t *testing.T, state string) (*exec.Cmd, *lockedBuffer) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, dynamodblocal.EndpointVariable+"=") }),
		childVariable+"="+state)
	out := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be gone
		_ = cmd.Wait()         // killed, as it should be
	})
	eventually(t, "the child is ready", func() bool {
		if strings.Contains(out.String(), "run returned:") {
			t.Fatalf("the child failed:\n%s", out)
		}
		return strings.Contains(out.String(), "\nready: ")
	})
	return cmd, out
}
