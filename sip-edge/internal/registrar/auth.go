package registrar

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/sip-edge/internal/digest"
)

// authenticate tells whose phone it is (RFC 3261 section 10.3 steps 3 and 4).
// An unknown user, a wrong password and a missing answer get the same fresh
// challenge.
func (r *Registrar) authenticate(ctx context.Context, q Request) (credential.Credential, *Response, error) {
	stale := false
	if a, ok := r.answer(q); ok {
		cred, err := r.credential(ctx, a.Realm, a.Username)
		if err != nil {
			return cred, nil, err
		}
		switch r.Digest.Verify("REGISTER", a, cred) {
		case digest.Accepted:
			return cred, r.authorize(q, cred), nil
		case digest.Stale:
			stale = true
		}
	}
	cred, found, err := r.byAddress(ctx, q)
	if err != nil {
		return cred, nil, err
	}
	if found {
		return cred, r.authorize(q, cred), nil
	}
	var headers []Header
	for _, challenge := range r.Digest.Challenges(q.Realm, stale) {
		headers = append(headers, Header{"WWW-Authenticate", challenge})
	}
	return credential.Credential{}, refusal(401, "Unauthorized", headers...), nil
}

// answer picks the Authorization to check: that of the To's realm, else the
// first whose nonce is ours. What no nonce of ours vouches for costs no look-up.
func (r *Registrar) answer(q Request) (digest.Authorization, bool) {
	var picked digest.Authorization
	found := false
	for _, value := range q.Authorization {
		a, err := digest.ParseAuthorization(value)
		if err != nil || !r.Digest.Recognizes(a) {
			continue
		}
		if a.Realm == q.Realm {
			return a, true
		}
		if !found {
			picked, found = a, true
		}
	}
	return picked, found
}

// authorize refuses a device that is disabled or registers another user.
// Whoever authenticated by an address without a username may be anyone there.
func (r *Registrar) authorize(q Request, cred credential.Credential) *Response {
	if !cred.Enabled || cred.Username != "" && !strings.EqualFold(cred.Username, q.User) {
		return refusal(403, "Forbidden")
	}
	return nil
}

// credential looks a credential up; the zero credential if there is none.
func (r *Registrar) credential(ctx context.Context, realm, username string) (credential.Credential, error) {
	cred, err := r.Credentials.Credential(ctx, realm, username)
	if fault.Of(err) == fault.NotFound {
		return credential.Credential{}, nil
	}
	if err != nil {
		return cred, fmt.Errorf("read credential: %w", err)
	}
	return cred, nil
}

// byAddress tells whether the source address alone authenticates the request.
func (r *Registrar) byAddress(ctx context.Context, q Request) (credential.Credential, bool, error) {
	cred, found, err := r.addresses.find(ctx, r.Credentials, q.Source.Addr())
	if err != nil || !found || cred.Realm != q.Realm {
		return cred, false, err
	}
	if cred.Username != "" {
		return cred, strings.EqualFold(cred.Username, q.User), nil
	}
	// A user with a password must use it, wherever he is.
	owner, err := r.credential(ctx, q.Realm, q.User)
	return cred, err == nil && owner.Realm == "", err
}

const (
	// addressLife is how long the edge trusts what it knows of an address.
	addressLife = 30 * time.Second
	// maxAddresses bounds the addresses remembered, at about 300 bytes each.
	maxAddresses = 50_000
)

// addressCache remembers which addresses authenticate a device and which do
// not, so that phones behind one address cost one look-up.
type addressCache struct {
	now func() time.Time
	mu  sync.Mutex
	// known has two generations: when the young one is full it becomes the old
	// one, which is dropped.
	young, old map[netip.Addr]knownAddress
}

type knownAddress struct {
	cred  credential.Credential
	found bool
	until time.Time
}

func newAddressCache(now func() time.Time) *addressCache {
	return &addressCache{now: now, young: map[netip.Addr]knownAddress{}}
}

func (c *addressCache) find(ctx context.Context, store credential.Store, addr netip.Addr) (credential.Credential, bool, error) {
	now := c.now()
	c.mu.Lock()
	known, ok := c.young[addr]
	if !ok {
		known, ok = c.old[addr]
	}
	c.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.cred, known.found, nil
	}
	cred, err := store.AddressCredential(ctx, addr)
	if err != nil && fault.Of(err) != fault.NotFound {
		return cred, false, fmt.Errorf("read credential of address: %w", err)
	}
	known = knownAddress{cred: cred, found: err == nil, until: now.Add(addressLife)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= maxAddresses/2 {
		c.old, c.young = c.young, map[netip.Addr]knownAddress{}
	}
	c.young[addr] = known
	return known.cred, known.found, nil
}
