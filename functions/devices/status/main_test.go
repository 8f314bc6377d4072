package main

import (
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/endpoint/endpointtest"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/shared/tabletest"
)

func serve(w *endpointtest.World) endpoint.Endpoint {
	return endpoint.Endpoint{Routes: routes, Gate: w.Gate, Handle: status(w.Store, endpointtest.Now)}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	w := endpointtest.New(t)
	now := endpointtest.Now()
	for _, lease := range []registration.Lease{
		{Edge: "alive", Renewed: now.Add(-4 * time.Second)},
		{Edge: "dead", Renewed: now.Add(-time.Minute)},
		{Edge: "left", Renewed: now.Add(-time.Second), Stopped: true},
	} {
		if err := w.Store.PutLease(t.Context(), lease); err != nil {
			t.Fatal(err)
		}
	}
	bind := func(account, device, key, edge string, expiry time.Duration) {
		b := tabletest.Binding(account, device, "user-"+device, key)
		b.Edge, b.Expiry, b.Since, b.Written = edge, expiry, now.Add(-time.Hour), now.Add(-time.Hour)
		if err := w.Store.PutBinding(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	bind(w.Account.ID, "d1", "one", "alive", 30*time.Second)
	bind(w.Account.ID, "d1", "two", "alive", 30*time.Second)
	bind(w.Account.ID, "d2", "one", "dead", 30*time.Second)  // had at most until 30 s ago
	bind(w.Account.ID, "d3", "one", "dead", 90*time.Second)  // may have 30 s to go
	bind(w.Account.ID, "d4", "one", "left", 90*time.Second)  // the phone does not know that its edge left
	bind(w.Account.ID, "d5", "one", "never", 90*time.Second) // no such edge
	bind(w.Stranger.ID, "d6", "one", "alive", 90*time.Second)
	got := w.Call(serve(w), "GET", w.Path("/devices/status"), "", 200)
	want := `"data":[{"device_id":"d1","registered":true},{"device_id":"d3","registered":true},{"device_id":"d4","registered":true}]`
	if text := got.Text; len(text) < len(want) || text[1:1+len(want)] != want {
		t.Errorf("got %s, want %s", text, want)
	}
}

func TestNobodyIsRegistered(t *testing.T) {
	t.Parallel()
	w := endpointtest.New(t)
	if list, ok := w.Call(serve(w), "GET", w.Path("/devices/status"), "", 200).Data().([]any); !ok || len(list) != 0 {
		t.Errorf("got %v, want an empty list", list)
	}
}
