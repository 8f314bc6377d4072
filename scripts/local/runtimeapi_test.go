package main

import (
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func testAPI(t *testing.T) (*runtimeAPI, *http.Client) {
	t.Helper()
	a, err := startRuntimeAPI("arn:test")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(func() {
		a.close()
		transport.CloseIdleConnections()
	})
	return a, &http.Client{Transport: transport}
}

// send makes one request and returns the status, headers and body.
func send(t *testing.T, c *http.Client, req *http.Request) (int, http.Header, string) {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

func newRequest(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// nextInvocation hands an invocation over and returns what the function sees.
func nextInvocation(t *testing.T, a *runtimeAPI, c *http.Client) (*invocation, http.Header, string) {
	t.Helper()
	inv := &invocation{id: requestID(), traceID: traceID(time.Now()), payload: []byte(`{"a":1}`), timeout: time.Minute, result: make(chan result, 1)}
	go func() { a.next <- inv }()
	status, header, body := send(t, c, newRequest(t, "GET", "http://"+a.addr+"/2018-06-01/runtime/invocation/next", nil))
	if status != 200 {
		t.Fatalf("next: got status %d", status)
	}
	return inv, header, body
}

func TestRuntimeAPINext(t *testing.T) {
	t.Parallel()
	a, c := testAPI(t)
	inv, header, body := nextInvocation(t, a, c)
	if body != `{"a":1}` || header.Get("Lambda-Runtime-Aws-Request-Id") != inv.id || header.Get("Lambda-Runtime-Invoked-Function-Arn") != "arn:test" ||
		header.Get("Lambda-Runtime-Trace-Id") != inv.traceID {
		t.Errorf("got %s with %v", body, header)
	}
	deadline, err := strconv.ParseInt(header.Get("Lambda-Runtime-Deadline-Ms"), 10, 64)
	if left := time.Until(time.UnixMilli(deadline)); err != nil || left < 50*time.Second || left > time.Minute {
		t.Errorf("got a deadline in %v, %v; want a minute", left, err)
	}
}

func TestRuntimeAPIResults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, path string // {id} stands for the invocation's
		body       io.Reader
		header     http.Header
		trailer    http.Header
		status     int
		wantErr    string // of the result; "" for success
	}{
		{name: "Response", path: "{id}/response", body: strings.NewReader("done"), status: 202},
		{name: "LargestResponse", path: "{id}/response", body: strings.NewReader(strings.Repeat("x", maxPayload)), status: 202},
		{name: "LargerResponse", path: "{id}/response", body: strings.NewReader(strings.Repeat("x", maxPayload+1)), status: 413, wantErr: "Function.ResponseSizeTooLarge"},
		{name: "Error", path: "{id}/error", body: strings.NewReader(`{"errorType":"T","errorMessage":"M"}`), status: 202, wantErr: "T: M"},
		{name: "ErrorTypeInHeader", path: "{id}/error", body: strings.NewReader(`{"errorMessage":"M"}`),
			header: http.Header{"Lambda-Runtime-Function-Error-Type": {"H"}}, status: 202, wantErr: "H: M"},
		{name: "ErrorThatIsNoJSON", path: "{id}/error", body: strings.NewReader("oops"), status: 202, wantErr: "Unhandled: the function failed"},
		{name: "ErrorWhileStreaming", path: "{id}/response", body: io.MultiReader(strings.NewReader("half")),
			trailer: http.Header{"Lambda-Runtime-Function-Error-Type": {"S"},
				"Lambda-Runtime-Function-Error-Body": {base64.StdEncoding.EncodeToString([]byte(`{"errorMessage":"broke off"}`))}},
			status: 202, wantErr: "S: broke off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, c := testAPI(t)
			inv, _, _ := nextInvocation(t, a, c)
			req := newRequest(t, "POST", "http://"+a.addr+"/2018-06-01/runtime/invocation/"+strings.Replace(tt.path, "{id}", inv.id, 1), tt.body)
			req.Header, req.Trailer = tt.header, tt.trailer
			if status, _, body := send(t, c, req); status != tt.status {
				t.Errorf("got status %d %s, want %d", status, body, tt.status)
			}
			res := <-inv.result
			if tt.wantErr == "" && (res.err != nil || len(res.payload) == 0) {
				t.Errorf("got %d bytes and %v, want a response", len(res.payload), res.err)
			}
			if tt.wantErr != "" && (res.err == nil || !strings.Contains(res.err.Error(), tt.wantErr)) {
				t.Errorf("got %v, want %q", res.err, tt.wantErr)
			}
		})
	}
}

func TestRuntimeAPIRefusesTheIDOfAnother(t *testing.T) {
	t.Parallel()
	a, c := testAPI(t)
	inv, _, _ := nextInvocation(t, a, c)
	base := "http://" + a.addr + "/2018-06-01/runtime/invocation/"
	if status, _, _ := send(t, c, newRequest(t, "POST", base+"other/response", strings.NewReader("x"))); status != 400 {
		t.Errorf("another id: got status %d, want 400", status)
	}
	if len(inv.result) != 0 {
		t.Error("the invocation got the result of another")
	}
	for i, want := range []int{202, 400} {
		if status, _, _ := send(t, c, newRequest(t, "POST", base+inv.id+"/response", strings.NewReader("x"))); status != want {
			t.Errorf("answer %d: got status %d, want %d", i+1, status, want)
		}
	}
}

func TestRuntimeAPIInitError(t *testing.T) {
	t.Parallel()
	a, c := testAPI(t)
	for range 2 { // a second report does not block
		req := newRequest(t, "POST", "http://"+a.addr+"/2018-06-01/runtime/init/error", strings.NewReader(`{"errorMessage":"no table"}`))
		req.Header.Set("Lambda-Runtime-Function-Error-Type", "Runtime.Init")
		if status, _, _ := send(t, c, req); status != 202 {
			t.Errorf("got status %d, want 202", status)
		}
	}
	if err := <-a.initFailed; err.Error() != "Runtime.Init: no table" {
		t.Errorf("got %v", err)
	}
}

func TestRuntimeAPICloseEndsAPoll(t *testing.T) {
	t.Parallel()
	a, c := testAPI(t)
	ended := make(chan error)
	go func() {
		resp, err := c.Get("http://" + a.addr + "/2018-06-01/runtime/invocation/next")
		if err == nil {
			resp.Body.Close()
		}
		ended <- err
	}()
	a.close()
	if err := <-ended; err == nil {
		t.Error("the poll was answered")
	}
}
