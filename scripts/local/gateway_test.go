package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// testGateway has routes to functions that answer with their own name, with
// errors, or as answer says.
func testGateway(t *testing.T, answer func(ctx context.Context, payload []byte) ([]byte, error)) *gateway {
	t.Helper()
	g := newGateway(slog.New(slog.NewTextHandler(io.Discard, nil)))
	g.now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	named := func(name string) target {
		return target{name: name, invoke: func(context.Context, []byte) ([]byte, error) {
			return json.Marshal(events.APIGatewayProxyResponse{StatusCode: 200, Body: name})
		}}
	}
	routes := []struct {
		method, path string
		t            target
	}{
		{"PUT", "/accounts/{account_id}/devices", named("create")},
		{"GET", "/accounts/{account_id}/devices", named("list")},
		{"GET", "/accounts/{account_id}/devices/{device_id}", named("get")},
		{"DELETE", "/accounts/{account_id}/devices/{device_id}", named("delete")},
		{"GET", "/accounts/{account_id}/devices/status", named("status")},
		{"POST", "/accounts/{account_id}/devices/{device_id}/sync", named("sync")},
		{"ANY", "/any", named("any")},
		{"POST", "/answer/{what}", target{"answer", answer}},
	}
	for _, r := range routes {
		if err := g.route(r.method, r.path, r.t); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func serve(g *gateway, method, target string, body io.Reader) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	g.ServeHTTP(w, httptest.NewRequest(method, target, body))
	return w
}

// checkRefusal checks the envelope of an answer of the gateway itself.
func checkRefusal(t *testing.T, w *httptest.ResponseRecorder, status int, message string) {
	t.Helper()
	var e struct {
		Data      map[string]any
		Status    string
		Error     string
		Message   string
		Code      string
		RequestID string `json:"request_id"`
		Timestamp string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		t.Fatalf("no JSON: %v: %s", err, w.Body)
	}
	if w.Code != status || e.Status != "error" || e.Error != strconv.Itoa(status) || e.Message != message ||
		e.Code != strings.ReplaceAll(message, " ", "_") || e.Timestamp != "2026-01-02T03:04:05Z" || len(e.Data) == 0 {
		t.Errorf("got %d %+v, want %d %q", w.Code, e, status, message)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("got content type %q, want application/json and nothing more", got)
	}
	if got := w.Header().Get("X-Request-Id"); got == "" || got != e.RequestID {
		t.Errorf("got request id %q in the header and %q in the body", got, e.RequestID)
	}
}

func TestGatewayRoutes(t *testing.T) {
	t.Parallel()
	g := testGateway(t, nil)
	tests := []struct{ name, method, target, want string }{
		{"Bare", "GET", "/accounts/a/devices", "list"},
		{"V2", "GET", "/v2/accounts/a/devices", "list"},
		{"V1", "PUT", "/v1/accounts/a/devices", "create"},
		{"Query", "GET", "/v2/accounts/a/devices?x=/status", "list"},
		{"Parameter", "GET", "/v2/accounts/a/devices/d", "get"},
		{"FixedBeatsParameter", "GET", "/v2/accounts/a/devices/status", "status"},
		{"ParameterWhereFixedHasNoChild", "POST", "/v2/accounts/a/devices/status/sync", "sync"},
		{"EscapedSlashStaysInItsSegment", "GET", "/v2/accounts/a/devices/x%2Fy", "get"},
		{"AnyMethod", "REPORT", "/v2/any", "any"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if w := serve(g, tt.method, tt.target, nil); w.Code != 200 || w.Body.String() != tt.want {
				t.Errorf("got %d %s, want %s", w.Code, w.Body, tt.want)
			}
		})
	}
}

func TestGatewayRefusesPathsAndMethods(t *testing.T) {
	t.Parallel()
	g := testGateway(t, nil)
	tests := []struct {
		name, method, target string
		status               int
		message, allow       string
	}{
		{"Root", "GET", "/", 404, "not_found", ""},
		{"StageAlone", "GET", "/v2", 404, "not_found", ""},
		{"OtherStage", "GET", "/v3/accounts/a/devices", 404, "not_found", ""},
		{"StageTwice", "GET", "/v2/v2/accounts/a/devices", 404, "not_found", ""},
		{"Unknown", "GET", "/v2/accounts/a/phones", 404, "not_found", ""},
		{"TooLong", "GET", "/v2/accounts/a/devices/d/sync/now", 404, "not_found", ""},
		{"EmptyParameter", "GET", "/v2/accounts//devices", 404, "not_found", ""},
		{"TrailingSlash", "GET", "/v2/accounts/a/devices/", 404, "not_found", ""},
		{"Case", "GET", "/v2/Accounts/a/devices", 404, "not_found", ""},
		{"Method", "POST", "/v2/accounts/a/devices", 405, "invalid_method", "GET, PUT"},
		{"Head", "HEAD", "/v2/accounts/a/devices", 405, "invalid_method", "GET, PUT"},
		{"Options", "OPTIONS", "/v2/accounts/a/devices", 405, "invalid_method", "GET, PUT"},
		{"MethodOfTheParameterOnly", "DELETE", "/v2/accounts/a/devices/status", 405, "invalid_method", "GET"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := serve(g, tt.method, tt.target, nil)
			checkRefusal(t, w, tt.status, tt.message)
			if got := w.Header().Get("Allow"); got != tt.allow {
				t.Errorf("got Allow %q, want %q", got, tt.allow)
			}
		})
	}
}

func TestGatewayRefusesARouteTwice(t *testing.T) {
	t.Parallel()
	g := testGateway(t, nil)
	err := g.route("GET", "/accounts/{account_id}/devices", target{name: "second"})
	if err == nil || !strings.Contains(err.Error(), "goes to both list and second") {
		t.Errorf("got %v", err)
	}
}

func TestGatewayAnswersOfFunctions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, answer string
		err          error
		status       int
		body         string // of a function's answer
		message      string // of the gateway's
	}{
		{name: "Plain", answer: `{"statusCode":201,"body":"made"}`, status: 201, body: "made"},
		{name: "NoBody", answer: `{"statusCode":204,"body":null}`, status: 204},
		{name: "Base64", answer: `{"statusCode":200,"body":"AP8=","isBase64Encoded":true}`, status: 200, body: "\x00\xff"},
		{name: "FunctionsOwnError", answer: `{"statusCode":500,"body":"{}"}`, status: 500, body: "{}"},
		{name: "NoStatus", answer: `{"body":"x"}`, status: 502, message: "unspecified_fault"},
		{name: "StatusIsText", answer: `{"statusCode":"200"}`, status: 502, message: "unspecified_fault"},
		{name: "StatusOutOfRange", answer: `{"statusCode":100}`, status: 502, message: "unspecified_fault"},
		{name: "UnknownKey", answer: `{"statusCode":200,"cookies":[]}`, status: 502, message: "unspecified_fault"},
		{name: "BodyIsAnObject", answer: `{"statusCode":200,"body":{}}`, status: 502, message: "unspecified_fault"},
		{name: "NotBase64", answer: `{"statusCode":200,"body":"!","isBase64Encoded":true}`, status: 502, message: "unspecified_fault"},
		{name: "HeaderIsAList", answer: `{"statusCode":200,"headers":{"a":["b"]}}`, status: 502, message: "unspecified_fault"},
		{name: "HeaderWithALineBreak", answer: `{"statusCode":200,"headers":{"a":"b\r\nc: d"}}`, status: 502, message: "unspecified_fault"},
		{name: "HeaderWithABadName", answer: `{"statusCode":200,"headers":{"a b":"c"}}`, status: 502, message: "unspecified_fault"},
		{name: "TwoDocuments", answer: `{"statusCode":200} {}`, status: 502, message: "unspecified_fault"},
		{name: "Empty", answer: ``, status: 502, message: "unspecified_fault"},
		{name: "Null", answer: `null`, status: 502, message: "unspecified_fault"},
		{name: "Crash", err: errCrashed, status: 502, message: "unspecified_fault"},
		{name: "Reported", err: &functionError{"T", "secret"}, status: 502, message: "unspecified_fault"},
		{name: "TimedOut", err: errTimedOut, status: 504, message: "timeout"},
		{name: "Stopping", err: errStopping, status: 503, message: "unavailable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := testGateway(t, func(context.Context, []byte) ([]byte, error) { return []byte(tt.answer), tt.err })
			w := serve(g, "POST", "/v2/answer/x", nil)
			if strings.Contains(w.Body.String(), "secret") {
				t.Errorf("the failure's text is shown: %s", w.Body)
			}
			if tt.message != "" {
				checkRefusal(t, w, tt.status, tt.message)
				return
			}
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, tt.status, tt.body)
			}
		})
	}
}

func TestGatewayHeadersOfFunctions(t *testing.T) {
	t.Parallel()
	g := testGateway(t, func(context.Context, []byte) ([]byte, error) {
		return []byte(`{"statusCode":200,"body":"x","headers":{"ETag":"1","Connection":"close","Content-Length":"7","n":5,"many":"b"},
			"multiValueHeaders":{"many":["a","b"]}}`), nil
	})
	h := serve(g, "POST", "/answer/x", nil).Header()
	if got := h.Values("Many"); len(got) != 2 || got[0] != "a" || got[1] != "b" {
		t.Errorf("Many: got %q, want a and b, each once", got)
	}
	for name, want := range map[string]string{"Etag": "1", "Connection": "", "Content-Length": "1", "N": "5", "Content-Type": "application/json"} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestGatewayLimits(t *testing.T) {
	t.Parallel()
	ok := func(context.Context, []byte) ([]byte, error) { return []byte(`{"statusCode":200}`), nil }
	tests := []struct {
		name   string
		size   int
		known  bool // Content-Length is sent
		target int  // the limit that is named; 0 for success
	}{
		{"Small", 100, true, 0},
		{"LargerThanLambda", maxPayload + 1, true, maxPayload},
		{"AsLargeAsTheGateway", maxBody, true, maxPayload},
		{"LargerThanTheGateway", maxBody + 1, true, maxBody},
		{"LargerThanTheGatewayInChunks", maxBody + 1, false, maxBody},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("POST", "/v2/answer/x", strings.NewReader(strings.Repeat("x", tt.size)))
			if !tt.known {
				r.ContentLength = -1
			}
			w := httptest.NewRecorder()
			testGateway(t, ok).ServeHTTP(w, r)
			if tt.target == 0 {
				if w.Code != 200 {
					t.Errorf("got %d %s", w.Code, w.Body)
				}
				return
			}
			checkRefusal(t, w, 413, "validation error")
			want := `"data":{"file":{"maxSize":{"message":"Payload or Files must not be more than ` + strconv.Itoa(tt.target) +
				` bytes","target":` + strconv.Itoa(tt.target) + `}}}`
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("got %s, want %s in it", w.Body, want)
			}
		})
	}
}

func TestGatewayRefusesBrokenRequests(t *testing.T) {
	t.Parallel()
	g := testGateway(t, nil)
	checkRefusal(t, serve(g, "POST", "/v2/answer/x?a=%zz", nil), 400, "faulty_request")
	broken := io.MultiReader(strings.NewReader("half"), errorReader{})
	checkRefusal(t, serve(g, "POST", "/v2/answer/x", broken), 400, "faulty_request")
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errors.New("gone") }

func TestGatewayDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	g := testGateway(t, func(ctx context.Context, _ []byte) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	g.wait = time.Millisecond
	checkRefusal(t, serve(g, "POST", "/v2/answer/x", nil), 504, "timeout")
}

// A real server, since the recorder does not do what net/http does with
// headers and bodies.
func TestGatewayOverHTTP(t *testing.T) {
	t.Parallel()
	g := testGateway(t, func(context.Context, []byte) ([]byte, error) {
		return []byte(`{"statusCode":200,"body":"` + strings.Repeat("y", 5000) + `"}`), nil
	})
	server := httptest.NewUnstartedServer(g)
	server.Config = g.server()
	server.Start()
	t.Cleanup(server.Close)
	status, header, body := send(t, server.Client(), newRequest(t, "POST", server.URL+"/v2/answer/x", strings.NewReader("{}")))
	if status != 200 || len(body) != 5000 || header.Get("Content-Length") != "5000" || header.Get("Server") != "" {
		t.Errorf("got %d, %d bytes, headers %v", status, len(body), header)
	}
	large := newRequest(t, "POST", server.URL+"/v2/answer/x", strings.NewReader(strings.Repeat("x", maxBody+1)))
	if status, _, _ := send(t, server.Client(), large); status != 413 {
		t.Errorf("large body: got status %d, want 413", status)
	}
	long := newRequest(t, "POST", server.URL+"/v2/answer/x", nil)
	long.Header.Set("X-Long", strings.Repeat("x", 2*maxHeader))
	if status, _, _ := send(t, server.Client(), long); status != 431 {
		t.Errorf("large header: got status %d, want 431", status)
	}
}
