package sipserver

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"time"
)

const (
	// maxConns bounds the TCP connections of an edge; each holds readBuffer.
	maxConns = 20_000
	// strangerTime is how long a connection may stay before a phone has
	// registered over it.
	strangerTime = 60 * time.Second
	// writeWait bounds one write to a phone that does not read.
	writeWait = 5 * time.Second
	// acceptPause is the wait after a failed accept, such as for want of file
	// descriptors.
	acceptPause = 100 * time.Millisecond
)

// listener accepts connections for sipgo, which ends its listener at the first
// failed accept, sets no deadlines and counts nothing.
type listener struct {
	net.Listener
	idle time.Duration
	done chan struct{}
	once sync.Once

	mu    sync.Mutex
	conns map[string]*conn // by remote address
}

func newListener(l net.Listener, idle time.Duration) *listener {
	return &listener{Listener: l, idle: idle, done: make(chan struct{}), conns: map[string]*conn{}}
}

// Accept returns the next connection. It fails only when the listener is closed.
func (l *listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		switch {
		case err == nil:
			if c := l.add(accepted); c != nil {
				return c, nil
			}
			_ = accepted.Close() // too many
		case errors.Is(err, net.ErrClosed):
			return nil, err
		default:
			timer := time.NewTimer(acceptPause)
			select {
			case <-timer.C:
			case <-l.done:
				timer.Stop()
			}
		}
	}
}

func (l *listener) add(accepted net.Conn) *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) >= maxConns {
		return nil
	}
	c := &conn{Conn: accepted, owner: l, until: time.Now().Add(strangerTime)}
	l.conns[accepted.RemoteAddr().String()] = c
	return c
}

// trust lets the connection from source stay open.
func (l *listener) trust(source string) {
	l.mu.Lock()
	c := l.conns[source]
	l.mu.Unlock()
	if c != nil {
		c.trust()
	}
}

// Close stops accepting and closes every connection.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	err := l.Listener.Close()
	l.mu.Lock()
	open := make([]*conn, 0, len(l.conns))
	for _, c := range l.conns {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
	return err
}

// conn is a phone's connection.
type conn struct {
	net.Conn
	owner *listener

	mu      sync.Mutex
	trusted bool
	until   time.Time // a stranger must have registered by then
}

// Read waits no longer than the connection may be silent. It answers keep-alives
// (RFC 5626 section 3.5.1) that came in one piece with a message: sipgo answers
// only those that come alone. A pong too many does no harm, since CRLF before a
// message is ignored (RFC 3261 section 7.5).
func (c *conn) Read(b []byte) (int, error) {
	c.mu.Lock()
	until := c.until
	if c.trusted {
		until = time.Now().Add(c.owner.idle)
	}
	err := c.SetReadDeadline(until)
	c.mu.Unlock()
	if err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	if ping := []byte("\r\n\r\n"); n > len(ping) && (bytes.HasPrefix(b[:n], ping) || bytes.HasSuffix(b[:n], []byte("\r\n\r\n\r\n\r\n"))) {
		if _, err := c.Write(ping[:2]); err != nil {
			return n, err
		}
	}
	return n, err
}

// Write does not wait for a peer that does not read. What is written in part
// leaves the stream useless, so a failed write closes the connection.
func (c *conn) Write(b []byte) (int, error) {
	err := c.SetWriteDeadline(time.Now().Add(writeWait))
	if err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.Close()
	}
	return n, err
}

func (c *conn) trust() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.trusted {
		c.trusted = true
		_ = c.SetReadDeadline(time.Now().Add(c.owner.idle)) // of the read that is waiting
	}
}

// Close also forgets the connection.
func (c *conn) Close() error {
	c.owner.mu.Lock()
	if key := c.RemoteAddr().String(); c.owner.conns[key] == c {
		delete(c.owner.conns, key)
	}
	c.owner.mu.Unlock()
	return c.Conn.Close()
}
