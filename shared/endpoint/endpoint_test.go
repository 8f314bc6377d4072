package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
)

// echo answers the data it was sent.
func echo(_ context.Context, r *Request) (Reply, error) {
	return Reply{Status: http.StatusCreated, Data: r.Data, Created: "new", Revision: "1-a"}, nil
}

// call sends one request to a public endpoint and returns the answer, its
// decoded envelope and what was logged.
func call(t *testing.T, handle Handler, method, target, contentType, body string) (*httptest.ResponseRecorder, document.Object, string) {
	t.Helper()
	var logged bytes.Buffer
	e := Endpoint{
		Name: "things/echo", Routes: []string{"PUT /things", "GET /things/{thing_id}"}, Handle: handle,
		Log: slog.New(slog.NewJSONHandler(&logged, nil)),
		Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
	}
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	r.Header.Set("X-Request-ID", "req-1")
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	var reply document.Object
	if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil {
		t.Fatalf("body is no JSON object: %v: %s", err, w.Body)
	}
	return w, reply, logged.String()
}

func TestEnvelopeOfSuccess(t *testing.T) {
	t.Parallel()
	w, reply, logged := call(t, echo, "PUT", "/things", "application/json", `{"data":{"name":"<a>"}}`)
	if w.Code != 201 {
		t.Errorf("got status %d, want 201", w.Code)
	}
	for header, want := range map[string]string{
		"Content-Type": "application/json", "X-Request-Id": "req-1", "Location": "/things/new"} {
		if got := w.Header().Get(header); got != want {
			t.Errorf("%s: got %q, want %q", header, got, want)
		}
	}
	for key, want := range map[string]any{
		"status": "success", "request_id": "req-1", "revision": "1-a", "timestamp": "2026-01-02T03:04:05Z", "version": Version} {
		if reply[key] != want {
			t.Errorf("%s: got %v, want %v", key, reply[key], want)
		}
	}
	if !strings.Contains(w.Body.String(), `"<a>"`) {
		t.Errorf("HTML is escaped: %s", w.Body)
	}
	if n := strings.Count(logged, "\n"); n != 1 {
		t.Errorf("got %d log lines, want 1: %s", n, logged)
	}
	if strings.Contains(logged, "<a>") {
		t.Errorf("the log repeats the body: %s", logged)
	}
}

func TestRequestBodies(t *testing.T) {
	t.Parallel()
	form := "application/x-www-form-urlencoded"
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		path, rule              string // of the violation
	}{
		{"JSON", "application/json", `{"data":{}}`, 201, "", ""},
		{"JSONWithCharset", "application/json; charset=utf-8", `{"data":{}}`, 201, "", ""},
		{"OldJSON", "application/x-json", `{"data":{}}`, 201, "", ""},
		{"WhatCurlSays", form, `{"data":{}}`, 201, "", ""},
		{"NoType", "", `{"data":{}}`, 201, "", ""},
		{"Empty", "application/json", "", 201, "", ""},
		{"KeysOfEnvelopeIgnoreCase", "application/json", `{"DATA":{}}`, 201, "", ""},
		{"XML", "text/xml", "<data/>", 415, "", ""},
		{"NotJSON", "application/json", "data", 400, "json", "invalid"},
		{"Truncated", "application/json", `{"data":{"name":"x"`, 400, "json", "invalid"},
		{"TwoDocuments", "application/json", `{"data":{}} {}`, 400, "json", "invalid"},
		{"KeyTwice", "application/json", `{"data":{"a":1,"a":2}}`, 400, "json", "invalid"},
		{"NotUTF8", "application/json", "{\"data\":{\"a\":\"\xff\"}}", 400, "json", "invalid"},
		{"List", "application/json", `[]`, 400, "json", "invalid"},
		{"NoData", "application/json", `{"name":"x"}`, 400, "data", "required"},
		{"NullData", "application/json", `{"data":null}`, 400, "data", "required"},
		{"DataIsText", "application/json", `{"data":"x"}`, 400, "data", "type"},
		{"DeepNesting", "application/json", `{"data":` + strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 101), 400, "json", "invalid"},
		{"TooLarge", "application/json", `{"data":{"a":"` + strings.Repeat("x", maxBody) + `"}}`, 413, "file", "maxSize"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, reply, _ := call(t, echo, "PUT", "/things", test.contentType, test.body)
			if w.Code != test.status {
				t.Fatalf("got status %d, want %d: %s", w.Code, test.status, w.Body)
			}
			if test.path == "" {
				return
			}
			if _, ok := document.At(reply, "data", test.path, test.rule, "message"); !ok {
				t.Errorf("no message for %s %s: %v", test.path, test.rule, reply)
			}
		})
	}
}

func TestPrivateKeysAreNotTaken(t *testing.T) {
	t.Parallel()
	_, reply, _ := call(t, echo, "PUT", "/things", "", `{"data":{"_rev":"1","pvt_type":"x","auth_token":"secret","name":"n"}}`)
	data := reply["data"].(document.Object)
	if len(data) != 1 || data["name"] != "n" {
		t.Errorf("got %v, want only the name", data)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		err     error
		status  int
		message string
		code    string
		hidden  string // must not be in the answer
	}{
		{"Unauthenticated", fault.InvalidCredentials(errors.New("token is revoked")), 401, "invalid_credentials", "invalid_credentials", "revoked"},
		{"Forbidden", fault.NotAllowed(nil), 403, "forbidden", "forbidden", ""},
		{"NotFound", fault.BadIdentifier("x"), 404, "bad_identifier", "bad_identifier", ""},
		{"Conflict", fault.Conflicting(errors.New("rev 3")), 409, "datastore_conflict", "datastore_conflict", "rev 3"},
		{"Validation", fault.Breaks("name", "required", fault.Violation{Message: "m"}), 400, "validation error", "validation_error", ""},
		{"NoData", &fault.Error{Kind: fault.Refused, Code: "action required"}, 400, "action required", "action_required", "null"},
		{"Unavailable", fault.Unreachable(errors.New("dial tcp 10.0.0.1")), 503, "datastore_unreachable", "datastore_unreachable", "10.0.0.1"},
		{"TooMany", fault.TooManyRequests(1500 * time.Millisecond), 429, "too_many_requests", "too_many_requests", ""},
		{"Internal", errors.New("pointer 0xdeadbeef"), 500, "unspecified_fault", "unspecified_fault", "0xdeadbeef"},
		{"WrappedFaultIsFound", errors.Join(errors.New("reading"), fault.NotAllowed(nil)), 403, "forbidden", "forbidden", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			fail := func(context.Context, *Request) (Reply, error) { return Reply{}, test.err }
			w, reply, logged := call(t, fail, "PUT", "/things", "", `{"data":{}}`)
			if w.Code != test.status {
				t.Errorf("got status %d, want %d", w.Code, test.status)
			}
			if reply["status"] != "error" || reply["message"] != test.message || reply["code"] != test.code ||
				reply["error"] != strings.TrimSpace(w.Result().Status[:3]) || reply["request_id"] != "req-1" {
				t.Errorf("got envelope %v", reply)
			}
			if w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("got content type %q", w.Header().Get("Content-Type"))
			}
			if test.hidden != "" && strings.Contains(w.Body.String(), test.hidden) {
				t.Errorf("answer shows %q: %s", test.hidden, w.Body)
			}
			if test.hidden != "" && test.hidden != "null" && !strings.Contains(logged, test.hidden) {
				t.Errorf("log lacks the cause %q: %s", test.hidden, logged)
			}
		})
	}
}

func TestRetryAfterIsWholeSeconds(t *testing.T) {
	t.Parallel()
	busy := func(context.Context, *Request) (Reply, error) {
		return Reply{}, fault.TooManyRequests(1500 * time.Millisecond)
	}
	w, _, _ := call(t, busy, "PUT", "/things", "", "")
	if got := w.Header().Get("Retry-After"); got != "2" {
		t.Errorf("got %q, want 2", got)
	}
}

func TestPanicIsA500(t *testing.T) {
	t.Parallel()
	broken := func(context.Context, *Request) (Reply, error) { panic("secret state") }
	w, _, logged := call(t, broken, "PUT", "/things", "", "")
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret state") || !strings.Contains(logged, "secret state") {
		t.Errorf("got %d %s, logged %s", w.Code, w.Body, logged)
	}
}

func TestUnknownPathIsA404(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/other", "/things//x", "/things/../things", "/things/x/"} {
		if w, reply, _ := call(t, echo, "GET", path, "", ""); w.Code != 404 || reply["message"] != "not_found" {
			t.Errorf("%s: got %d %v", path, w.Code, reply)
		}
	}
}

func TestPathValues(t *testing.T) {
	t.Parallel()
	show := func(_ context.Context, r *Request) (Reply, error) {
		return Reply{Status: 200, Data: r.PathValue("thing_id")}, nil
	}
	if _, reply, _ := call(t, show, "GET", "/things/t1", "", ""); reply["data"] != "t1" {
		t.Errorf("got %v", reply["data"])
	}
}

func TestRequestIDsOfClients(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, id string
		kept     bool
	}{
		{"Plain", "abc-123", true},
		{"LineBreak", "a\r\nSet-Cookie: x", false},
		{"NotASCII", "ä", false},
		{"TooLong", strings.Repeat("x", 129), false},
		{"Empty", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("PUT", "/things", nil)
			r.Header["X-Request-Id"] = []string{test.id}
			w := httptest.NewRecorder()
			Endpoint{Routes: []string{"PUT /things"}, Handle: echo, Now: time.Now,
				Log: slog.New(slog.NewJSONHandler(io.Discard, nil))}.ServeHTTP(w, r)
			if got := w.Header().Get("X-Request-Id"); (got == test.id) != test.kept || got == "" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestConditionalGet(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, sent string
		status     int
	}{
		{"Current", `"1-a"`, 304},
		{"OneOfMany", `"9-z", W/"1-a"`, 304},
		{"Any", "*", 304},
		{"WithoutQuotes", "1-a", 304},
		{"Old", `"0-a"`, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("GET", "/things/t1", nil)
			r.Header.Set("If-None-Match", test.sent)
			w := httptest.NewRecorder()
			Endpoint{Routes: []string{"GET /things/{thing_id}"}, Now: time.Now, Log: slog.New(slog.NewJSONHandler(io.Discard, nil)),
				Handle: func(context.Context, *Request) (Reply, error) {
					return Reply{Status: 200, Data: "d", Revision: "1-a"}, nil
				}}.ServeHTTP(w, r)
			if w.Code != test.status || (w.Body.Len() == 0) != (test.status == 304) || w.Header().Get("ETag") != `"1-a"` {
				t.Errorf("got %d, ETag %s, body %s", w.Code, w.Header().Get("ETag"), w.Body)
			}
		})
	}
}

func TestIfMatchWithoutDocumentMatchesNothing(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("PUT", "/things", nil)
	r.Header.Set("If-Match", "*")
	w := httptest.NewRecorder()
	Endpoint{Routes: []string{"PUT /things"}, Handle: echo, Now: time.Now,
		Log: slog.New(slog.NewJSONHandler(io.Discard, nil))}.ServeHTTP(w, r)
	if w.Code != 412 {
		t.Errorf("got %d", w.Code)
	}
}

func TestPrettyPrint(t *testing.T) {
	t.Parallel()
	w, reply, _ := call(t, echo, "PUT", "/things?pretty_print=true", "", `{"data":{"a":1}}`)
	if !strings.Contains(w.Body.String(), "\n  \"data\": {\n    \"a\": 1\n  }") || reply["status"] != "success" {
		t.Errorf("got %s", w.Body)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, header, authorization, query, body, want string
	}{
		{"Header", "h", "", "", "", "h"},
		{"HeaderFirst", "h", "Bearer b", "q", `{"data":{},"auth_token":"r"}`, "h"},
		{"DataBeforeQuery", "", "", "q", `{"data":{"auth_token":"d"}}`, "d"},
		{"Query", "", "", "q", "", "q"},
		{"Root", "", "", "", `{"data":{},"auth_token":"r"}`, "r"},
		{"Bearer", "", "bearer b", "", "", "b"},
		{"BasicIsNone", "", "Basic Yjpi", "", "", ""},
		{"None", "", "", "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("PUT", "/things?auth_token="+test.query, strings.NewReader(test.body))
			if test.query == "" {
				r.URL.RawQuery = ""
			}
			if test.header != "" {
				r.Header.Set("X-Auth-Token", test.header)
			}
			r.Header.Set("Authorization", test.authorization)
			req := newRequest(r)
			if err := req.decode(); err != nil {
				t.Fatal(err)
			}
			if got := req.token(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
