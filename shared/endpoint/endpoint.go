// Package endpoint is the plumbing between API Gateway and one function: it
// decodes the request, admits the caller, runs the handler, and renders the
// answer or the error in Kazoo's envelope, with one log line a request. It
// knows nothing of what the functions do.
package endpoint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"
	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/obs"
)

// Handler does the work of one function. It returns what to answer, or an
// error: a *fault.Error for the client to see, anything else to be hidden.
type Handler func(ctx context.Context, r *Request) (Reply, error)

// Endpoint is one function behind API Gateway.
type Endpoint struct {
	// Name is the function's folder below functions/, such as "devices/create".
	Name string
	// Routes are http.ServeMux patterns with Kazoo's paths, without the stage:
	// "GET /accounts/{account_id}/devices". The wildcards {account_id} and
	// {device_id} name what the caller must be allowed to act on.
	Routes []string
	// Gate admits callers. Nil makes the endpoint public: only those that
	// hand out tokens are.
	Gate   *auth.Gate
	Handle Handler
	Log    *slog.Logger
	Now    func() time.Time
}

// gcPercent lets the heap grow to five times what lives before it is
// collected. A function holds a few MB of the 512 that it has, so Go's own 100
// would collect at every few requests.
const gcPercent = 400

// Start serves e in Lambda, with the log settings of the environment. It does
// not return.
func Start(e Endpoint) {
	debug.SetGCPercent(gcPercent)
	runtime.GOMAXPROCS(1) // Lambda gives a function one request at a time; more threads only look for work
	e.Log, e.Now = obs.Logger(os.Stdout, os.Getenv).With("function", e.Name), time.Now
	lambda.Start(httpadapter.New(e).ProxyWithContext)
}

// ServeHTTP answers one request of API Gateway.
func (e Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := e.Now()
	req := newRequest(r)
	var reply Reply
	err := e.route(req, &reply)
	if err != nil {
		reply = failure(err)
	}
	status := reply.write(w, req, e.Now())
	e.log(req, status, e.Now().Sub(started), err)
}

// route finds the pattern that r matches, so that its path values are set, and
// serves it.
func (e Endpoint) route(req *Request, reply *Reply) error {
	err := fault.Plain(fault.NotFound, "not_found", "not found")
	mux := http.NewServeMux()
	for _, pattern := range e.Routes {
		mux.HandleFunc(pattern, func(_ http.ResponseWriter, r *http.Request) {
			req.http = r
			*reply, err = e.serve(r.Context(), req)
		})
	}
	mux.ServeHTTP(nowhere{}, req.http)
	return err
}

// nowhere takes what ServeMux itself would answer to a path that is unknown or
// not clean: that is a 404 here.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}

// serve is the way of every request: decode, admit, handle.
func (e Endpoint) serve(ctx context.Context, req *Request) (reply Reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if err := req.decode(); err != nil {
		return Reply{}, err
	}
	if e.Gate != nil {
		req.Session, err = e.Gate.Admit(ctx, req.token(), auth.Target{
			AccountID: req.PathValue("account_id"), DeviceID: req.PathValue("device_id")})
		if err != nil {
			return Reply{}, fmt.Errorf("admit: %w", err)
		}
	}
	if err := req.checkMatch(); err != nil {
		return Reply{}, err
	}
	return e.Handle(ctx, req)
}

// log writes the request's one line. No value of a body, header or query is in
// it.
func (e Endpoint) log(req *Request, status int, took time.Duration, err error) {
	attrs := []slog.Attr{
		slog.String("method", req.http.Method),
		slog.String("route", req.http.Pattern),
		slog.Int("status", status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
		slog.String("request_id", req.ID),
		slog.String("source", req.Source),
	}
	for _, key := range []string{"account_id", "device_id", "user_id"} {
		if id := req.PathValue(key); id != "" {
			attrs = append(attrs, slog.String(key, id))
		}
	}
	if s := req.Session; s.Token.ID != "" {
		attrs = append(attrs, slog.String("caller", s.Token.AccountID), slog.String("caller_user", s.Token.UserID))
	}
	level := slog.LevelInfo
	if err != nil {
		kind := fault.Of(err)
		attrs = append(attrs, slog.String("kind", kind.String()), slog.String("err", err.Error()))
		if kind == fault.Internal || kind == fault.Unavailable {
			level = slog.LevelError
		}
	}
	e.Log.LogAttrs(context.Background(), level, "request", attrs...)
}

// statuses maps each kind of failure to its HTTP status.
var statuses = map[fault.Kind]int{
	fault.Invalid:            http.StatusBadRequest,
	fault.Refused:            http.StatusBadRequest,
	fault.Unauthenticated:    http.StatusUnauthorized,
	fault.Forbidden:          http.StatusForbidden,
	fault.NotFound:           http.StatusNotFound,
	fault.MethodNotAllowed:   http.StatusMethodNotAllowed,
	fault.Conflict:           http.StatusConflict,
	fault.PreconditionFailed: http.StatusPreconditionFailed,
	fault.TooLarge:           http.StatusRequestEntityTooLarge,
	fault.UnsupportedMedia:   http.StatusUnsupportedMediaType,
	fault.TooMuch:            http.StatusRequestedRangeNotSatisfiable,
	fault.TooMany:            http.StatusTooManyRequests,
	fault.Unavailable:        http.StatusServiceUnavailable,
}

// failure renders an error. What is not a *fault.Error becomes a 500 that says
// nothing.
func failure(err error) Reply {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Kind == fault.Internal {
		return Reply{Status: http.StatusInternalServerError, failed: "unspecified_fault",
			Data: map[string]string{"message": "unspecified fault"}}
	}
	data := e.Data
	if data == nil {
		data = struct{}{}
	}
	return Reply{Status: statuses[e.Kind], failed: e.Code, Data: data, retryAfter: e.RetryAfter}
}
