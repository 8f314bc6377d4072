package notifier

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/ident"
	"github.com/dialplane/dialplane/shared/registration"
)

// maxUDP bounds a NOTIFY that goes by UDP, in bytes with its header fields. It
// goes out in fragments, and phones and NATs lose more of them the more there
// are.
const maxUDP = 8 << 10

var errTooLarge = errors.New("message too large for UDP")

// message is a NOTIFY without its Via, so that it can be sent twice.
type message struct {
	uri     string // the Request-URI
	request *sip.Request
}

// newMessage builds the NOTIFY that carries n to the phone bound as b. It
// belongs to no subscription: phones take such a NOTIFY as an order of their
// registrar. Subscription-State says so in the words of RFC 6665 section 4.1.3:
// there is nothing to keep.
func newMessage(b registration.Binding, n command.Notify, event string, local netip.AddrPort, host string) (*message, error) {
	for _, value := range []string{b.Contact, b.Username, b.Realm, event, n.ContentType, host} {
		if strings.ContainsAny(value, "\r\n\x00") {
			return nil, fmt.Errorf("line break or NUL in %q", value)
		}
	}
	if strings.TrimSpace(event) == "" {
		return nil, errors.New("no Event")
	}
	uri, scheme, rest, err := requestURI(b.Contact)
	if err != nil {
		return nil, err
	}
	// sipgo writes scheme, colon and Host. Taken apart and written again, a URI
	// could change, and phones compare it letter by letter.
	req := sip.NewRequest(sip.NOTIFY, sip.Uri{Scheme: scheme, Host: rest})
	aor := "<sip:" + escapeUser(b.Username) + "@" + b.Realm + ">"
	callID, maxForwards := sip.CallIDHeader(ident.Hex(16)), sip.MaxForwardsHeader(70)
	for _, h := range []sip.Header{
		&maxForwards,
		sip.NewHeader("From", aor+";tag="+ident.Hex(8)),
		sip.NewHeader("To", aor),
		&callID,
		&sip.CSeqHeader{SeqNo: 1, MethodName: sip.NOTIFY},
		sip.NewHeader("Contact", "<sip:"+host+transportParam(b.Transport)+">"),
		sip.NewHeader("Event", event),
		sip.NewHeader("Subscription-State", "terminated;reason=noresource"),
		sip.NewHeader("User-Agent", "dialplane"),
	} {
		req.AppendHeader(h)
	}
	if n.ContentType != "" {
		req.AppendHeader(sip.NewHeader("Content-Type", n.ContentType))
		req.SetBody([]byte(n.Body))
	} else {
		req.SetBody(nil)
	}
	req.SetTransport(b.Transport)
	req.SetDestination(b.Received)
	if b.Transport == "UDP" {
		// The socket that the phone registered with: its NAT lets nothing else
		// in. For UDP only: on streams sipgo takes Laddr for the name of a
		// connection and sends to whoever connected last.
		req.Laddr = sip.Addr{IP: local.Addr().AsSlice(), Port: int(local.Port())}
		if len(req.String()) > maxUDP {
			return nil, errTooLarge
		}
	}
	return &message{uri: uri, request: req}, nil
}

// next returns the request to send, with a new branch and the CSeq number n.
func (m *message) next(n uint32, host string) (*sip.Request, error) {
	via := &sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: m.request.Transport()}
	addr, port, err := splitHostPort(host)
	if err != nil {
		return nil, err
	}
	via.Host, via.Port = addr, port
	via.Params.Add("branch", sip.GenerateBranch())
	via.Params.Add("rport", "")
	req := m.request.Clone()
	req.PrependHeader(via)
	req.ReplaceHeader(&sip.CSeqHeader{SeqNo: n, MethodName: sip.NOTIFY})
	return req, nil
}

// requestURI returns a Contact URI as it stands in a Request-URI, which has no
// headers (RFC 3261 section 19.1.1 table 1), whole and in its two parts.
func requestURI(contact string) (uri, scheme, rest string, err error) {
	at := strings.IndexByte(contact, '@') + 1
	if i := strings.IndexByte(contact[at:], '?'); i >= 0 {
		contact = contact[:at+i]
	}
	scheme, rest, ok := strings.Cut(contact, ":")
	scheme = strings.ToLower(scheme)
	if !ok || rest == "" || scheme != "sip" && scheme != "sips" || strings.ContainsAny(rest, " \t<>\"") {
		return "", "", "", fmt.Errorf("bad Contact %q", contact)
	}
	return scheme + ":" + rest, scheme, rest, nil
}

// transportParam is the parameter of our Contact by which a phone would answer
// the same way; UDP is what a URI without it means.
func transportParam(transport string) string {
	if transport == "UDP" {
		return ""
	}
	return ";transport=" + strings.ToLower(transport)
}

// escapeUser writes a user as userinfo (RFC 3261 section 25.1).
func escapeUser(user string) string {
	const plain = "-_.!~*'()&=+$,;?/"
	var out strings.Builder
	for _, c := range []byte(user) {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte(plain, c) >= 0 {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}
