package events

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// answerWait bounds one start of a function and one invocation.
const answerWait = 20 * time.Second

// invoke starts a function's binary, has it handle one event and stops it
// ("Using the Lambda runtime API for custom runtimes").
func invoke(t *testing.T, binary string, environment []string, event []byte) (answer []byte, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerWait)
	defer cancel()
	answers := make(chan []byte, 1)
	failures := make(chan error, 2)
	taken := false // only the function's one connection asks
	api := http.NewServeMux()
	api.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		if taken {
			<-ctx.Done()
			return
		}
		taken = true
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "sample")
		w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(answerWait).UnixMilli()))
		w.Write(event)
	})
	api.HandleFunc("POST /2018-06-01/runtime/invocation/sample/response", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			failures <- err
		}
		w.WriteHeader(http.StatusAccepted)
		answers <- body
	})
	api.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) { // the two kinds of error
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		failures <- fmt.Errorf("%s: %s", r.URL.Path, body)
	})
	server := httptest.NewServer(api)
	defer server.Close()
	defer cancel() // before Close, which waits for handlers

	var logged buffer
	process := exec.CommandContext(ctx, binary)
	process.Env = append(environment, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(server.URL, "http://"))
	process.Stdout, process.Stderr = &logged, &logged
	if err := process.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	defer func() {
		cancel() // kills the process
		<-ended
		if t.Failed() {
			t.Logf("the function logged: %s", logged.String())
		}
	}()
	select {
	case answer = <-answers:
		return answer, nil
	case err := <-failures:
		return nil, err
	case err := <-ended:
		ended <- err
		return nil, fmt.Errorf("the function ended: %w: %s", err, logged.String())
	case <-ctx.Done():
		return nil, errors.New("the function did not answer in time")
	}
}

// buffer collects what a process writes.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
