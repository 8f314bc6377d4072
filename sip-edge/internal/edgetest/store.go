// Package edgetest has what the tests of the edge share: the fake store, with
// what phones and commands need in it, and a phone. Nothing but tests imports
// it.
package edgetest

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/shared/tabletest"
)

// Store is tabletest's fake with short words for what the edge's tests do, and
// checks of what only the edge promises.
type Store struct {
	*tabletest.Fake
	tb testing.TB

	mu      sync.Mutex
	devices map[[2]string]device.Change // as last written, by account and device
}

// ErrDown is what a failing store returns.
var ErrDown = fault.Unreachable(context.DeadlineExceeded)

// NewStore returns an empty store.
func NewStore(tb testing.TB) *Store {
	return &Store{Fake: tabletest.New(tb), tb: tb, devices: map[[2]string]device.Change{}}
}

// FailWith makes each call fail as fail says of its name: with a nil error it
// succeeds; else it returns the error, after applying the write if apply is
// set. A nil fail ends that.
func (s *Store) FailWith(fail func(call string) (apply bool, err error)) {
	if fail == nil {
		s.Intercept(nil)
		return
	}
	s.Intercept(func(call string) (bool, error) {
		apply, err := fail(call)
		return apply || err == nil, err
	})
}

// FailCall makes the calls of that name fail, after applying them or before.
func (s *Store) FailCall(name string, apply bool) {
	s.FailWith(func(call string) (bool, error) {
		if call == name {
			return apply, ErrDown
		}
		return false, nil
	})
}

// Count returns how often a method was called.
func (s *Store) Count(name string) int { return s.Calls()[name] }

// AddCredential gives the device of c that credential, and makes the device
// and its account if need be.
func (s *Store) AddCredential(c credential.Credential) {
	s.tb.Helper()
	s.write(c, func(claims *device.Claims) { claims.Credential = &c })
}

// RemoveCredential takes it away again.
func (s *Store) RemoveCredential(c credential.Credential) {
	s.tb.Helper()
	s.write(c, func(claims *device.Claims) { claims.Credential = nil })
}

// AddAddress gives the device of c that address.
func (s *Store) AddAddress(addr netip.Addr, c credential.Credential) {
	s.tb.Helper()
	s.write(c, func(claims *device.Claims) { claims.Address, claims.IP = &c, addr.String() })
}

func (s *Store) write(c credential.Credential, set func(*device.Claims)) {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	change, known := s.devices[[2]string{c.AccountID, c.DeviceID}]
	if !known {
		err := s.CreateAccount(context.Background(), account.Account{ID: c.AccountID, Name: c.AccountID, Rev: 1, Doc: document.Object{}})
		if err != nil && fault.Of(err) != fault.Conflict && fault.Of(err) != fault.Invalid {
			s.tb.Fatal(err)
		}
		change.Device = device.Device{ID: c.DeviceID, AccountID: c.AccountID, Doc: document.Object{}}
	}
	change.Device.Rev++
	change.Old = change.Claims
	set(&change.Claims)
	if err := s.WriteDevice(context.Background(), change); err != nil {
		s.tb.Fatal(err)
	}
	s.devices[[2]string{c.AccountID, c.DeviceID}] = change
}

// PutBinding is registration.Store's.
func (s *Store) PutBinding(ctx context.Context, b registration.Binding) error {
	if b.Key == "" || b.AOR == "" || b.Edge == "" || b.AccountID == "" || b.DeviceID == "" || b.Contact == "" || b.Received == "" ||
		b.Expiry <= 0 || b.Expiry%time.Second != 0 || b.Written.IsZero() || b.Since.IsZero() || len(b.UserAgent) > 256 {
		s.tb.Errorf("stored binding is not whole: %+v", b)
	}
	return s.Fake.PutBinding(ctx, b)
}

// FinishCommand is command.Store's.
func (s *Store) FinishCommand(ctx context.Context, c command.Command) error {
	accepted := slices.ContainsFunc(c.Deliveries, command.Delivery.OK)
	switch {
	case c.State == command.Delivered && c.Notify != nil && !accepted:
		s.tb.Errorf("command delivered to nobody: %+v", c)
	case c.State == command.Sending || len(c.Deliveries) > command.MaxDeliveries:
		s.tb.Errorf("command finished wrongly: %+v", c)
	}
	return s.Fake.FinishCommand(ctx, c)
}

// Stored returns the stored bindings of aor.
func (s *Store) Stored(aor credential.AOR) []registration.Binding {
	out, err := s.Fake.Bindings(context.Background(), aor)
	if err != nil {
		s.tb.Error(err)
	}
	return out
}

// LiveNow returns the bindings of aor that a reader would call live.
func (s *Store) LiveNow(aor credential.AOR, now time.Time) []registration.Binding {
	out, err := registration.LiveOnly(context.Background(), s, s.Stored(aor), now)
	if err != nil {
		s.tb.Error(err)
	}
	return out
}

// NewCommand returns a pending command for the device of cred.
func NewCommand(cred credential.Credential, now time.Time, notify *command.Notify) command.Command {
	return command.Command{
		ID: ident.Ordered(now), AccountID: cred.AccountID, DeviceID: cred.DeviceID, AOR: cred.AOR(), Notify: notify,
		State: command.Pending, Created: now, Expires: now.Add(command.DefaultLife), Due: now.Add(command.SweepAfter),
	}
}

// Give stores a command, whose device must exist.
func (s *Store) Give(c command.Command) command.Ref {
	s.tb.Helper()
	if err := s.AddCommand(context.Background(), c); err != nil {
		s.tb.Fatal(err)
	}
	return c.Ref()
}

// Command returns a stored command.
func (s *Store) Command(ref command.Ref) command.Command {
	all, err := s.Commands(context.Background(), ref.AccountID, ref.DeviceID, 1<<20)
	if err != nil {
		s.tb.Error(err)
	}
	for _, c := range all {
		if c.ID == ref.ID {
			return c
		}
	}
	return command.Command{}
}

// Eventually waits until ok, looking every 2 ms, and fails the test with what
// after 10 s.
func Eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit.C:
			tb.Fatalf("not within 10 s: %s", what)
		}
	}
}
