package tabletest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/ident"
	"github.com/dialplane/dialplane/shared/registration"
)

// Binding returns a binding with every field set.
func Binding(accountID, deviceID, username, key string) registration.Binding {
	realm := accountID + ".test"
	return registration.Binding{
		AOR: credential.NewAOR(username, realm), Key: key, AccountID: accountID, DeviceID: deviceID, Username: username, Realm: realm,
		Edge: "edge-1", Contact: "<sip:" + username + "@192.0.2.1:5062;ob>", Received: "192.0.2.1:5062", Local: "198.51.100.1:5060",
		Transport: "UDP", UserAgent: "Phone/1.0", CallID: "c@192.0.2.1", CSeq: 1<<32 - 1, Q: "0.5", Expiry: time.Hour,
		Since: began, Written: began.Add(time.Minute),
	}
}

func exerciseBindings(t *testing.T, s Stores) {
	ctx, store := t.Context(), s.Registrations
	account := ident.New()
	first, second := Binding(account, "d2", "Alice", "a"), Binding(account, "d2", "Alice", "b")
	other := Binding(account, "d1", "bob", "a")
	stranger := Binding(ident.New(), "d1", "bob", "a")
	for _, b := range []registration.Binding{first, second, other, stranger} {
		must(t, store.PutBinding(ctx, b))
	}
	of := func(aor credential.AOR, want ...registration.Binding) {
		t.Helper()
		got, err := store.Bindings(ctx, aor)
		must(t, err)
		wantEqual(t, "bindings", got, want)
	}
	of(first.AOR, first, second)
	of("nobody@nowhere.test")
	all, err := store.AccountBindings(ctx, account)
	must(t, err)
	if len(all) != 3 || all[0] != other || all[1].DeviceID != "d2" || all[2].DeviceID != "d2" {
		t.Errorf("got %+v, want the three bindings of the account by device", all)
	}

	// Another edge takes the contact over; the old one cannot remove it.
	moved := first
	moved.Edge, moved.Written = "edge-2", began.Add(time.Hour)
	must(t, store.PutBinding(ctx, moved))
	must(t, store.RemoveBinding(ctx, first))
	of(first.AOR, moved, second)
	must(t, store.RemoveBinding(ctx, moved))
	must(t, store.RemoveBinding(ctx, moved))
	of(first.AOR, second)

	// More than a page of 1 MB.
	big := ident.New()
	long := strings.Repeat("x", 40_000)
	for i := range 30 {
		b := Binding(big, fmt.Sprintf("d%02d", i), "alice", fmt.Sprint(i))
		b.Contact = long
		must(t, store.PutBinding(ctx, b))
	}
	all, err = store.AccountBindings(ctx, big)
	must(t, err)
	if len(all) != 30 || all[29].DeviceID != "d29" {
		t.Errorf("got %d bindings, want 30 in order", len(all))
	}
}

func exerciseLeases(t *testing.T, s Stores) {
	ctx, store := t.Context(), s.Registrations
	prefix := ident.New()
	var edges []string
	want := map[string]registration.Lease{}
	for i := range 120 { // more than one batch
		lease := registration.Lease{Edge: fmt.Sprint(prefix, i), Renewed: began.Add(time.Duration(i) * time.Second), Stopped: i%2 == 0}
		must(t, store.PutLease(ctx, lease))
		edges = append(edges, lease.Edge, lease.Edge)
		want[lease.Edge] = lease
	}
	got, err := store.Leases(ctx, append(edges, prefix+"missing"))
	must(t, err)
	wantEqual(t, "leases", got, want)
	renewed := registration.Lease{Edge: edges[0], Renewed: began.Add(time.Hour)}
	must(t, store.PutLease(ctx, renewed))
	got, err = store.Leases(ctx, edges[:1])
	must(t, err)
	wantEqual(t, "renewed lease", got, map[string]registration.Lease{renewed.Edge: renewed})
	got, err = store.Leases(ctx, nil)
	must(t, err)
	wantEqual(t, "leases of nobody", len(got), 0)
}
