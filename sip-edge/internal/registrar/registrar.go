// Package registrar binds phones to addresses-of-record (RFC 3261 section 10).
//
// It guarantees that no REGISTER is acknowledged whose bindings are not stored,
// that a REGISTER takes effect whole or not at all, that changes of one
// address-of-record happen one after the other, and that a binding is removed
// when it runs out. A refresh that changes nothing is answered without a write:
// the edge's lease keeps the binding alive (package registration).
package registrar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/sip-edge/internal/digest"
)

// Config is what a Registrar needs.
type Config struct {
	Edge        string // id of this start of this edge
	Credentials credential.Store
	Bindings    registration.Store
	Digest      *digest.Server
	// Expiries that are granted. Shorter ones than MinExpires are refused,
	// longer ones than MaxExpires cut; DefaultExpires is for phones that name
	// none. Whole seconds; 0 < MinExpires <= DefaultExpires <= MaxExpires.
	MinExpires, DefaultExpires, MaxExpires time.Duration
	Now                                    func() time.Time
	Log                                    *slog.Logger
	// Fresh is told of a device after a phone of it has been bound anew or at
	// another place. It must not block.
	Fresh func(accountID, deviceID string)
	// Trust is told the source of each REGISTER that was accepted by TCP.
	Trust func(source string)
}

// Registrar answers REGISTER requests. Use New; Run must run.
type Registrar struct {
	Config
	table     *table
	addresses *addressCache

	mu      sync.Mutex
	repairs map[repairKey]*repair // what the store may have wrong
}

// New returns a registrar that holds no binding.
func New(config Config) *Registrar {
	return &Registrar{
		Config: config, table: newTable(), addresses: newAddressCache(config.Now),
		repairs: map[repairKey]*repair{},
	}
}

// Request is what a registrar needs to know of a REGISTER.
type Request struct {
	User          string // of To, escapes undone
	Realm         string // host of To, lower case
	CallID        string
	CSeq          uint32
	Contacts      []string // values of the Contact header fields
	Expires       *string  // value of the Expires header field
	Authorization []string // values of the Authorization header fields
	UserAgent     string
	Source        netip.AddrPort
	Local         string // host:port of our socket
	Transport     string
}

// Response is the answer to a REGISTER.
type Response struct {
	Status  int
	Reason  string
	Headers []Header
	// Fresh is the credential of a device with a phone at a new place.
	Fresh *credential.Credential
}

// Header is one header field of a Response.
type Header struct{ Name, Value string }

func refusal(status int, reason string, headers ...Header) *Response {
	return &Response{Status: status, Reason: reason, Headers: headers}
}

// Register does what RFC 3261 section 10.3 says, in its order. The error is
// fault.Unreachable if the store did not answer: nothing has changed then.
func (r *Registrar) Register(ctx context.Context, q Request) (*Response, error) {
	// Step 1, the domain of the Request-URI: every realm is served here, so the
	// To decides. Step 2, Require, is checked for every method (sipserver).
	// Steps 3 and 4: who is it, and may it?
	cred, refused, err := r.authenticate(ctx, q)
	if refused != nil || err != nil {
		return refused, err
	}
	// Step 5: is the address-of-record one of the domain?
	if cred.Realm != q.Realm {
		return refusal(404, "Not Found"), nil
	}
	// Steps 6 and 7: Contact and its expiries.
	contacts, star, err := parseContacts(q.Contacts)
	switch {
	case errors.Is(err, errManyContact):
		return refusal(403, "Too Many Contacts"), nil
	case err != nil, star && (q.Expires == nil || *q.Expires != "0"):
		return refusal(400, "Bad Contact"), nil
	}
	wanted := make([]wish, len(contacts))
	for i, c := range contacts {
		wanted[i] = wish{contact: c, expiry: r.expiry(c, q)}
		// Step 7: an expiry that is too brief is refused, but not zero, and not
		// an hour or more.
		if e := wanted[i].expiry; e > 0 && e < time.Hour && e < r.MinExpires {
			return refusal(423, "Interval Too Brief", Header{"Min-Expires", seconds(r.MinExpires)}), nil
		}
		wanted[i].expiry = min(wanted[i].expiry, r.MaxExpires)
	}
	return r.change(ctx, q, cred, wanted, star)
}

// expiry returns what the phone asks for: the parameter of the contact, else
// the header field, else the default (RFC 3261 section 10.2.1.1).
func (r *Registrar) expiry(c contact, q Request) time.Duration {
	switch {
	case c.expires != "":
		return parseExpires(c.expires)
	case q.Expires != nil:
		return parseExpires(*q.Expires)
	}
	return r.DefaultExpires
}

// change looks up what is bound, works out what shall be, stores it, and
// answers.
func (r *Registrar) change(ctx context.Context, q Request, cred credential.Credential, wanted []wish, star bool) (*Response, error) {
	aor := credential.NewAOR(q.User, q.Realm)
	e := r.table.enter(aor)
	defer r.table.leave(aor, e)
	now := r.Now()
	p := plan{edge: r.Edge, aor: aor, now: now, request: q, credential: cred}
	if star || len(wanted) == 0 || !holdsAll(e, wanted, now) {
		if err := r.readOthers(ctx, aor, e, now); err != nil {
			return nil, err
		}
	}
	p.know(e)
	var ordered bool
	if star {
		ordered = p.removeAll()
	} else {
		ordered = p.apply(wanted)
	}
	// Steps 6 and 7: a request that is older than what is bound fails whole.
	if !ordered {
		return refusal(500, "Server Internal Error"), nil
	}
	if err := r.commit(ctx, e, &p); err != nil {
		return nil, err
	}
	// Step 8.
	res := refusal(200, "OK", p.contacts()...)
	res.Headers = append(res.Headers, Header{"Date", now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")})
	if p.fresh {
		res.Fresh = &cred
	}
	return res, nil
}

// holdsAll tells whether each contact is, letter by letter, one that this edge
// holds, so that the store need not be asked.
func holdsAll(e *entry, wanted []wish, now time.Time) bool {
	for _, w := range wanted {
		found := false
		for _, held := range e.held {
			found = found || held.Contact == w.text && held.runsOut().After(now)
		}
		if !found {
			return false
		}
	}
	return true
}

// readOthers reads which bindings of aor live at other edges. What the store
// says of this edge's own is not needed: memory knows it better.
func (r *Registrar) readOthers(ctx context.Context, aor credential.AOR, e *entry, now time.Time) error {
	stored, err := r.Bindings.Bindings(ctx, aor)
	if err != nil {
		return fmt.Errorf("read bindings: %w", err)
	}
	others, err := r.liveElsewhere(ctx, stored, now)
	if err != nil {
		return err
	}
	e.others = others
	return nil
}

// seconds writes d as delta-seconds, rounded up.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
