package sipserver

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// maxSources bounds how many source addresses sipgo remembers of one
	// generation: it keeps 133 bytes for each until the reader ends.
	maxSources = 1 << 17
	// linger is how long a generation stays after its last packet, so that
	// requests which are being taken up still find the socket by their source.
	linger = 2 * time.Second
	// socketBuffer takes up what arrives while the process pauses, in bytes.
	// The kernel may give less (net.core.rmem_max).
	socketBuffer = 4 << 20
)

// generation is the UDP socket as one reader of sipgo sees it. It hides what is
// no SIP message, so that its source is never remembered, and when it has seen
// maxSources it reads nothing more and closes full: the next generation reads on.
type generation struct {
	*net.UDPConn
	ended   <-chan struct{}
	sources int

	last     netip.AddrPort // owned by the reader
	seen     int            // owned by the reader
	full     chan struct{}
	fullOnce sync.Once
	server   *Server
}

// ReadFrom returns the next datagram that may be a SIP message.
func (g *generation) ReadFrom(b []byte) (int, net.Addr, error) {
	g.server.readOnce.Do(func() { close(g.server.reading) })
	if g.seen >= g.sources {
		g.fullOnce.Do(func() { close(g.full) })
		timer := time.NewTimer(linger)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-g.ended:
		}
		return 0, nil, net.ErrClosed
	}
	for {
		n, source, err := g.ReadFromUDPAddrPort(b)
		if err != nil {
			return n, nil, err
		}
		// A datagram that fills the buffer was cut off.
		if n == len(b) || !plausible(b[:n]) {
			g.server.dropped.Add(1)
			continue
		}
		source = netip.AddrPortFrom(source.Addr().Unmap(), source.Port())
		if source != g.last {
			g.last = source
			g.seen++
		}
		return n, net.UDPAddrFromAddrPort(source), nil
	}
}

// plausible tells whether a datagram can be a SIP message: it starts with a
// method or a version and is longer than any keep-alive (RFC 5626 section 3.5:
// CRLF or STUN).
func plausible(b []byte) bool {
	const shortest = len("A sip:b SIP/2.0\r\n\r\n")
	return len(b) >= shortest && b[0] > ' ' && b[0] < 0x7f
}

// serveUDP reads the socket, one generation after the other, until ctx ends or
// the socket fails.
func (s *Server) serveUDP(ctx context.Context, conn *net.UDPConn) error {
	_ = conn.SetReadBuffer(socketBuffer) // the kernel's own size also works
	_ = conn.SetWriteBuffer(socketBuffer)
	var readers sync.WaitGroup
	defer readers.Wait()
	for {
		g := &generation{UDPConn: conn, ended: ctx.Done(), sources: s.sources, full: make(chan struct{}), server: s}
		ended := make(chan error, 1)
		readers.Go(func() { ended <- s.srv.ServeUDP(g) })
		select {
		case <-g.full:
		case err := <-ended:
			return err
		}
	}
}
