package notifier

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/sip-edge/internal/digest"
	"github.com/dialplane/dialplane/sip-edge/internal/vendor"
)

// Statuses that stand in a receipt when the phone gave none.
const (
	statusTimeout    = 408 // no answer within Timer F (RFC 3261 section 8.1.3.1)
	statusFlowFailed = 430 // the phone's connection is gone (RFC 5626 section 5.3.1)
	statusTooLarge   = 513 // the message does not fit UDP
	statusTransport  = 503 // the message could not be sent (RFC 3261 section 8.1.3.1)
)

// maxReason bounds the reason phrase of a phone that is kept, in bytes.
const maxReason = 128

// Sender sends NOTIFYs over the phones' own flows.
type Sender struct {
	Edge        string
	UserAgent   *sipgo.UserAgent
	Credentials credential.Store // for phones that challenge
	// UDP is the address of the socket that phones register with by UDP.
	UDP netip.AddrPort
	// Advertised is the host:port that phones know the edge by; if empty, the
	// local address that packets to the phone leave from.
	Advertised string
	Now        func() time.Time
}

// Send sends n to the phone bound as b and returns the receipt. It returns
// false if ctx was cancelled before the phone answered or its time was over:
// then nothing is known. It takes 32 s if the phone is silent.
func (s *Sender) Send(ctx context.Context, b registration.Binding, n command.Notify) (command.Delivery, bool) {
	event := n.Event
	if event == "" {
		event = vendor.CheckSync(n.Brand, b.UserAgent, n.Reboot)
	}
	d := command.Delivery{Contact: b.Contact, Transport: b.Transport, Received: b.Received, Event: event, Edge: s.Edge, Sent: s.Now()}
	host := s.Advertised
	if host == "" {
		host = s.localFor(b)
	}
	m, err := newMessage(b, n, event, s.UDP, host)
	switch {
	case errors.Is(err, errTooLarge):
		d.Status, d.Reason = statusTooLarge, fmt.Sprintf("Message Too Large: at most %d bytes by UDP", maxUDP)
		return d, true
	case err != nil:
		d.Reason = "not sent: " + err.Error()
		return d, true
	}
	res, err := s.exchange(ctx, m, host, b)
	switch {
	case err == nil:
		d.Answered, d.Status, d.Reason = s.Now(), res.StatusCode, clip(res.Reason)
	case errors.Is(err, errFlow):
		d.Status, d.Reason = statusFlowFailed, "Flow Failed"
	case errors.Is(err, sip.ErrTransactionTimeout), errors.Is(ctx.Err(), context.DeadlineExceeded):
		d.Status, d.Reason = statusTimeout, "Request Timeout"
	case ctx.Err() != nil:
		return d, false
	case b.Transport != "UDP": // the connection broke on the way
		d.Status, d.Reason = statusFlowFailed, "Flow Failed"
	default:
		d.Status, d.Reason = statusTransport, "Service Unavailable: "+clip(err.Error())
	}
	return d, true
}

// exchange sends m, and if the phone challenges it, once more with an answer to
// the challenge, where the device's credential can give one.
func (s *Sender) exchange(ctx context.Context, m *message, host string, b registration.Binding) (*sip.Response, error) {
	req, err := m.next(1, host)
	if err != nil {
		return nil, err
	}
	res, err := s.transact(ctx, req)
	if err != nil || res.StatusCode != sip.StatusUnauthorized && res.StatusCode != sip.StatusProxyAuthRequired {
		return res, err
	}
	asks, answers := "WWW-Authenticate", "Authorization"
	if res.StatusCode == sip.StatusProxyAuthRequired {
		asks, answers = "Proxy-Authenticate", "Proxy-Authorization"
	}
	var challenges []string
	for _, h := range res.GetHeaders(asks) {
		challenges = append(challenges, h.Value())
	}
	cred, err := s.Credentials.Credential(ctx, b.Realm, b.Username)
	if err != nil {
		return res, nil // the challenge is the answer
	}
	authorization, err := digest.Answer(challenges, string(sip.NOTIFY), m.uri, cred)
	if err != nil {
		return res, nil
	}
	if req, err = m.next(2, host); err != nil {
		return nil, err
	}
	req.AppendHeader(sip.NewHeader(answers, authorization))
	return s.transact(ctx, req)
}

var errFlow = errors.New("the phone's connection is gone")

// transact sends a request and waits for its final answer.
func (s *Sender) transact(ctx context.Context, req *sip.Request) (*sip.Response, error) {
	if req.Transport() != "UDP" {
		// Without a connection sipgo would dial.
		conn, err := s.UserAgent.TransportLayer().GetConnection(req.Transport(), req.Destination())
		if err != nil {
			return nil, errFlow
		}
		defer conn.TryClose() // GetConnection took a reference
	}
	tx, err := s.UserAgent.TransactionLayer().Request(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("send NOTIFY: %w", err)
	}
	defer tx.Terminate()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
		case <-tx.Done():
			return nil, tx.Err()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// localFor returns the host:port of our side as the phone sees it, NAT apart.
func (s *Sender) localFor(b registration.Binding) string {
	if local, err := netip.ParseAddrPort(b.Local); err == nil && b.Edge == s.Edge && !local.Addr().IsUnspecified() {
		return local.String()
	}
	// Connecting a UDP socket sends nothing; it asks the kernel for the route.
	conn, err := net.Dial("udp", b.Received)
	if err != nil {
		return s.UDP.String()
	}
	defer conn.Close()
	addr := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	return netip.AddrPortFrom(addr, s.UDP.Port()).String()
}

// splitHostPort takes host:port apart.
func splitHostPort(text string) (string, int, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.Atoi(port)
	return host, n, err
}

func clip(text string) string {
	if len(text) > maxReason {
		text = text[:maxReason]
	}
	return text
}
