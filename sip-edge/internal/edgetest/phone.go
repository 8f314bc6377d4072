package edgetest

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/ident"
	"github.com/dialplane/dialplane/sip-edge/internal/digest"
)

// patience is how long a phone waits for a message.
const patience = 10 * time.Second

// Phone is a SIP phone on a socket of its own. Its UDP socket hears only the
// edge's SIP address.
type Phone struct {
	tb      testing.TB
	conn    net.Conn
	network string // udp or tcp
	cred    credential.Credential
	contact string
	callID  string
	cseq    int

	answers  chan *sip.Response
	notifies chan *sip.Request
	done     sync.WaitGroup

	mu     sync.Mutex
	answer func(*sip.Request) string
}

// NewPhone returns a phone that talks to the edge at addr. It answers each
// NOTIFY with 200.
func NewPhone(tb testing.TB, network string, edge netip.AddrPort, cred credential.Credential) *Phone {
	tb.Helper()
	conn, err := net.Dial(network, edge.String())
	if err != nil {
		tb.Fatal(err)
	}
	p := &Phone{
		tb: tb, conn: conn, network: network, cred: cred, callID: ident.Hex(8),
		// Not where it really is: behind NAT a phone does not know that.
		contact: "sip:" + cred.Username + "@10.99.0.1:5062;line=" + ident.Hex(4),
		answers: make(chan *sip.Response, 64), notifies: make(chan *sip.Request, 64),
	}
	p.Answer(func(*sip.Request) string { return "200 OK" })
	p.done.Go(p.read)
	tb.Cleanup(p.Close)
	return p
}

// Close takes the phone off the network.
func (p *Phone) Close() {
	_ = p.conn.Close()
	p.done.Wait()
}

// Answer makes the phone answer each NOTIFY with the status line and header
// lines that answer returns; "" is silence.
func (p *Phone) Answer(answer func(*sip.Request) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// Contact returns the Contact URI.
func (p *Phone) Contact() string { return p.contact }

// Addr returns the phone's real address.
func (p *Phone) Addr() string { return p.conn.LocalAddr().String() }

func (p *Phone) read() {
	stream := sip.NewParser().NewSIPStream()
	buf := make([]byte, 64<<10)
	for {
		n, err := p.conn.Read(buf)
		if err != nil {
			return
		}
		if p.network == "tcp" {
			if err := stream.ParseSIPStream(buf[:n], p.take); err != nil && err != sip.ErrParseSipPartial {
				p.tb.Errorf("phone got nonsense: %v", err)
				return
			}
			continue
		}
		msg, err := sip.ParseMessage(buf[:n])
		if err != nil {
			p.tb.Errorf("phone got nonsense: %v", err)
			return
		}
		p.take(msg)
	}
}

func (p *Phone) take(msg sip.Message) {
	switch msg := msg.(type) {
	case *sip.Response:
		p.answers <- msg
	case *sip.Request:
		p.notifies <- msg
		p.mu.Lock()
		answer := p.answer(msg)
		p.mu.Unlock()
		if answer == "" {
			return
		}
		var out strings.Builder
		fmt.Fprintf(&out, "SIP/2.0 %s\r\n", answer)
		for _, h := range msg.Headers() {
			switch h.Name() {
			case "Via", "From", "Call-ID", "CSeq":
				fmt.Fprintf(&out, "%s: %s\r\n", h.Name(), h.Value())
			case "To":
				fmt.Fprintf(&out, "To: %s;tag=phone\r\n", h.Value())
			}
		}
		p.Send(out.String() + "Content-Length: 0\r\n\r\n")
	}
}

// Send sends text as it is.
func (p *Phone) Send(text string) {
	if _, err := p.conn.Write([]byte(text)); err != nil {
		p.tb.Logf("phone could not send: %v", err)
	}
}

// Request returns a request of the phone with further header lines.
func (p *Phone) Request(method string, lines ...string) string {
	p.cseq++
	host, transport := p.cred.Realm, strings.ToUpper(p.network)
	text := fmt.Sprintf("%s sip:%s SIP/2.0\r\nVia: SIP/2.0/%s 10.99.0.1:5062;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\n"+
		"From: <sip:%s@%s>;tag=%s\r\nTo: <sip:%s@%s>\r\nCall-ID: %s\r\nCSeq: %d %s\r\nUser-Agent: Test/1.0\r\n",
		method, host, transport, ident.Hex(8), p.cred.Username, host, ident.Hex(4), p.cred.Username, host, p.callID, p.cseq, method)
	for _, line := range lines {
		text += line + "\r\n"
	}
	return text + "Content-Length: 0\r\n\r\n"
}

// Response returns the next answer that the phone gets.
func (p *Phone) Response() *sip.Response {
	p.tb.Helper()
	select {
	case res := <-p.answers:
		return res
	case <-time.After(patience):
		p.tb.Fatal("phone got no answer")
		return nil
	}
}

// Notify returns the next NOTIFY that the phone gets.
func (p *Phone) Notify() *sip.Request {
	p.tb.Helper()
	select {
	case req := <-p.notifies:
		return req
	case <-time.After(patience):
		p.tb.Fatal("phone got no NOTIFY")
		return nil
	}
}

// Notifies returns how many NOTIFYs wait to be taken.
func (p *Phone) Notifies() int { return len(p.notifies) }

// Register registers for so many seconds, answering the challenge with the
// algorithm that the edge offers first, and returns the last answer.
func (p *Phone) Register(expires int) *sip.Response {
	p.tb.Helper()
	lines := []string{fmt.Sprintf("Contact: <%s>;expires=%d", p.contact, expires)}
	p.Send(p.Request("REGISTER", lines...))
	res := p.Response()
	if res.StatusCode != sip.StatusUnauthorized {
		return res
	}
	var challenges []string
	for _, h := range res.GetHeaders("WWW-Authenticate") {
		challenges = append(challenges, h.Value())
	}
	authorization, err := digest.Answer(challenges, "REGISTER", "sip:"+p.cred.Realm, p.cred)
	if err != nil {
		p.tb.Fatalf("phone cannot answer %q: %v", challenges, err)
	}
	p.Send(p.Request("REGISTER", append(lines, "Authorization: "+authorization)...))
	return p.Response()
}

// MustRegister is Register, which must succeed.
func (p *Phone) MustRegister(expires int) *sip.Response {
	p.tb.Helper()
	res := p.Register(expires)
	if res.StatusCode != sip.StatusOK {
		p.tb.Fatalf("REGISTER: got %d %s, want 200", res.StatusCode, res.Reason)
	}
	return res
}
