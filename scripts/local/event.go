package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// What a local event says of where it comes from.
const (
	localAccount = "000000000000"
	localRegion  = "us-east-1"
	stage        = "v2"
)

// errBadQuery is a query string whose percent-encoding is broken.
var errBadQuery = errors.New("the query string is not encoded properly")

// hopByHop are headers of one connection (RFC 9110 section 7.6.1); API Gateway
// passes none of them on, in neither direction.
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade"}

// match is where the router put a request.
type match struct {
	resource string            // path of the template, such as /devices/{device_id}
	path     string            // the request's path without the stage, still percent-encoded
	stage    string            // the prefix that was cut off, "v2" if there was none
	params   map[string]string // path parameters, still percent-encoded
}

// proxyEvent builds the event that API Gateway sends for a request: a REST
// API's, format 1.0 ("Set up Lambda proxy integrations in API Gateway"). As
// there, the path and its parameters stay percent-encoded while the query is
// decoded, and of a repeated header or query key the single-valued map has the
// last. It fails with errBadQuery.
func proxyEvent(r *http.Request, m match, body []byte, id string, now time.Time) (events.APIGatewayProxyRequest, error) {
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return events.APIGatewayProxyRequest{}, err
	}
	sourceIP, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		sourceIP = r.RemoteAddr
	}
	header := requestHeader(r, sourceIP)
	e := events.APIGatewayProxyRequest{
		Resource:                        m.resource,
		Path:                            m.path,
		HTTPMethod:                      r.Method,
		Headers:                         last(header),
		MultiValueHeaders:               header,
		QueryStringParameters:           last(query),
		MultiValueQueryStringParameters: query,
		PathParameters:                  m.params,
		RequestContext: events.APIGatewayProxyRequestContext{
			AccountID:         localAccount,
			ResourceID:        "local",
			APIID:             "local",
			Stage:             stage,
			DomainName:        r.Host,
			DomainPrefix:      "local",
			RequestID:         id,
			ExtendedRequestID: id,
			Protocol:          r.Proto,
			Identity:          events.APIGatewayRequestIdentity{SourceIP: sourceIP, UserAgent: r.UserAgent()},
			ResourcePath:      m.resource,
			Path:              "/" + m.stage + m.path,
			HTTPMethod:        r.Method,
			RequestTime:       now.UTC().Format("02/Jan/2006:15:04:05 -0700"),
			RequestTimeEpoch:  now.UnixMilli(),
		},
	}
	if e.IsBase64Encoded = binaryBody(r.Header, body); e.IsBase64Encoded {
		e.Body = base64.StdEncoding.EncodeToString(body)
	} else {
		e.Body = string(body)
	}
	return e, nil
}

// requestHeader returns the headers as the function sees them.
func requestHeader(r *http.Request, sourceIP string) map[string][]string {
	header := map[string][]string(r.Header.Clone())
	for _, name := range hopByHop {
		delete(header, name)
	}
	_, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		port = "80"
	}
	header["Host"] = []string{r.Host}
	header["X-Forwarded-For"] = []string{strings.Join(append(slices.Clone(header["X-Forwarded-For"]), sourceIP), ", ")}
	header["X-Forwarded-Port"] = []string{port}
	header["X-Forwarded-Proto"] = []string{"http"}
	return header
}

// last returns the last value of each key; nil for nil, so that the event has
// null as API Gateway's.
func last(values map[string][]string) map[string]string {
	if values == nil {
		return nil
	}
	single := make(map[string]string, len(values))
	for key, all := range values {
		if len(all) > 0 {
			single[key] = all[len(all)-1]
		}
	}
	return single
}

// parseQuery decodes a query string; it returns nil for an empty one. Unlike
// url.ParseQuery it takes a semicolon for a character like others.
func parseQuery(raw string) (map[string][]string, error) {
	var query map[string][]string
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key, err1 := url.QueryUnescape(key)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, errBadQuery
		}
		if query == nil {
			query = map[string][]string{}
		}
		query[key] = append(query[key], value)
	}
	return query, nil
}

// binaryBody reports whether a body must travel as base64: what says that it
// is binary, and what is not UTF-8.
func binaryBody(header http.Header, body []byte) bool {
	if header.Get("Content-Encoding") != "" || !utf8.Valid(body) {
		return true
	}
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return false
	}
	switch kind {
	case "application/octet-stream", "application/pdf", "application/zip", "application/gzip", "multipart/form-data":
		return true
	}
	family, _, _ := strings.Cut(kind, "/")
	return family == "image" || family == "audio" || family == "video" || family == "font"
}

// proxyResponse is what a function answers, strictly: API Gateway takes
// another key or type for a failure of the function.
type proxyResponse struct {
	StatusCode        int                 `json:"statusCode"`
	Headers           map[string]any      `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Body              *string             `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

// response is a function's answer, ready to be written.
type response struct {
	status int
	header http.Header
	body   []byte
}

// parseResponse reads a function's answer. It fails if API Gateway would
// answer "Malformed Lambda proxy response" in its place.
func parseResponse(payload []byte) (response, error) {
	var p proxyResponse
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		return response{}, fmt.Errorf("malformed response: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return response{}, errors.New("malformed response: something follows it")
	}
	if p.StatusCode < 200 || p.StatusCode > 599 {
		return response{}, fmt.Errorf("malformed response: statusCode is %d", p.StatusCode)
	}
	r := response{status: p.StatusCode, header: http.Header{}}
	for name, values := range p.MultiValueHeaders {
		for _, value := range values {
			r.header.Add(name, value)
		}
	}
	for name, value := range p.Headers {
		switch value.(type) {
		case string, float64, bool:
		default:
			return response{}, fmt.Errorf("malformed response: header %s is no text", name)
		}
		if text := fmt.Sprint(value); !slices.Contains(r.header.Values(name), text) {
			r.header.Add(name, text)
		}
	}
	if err := r.checkHeader(); err != nil {
		return response{}, err
	}
	if p.Body != nil {
		r.body = []byte(*p.Body)
	}
	if p.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(string(r.body))
		if err != nil {
			return response{}, fmt.Errorf("malformed response: body is not base64: %w", err)
		}
		r.body = body
	}
	return r, nil
}

// checkHeader refuses what would break the response apart and removes what is
// not the function's to say.
func (r *response) checkHeader() error {
	for name := range maps.Keys(r.header) {
		if name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == ':' || c >= 0x7f }) {
			return fmt.Errorf("malformed response: header name %q", name)
		}
		for _, value := range r.header[name] {
			if strings.ContainsAny(value, "\r\n\x00") {
				return fmt.Errorf("malformed response: header %s has a line break", name)
			}
		}
	}
	for _, name := range hopByHop {
		r.header.Del(name)
	}
	r.header.Del("Content-Length")
	if r.header.Get("Content-Type") == "" {
		r.header.Set("Content-Type", "application/json")
	}
	return nil
}
