// Package registration describes where phones can be reached: bindings
// (RFC 3261 section 10), the edges that hold them, and the one formula that
// says whether a binding is live.
//
// A binding is written when it is made or changes, not when it is refreshed.
// What keeps it alive is the lease of its edge: an edge removes the bindings
// that run out and renews its own lease every LeasePeriod, so while the lease
// is fresh every binding of that edge is live. Of a dead edge we know only that
// at its last renewal none of its bindings had run out, so each may be live
// until that renewal plus its granted expiry.
package registration

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dialplane/dialplane/shared/credential"
)

// Times of an edge's lease.
const (
	LeasePeriod = 5 * time.Second  // an edge renews its lease this often
	LeaseLife   = 15 * time.Second // a lease older than this belongs to a dead edge
)

// Binding is one contact of an address-of-record.
type Binding struct {
	AOR       credential.AOR
	Key       string // names the contact within the AOR; made by the registrar
	AccountID string
	DeviceID  string
	Username  string
	Realm     string
	Edge      string        // id of the edge that holds the phone's flow; each start of an edge has its own
	Contact   string        // the Contact URI as the phone wrote it
	Received  string        // host:port that the REGISTER came from
	Local     string        // host:port of the edge's socket that it came to
	Transport string        // UDP, TCP, TLS, WS or WSS
	UserAgent string        // at most 256 bytes
	CallID    string        // of the last REGISTER that changed the binding
	CSeq      uint32        // of the same
	Q         string        // the q parameter as sent; empty if none
	Expiry    time.Duration // granted, in whole seconds
	Since     time.Time     // when the contact was first registered
	Written   time.Time     // when the item was last written
}

// Lease is an edge's sign of life.
type Lease struct {
	Edge    string
	Renewed time.Time // by the edge's own clock
	Stopped bool      // the edge left in good order
}

// Live reports whether b can be reached at now, given the lease of its edge;
// the zero Lease means that the edge left no trace. Nothing else decides it.
func (b Binding) Live(lease Lease, now time.Time) bool {
	if !lease.Stopped && now.Sub(lease.Renewed) < LeaseLife {
		return true
	}
	last := lease.Renewed
	if b.Written.After(last) {
		last = b.Written
	}
	return now.Before(last.Add(b.Expiry))
}

// Store keeps bindings and leases. All methods return fault.Unreachable if the
// store does not answer, in which case a write may or may not have happened.
type Store interface {
	// PutBinding stores b, whoever held the contact before.
	PutBinding(ctx context.Context, b Binding) error
	// RemoveBinding removes a contact if b.Edge still holds it; that another
	// edge has it by now, or that it is gone, is no error.
	RemoveBinding(ctx context.Context, b Binding) error
	// Bindings returns every stored binding of an AOR, live or not, read
	// consistently.
	Bindings(ctx context.Context, aor credential.AOR) ([]Binding, error)
	// AccountBindings returns every stored binding of an account, live or not,
	// in the order of their device ids. What was written within the last
	// second may be missing.
	AccountBindings(ctx context.Context, accountID string) ([]Binding, error)
	// PutLease stores a lease.
	PutLease(ctx context.Context, lease Lease) error
	// Leases returns the leases of the named edges. An edge that left no trace
	// is missing.
	Leases(ctx context.Context, edges []string) (map[string]Lease, error)
}

// LiveOnly returns the bindings that are live at now. It reads the leases of
// their edges from store, once each.
func LiveOnly(ctx context.Context, store Store, bindings []Binding, now time.Time) ([]Binding, error) {
	if len(bindings) == 0 {
		return nil, nil
	}
	named := map[string]bool{}
	for _, b := range bindings {
		named[b.Edge] = true
	}
	leases, err := store.Leases(ctx, slices.Sorted(maps.Keys(named)))
	if err != nil {
		return nil, fmt.Errorf("read leases: %w", err)
	}
	return slices.DeleteFunc(slices.Clone(bindings), func(b Binding) bool { return !b.Live(leases[b.Edge], now) }), nil
}
