package tabletest

import (
	"bytes"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
)

// Failure is what goes wrong with a request to DynamoDB.
type Failure uint8

// The failures. The first five keep the request from DynamoDB; the last two
// spoil its answer after it was applied.
const (
	Throttled  Failure = iota // ProvisionedThroughputExceededException; the SDK retries
	Conflicted                // another transaction has the item: the whole transaction is cancelled
	InProgress                // TransactionInProgressException; the SDK retries
	Refused                   // status 500; the SDK retries
	Silent                    // no answer within the time; the SDK retries
	AppliedThenRefused
	AppliedThenSilent
)

// Wire carries the requests of one client, counts them, and breaks those that
// a test wants broken. It is safe for concurrent use.
type Wire struct {
	next http.RoundTripper

	mu    sync.Mutex
	calls map[string]int                      // by operation; guarded by mu
	rules []*wireRule                         // guarded by mu
	watch func(operation string, body []byte) // guarded by mu; nil: nobody looks
}

type wireRule struct {
	operation string
	left      int
	failure   Failure
}

// Calls returns how many requests were made since Reset, by operation, such as
// "PutItem". What the SDK sends again counts again.
func (w *Wire) Calls() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.calls)
}

// Total returns how many requests were made since Reset.
func (w *Wire) Total() int {
	total := 0
	for _, n := range w.Calls() {
		total += n
	}
	return total
}

// Reset sets the counters to zero.
func (w *Wire) Reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = map[string]int{}
}

// Fail breaks the next `times` requests of an operation; "" is any operation.
func (w *Wire) Fail(operation string, times int, failure Failure) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rules = append(w.rules, &wireRule{operation, times, failure})
}

// Heal forgets what Fail asked for.
func (w *Wire) Heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rules = nil
}

// Watch has look see every request; nil ends it.
func (w *Wire) Watch(look func(operation string, body []byte)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch = look
}

// RoundTrip carries one request.
func (w *Wire) RoundTrip(req *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	req, err := w.show(req, operation)
	if err != nil {
		return nil, err
	}
	failure, broken := w.count(operation)
	if !broken {
		return w.next.RoundTrip(req)
	}
	switch failure {
	case AppliedThenRefused, AppliedThenSilent:
		resp, err := w.next.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	default:
		// A RoundTripper must close the body.
		if req.Body != nil {
			req.Body.Close()
		}
	}
	switch failure {
	case Throttled:
		return reply(req, http.StatusBadRequest, "ProvisionedThroughputExceededException", ""), nil
	case Conflicted:
		if operation == "TransactWriteItems" {
			return reply(req, http.StatusBadRequest, "TransactionCanceledException",
				`,"CancellationReasons":[{"Code":"TransactionConflict"},{"Code":"None"}]`), nil
		}
		return reply(req, http.StatusBadRequest, "TransactionConflictException", ""), nil
	case InProgress:
		return reply(req, http.StatusBadRequest, "TransactionInProgressException", ""), nil
	case Refused, AppliedThenRefused:
		return reply(req, http.StatusInternalServerError, "InternalServerError", ""), nil
	default:
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	}
}

// show lets the test see the body, if it wants to, and returns the request to
// send.
func (w *Wire) show(req *http.Request, operation string) (*http.Request, error) {
	w.mu.Lock()
	look := w.watch
	w.mu.Unlock()
	if look == nil || req.Body == nil {
		return req, nil
	}
	defer req.Body.Close()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	look(operation, body)
	again := req.Clone(req.Context()) // a RoundTripper must not change its request
	again.Body = io.NopCloser(bytes.NewReader(body))
	return again, nil
}

// count counts a request and tells whether it is to be broken.
func (w *Wire) count(operation string) (Failure, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls == nil {
		w.calls = map[string]int{}
	}
	w.calls[operation]++
	for _, rule := range w.rules {
		if rule.left > 0 && (rule.operation == "" || rule.operation == operation) {
			rule.left--
			return rule.failure, true
		}
	}
	return 0, false
}

func reply(req *http.Request, status int, code, more string) *http.Response {
	body := `{"__type":"com.amazonaws.dynamodb.v20120810#` + code + `","Message":"made by tabletest"` + more + `}`
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(bytes.NewBufferString(body)),
		ContentLength: int64(len(body)),
	}
}
