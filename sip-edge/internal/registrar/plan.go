package registrar

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/registration"
)

const (
	// touchAfter is the longest time that a binding in use is not written.
	touchAfter = 24 * time.Hour
	// maxText bounds what is kept of a User-Agent, in bytes.
	maxText = 256
	// maxCallID bounds a Call-ID that is kept as it is, in bytes.
	maxCallID = 128
)

// wish is a contact with the expiry that is granted; zero removes it.
type wish struct {
	contact
	expiry time.Duration
}

// item is one binding of the address-of-record before and after the request.
type item struct {
	old   registration.Binding // as stored; its Key is empty if the binding is new
	held  *record              // nil if this edge does not hold it
	until time.Time            // when it runs out

	next    *registration.Binding // as it shall be; nil if the request leaves it alone
	write   bool                  // next must be stored
	removed bool
}

// plan is what one request makes of the bindings of an address-of-record.
type plan struct {
	edge       string
	aor        credential.AOR
	now        time.Time
	request    Request
	credential credential.Credential
	items      []*item
	fresh      bool // a phone is at a new place
}

// know takes down what is bound before the request.
func (p *plan) know(e *entry) {
	for _, held := range e.held {
		if held.runsOut().After(p.now) {
			p.items = append(p.items, &item{old: held.Binding, held: held, until: held.runsOut()})
		}
	}
	for _, o := range e.others {
		if o.until.After(p.now) && !slices.ContainsFunc(p.items, func(i *item) bool { return i.old.Key == o.Key }) {
			p.items = append(p.items, &item{old: o.Binding, until: o.until})
		}
	}
}

// ordered tells whether the request may change i: another Call-ID may, the same
// only with a higher CSeq (RFC 3261 section 10.3 steps 6 and 7).
func (p *plan) ordered(i *item) bool {
	return i.old.Key == "" || i.old.CallID != callID(p.request.CallID) || p.request.CSeq > i.old.CSeq
}

// removeAll plans the removal of every binding. It returns false if the request
// is out of order.
func (p *plan) removeAll() bool {
	for _, i := range p.items {
		if !p.ordered(i) {
			return false
		}
		i.removed = true
	}
	return true
}

// apply plans the wishes, one after the other. It returns false if the request
// is out of order.
func (p *plan) apply(wanted []wish) bool {
	for _, w := range wanted {
		i := p.find(w.contact)
		switch {
		case i == nil && w.expiry == 0:
			continue // removing what is not there
		case i == nil:
			i = &item{}
			p.items = append(p.items, i)
		case !p.ordered(i):
			return false
		}
		if w.expiry == 0 {
			i.removed, i.next, i.write = true, nil, false
			continue
		}
		p.bind(i, w)
	}
	p.limit()
	return true
}

// find returns the item whose contact is equal to c (RFC 3261 section 10.3 step
// 7: URIs are compared by the rules of the scheme).
func (p *plan) find(c contact) *item {
	for _, i := range p.items {
		text := i.old.Contact
		if i.next != nil {
			text = i.next.Contact
		}
		if text == c.text {
			return i
		}
		if u, err := parseURI(text); err == nil && u.equal(c.uri) {
			return i
		}
	}
	return nil
}

// bind plans that i becomes w, and whether that must be written.
func (p *plan) bind(i *item, w wish) {
	next := registration.Binding{
		AOR: p.aor, Key: i.old.Key, AccountID: p.credential.AccountID, DeviceID: p.credential.DeviceID,
		Username: strings.Clone(p.request.User), Realm: strings.Clone(p.request.Realm), Edge: p.edge,
		Contact: strings.Clone(w.text), Received: p.request.Source.String(), Local: p.request.Local,
		Transport: p.request.Transport, UserAgent: userAgent(p.request.UserAgent),
		CallID: callID(p.request.CallID), CSeq: p.request.CSeq, Q: strings.Clone(w.q),
		Expiry: w.expiry, Since: i.old.Since, Written: p.now,
	}
	if next.Key == "" {
		sum := sha256.Sum256([]byte(w.text))
		next.Key, next.Since = hex.EncodeToString(sum[:16]), p.now
	}
	i.removed, i.until = false, p.now.Add(w.expiry)
	i.write = i.held == nil || differ(i.old, next) || p.now.Sub(i.old.Written) >= touchAfter-w.expiry
	if !i.write {
		next.Expiry, next.Written = i.old.Expiry, i.old.Written // as stored
	}
	p.fresh = p.fresh || i.held == nil || i.old.Contact != next.Contact || i.old.Received != next.Received ||
		i.old.Local != next.Local || i.old.Transport != next.Transport
	i.next = &next
}

// differ tells whether a binding has changed in what others read of it. The
// stored expiry may be up to twice the granted one: it says only how long a
// binding may outlive its edge, and phones vary it a little.
func differ(old, next registration.Binding) bool {
	if old.Expiry < next.Expiry || old.Expiry > 2*next.Expiry {
		return true
	}
	next.CallID, next.CSeq, next.Expiry, next.Written = old.CallID, old.CSeq, old.Expiry, old.Written
	return old != next
}

// limit removes the bindings that would run out first if there are too many,
// but none that the request itself names.
func (p *plan) limit() {
	for {
		count := 0
		var first *item
		for _, i := range p.items {
			if i.removed {
				continue
			}
			count++
			if i.next == nil && (first == nil || i.until.Before(first.until)) {
				first = i
			}
		}
		if count <= maxContacts || first == nil {
			return
		}
		first.removed = true
	}
}

// contacts lists the bindings after the request, with what is left of their
// time (RFC 3261 section 10.3 step 8).
func (p *plan) contacts() []Header {
	var out []Header
	for _, i := range p.items {
		if i.removed {
			continue
		}
		b := &i.old
		if i.next != nil {
			b = i.next
		}
		value := "<" + b.Contact + ">;expires=" + seconds(i.until.Sub(p.now))
		if b.Q != "" {
			value += ";q=" + b.Q
		}
		out = append(out, Header{"Contact", value})
	}
	return out
}

// userAgent makes a User-Agent fit to be stored and shown.
func userAgent(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return -1
		}
		return r
	}, text)
	for len(text) > maxText {
		_, last := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-last]
	}
	return strings.Clone(text)
}

// callID returns what stands for a Call-ID: itself, or its hash if it is long or
// strange.
func callID(text string) string {
	strange := len(text) > maxCallID
	for _, c := range []byte(text) {
		strange = strange || c < ' ' || c >= 0x7f
	}
	if strange {
		sum := sha256.Sum256([]byte(text))
		return "sha256:" + hex.EncodeToString(sum[:])
	}
	return strings.Clone(text)
}
