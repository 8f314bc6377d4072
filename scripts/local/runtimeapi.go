package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// maxPayload is Lambda's limit of a synchronous invocation's request and of
// its response, in bytes ("Lambda quotas").
const maxPayload = 6 << 20

// maxErrorBody bounds what a function may say about its failure, in bytes.
const maxErrorBody = 256 << 10

// functionError is a failure that the function itself reported.
type functionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (e *functionError) Error() string { return e.Type + ": " + e.Message }

// invocation is one event on its way through a function.
type invocation struct {
	id      string
	traceID string
	payload []byte
	timeout time.Duration
	result  chan result // has room for the one result
}

// result is what became of an invocation.
type result struct {
	payload []byte
	err     error
}

// runtimeAPI is the Lambda Runtime API for one instance of a function, on a
// loopback port of its own ("Using the Lambda runtime API").
type runtimeAPI struct {
	arn    string
	server *http.Server
	addr   string
	// next hands an invocation to the instance when it asks for one.
	next chan *invocation
	// initFailed receives what the instance reports instead of asking.
	initFailed chan error
	serving    sync.WaitGroup

	mu      sync.Mutex
	current *invocation // guarded by mu; what the instance works on
}

// startRuntimeAPI serves the API for the function arn until close.
func startRuntimeAPI(arn string) (*runtimeAPI, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("runtime API: %w", err)
	}
	a := &runtimeAPI{
		arn: arn, addr: listener.Addr().String(),
		next: make(chan *invocation), initFailed: make(chan error, 1),
	}
	// The requests' context ends with the server, so that close does not wait
	// for an instance that polls.
	ctx, cancel := context.WithCancel(context.Background())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", a.handleNext)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", a.handleResponse)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", a.handleError)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", a.handleInitError)
	a.server = &http.Server{Handler: mux, BaseContext: func(net.Listener) context.Context { return ctx }}
	a.serving.Go(func() {
		defer cancel()
		_ = a.server.Serve(listener) // always ErrServerClosed, after close
	})
	return a, nil
}

// close ends the API; an instance that polls it ends itself.
func (a *runtimeAPI) close() {
	_ = a.server.Close() // its only error is that of closing the listener
	a.serving.Wait()
}

func (a *runtimeAPI) handleNext(w http.ResponseWriter, r *http.Request) {
	select {
	case inv := <-a.next:
		a.mu.Lock()
		a.current = inv
		a.mu.Unlock()
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(inv.timeout).UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", a.arn)
		h.Set("Lambda-Runtime-Trace-Id", inv.traceID)
		_, _ = w.Write(inv.payload) // if the instance is gone, its owner sees that
	case <-r.Context().Done():
	}
}

func (a *runtimeAPI) handleResponse(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	switch _, large := errors.AsType[*http.MaxBytesError](err); {
	case large:
		err = &functionError{"Function.ResponseSizeTooLarge", fmt.Sprintf("the response is larger than %d bytes", maxPayload)}
		a.finish(w, r.PathValue("id"), result{err: err}, http.StatusRequestEntityTooLarge)
	case err != nil:
		a.finish(w, r.PathValue("id"), result{err: fmt.Errorf("read the response: %w", err)}, http.StatusBadRequest)
	default:
		a.finish(w, r.PathValue("id"), result{payload: body, err: trailerError(r.Trailer)}, http.StatusAccepted)
	}
}

// trailerError is the failure that a function reports after it began to
// stream its response.
func trailerError(trailer http.Header) error {
	kind := trailer.Get("Lambda-Runtime-Function-Error-Type")
	if kind == "" {
		return nil
	}
	body, err := base64.StdEncoding.DecodeString(trailer.Get("Lambda-Runtime-Function-Error-Body"))
	if err != nil {
		body = nil
	}
	return parseFunctionError(kind, body)
}

func (a *runtimeAPI) handleError(w http.ResponseWriter, r *http.Request) {
	a.finish(w, r.PathValue("id"), result{err: readFunctionError(r)}, http.StatusAccepted)
}

func (a *runtimeAPI) handleInitError(w http.ResponseWriter, r *http.Request) {
	select {
	case a.initFailed <- readFunctionError(r):
	default: // it said so before
	}
	reply(w, http.StatusAccepted, `{"status":"OK"}`)
}

func readFunctionError(r *http.Request) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxErrorBody))
	if err != nil {
		return fmt.Errorf("read the function's error: %w", err)
	}
	return parseFunctionError(r.Header.Get("Lambda-Runtime-Function-Error-Type"), body)
}

func parseFunctionError(kind string, body []byte) error {
	e := &functionError{Type: "Unhandled", Message: "the function failed"}
	_ = json.Unmarshal(body, e) // what is not JSON says nothing more
	if kind != "" {
		e.Type = kind
	}
	return e
}

// finish gives the current invocation its result and answers the instance
// with status; an id that is not current is refused.
func (a *runtimeAPI) finish(w http.ResponseWriter, id string, res result, status int) {
	a.mu.Lock()
	inv := a.current
	if inv != nil && inv.id == id {
		a.current = nil
	}
	a.mu.Unlock()
	if inv == nil || inv.id != id {
		reply(w, http.StatusBadRequest, `{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}`)
		return
	}
	inv.result <- res
	reply(w, status, `{"status":"OK"}`)
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // if the instance is gone, its owner sees that
}
