package sipserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"go.uber.org/goleak"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/sip-edge/internal/edgetest"
)

func TestMain(m *testing.M) {
	Configure(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

// journal is a log that a test reads.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

// lines returns the transactions that were logged.
func (j *journal) lines(t *testing.T) []map[string]any {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []map[string]any
	for line := range strings.SplitSeq(strings.TrimSpace(j.buf.String()), "\n") {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); line != "" && err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if entry["msg"] == "sip request" {
			out = append(out, entry)
		}
	}
	return out
}

// start serves s on free ports until the test ends.
func start(t *testing.T, change func(*Server)) (addr netip.AddrPort, log *journal) {
	t.Helper()
	log = &journal{}
	s, err := New(slog.New(slog.NewJSONHandler(log, nil)), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(s)
	}
	udp, tcp := sockets(t)
	addr = udp.LocalAddr().(*net.UDPAddr).AddrPort()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, udp, tcp) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return addr, log
}

// sockets returns a UDP and a TCP socket with one port.
func sockets(t *testing.T) (*net.UDPConn, net.Listener) {
	t.Helper()
	for range 20 {
		udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		if tcp, err := net.Listen("tcp4", udp.LocalAddr().String()); err == nil {
			return udp, tcp
		}
		_ = udp.Close() // the port is taken for TCP
	}
	t.Fatal("no port is free for UDP and TCP")
	return nil, nil
}

func alice() credential.Credential { return credential.New("acme.example.com", "alice", "s3cret") }

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp"} {
		for _, tt := range []struct {
			name    string
			method  string
			lines   []string
			handler Handler
			status  int
			header  string // name and value that the answer must have
		}{
			{"Options", "OPTIONS", nil, nil, 200, "Allow: OPTIONS, REGISTER"},
			{"UnknownMethod", "PUBLISH", nil, nil, 405, "Allow: OPTIONS, REGISTER"},
			{"Invite", "INVITE", nil, nil, 405, "Allow: OPTIONS, REGISTER"},
			{"Cancel", "CANCEL", nil, nil, 481, ""},
			{"UnknownExtension", "OPTIONS", []string{"Require: path"}, nil, 420, "Unsupported: path"},
			{"Panic", "REGISTER", nil, func(context.Context, *Call) (*sip.Response, error) { panic("oh") }, 500, ""},
			{"InternalError", "REGISTER", nil, failWith(errors.New("secret detail")), 500, ""},
			{"StoreDown", "REGISTER", nil, failWith(fault.Unreachable(errors.New("x"))), 503, "Retry-After: 1"},
			{"TooSlow", "REGISTER", nil, failWith(fmt.Errorf("read: %w", context.DeadlineExceeded)), 503, "Retry-After: 5"},
			{"Forbidden", "REGISTER", nil, failWith(fault.NotAllowed(nil)), 403, ""},
			{"NotFound", "REGISTER", nil, failWith(fault.BadIdentifier("x")), 404, ""},
			{"Refused", "REGISTER", nil, failWith(fault.Plain(fault.Refused, "x", "x")), 400, ""},
			{"TooMany", "REGISTER", nil, failWith(fault.TooManyRequests(7 * time.Second)), 503, "Retry-After: 7"},
		} {
			t.Run(network+tt.name, func(t *testing.T) {
				t.Parallel()
				addr, log := start(t, func(s *Server) {
					if tt.handler != nil {
						s.Handle("REGISTER", tt.handler)
					}
				})
				p := edgetest.NewPhone(t, network, addr, alice())
				p.Send(p.Request(tt.method, tt.lines...))
				res := p.Response()
				for res.StatusCode == 100 {
					res = p.Response()
				}
				if res.StatusCode != tt.status {
					t.Fatalf("got %d %s, want %d", res.StatusCode, res.Reason, tt.status)
				}
				if name, value, ok := strings.Cut(tt.header, ": "); ok {
					if h := res.GetHeader(name); h == nil || h.Value() != value {
						t.Errorf("got header %v, want %s", h, tt.header)
					}
				}
				if strings.Contains(res.String(), "secret") {
					t.Errorf("answer shows the error: %s", res)
				}
				source := netip.MustParseAddrPort(p.Addr())
				if via := res.Via(); via.Params.GetOr("received", "") != source.Addr().String() || via.Params.GetOr("rport", "") != fmt.Sprint(source.Port()) {
					t.Errorf("got Via %s, want the source %s in it", via, source)
				}
				var entry map[string]any
				edgetest.Eventually(t, "a log line", func() bool {
					lines := log.lines(t)
					if len(lines) > 0 {
						entry = lines[0]
					}
					return len(lines) == 1
				})
				if entry["method"] != tt.method || entry["status"] != float64(tt.status) || entry["source"] != p.Addr() ||
					entry["transport"] != strings.ToUpper(network) || entry["call_id"] == "" || entry["duration_ms"] == nil {
					t.Errorf("got log line %v", entry)
				}
				if tt.status == 500 && entry["err"] == nil {
					t.Errorf("got log line %v, want the error in it", entry)
				}
				if tt.method == "INVITE" {
					p.Send(strings.Replace(p.Request("ACK"), "CSeq: 2", "CSeq: 1", 1)) // is not answered
				}
			})
		}
	}
}

func failWith(err error) Handler {
	return func(context.Context, *Call) (*sip.Response, error) { return nil, err }
}

func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	edit := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	for _, tt := range []struct {
		name   string
		edit   func(string) string
		status int
	}{
		{"Version", edit("SIP/2.0\r\n", "SIP/7.0\r\n"), 505},
		{"NoTo", edit("To: <sip:alice@acme.example.com>\r\n", ""), 400},
		{"NoFrom", edit("From: ", "X-From: "), 400},
		{"NoCallID", edit("Call-ID: ", "X-Call-ID: "), 400},
		{"NoCSeq", edit("CSeq: ", "X-CSeq: "), 400},
		{"TwoTos", edit("To: ", "To: <sip:bob@acme.example.com>\r\nTo: "), 400},
		{"TwoCallIDs", edit("Call-ID: ", "Call-ID: x\r\nCall-ID: "), 400},
		{"CompactAndLongCallID", edit("Call-ID: ", "i: x\r\nCall-ID: "), 400},
		{"TwoCSeqs", edit("CSeq: ", "CSeq: 9 REGISTER\r\nCSeq: "), 400},
		{"TwoContentLengths", edit("Content-Length: ", "Content-Length: 0\r\nContent-Length: "), 400},
		{"OtherMethodInCSeq", edit("1 REGISTER", "1 INVITE"), 400},
		{"OtherScheme", edit("REGISTER sip:", "REGISTER unknown:"), 416},
		{"Whole", func(s string) string { return s }, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			reached := make(chan struct{}, 1)
			addr, _ := start(t, func(s *Server) {
				s.Handle("REGISTER", func(_ context.Context, c *Call) (*sip.Response, error) {
					reached <- struct{}{}
					return Reply(c.Request, 200, "OK"), nil
				})
			})
			p := edgetest.NewPhone(t, "udp", addr, alice())
			p.Send(tt.edit(p.Request("REGISTER")))
			if res := p.Response(); res.StatusCode != tt.status {
				t.Errorf("got %d %s, want %d", res.StatusCode, res.Reason, tt.status)
			}
			if got := len(reached) == 1; got != (tt.status == 200) {
				t.Errorf("handler was reached: got %v", got)
			}
		})
	}
}

func TestLineBreaksInHeadersAreNotRepeated(t *testing.T) {
	t.Parallel()
	addr, log := start(t, nil)
	p := edgetest.NewPhone(t, "udp", addr, alice())
	for _, bad := range []string{"Call-ID: x\nX-Evil: 1", "Call-ID: x\x00y"} {
		p.Send(strings.Replace(p.Request("OPTIONS"), "Call-ID: ", bad, 1))
	}
	p.Send(p.Request("OPTIONS"))
	if res := p.Response(); res.StatusCode != 200 || res.CSeq().SeqNo != 3 {
		t.Errorf("got %d for request %d, want 200 for 3", res.StatusCode, res.CSeq().SeqNo)
	}
	if got := len(log.lines(t)); got > 1 {
		t.Errorf("got %d transactions, want 1", got)
	}
}

func TestBusyServerSaysSo(t *testing.T) {
	t.Parallel()
	hold, held := make(chan struct{}), make(chan struct{}, 2)
	addr, _ := start(t, func(s *Server) {
		s.slots = make(chan struct{}, 2)
		s.Handle("REGISTER", func(_ context.Context, c *Call) (*sip.Response, error) {
			held <- struct{}{}
			<-hold
			return Reply(c.Request, 200, "OK"), nil
		})
	})
	p := edgetest.NewPhone(t, "udp", addr, alice())
	for range 2 {
		p.Send(p.Request("REGISTER"))
		<-held
	}
	p.Send(p.Request("REGISTER"))
	res := p.Response()
	if h := res.GetHeader("Retry-After"); res.StatusCode != 503 || h == nil {
		t.Errorf("got %d %v, want 503 with Retry-After", res.StatusCode, h)
	}
	close(hold)
	for range 2 {
		if res := p.Response(); res.StatusCode != 200 {
			t.Errorf("got %d, want 200", res.StatusCode)
		}
	}
}

func TestRetransmission(t *testing.T) {
	t.Parallel()
	for _, remember := range []bool{true, false} {
		t.Run(fmt.Sprint(remember), func(t *testing.T) {
			t.Parallel()
			calls := make(chan struct{}, 10)
			addr, _ := start(t, func(s *Server) {
				s.Handle("REGISTER", func(_ context.Context, c *Call) (*sip.Response, error) {
					calls <- struct{}{}
					c.Remember = remember
					return Reply(c.Request, 200, "OK"), nil
				})
			})
			p := edgetest.NewPhone(t, "udp", addr, alice())
			request := p.Request("REGISTER")
			var tags []string
			for range 3 {
				p.Send(request)
				tags = append(tags, p.Response().To().Params.GetOr("tag", ""))
			}
			want := map[bool]int{true: 1, false: 3}[remember]
			if len(calls) != want || len(slices.Compact(tags)) != 1 || tags[0] == "" {
				t.Errorf("got %d calls and To tags %q, want %d and one tag", len(calls), tags, want)
			}
		})
	}
}

func TestThenRunsAfterTheAnswer(t *testing.T) {
	t.Parallel()
	ran := make(chan struct{})
	addr, _ := start(t, func(s *Server) {
		s.Handle("REGISTER", func(_ context.Context, c *Call) (*sip.Response, error) {
			c.Then = func() { close(ran) }
			return Reply(c.Request, 200, "OK"), nil
		})
	})
	p := edgetest.NewPhone(t, "udp", addr, alice())
	p.Send(p.Request("REGISTER"))
	p.Response()
	<-ran
}

func TestPanicAfterTheAnswerIsCaught(t *testing.T) {
	t.Parallel()
	addr, _ := start(t, func(s *Server) {
		s.Handle("REGISTER", func(_ context.Context, c *Call) (*sip.Response, error) {
			c.Then = func() { panic("oh") }
			return Reply(c.Request, 200, "OK"), nil
		})
	})
	p := edgetest.NewPhone(t, "udp", addr, alice())
	for range 3 {
		p.Send(p.Request("REGISTER"))
		if res := p.Response(); res.StatusCode != 200 {
			t.Errorf("got %d, want 200", res.StatusCode)
		}
	}
}

func TestStopLetsHandlersFinish(t *testing.T) {
	t.Parallel()
	s, err := New(slog.New(slog.DiscardHandler), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	inside, hold := make(chan struct{}), make(chan struct{})
	s.Handle("REGISTER", func(_ context.Context, c *Call) (*sip.Response, error) {
		close(inside)
		<-hold
		return Reply(c.Request, 200, "OK"), nil
	})
	udp, tcp := sockets(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, udp, tcp) }()
	p := edgetest.NewPhone(t, "udp", udp.LocalAddr().(*net.UDPAddr).AddrPort(), alice())
	p.Send(p.Request("REGISTER"))
	<-inside
	cancel()
	close(hold)
	if res := p.Response(); res.StatusCode != 200 {
		t.Errorf("got %d, want 200", res.StatusCode)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestSocketThatBreaksIsAnError(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			s, err := New(slog.New(slog.DiscardHandler), time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			udp, tcp := sockets(t)
			if network == "udp" {
				_ = udp.Close()
			} else {
				_ = tcp.Close()
			}
			if err := s.Serve(context.Background(), udp, tcp); !errors.Is(err, errStopped) {
				t.Errorf("got %v, want errStopped", err)
			}
		})
	}
}
