package sipserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/fault"
)

const (
	// maxHandlers bounds the requests being answered at once: sipgo starts a
	// goroutine for each packet, without bound.
	maxHandlers = 1024
	// handlerWait bounds the work on one request. A phone that got no answer
	// gives up after 32 s (Timer F) and retransmits until then.
	handlerWait = 6 * time.Second
	// busyRetry is what phones are told to wait when all handlers are taken,
	// or when the store does not answer and says nothing itself.
	busyRetry = 5 * time.Second
	// maxLogged bounds what a peer can put into one log attribute, in bytes.
	maxLogged = 128
)

// Call is one request that is to be answered. Its To, From, Call-ID, CSeq and
// Via are there, once each, and well-formed.
type Call struct {
	Request   *sip.Request
	Source    netip.AddrPort // where it came from
	Transport string         // UDP or TCP
	Local     string         // host:port of our end: of the connection, or for UDP of the socket

	// For the handler to set.
	AOR      credential.AOR // for the log
	Then     func()         // runs after the answer has been sent
	Remember bool           // a retransmission by UDP gets the same answer and not the handler
}

// Handler answers one request. An error becomes a status by its fault.Kind, and
// its text stays in the log.
type Handler func(ctx context.Context, call *Call) (*sip.Response, error)

// Handle sets the handler of a method. It must be called before Serve.
func (s *Server) Handle(method sip.RequestMethod, h Handler) { s.handlers[method] = h }

// dispatch answers a request. Whatever its handler does, one answer is sent and
// one line is logged, and at most maxHandlers run at once. Not answered are ACKs
// and what no answer can repeat safely.
func (s *Server) dispatch(req *sip.Request, tx sip.ServerTransaction) {
	if req.IsAck() {
		return // is never answered (RFC 3261 section 17.1.1.3)
	}
	// The last resort: a panic in a goroutine of sipgo ends the process.
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic outside a handler", "source", req.Source(), "err", fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	start := time.Now()
	call := &Call{Request: req, Transport: req.Transport(), Local: localAddr(tx)}
	var res *sip.Response
	var err error
	switch {
	case dangerous(req):
		// An answer would have to repeat it.
		s.log.Debug("dropped a request with a line break inside a header field", "source", req.Source())
		return
	case !s.enter():
		res = Reply(req, sip.StatusServiceUnavailable, "Service Unavailable")
		res.AppendHeader(RetryAfter(busyRetry))
		err = errBusy
	default:
		defer func() { <-s.slots }()
		res, err = s.answer(call)
	}
	if sendErr := send(call, tx, res); sendErr != nil {
		err = errors.Join(err, fmt.Errorf("send answer: %w", sendErr))
	}
	s.logCall(call, res, time.Since(start), err)
	if call.Then != nil {
		call.Then()
	}
}

// send sends the answer. Only one that must be remembered completes the
// transaction, which sipgo then keeps for 32 s by UDP, at 5 KB each: a stranger
// could make it keep millions. For all others the edge is a stateless UAS (RFC
// 3261 section 8.2.7), which also repeats no refusal of an INVITE to an address
// that never sent one.
func send(call *Call, tx sip.ServerTransaction, res *sip.Response) error {
	if t, ok := tx.(interface{ Connection() sip.Connection }); ok && !call.Remember {
		// First, so that it does not absorb the next retransmission.
		tx.Terminate()
		return t.Connection().WriteMsg(res)
	}
	return tx.Respond(res)
}

// enter takes a slot for a handler, if one is free.
func (s *Server) enter() bool {
	select {
	case s.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

var errBusy = errors.New("all handlers are busy")

// answer runs the handler under its time limit. A panic becomes a 500.
func (s *Server) answer(call *Call) (res *sip.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			call.Then, call.Remember = nil, false
		}
		if err != nil {
			res = failure(call.Request, err)
		}
	}()
	if call.Source, err = netip.ParseAddrPort(call.Request.Source()); err != nil {
		return nil, fmt.Errorf("source address: %w", err)
	}
	call.Source = netip.AddrPortFrom(call.Source.Addr().Unmap(), call.Source.Port())
	if refusal := refuse(call.Request); refusal != nil {
		return refusal, nil
	}
	h, known := s.handlers[call.Request.Method]
	if !known {
		h = notAllowed
	}
	ctx, cancel := context.WithTimeout(context.Background(), handlerWait)
	defer cancel()
	return h(ctx, call)
}

// statuses maps kinds of failures to SIP statuses (RFC 3261 section 21). SIP
// has no status for too many requests but 503.
var statuses = map[fault.Kind]struct {
	code   int
	reason string
}{
	fault.Invalid:            {sip.StatusBadRequest, "Bad Request"},
	fault.Refused:            {sip.StatusBadRequest, "Bad Request"},
	fault.Unauthenticated:    {sip.StatusForbidden, "Forbidden"},
	fault.Forbidden:          {sip.StatusForbidden, "Forbidden"},
	fault.NotFound:           {sip.StatusNotFound, "Not Found"},
	fault.MethodNotAllowed:   {sip.StatusMethodNotAllowed, "Method Not Allowed"},
	fault.PreconditionFailed: {412, "Conditional Request Failed"},
	fault.TooLarge:           {sip.StatusRequestEntityTooLarge, "Request Entity Too Large"},
	fault.UnsupportedMedia:   {sip.StatusUnsupportedMediaType, "Unsupported Media Type"},
	fault.TooMany:            {sip.StatusServiceUnavailable, "Service Unavailable"},
	fault.Unavailable:        {sip.StatusServiceUnavailable, "Service Unavailable"},
}

// failure renders err. A time limit that ran out means that the store was too
// slow, even if nobody classified it.
func failure(req *sip.Request, err error) *sip.Response {
	kind := fault.Of(err)
	if kind == fault.Internal && errors.Is(err, context.DeadlineExceeded) {
		kind = fault.Unavailable
	}
	status, ok := statuses[kind]
	if !ok {
		return Reply(req, sip.StatusInternalServerError, "Server Internal Error")
	}
	res := Reply(req, status.code, status.reason)
	if status.code == sip.StatusServiceUnavailable {
		wait := busyRetry
		if f, ok := errors.AsType[*fault.Error](err); ok && f.RetryAfter > 0 {
			wait = f.RetryAfter
		}
		res.AppendHeader(RetryAfter(wait))
	}
	return res
}

// RetryAfter is the header field of that name, in whole seconds, at least 1.
func RetryAfter(wait time.Duration) sip.Header {
	return sip.NewHeader("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
}

// localAddr returns our end of the connection that a transaction answers on.
func localAddr(tx sip.ServerTransaction) string {
	if t, ok := tx.(interface{ Connection() sip.Connection }); ok {
		if conn := t.Connection(); conn != nil && conn.LocalAddr() != nil {
			return conn.LocalAddr().String()
		}
	}
	return ""
}

// logCall writes the one line of a transaction.
func (s *Server) logCall(call *Call, res *sip.Response, took time.Duration, err error) {
	level := slog.LevelInfo
	if err != nil || res.StatusCode >= 500 {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("method", clip(call.Request.Method.String())), slog.Int("status", res.StatusCode),
		slog.String("source", call.Request.Source()), slog.String("transport", call.Transport),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
	}
	if id := call.Request.CallID(); id != nil {
		attrs = append(attrs, slog.String("call_id", clip(id.Value())))
	}
	if call.AOR != "" {
		attrs = append(attrs, slog.String("aor", clip(string(call.AOR))))
	}
	if err != nil {
		attrs = append(attrs, slog.String("kind", fault.Of(err).String()), slog.Any("err", err))
	}
	s.log.LogAttrs(context.Background(), level, "sip request", attrs...)
}

func clip(text string) string {
	if len(text) > maxLogged {
		return text[:maxLogged]
	}
	return text
}
