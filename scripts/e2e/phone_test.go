package e2e

import (
	"bufio"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// phone is a SIP phone that knows nothing but its socket: what it sends and
// reads is text, so that no SIP library stands between the edge and the test.
type phone struct {
	t                      testing.TB
	conn                   net.Conn
	in                     *bufio.Reader
	network                string // udp or tcp
	realm                  string
	username, password     string
	callID, tag            string
	cseq                   int
	notifyStatus           string      // how it answers a NOTIFY
	requests               chan string // NOTIFYs that came
	responses              chan string
	nonce, challengedRealm string
	nc                     int
}

// newPhone connects a phone to the edge and starts reading.
func newPhone(t testing.TB, network, realm, username, password string) *phone {
	t.Helper()
	conn, err := net.Dial(network, system.sipAddr)
	if err != nil {
		t.Fatal(err)
	}
	p := &phone{
		t: t, conn: conn, in: bufio.NewReaderSize(conn, 65535), network: network, realm: realm, username: username, password: password,
		callID: fmt.Sprintf("%d@phone", time.Now().UnixNano()), tag: fmt.Sprint(time.Now().UnixNano()),
		notifyStatus: "200 OK", requests: make(chan string, 16), responses: make(chan string, 16),
	}
	done := make(chan struct{})
	go func() { defer close(done); p.read() }()
	t.Cleanup(func() { conn.Close(); <-done })
	return p
}

// read sorts what arrives and answers NOTIFYs.
func (p *phone) read() {
	for {
		message, err := p.next()
		if err != nil {
			return
		}
		switch {
		case strings.HasPrefix(message, "SIP/2.0 "):
			p.responses <- message
		case strings.HasPrefix(message, "NOTIFY "):
			p.answer(message)
			p.requests <- message
		}
	}
}

// next returns one message, head and body.
func (p *phone) next() (string, error) {
	if p.network == "udp" {
		packet := make([]byte, 65535)
		n, err := p.conn.Read(packet)
		return string(packet[:n]), err
	}
	var head strings.Builder
	for {
		line, err := p.in.ReadString('\n')
		if err != nil {
			return "", err
		}
		if head.Len() == 0 && strings.TrimSpace(line) == "" {
			continue // keep-alive
		}
		head.WriteString(line)
		if line == "\r\n" {
			break
		}
	}
	length, _ := strconv.Atoi(header(head.String(), "Content-Length"))
	body := make([]byte, length)
	_, err := io.ReadFull(p.in, body)
	return head.String() + string(body), err
}

func (p *phone) answer(request string) {
	status := p.notifyStatus
	if status == "" {
		return
	}
	var out strings.Builder
	fmt.Fprintf(&out, "SIP/2.0 %s\r\n", status)
	for line := range strings.SplitSeq(request, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "via", "from", "call-id", "cseq":
			out.WriteString(line + "\r\n")
		case "to":
			out.WriteString(line + ";tag=phone\r\n")
		}
	}
	out.WriteString("Content-Length: 0\r\n\r\n")
	io.WriteString(p.conn, out.String())
}

// header returns the first header of that name, or "".
func header(message, name string) string {
	head, _, _ := strings.Cut(message, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// quoted returns a quoted parameter of a challenge.
func quoted(challenge, name string) string {
	_, rest, _ := strings.Cut(challenge, name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func hash(parts ...string) string {
	sum := md5.Sum([]byte(strings.Join(parts, ":")))
	return hex.EncodeToString(sum[:])
}

// register sends a REGISTER for expires seconds, answers the challenge, and
// returns the final response.
func (p *phone) register(expires int) string {
	p.t.Helper()
	response := p.send(expires)
	if strings.HasPrefix(response, "SIP/2.0 401") {
		for line := range strings.SplitSeq(response, "\r\n") {
			if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "WWW-Authenticate") && strings.Contains(value, "MD5") {
				p.nonce, p.challengedRealm, p.nc = quoted(value, "nonce"), quoted(value, "realm"), 0
			}
		}
		response = p.send(expires)
	}
	return response
}

func (p *phone) send(expires int) string {
	p.t.Helper()
	p.cseq++
	local, uri := p.conn.LocalAddr().String(), "sip:"+p.realm
	var auth string
	if p.nonce != "" {
		p.nc++
		nc := fmt.Sprintf("%08x", p.nc)
		answer := hash(hash(p.username, p.challengedRealm, p.password), p.nonce, nc, "abc", "auth", hash("REGISTER", uri))
		auth = fmt.Sprintf("Authorization: Digest username=%q, realm=%q, nonce=%q, uri=%q, response=%q, algorithm=MD5, cnonce=\"abc\", nc=%s, qop=auth\r\n",
			p.username, p.challengedRealm, p.nonce, uri, answer, nc)
	}
	aor := fmt.Sprintf("<sip:%s@%s>", p.username, p.realm)
	fmt.Fprintf(p.conn, "REGISTER %s SIP/2.0\r\nVia: SIP/2.0/%s %s;rport;branch=z9hG4bK%s%d\r\nMax-Forwards: 70\r\n"+
		"From: %s;tag=%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d REGISTER\r\nContact: <sip:%s@%s;transport=%s>\r\nExpires: %d\r\n"+
		"User-Agent: wire\r\n%sContent-Length: 0\r\n\r\n",
		uri, strings.ToUpper(p.network), local, p.tag, p.cseq, aor, p.tag, aor, p.callID, p.cseq, p.username, local, p.network, expires, auth)
	for {
		response := p.await(p.responses, "an answer to REGISTER")
		if header(response, "CSeq") == fmt.Sprintf("%d REGISTER", p.cseq) {
			return response
		}
	}
}

// notified waits for the next NOTIFY.
func (p *phone) notified() string {
	p.t.Helper()
	return p.await(p.requests, "a NOTIFY")
}

func (p *phone) await(from chan string, what string) string {
	p.t.Helper()
	select {
	case message := <-from:
		return message
	case <-time.After(20 * time.Second):
		p.t.Fatalf("waited 20 s for %s", what)
		return ""
	}
}
