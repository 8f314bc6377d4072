package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// lambdaResult mirrors what testdata/system/functions/test/lambda tells.
type lambdaResult struct {
	PID         int
	RequestID   string
	ARN         string
	Left        time.Duration
	Environment []string
	Event       events.APIGatewayProxyRequest
}

// testFunction starts the test function with a timeout of 10 s, unless change
// says otherwise.
func testFunction(t *testing.T, change func(*function)) (*function, *lockedBuffer) {
	t.Helper()
	out := &lockedBuffer{}
	c := command{name: "test/lambda", path: binary(t, "functions/test/lambda"), env: []string{"PATH=/bin", "COLOUR=blue"}}
	f := newFunction("arn:test", c, 10*time.Second, lambdaLimits, newConsole(out, Config{}).source("test/lambda"), nil)
	if change != nil {
		change(f)
	}
	t.Cleanup(f.stop)
	return f, out
}

// do invokes the function with a path parameter that tells it what to do.
func do(f *function, what string) (lambdaResult, error) {
	payload, err := json.Marshal(events.APIGatewayProxyRequest{PathParameters: map[string]string{"what": what}})
	if err != nil {
		return lambdaResult{}, err
	}
	answer, err := f.invoke(context.Background(), payload)
	if err != nil {
		return lambdaResult{}, err
	}
	res, err := parseResponse(answer)
	if err != nil {
		return lambdaResult{}, err
	}
	var got lambdaResult
	return got, json.Unmarshal(res.body, &got)
}

func mustDo(t *testing.T, f *function, what string) lambdaResult {
	t.Helper()
	got, err := do(f, what)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return got
}

func TestFunctionSeesLambda(t *testing.T) {
	t.Parallel()
	f, _ := testFunction(t, nil)
	got := mustDo(t, f, "echo")
	if got.ARN != "arn:test" || len(got.RequestID) != 36 {
		t.Errorf("got ARN %q and request id %q", got.ARN, got.RequestID)
	}
	if got.Left <= 0 || got.Left > 10*time.Second {
		t.Errorf("got %v until the deadline, want up to 10 s", got.Left)
	}
	names := map[string]bool{}
	for _, variable := range got.Environment {
		name, _, _ := strings.Cut(variable, "=")
		names[name] = true
	}
	want := []string{"AWS_LAMBDA_RUNTIME_API", "COLOUR", "PATH", "_X_AMZN_TRACE_ID"}
	for _, name := range want {
		if !names[name] {
			t.Errorf("the environment lacks %s", name)
		}
	}
	if len(names) != len(want) {
		t.Errorf("the environment is %v, want only %v", got.Environment, want)
	}
}

func TestFunctionServesOneInvocationAfterAnotherInOneProcess(t *testing.T) {
	t.Parallel()
	f, _ := testFunction(t, nil)
	first, second := mustDo(t, f, "echo"), mustDo(t, f, "echo")
	if first.PID != second.PID || first.RequestID == second.RequestID {
		t.Errorf("got processes %d and %d, ids %s and %s; want one process, two ids", first.PID, second.PID, first.RequestID, second.RequestID)
	}
}

func TestFunctionServesInvocationsAtATimeInProcessesOfTheirOwn(t *testing.T) {
	t.Parallel()
	const invocations, bound = 6, 3
	f, _ := testFunction(t, func(f *function) { f.slots = make(chan struct{}, bound) })
	var mu sync.Mutex
	pids := map[int]bool{}
	var all sync.WaitGroup
	for range invocations {
		all.Go(func() {
			got, err := do(f, "wait")
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			pids[got.PID] = true
		})
	}
	all.Wait()
	if len(pids) < 2 || len(pids) > bound {
		t.Errorf("got %d processes, want 2 to %d", len(pids), bound)
	}
}

func TestFunctionThatIsBusyIsWaitedForNoLongerThanTheCallerHas(t *testing.T) {
	t.Parallel()
	f, _ := testFunction(t, func(f *function) { f.slots = make(chan struct{}) })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := f.invoke(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestFunctionFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, what string
		want       error  // in the chain
		wantText   string // in the text
	}{
		{"Crash", "exit", errCrashed, "exit status 3"},
		{"Panic", "panic", nil, "string: a panic"},
		{"ReportedError", "fail", nil, "errorString: a failure"},
		{"Malformed", "malformed", nil, "malformed response"},
		{"HugeResponse", "huge", nil, "Function.ResponseSizeTooLarge"},
		{"Timeout", "hang", errTimedOut, "after 2s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, _ := testFunction(t, func(f *function) { f.timeout = 2 * time.Second })
			before := mustDo(t, f, "echo")
			_, err := do(f, tt.what)
			if err == nil || (tt.want != nil && !errors.Is(err, tt.want)) || !strings.Contains(err.Error(), tt.wantText) {
				t.Errorf("got %v, want %v and %q", err, tt.want, tt.wantText)
			}
			after := mustDo(t, f, "echo") // it works again at once
			if survives := tt.what == "fail" || tt.what == "malformed"; survives != (after.PID == before.PID) {
				t.Errorf("process %d became %d", before.PID, after.PID)
			}
		})
	}
}

func TestFunctionThatCannotStart(t *testing.T) {
	t.Parallel()
	f, out := testFunction(t, func(f *function) { f.command.env = append(f.command.env, "FAIL_TO_START=1") })
	if _, err := do(f, "echo"); !errors.Is(err, errCrashed) || !strings.Contains(err.Error(), "before it asked for work: exit status 1") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(out.String(), "no start today") {
		t.Errorf("its words are lost: %q", out)
	}
	gone, _ := testFunction(t, func(f *function) { f.command.path = "/nonexistent" })
	if _, err := do(gone, "echo"); err == nil || !strings.Contains(err.Error(), "start test/lambda") {
		t.Errorf("got %v, want that it cannot be started", err)
	}
}

func TestFunctionThatNeverAsksForWork(t *testing.T) {
	t.Parallel()
	f, _ := testFunction(t, func(f *function) {
		f.command.path = script(t, "exec sleep 60")
		f.limits.start = 50 * time.Millisecond
	})
	if _, err := do(f, "echo"); !errors.Is(err, errTimedOut) || !strings.Contains(err.Error(), "did not ask for work") {
		t.Errorf("got %v, want a timeout of the start", err)
	}
}

func TestFunctionIsStoppedWhenIdle(t *testing.T) {
	t.Parallel()
	f, _ := testFunction(t, func(f *function) { f.limits.idle = time.Millisecond })
	first := mustDo(t, f, "echo")
	eventually(t, "the idle instance is gone", func() bool { return !alive(first.PID) })
	if second := mustDo(t, f, "echo"); second.PID == first.PID {
		t.Errorf("process %d serves again", first.PID)
	}
}

func TestFunctionSurvivesTheDeathOfAnIdleInstance(t *testing.T) {
	t.Parallel()
	f, _ := testFunction(t, nil)
	first := mustDo(t, f, "echo")
	f.mu.Lock()
	idle := slices.Clone(f.idle)
	f.mu.Unlock()
	if len(idle) != 1 {
		t.Fatalf("got %d idle instances, want 1", len(idle))
	}
	idle[0].process.stop(0)
	if second := mustDo(t, f, "echo"); second.PID == first.PID {
		t.Errorf("dead process %d serves", first.PID)
	}
}

func TestFunctionStopsInTheMiddleOfWork(t *testing.T) {
	t.Parallel()
	f, _ := testFunction(t, nil)
	pid := mustDo(t, f, "echo").PID
	failed := make(chan error, 1)
	go func() {
		_, err := do(f, "hang")
		failed <- err
	}()
	eventually(t, "the instance works", func() bool { return len(f.slots) == 1 })
	f.stop()
	if err := <-failed; !errors.Is(err, errStopping) {
		t.Errorf("got %v, want errStopping", err)
	}
	if alive(pid) {
		t.Errorf("process %d is left behind", pid)
	}
	if _, err := do(f, "echo"); !errors.Is(err, errStopping) {
		t.Errorf("after stop: got %v, want errStopping", err)
	}
	f.stop() // does nothing the second time
}

func TestFunctionGoesOnWhenItsCallerLeaves(t *testing.T) {
	t.Parallel()
	f, _ := testFunction(t, nil)
	pid := mustDo(t, f, "echo").PID
	ctx, cancel := context.WithCancel(context.Background())
	left := make(chan error, 1)
	go func() {
		_, err := f.invoke(ctx, []byte(`{"pathParameters":{"what":"wait"}}`))
		left <- err
	}()
	eventually(t, "the invocation runs", func() bool { return len(f.slots) == 1 })
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	eventually(t, "the invocation is over", func() bool { return len(f.slots) == 0 })
	if got := mustDo(t, f, "echo").PID; got != pid {
		t.Errorf("process %d became %d: the caller's leaving killed it", pid, got)
	}
}

func BenchmarkInvoke(b *testing.B) {
	binaries, err := buildTestSystem()
	if err != nil {
		b.Fatal(err)
	}
	c := command{name: "test/lambda", path: binaries["functions/test/lambda"]}
	f := newFunction("arn:test", c, 10*time.Second, lambdaLimits, newConsole(&lockedBuffer{}, Config{}).source("test/lambda"), nil)
	defer f.stop()
	for b.Loop() {
		if _, err := f.invoke(b.Context(), []byte(`{"pathParameters":{"what":"echo"}}`)); err != nil {
			b.Fatal(fmt.Errorf("invoke: %w", err))
		}
	}
}
