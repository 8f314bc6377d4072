package tabletest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/registration"
)

var _ registration.Store = (*Fake)(nil)

// PutBinding is registration.Store's.
func (f *Fake) PutBinding(_ context.Context, b registration.Binding) error {
	return f.do("PutBinding", func() error {
		b.Since, b.Written, b.Expiry = millis(b.Since), millis(b.Written), b.Expiry.Truncate(time.Second)
		f.bindings[bindingName{b.AOR, b.Key}] = b
		return nil
	})
}

// RemoveBinding is registration.Store's.
func (f *Fake) RemoveBinding(_ context.Context, b registration.Binding) error {
	return f.do("RemoveBinding", func() error {
		if name := (bindingName{b.AOR, b.Key}); f.bindings[name].Edge == b.Edge {
			delete(f.bindings, name)
		}
		return nil
	})
}

// Bindings is registration.Store's.
func (f *Fake) Bindings(_ context.Context, aor credential.AOR) (out []registration.Binding, err error) {
	err = f.do("Bindings", func() error {
		out = f.bindingsWhere(func(b registration.Binding) bool { return b.AOR == aor })
		return nil
	})
	return out, err
}

// AccountBindings is registration.Store's.
func (f *Fake) AccountBindings(_ context.Context, accountID string) (out []registration.Binding, err error) {
	err = f.do("AccountBindings", func() error {
		out = f.bindingsWhere(func(b registration.Binding) bool { return b.AccountID == accountID })
		slices.SortStableFunc(out, func(a, b registration.Binding) int { return strings.Compare(a.DeviceID, b.DeviceID) })
		return nil
	})
	return out, err
}

func (f *Fake) bindingsWhere(wanted func(registration.Binding) bool) []registration.Binding {
	var out []registration.Binding
	for _, b := range f.bindings {
		if wanted(b) {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b registration.Binding) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// PutLease is registration.Store's.
func (f *Fake) PutLease(_ context.Context, lease registration.Lease) error {
	return f.do("PutLease", func() error {
		lease.Renewed = millis(lease.Renewed)
		f.leases[lease.Edge] = lease
		return nil
	})
}

// Leases is registration.Store's.
func (f *Fake) Leases(_ context.Context, edges []string) (map[string]registration.Lease, error) {
	out := map[string]registration.Lease{}
	err := f.do("Leases", func() error {
		for _, edge := range edges {
			if lease, ok := f.leases[edge]; ok {
				out[edge] = lease
			}
		}
		return nil
	})
	return out, err
}
