package sipserver

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/dialplane/dialplane/sip-edge/internal/edgetest"
)

func TestUDPNoiseIsSwallowed(t *testing.T) {
	t.Parallel()
	var server *Server
	addr, log := start(t, func(s *Server) { server = s })
	p := edgetest.NewPhone(t, "udp", addr, alice())
	noise := []string{
		"\r\n\r\n", "\r\n", "\x00\x00\x00\x00", "\x00\x01\x00\x00\x21\x12\xa4\x42ABCDEFGHIJKL", // STUN
		"garbage", strings.Repeat("A", 60_000), "OPTIONS sip:x SIP/2.0\n\n",
	}
	for _, datagram := range noise {
		p.Send(datagram)
	}
	p.Send(p.Request("OPTIONS"))
	if res := p.Response(); res.StatusCode != 200 {
		t.Errorf("got %d, want 200", res.StatusCode)
	}
	if got := len(log.lines(t)); got > 1 {
		t.Errorf("got %d transactions, want 1", got)
	}
	if got := server.dropped.Load(); got != uint64(len(noise)-1) {
		t.Errorf("got %d datagrams dropped, want %d", got, len(noise)-1)
	}
	if got := server.ua.TransportLayer().Pool("udp").Size(); got != 2 {
		t.Errorf("sipgo remembers %d addresses, want the socket and the phone", got)
	}
}

// TestSourcesAreForgotten has more sources than a generation of readers takes:
// each must be answered, and what sipgo remembers of them must stay bounded.
func TestSourcesAreForgotten(t *testing.T) {
	t.Parallel()
	const bound = 5
	var server *Server
	addr, _ := start(t, func(s *Server) { s.sources, server = bound, s })
	for range 6 * bound {
		p := edgetest.NewPhone(t, "udp", addr, alice())
		p.Send(p.Request("OPTIONS"))
		if res := p.Response(); res.StatusCode != 200 {
			t.Fatalf("got %d, want 200", res.StatusCode)
		}
		p.Close()
	}
	pool := server.ua.TransportLayer().Pool("udp")
	edgetest.Eventually(t, "sipgo forgets old sources", func() bool { return pool.Size() <= bound+1 })
	p := edgetest.NewPhone(t, "udp", addr, alice())
	p.Send(p.Request("OPTIONS"))
	if res := p.Response(); res.StatusCode != 200 {
		t.Errorf("got %d, want 200", res.StatusCode)
	}
}

func TestKeepAlivesByTCP(t *testing.T) {
	t.Parallel()
	addr, _ := start(t, nil)
	p := edgetest.NewPhone(t, "tcp", addr, alice()) // builds requests
	for _, tt := range []struct{ name, send, want string }{
		{"Ping", "\r\n\r\n", "\r\n"},
		{"PingBeforeMessage", "\r\n\r\n" + p.Request("OPTIONS"), "\r\nSIP/2.0 200"},
		{"PingAfterMessage", p.Request("OPTIONS") + "\r\n\r\n", "\r\nSIP/2.0 200"},
		{"NoPing", p.Request("OPTIONS"), "SIP/2.0 200"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", addr.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, tt.send); err != nil {
				t.Fatal(err)
			}
			if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(tt.want))
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestMessageInPieces(t *testing.T) {
	t.Parallel()
	addr, _ := start(t, nil)
	p := edgetest.NewPhone(t, "tcp", addr, alice())
	for _, piece := range strings.SplitAfter(p.Request("OPTIONS")+p.Request("OPTIONS"), "\r\n") {
		p.Send(piece)
	}
	for range 2 {
		if res := p.Response(); res.StatusCode != 200 {
			t.Errorf("got %d, want 200", res.StatusCode)
		}
	}
}

func TestTooLongMessageEndsItsConnection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, send string }{
		{"Header", "OPTIONS sip:x SIP/2.0\r\nX: " + strings.Repeat("a", 2*maxMessage)},
		{"ManyHeaders", "OPTIONS sip:x SIP/2.0\r\n" + strings.Repeat("X: a\r\n", maxMessage)},
		{"AnnouncedBody", "OPTIONS sip:x SIP/2.0\r\nContent-Length: 2000000000\r\n\r\n"},
		{"NegativeBody", "OPTIONS sip:x SIP/2.0\r\nContent-Length: -1\r\n\r\n"},
		{"NoLength", "OPTIONS sip:x SIP/2.0\r\n\r\n"},
		{"Garbage", "GET / HTTP/1.1\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addr, _ := start(t, nil)
			conn, err := net.Dial("tcp", addr.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, tt.send) // may fail when it is closed already
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			if n, err := io.Copy(io.Discard, conn); n != 0 || isTimeout(err) {
				t.Errorf("got %d bytes, %v, want the connection closed", n, err)
			}
		})
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// pipeListener hands out one end of pipes, whose deadlines follow fake time.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	ended chan struct{}
	fail  chan error
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), ended: make(chan struct{}), fail: make(chan error, 1)}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case err := <-l.fail:
		return nil, err
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.ended) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func TestListener(t *testing.T) {
	t.Parallel()
	inner := newPipeListener()
	l := newListener(inner, time.Minute)
	inner.fail <- errors.New("too many open files")
	mine, theirs := net.Pipe()
	go func() { inner.conns <- theirs }()
	c, err := l.Accept()
	if err != nil {
		t.Fatalf("an error that passes ended the listener: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := mine.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("got %v, want EOF: closing the listener closes its connections", err)
	}
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("wrote to a closed connection")
	}
	if len(l.conns) != 0 {
		t.Errorf("got %d connections remembered, want 0", len(l.conns))
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want net.ErrClosed", err)
	}
}

func TestStrangersMustGo(t *testing.T) {
	t.Parallel()
	l := newListener(newPipeListener(), time.Hour)
	_, theirs := net.Pipe()
	c := l.add(theirs)
	c.until = time.Now().Add(20 * time.Millisecond)
	if _, err := c.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("got %v, want a timeout", err)
	}
	mine, theirs := net.Pipe()
	c = l.add(theirs)
	c.until = time.Now().Add(50 * time.Millisecond)
	read := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		read <- err
	}()
	l.trust(theirs.RemoteAddr().String())
	timer := time.AfterFunc(100*time.Millisecond, func() { _, _ = mine.Write([]byte("x")) })
	defer timer.Stop()
	if err := <-read; err != nil {
		t.Errorf("trusted connection: got %v, want no timeout", err)
	}
}

func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	l := newListener(newPipeListener(), time.Hour)
	for i := range maxConns {
		l.conns[string(rune(i))] = nil
	}
	_, theirs := net.Pipe()
	if c := l.add(theirs); c != nil {
		t.Error("got a connection above the bound")
	}
}

func TestNobodyIsDialled(t *testing.T) {
	t.Parallel()
	target, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	s, err := New(slog.New(slog.DiscardHandler), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer s.ua.Close()
	for _, destination := range []string{target.Addr().String(), "phone.example.com:5060"} {
		req := sip.NewRequest(sip.NOTIFY, sip.Uri{Scheme: "sip", Host: "x"})
		via := &sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: "TCP", Host: "x", Port: 1}
		via.Params.Add("branch", sip.GenerateBranch())
		req.AppendHeader(via)
		req.AppendHeader(&sip.CSeqHeader{SeqNo: 1, MethodName: sip.NOTIFY})
		req.SetTransport("TCP")
		req.SetDestination(destination)
		if _, err := s.ua.TransactionLayer().Request(t.Context(), req); err == nil || !strings.Contains(err.Error(), errNoDial.Error()) {
			t.Errorf("%s: got %v, want errNoDial", destination, err)
		}
	}
}

func TestSipgoIsQuiet(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := quiet(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))).With("caller", "x").WithGroup("g")
	log.Error("failed to parse", "data", "Authorization: Digest secret", "error", errors.New("line: secret"), "src", "192.0.2.1")
	if got := out.String(); strings.Contains(got, "secret") || !strings.Contains(got, "192.0.2.1") || !strings.Contains(got, `"level":"DEBUG"`) {
		t.Errorf("got %s", got)
	}
	out.Reset()
	quiet(slog.New(slog.NewJSONHandler(&out, nil))).Error("failed to parse", "src", "192.0.2.1")
	if out.Len() != 0 {
		t.Errorf("at level info: got %s, want nothing", &out)
	}
}
