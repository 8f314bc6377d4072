package registrar

import (
	"context"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/sip-edge/internal/sipserver"
)

// Handle answers a REGISTER. It is the handler of that method.
func (r *Registrar) Handle(ctx context.Context, call *sipserver.Call) (*sip.Response, error) {
	req := call.Request
	q, ok := readRequest(call)
	if !ok {
		return sipserver.Reply(req, sip.StatusBadRequest, "Bad To"), nil
	}
	call.AOR = credential.NewAOR(q.User, q.Realm)
	answer, err := r.Register(ctx, q)
	if err != nil {
		return nil, err
	}
	res := sipserver.Reply(req, answer.Status, answer.Reason)
	for _, h := range answer.Headers {
		res.AppendHeader(sip.NewHeader(h.Name, h.Value))
	}
	if answer.Status == sip.StatusOK {
		call.Remember = true // a second time it would be out of order
		if call.Transport != "UDP" && r.Trust != nil {
			r.Trust(req.Source())
		}
	}
	if device := answer.Fresh; device != nil && r.Fresh != nil {
		// After the answer: a phone may not expect a NOTIFY before it.
		call.Then = func() { r.Fresh(device.AccountID, device.DeviceID) }
	}
	return res, nil
}

// readRequest takes from a REGISTER what the registrar needs. It returns false
// if To names no user of a SIP domain: RFC 3261 section 10.3 step 5 takes the
// address-of-record from it, without parameters and escapes.
func readRequest(call *sipserver.Call) (Request, bool) {
	req := call.Request
	to := req.To().Address
	user, err := unescape(to.User)
	if err != nil || user == "" || to.Scheme != "sip" && to.Scheme != "sips" {
		return Request{}, false
	}
	host := to.Host
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]" // sipgo may have taken the brackets off
	}
	realm, _, err := splitHostPort(host)
	if err != nil {
		return Request{}, false
	}
	q := Request{
		User: user, Realm: realm, CallID: req.CallID().Value(), CSeq: req.CSeq().SeqNo,
		Source: call.Source, Local: call.Local, Transport: call.Transport,
	}
	for _, h := range req.Headers() {
		switch strings.ToLower(h.Name()) {
		case "contact", "m":
			q.Contacts = append(q.Contacts, h.Value())
		case "expires":
			value := strings.TrimSpace(h.Value())
			q.Expires = &value
		case "authorization":
			q.Authorization = append(q.Authorization, h.Value())
		case "user-agent":
			q.UserAgent = h.Value()
		}
	}
	return q, true
}
