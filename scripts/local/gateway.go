package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxBody is API Gateway's limit of a body, in bytes ("Quotas for
	// configuring and running a REST API").
	maxBody = 10 << 20
	// maxHeader is API Gateway's limit of all headers together, in bytes.
	maxHeader = 10_240
	// integrationTimeout is how long API Gateway waits for a function.
	integrationTimeout = 29 * time.Second
)

// target is a function as the gateway and the event source mappings use it.
type target struct {
	name   string
	invoke func(ctx context.Context, payload []byte) ([]byte, error)
}

// resource is a path of the template with its methods.
type resource struct {
	path     string
	segments []string // of path, without the leading slash; "{name}" is a parameter
	methods  map[string]target
}

// gateway stands for the regional REST API of the template. Paths are served
// under /v2, /v1 and bare, as by the stage and a custom domain.
//
// It differs from API Gateway where a client can tell: a known path with an
// unknown method is a 405 with Allow, where API Gateway answers as for an
// unknown path (404, MISSING_AUTHENTICATION_TOKEN in template.yaml); a failed
// function is a 502, which INTEGRATION_FAILURE there makes a 500; and a
// function that runs into its own timeout is a 504, there a failed function.
type gateway struct {
	resources []resource
	log       *slog.Logger
	now       func() time.Time
	// wait bounds an invocation; integrationTimeout outside tests.
	wait time.Duration
}

// newGateway returns a gateway without routes.
func newGateway(log *slog.Logger) *gateway {
	return &gateway{log: log, now: time.Now, wait: integrationTimeout}
}

// route sends method and path to t. It fails if they are taken.
func (g *gateway) route(method, path string, t target) error {
	i := slices.IndexFunc(g.resources, func(r resource) bool { return r.path == path })
	if i < 0 {
		i = len(g.resources)
		g.resources = append(g.resources, resource{
			path: path, segments: strings.Split(path[1:], "/"), methods: map[string]target{}})
	}
	if other, taken := g.resources[i].methods[method]; taken {
		return fmt.Errorf("%s %s goes to both %s and %s", method, path, other.name, t.name)
	}
	g.resources[i].methods[method] = t
	return nil
}

// find returns the resource for an escaped path. Where several match, a fixed
// segment beats a parameter, from the left on.
func (g *gateway) find(path string) (*resource, match) {
	m := match{path: path, stage: stage}
	for _, prefix := range []string{"v2", "v1"} {
		if rest, ok := strings.CutPrefix(path, "/"+prefix); ok && strings.HasPrefix(rest, "/") {
			m.path, m.stage = rest, prefix
			break
		}
	}
	segments := strings.Split(strings.TrimPrefix(m.path, "/"), "/")
	var best *resource
	for i := range g.resources {
		r := &g.resources[i]
		if r.matches(segments) && (best == nil || r.beats(best)) {
			best = r
		}
	}
	if best == nil {
		return nil, m
	}
	m.resource = best.path
	for i, segment := range best.segments {
		if name, ok := parameter(segment); ok {
			if m.params == nil {
				m.params = map[string]string{}
			}
			m.params[name] = segments[i]
		}
	}
	return best, m
}

func parameter(segment string) (name string, ok bool) {
	if strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}") {
		return segment[1 : len(segment)-1], true
	}
	return "", false
}

func (r *resource) matches(segments []string) bool {
	if len(segments) != len(r.segments) {
		return false
	}
	for i, segment := range r.segments {
		if _, ok := parameter(segment); (ok && segments[i] == "") || (!ok && segments[i] != segment) {
			return false
		}
	}
	return true
}

// beats reports whether r, which matches the same path, is more exact.
func (r *resource) beats(other *resource) bool {
	for i := range r.segments {
		_, mine := parameter(r.segments[i])
		if _, its := parameter(other.segments[i]); mine != its {
			return its
		}
	}
	return false
}

// ServeHTTP answers one request.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	found, m := g.find(r.URL.EscapedPath())
	if found == nil {
		g.refuse(w, r, id, refusal{http.StatusNotFound, "not_found", message("not found")}, nil)
		return
	}
	t, ok := found.methods[r.Method]
	if !ok {
		t, ok = found.methods["ANY"]
	}
	if !ok {
		w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(found.methods)), ", "))
		g.refuse(w, r, id, refusal{http.StatusMethodNotAllowed, "invalid_method", message("method not allowed")}, nil)
		return
	}
	res, err := g.call(w, r, t, m, id)
	if err != nil {
		g.refuse(w, r, id, refusalOf(err), fmt.Errorf("%s: %w", t.name, err))
		return
	}
	maps.Copy(w.Header(), res.header)
	if res.status != http.StatusNoContent && res.status != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(len(res.body)))
	}
	w.WriteHeader(res.status)
	_, _ = w.Write(res.body) // the client may be gone; a 204 or 304 takes no body
}

// errTooLarge is a request of more than limit bytes.
type errTooLarge struct{ limit int }

func (e errTooLarge) Error() string {
	return fmt.Sprintf("the request is larger than %d bytes", e.limit)
}

// errUnreadable wraps a request whose body broke off or never came.
var errUnreadable = errors.New("the body could not be read")

// call reads the request, invokes the function and reads its answer.
func (g *gateway) call(w http.ResponseWriter, r *http.Request, t target, m match, id string) (response, error) {
	body, err := readBody(w, r)
	if err != nil {
		return response{}, err
	}
	event, err := proxyEvent(r, m, body, id, g.now())
	if err != nil {
		return response{}, err
	}
	payload, err := json.Marshal(event)
	if err != nil {
		return response{}, fmt.Errorf("encode the event: %w", err)
	}
	if len(payload) > maxPayload {
		return response{}, errTooLarge{maxPayload}
	}
	// A client that leaves does not stop the function.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), g.wait)
	defer cancel()
	answer, err := t.invoke(ctx, payload)
	if err != nil {
		return response{}, err
	}
	return parseResponse(answer)
}

// readBody returns the request's body. It fails with errTooLarge or
// errUnreadable.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := []byte(nil), error(&http.MaxBytesError{})
	if r.ContentLength <= maxBody {
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		if r.Header.Get("Expect") == "" {
			// A client that sends without waiting reads the answer only when
			// it has sent; a little patience gets it there.
			_, _ = io.CopyN(io.Discard, r.Body, maxBody)
		}
		return nil, errTooLarge{maxBody}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return body, nil
}

// refusal is an answer of the gateway itself.
type refusal struct {
	status int
	word   string // Kazoo's message
	data   any
}

func message(text string) any { return map[string]string{"message": text} }

func refusalOf(err error) refusal {
	large, isLarge := errors.AsType[errTooLarge](err)
	switch {
	case isLarge:
		text := fmt.Sprintf("Payload or Files must not be more than %d bytes", large.limit)
		return refusal{http.StatusRequestEntityTooLarge, "validation error",
			map[string]any{"file": map[string]any{"maxSize": map[string]any{"message": text, "target": large.limit}}}}
	case errors.Is(err, errBadQuery):
		return refusal{http.StatusBadRequest, "faulty_request", message(err.Error())}
	case errors.Is(err, errUnreadable):
		return refusal{http.StatusBadRequest, "faulty_request", message(errUnreadable.Error())}
	case errors.Is(err, errTimedOut), errors.Is(err, context.DeadlineExceeded):
		return refusal{http.StatusGatewayTimeout, "timeout", message("request timed out; whether it took effect is unknown")}
	case errors.Is(err, errStopping):
		return refusal{http.StatusServiceUnavailable, "unavailable", message("the system is stopping")}
	default:
		return refusal{http.StatusBadGateway, "unspecified_fault", message("internal error")}
	}
}

// refuse answers in Kazoo's envelope and logs the request, which reached no
// function that would have.
func (g *gateway) refuse(w http.ResponseWriter, r *http.Request, id string, ref refusal, err error) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("route", r.URL.EscapedPath()), slog.Int("status", ref.status),
		slog.String("request_id", id),
	}
	if err != nil {
		attrs = append(attrs, slog.String("err", err.Error()))
		if ref.status >= http.StatusInternalServerError {
			level = slog.LevelError
		}
	}
	g.log.LogAttrs(r.Context(), level, "request", attrs...)
	body, err := json.Marshal(map[string]any{
		"data": ref.data, "status": "error", "error": strconv.Itoa(ref.status), "message": ref.word,
		"code": strings.ReplaceAll(ref.word, " ", "_"), "request_id": id,
		"timestamp": g.now().UTC().Format(time.RFC3339),
	})
	if err != nil { // only maps of text and numbers come here
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json") // exactly: clients compare it whole
	h.Set("X-Request-Id", id)
	h.Set("Access-Control-Allow-Origin", "*")
	w.WriteHeader(ref.status)
	_, _ = w.Write(append(body, '\n')) // the client may be gone
}

// server returns the HTTP server around the gateway, with the limits of API
// Gateway.
func (g *gateway) server() *http.Server {
	return &http.Server{
		Handler:           g,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       integrationTimeout,
		WriteTimeout:      2*integrationTimeout + time.Second, // reading and the function together
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelWarn),
	}
}
