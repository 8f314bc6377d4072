// Package sipserver joins the edge to sipgo: sockets, limits, answers and the
// log.
//
// It guarantees that a handler sees only requests that are well-formed, that
// every one is answered once whatever the handler does, that no peer can make
// the process hold unbounded memory, goroutines or connections, that the edge
// never dials a phone or asks DNS, and that a socket which stops being read is
// an error and not silence.
package sipserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"golang.org/x/sync/errgroup"
)

// maxMessage bounds one SIP message from a peer on a stream, in bytes; on UDP
// readBuffer does. A REGISTER is about 1 KB.
const maxMessage = 16 << 10

// readBuffer is held for each TCP connection and bounds a UDP request, in bytes.
const readBuffer = 8 << 10

// Configure sets the package variables of sipgo. They are read without locks by
// goroutines that outlive a user agent, so it must be called once a process,
// before anything else of sipgo.
func Configure(log *slog.Logger) {
	sipgo.Init()
	sip.SetDefaultLogger(quiet(log))
	// By default sipgo refuses to send more than 1,300 bytes by UDP (RFC 3261
	// section 18.1.1 wants TCP there). The answer to a REGISTER has no choice of
	// transport, and a NOTIFY goes where the phone registered; the notifier has
	// its own bound.
	sip.UDPMTUSize = 64 << 10
	sip.TransportBufferReadSize = readBuffer
}

// Server owns the SIP stack of an edge. Use New.
type Server struct {
	log      *slog.Logger
	parser   *sip.Parser
	ua       *sipgo.UserAgent
	srv      *sipgo.Server
	handlers map[sip.RequestMethod]Handler
	slots    chan struct{} // one element a running handler
	tcp      *listener     // set by Serve
	idle     time.Duration

	reading  chan struct{} // closed when the UDP socket is being read
	readOnce sync.Once

	sources int           // bound on the source addresses of one generation of readers
	dropped atomic.Uint64 // datagrams that cannot be SIP
}

// New returns a server with handlers for the methods that need no other part:
// OPTIONS, ACK, CANCEL, and 405 for what is unknown. idle is how long a TCP
// connection that a phone has registered over may be silent.
func New(log *slog.Logger, idle time.Duration) (*Server, error) {
	headers := maps.Clone(sip.DefaultHeadersParser())
	// Contact is left as text: sipgo forgets whether it had brackets, which
	// decides what its parameters mean (RFC 3261 section 20.10).
	delete(headers, "contact")
	delete(headers, "m")
	parser := sip.NewParser(sip.WithHeadersParsers(headers))
	parser.MaxMessageLength = maxMessage

	ua, err := sipgo.NewUA(
		sipgo.WithUserAgent("dialplane"),
		sipgo.WithUserAgentParser(parser),
		sipgo.WithUserAgentDNSResolver(&net.Resolver{PreferGo: true, Dial: refuseDNS}),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerTransports(sip.TransportsConfig{
			TCP: &sip.TransportTCP{DialerCreate: refuseDial},
		})),
		sipgo.WithUserAgentTransactionLayerOptions(
			sip.WithTransactionLayerUnhandledResponseHandler(func(*sip.Response) {}), // late answers to a NOTIFY
			sip.WithTransactionLayerTerminateOnConnClose(),
		),
	)
	if err != nil {
		return nil, fmt.Errorf("make user agent: %w", err)
	}
	srv, err := sipgo.NewServer(ua)
	if err != nil {
		return nil, fmt.Errorf("make server: %w", err)
	}
	s := &Server{
		log: log, parser: parser, ua: ua, srv: srv, slots: make(chan struct{}, maxHandlers), idle: idle, sources: maxSources,
		reading:  make(chan struct{}),
		handlers: map[sip.RequestMethod]Handler{sip.OPTIONS: options, sip.CANCEL: cancel},
	}
	srv.OnNoRoute(s.dispatch) // it has no other routes
	return s, nil
}

// Reading is closed when the UDP socket is being read. Before that, sipgo does
// not know the socket, and what is sent by UDP would fail.
func (s *Server) Reading() <-chan struct{} { return s.reading }

// UserAgent returns sipgo's user agent, for those who send requests.
func (s *Server) UserAgent() *sipgo.UserAgent { return s.ua }

// errNoDial says why sipgo could not connect: the edge answers on the flow that
// a phone opened (RFC 5626) or not at all.
var errNoDial = errors.New("the edge dials nobody")

func refuseDNS(context.Context, string, string) (net.Conn, error) { return nil, errNoDial }

func refuseDial(net.Addr) net.Dialer {
	return net.Dialer{ControlContext: func(context.Context, string, string, syscall.RawConn) error { return errNoDial }}
}

// Serve reads both sockets until ctx ends, then lets the handlers finish while
// new requests are told to come again, closes the sockets with all connections
// and returns nil. That one of them stops being read before is an error.
func (s *Server) Serve(ctx context.Context, udp *net.UDPConn, tcp net.Listener) error {
	s.tcp = newListener(tcp, s.idle)
	g, ended := errgroup.WithContext(ctx)
	g.Go(func() error { return early(ended, "udp", s.serveUDP(ended, udp)) })
	g.Go(func() error { return early(ended, "tcp", s.srv.ServeTCP(s.tcp)) })
	g.Go(func() error {
		<-ended.Done()
		// Each handler holds a slot, for handlerWait at most.
		for range cap(s.slots) {
			s.slots <- struct{}{}
		}
		err := errors.Join(udp.Close(), s.tcp.Close())
		_ = s.ua.Close() // only says that connections are closed already
		return err
	})
	return g.Wait()
}

// early turns the end of a listener into an error unless it was asked for.
// sipgo's ServeUDP returns nil whatever stopped it.
func early(ctx context.Context, network string, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("%s socket stopped being read: %w", network, errors.Join(errStopped, err))
}

var errStopped = errors.New("listener ended")

// Trust tells that a phone has registered over the TCP connection from source,
// so that it may stay open.
func (s *Server) Trust(source string) {
	if s.tcp != nil {
		s.tcp.trust(source)
	}
}

// options tells what the edge can do (RFC 3261 section 11.2).
func options(_ context.Context, call *Call) (*sip.Response, error) {
	res := Reply(call.Request, sip.StatusOK, "OK")
	res.AppendHeader(sip.NewHeader("Allow", allow))
	return res, nil
}

// cancel answers a CANCEL that matches nothing (RFC 3261 section 9.2).
func cancel(_ context.Context, call *Call) (*sip.Response, error) {
	return Reply(call.Request, sip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist"), nil
}

// notAllowed refuses every other method (RFC 3261 section 8.2.1).
func notAllowed(_ context.Context, call *Call) (*sip.Response, error) {
	res := Reply(call.Request, sip.StatusMethodNotAllowed, "Method Not Allowed")
	res.AppendHeader(sip.NewHeader("Allow", allow))
	return res, nil
}
