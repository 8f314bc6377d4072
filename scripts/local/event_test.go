package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestProxyEvent(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("PUT", "http://api.test:8000/v2/accounts/a%20b/devices?x=1&x=%26&empty&plus=a+b", strings.NewReader("{}"))
	r.RemoteAddr = "192.0.2.7:1234"
	r.Header = http.Header{"X-Auth-Token": {"t"}, "X-Many": {"1", "2"}, "Connection": {"close"}, "X-Forwarded-For": {"198.51.100.1"}, "User-Agent": {"test"}}
	now := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	m := match{resource: "/accounts/{account_id}/devices", path: "/accounts/a%20b/devices", stage: "v2", params: map[string]string{"account_id": "a%20b"}}
	e, err := proxyEvent(r, m, []byte(`{"a":"é"}`), "id-1", now)
	if err != nil {
		t.Fatal(err)
	}
	if e.Resource != m.resource || e.Path != m.path || e.HTTPMethod != "PUT" || e.Body != `{"a":"é"}` || e.IsBase64Encoded {
		t.Errorf("got %+v", e)
	}
	if !reflect.DeepEqual(e.PathParameters, m.params) {
		t.Errorf("path parameters: got %v", e.PathParameters)
	}
	if want := map[string][]string{"x": {"1", "&"}, "empty": {""}, "plus": {"a b"}}; !reflect.DeepEqual(e.MultiValueQueryStringParameters, want) {
		t.Errorf("query: got %v, want %v", e.MultiValueQueryStringParameters, want)
	}
	if want := map[string]string{"x": "&", "empty": "", "plus": "a b"}; !reflect.DeepEqual(e.QueryStringParameters, want) {
		t.Errorf("query: got %v, want %v", e.QueryStringParameters, want)
	}
	wantHeader := map[string][]string{
		"Host": {"api.test:8000"}, "X-Auth-Token": {"t"}, "X-Many": {"1", "2"}, "User-Agent": {"test"},
		"X-Forwarded-For": {"198.51.100.1, 192.0.2.7"}, "X-Forwarded-Port": {"8000"}, "X-Forwarded-Proto": {"http"},
	}
	if !reflect.DeepEqual(e.MultiValueHeaders, wantHeader) {
		t.Errorf("headers: got %v, want %v", e.MultiValueHeaders, wantHeader)
	}
	if e.Headers["X-Many"] != "2" {
		t.Errorf("X-Many: got %q, want the last", e.Headers["X-Many"])
	}
	c := e.RequestContext
	if c.Stage != "v2" || c.Path != "/v2/accounts/a%20b/devices" || c.ResourcePath != m.resource || c.RequestID != "id-1" ||
		c.Identity.SourceIP != "192.0.2.7" || c.Identity.UserAgent != "test" || c.Protocol != "HTTP/1.1" || c.HTTPMethod != "PUT" ||
		c.RequestTime != "02/Jan/2026:03:04:05 +0000" || c.RequestTimeEpoch != now.UnixMilli() || c.AccountID == "" {
		t.Errorf("context: got %+v", c)
	}
}

func TestProxyEventHasNullForWhatIsNotThere(t *testing.T) {
	t.Parallel()
	e, err := proxyEvent(httptest.NewRequest("GET", "/any", nil), match{resource: "/any", path: "/any", stage: "v2"}, nil, "id", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables"} {
		if !strings.Contains(string(encoded), `"`+key+`":null`) {
			t.Errorf("%s is not null: %s", key, encoded)
		}
	}
}

func TestBinaryBody(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		header http.Header
		body   string
		want   bool
	}{
		{"JSON", http.Header{"Content-Type": {"application/json"}}, "{}", false},
		{"NoType", nil, "{}", false},
		{"BrokenType", http.Header{"Content-Type": {";"}}, "{}", false},
		{"NotUTF8", nil, "\xff", true},
		{"Image", http.Header{"Content-Type": {"image/png"}}, "x", true},
		{"Bytes", http.Header{"Content-Type": {"application/octet-stream"}}, "{}", true},
		{"Form", http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, "x", true},
		{"Encoded", http.Header{"Content-Encoding": {"gzip"}}, "x", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := binaryBody(tt.header, []byte(tt.body)); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// Whatever a client sends, the event decodes to it again.
func FuzzProxyEvent(f *testing.F) {
	f.Add("/v2/accounts/a/devices", "a=1&a=2", []byte("{}"))
	f.Add("/%2F//", "%zz;&=&==", []byte{0xff})
	f.Fuzz(func(t *testing.T, path, query string, body []byte) {
		g := newGateway(nil)
		if err := g.route("POST", "/a/{b}", target{}); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/", nil)
		r.URL = &url.URL{Path: path, RawQuery: query}
		_, m := g.find(r.URL.EscapedPath())
		e, err := proxyEvent(r, m, body, "id", time.Now())
		if err != nil {
			return
		}
		got := []byte(e.Body)
		if e.IsBase64Encoded {
			res, err := parseResponse([]byte(`{"statusCode":200,"isBase64Encoded":true,"body":"` + e.Body + `"}`))
			if err != nil {
				t.Fatal(err)
			}
			got = res.body
		}
		if !bytes.Equal(got, body) {
			t.Errorf("got body %q, want %q", got, body)
		}
		if _, err := json.Marshal(e); err != nil {
			t.Errorf("the event cannot be sent: %v", err)
		}
	})
}

func FuzzParseResponse(f *testing.F) {
	f.Add([]byte(`{"statusCode":200,"headers":{"a":"b"},"multiValueHeaders":{"a":["b"]},"body":"x"}`))
	f.Add([]byte(`{"statusCode":200,"headers":{"a":null,"":1}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		res, err := parseResponse(payload)
		if err != nil {
			return
		}
		if res.status < 200 || res.status > 599 || res.header.Get("Content-Type") == "" {
			t.Errorf("accepted %d with %v", res.status, res.header)
		}
	})
}
