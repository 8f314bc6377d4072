package sipserver

import (
	"hash/maphash"
	"net/netip"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// allow lists the methods that the edge answers (RFC 3261 section 20.5).
const allow = "OPTIONS, REGISTER"

// Reply builds an answer to req without a body. It goes back to where req came
// from: RFC 3581 asks that of requests with rport, and for the others it is the
// only address that a phone behind NAT can be reached at.
func Reply(req *sip.Request, status int, reason string) *sip.Response {
	res := sip.NewResponseFromRequest(req, status, reason, nil)
	res.SipVersion = "SIP/2.0" // and not what the request says
	if to := res.To(); to != nil && !req.To().Params.Has("tag") {
		to.Params.Add("tag", tagFor(req))
	}
	res.SetDestination(req.Source())
	source, err := netip.ParseAddrPort(req.Source())
	if via := res.Via(); via != nil && err == nil && !via.Params.Has("received") {
		host := source.Addr().Unmap().String()
		// RFC 3261 section 18.2.1: a sent-by that is not the source address
		// gets a received parameter, also without rport.
		if strings.Trim(via.Host, "[]") != host {
			via.Params.Add("received", host)
		}
	}
	return res
}

var tagSeed = maphash.MakeSeed()

// tagFor returns the To tag of the answers to req. A retransmission gets the
// same one (RFC 3261 section 8.2.7).
func tagFor(req *sip.Request) string {
	var h maphash.Hash
	h.SetSeed(tagSeed)
	add := func(text string) {
		h.WriteString(text)
		h.WriteByte(0)
	}
	add(req.Source())
	if via := req.Via(); via != nil {
		add(via.Params.GetOr("branch", ""))
	}
	if id := req.CallID(); id != nil {
		add(id.Value())
	}
	if cseq := req.CSeq(); cseq != nil {
		add(cseq.Value())
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// refuse returns the answer to a request that no handler shall see, else nil.
func refuse(req *sip.Request) *sip.Response {
	if !strings.EqualFold(req.SipVersion, "SIP/2.0") {
		return Reply(req, sip.StatusVersionNotSupported, "Version Not Supported")
	}
	if reason := malformed(req); reason != "" {
		return Reply(req, sip.StatusBadRequest, reason)
	}
	// RFC 3261 section 8.2.2.1.
	if scheme := req.Recipient.Scheme; scheme != "sip" && scheme != "sips" {
		return Reply(req, 416, "Unsupported URI Scheme")
	}
	// RFC 3261 section 8.2.2.3; the edge knows no extension.
	if required := values(req, "require"); len(required) > 0 && !req.IsAck() && !req.IsCancel() {
		res := Reply(req, sip.StatusBadExtension, "Bad Extension")
		res.AppendHeader(sip.NewHeader("Unsupported", strings.Join(required, ", ")))
		return res
	}
	return nil
}

// malformed names what is wrong with the header fields that every request
// needs (RFC 3261 section 8.1.1), or returns "". Max-Forwards is not among
// them: it is for proxies, and old clients leave it out.
func malformed(req *sip.Request) string {
	seen := map[string]int{}
	for _, h := range req.Headers() {
		seen[strings.ToLower(h.Name())]++
	}
	for _, name := range []string{"from", "to", "call-id", "cseq"} {
		switch seen[name] {
		case 0:
			return "Missing " + name
		case 1:
		default:
			return "Multiple " + name
		}
	}
	if seen["content-length"] > 1 {
		return "Multiple content-length"
	}
	// RFC 3261 section 8.1.1.5.
	if !strings.EqualFold(string(req.CSeq().MethodName), string(req.Method)) {
		return "CSeq Method Differs"
	}
	if via := req.Via(); via == nil || via.Host == "" {
		return "Bad Via"
	}
	return ""
}

// dangerous tells whether a header field has a character that would break out
// of its line in an answer: sipgo splits lines at CR LF only, so a lone one may
// be inside.
func dangerous(req *sip.Request) bool {
	for _, h := range req.Headers() {
		if strings.ContainsAny(h.Name(), "\r\n\x00") || strings.ContainsAny(h.Value(), "\r\n\x00") {
			return true
		}
	}
	return false
}

// values returns the values of all header fields of that lower-case name.
func values(req *sip.Request, name string) []string {
	var out []string
	for _, h := range req.Headers() {
		if strings.ToLower(h.Name()) == name {
			out = append(out, h.Value())
		}
	}
	return out
}
