package main

import (
	"context"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/sip-edge/internal/edgetest"
)

func TestStopFinishesWhatIsInHand(t *testing.T) {
	t.Parallel()
	r := startEdge(t)
	p := r.phone("udp", alice())
	p.MustRegister(60)
	hold := make(chan struct{})
	p.Answer(func(*sip.Request) string { <-hold; return "200 OK" })
	ref := r.give(alice(), checkSync(), nil)
	p.Notify()
	stopped := make(chan struct{})
	go func() { r.stop(); close(stopped) }()
	edgetest.Eventually(t, "edge drains", func() bool {
		status, body := ready(t, r.Health)
		return status == 503 && body == `{"status":"draining"}`
	})
	close(hold)
	<-stopped
	if c := r.store.Command(ref); c.State != command.Delivered {
		t.Errorf("got state %s, want delivered", c.State)
	}
	b := r.store.Stored(aor)[0]
	leases, err := r.store.Leases(context.Background(), []string{b.Edge})
	if err != nil || !leases[b.Edge].Stopped {
		t.Errorf("got lease %+v, %v, want it stopped", leases, err)
	}
	for _, msg := range []string{"ready", "drained", "stopped"} {
		if r.log.find(t, msg) == nil {
			t.Errorf("log has no line %q", msg)
		}
	}
	if entry := r.log.find(t, "ready"); entry["sip_addr"] != r.SIP.String() || entry["health_addr"] != r.Health.String() {
		t.Errorf("got ready line %v", entry)
	}
}

// TestNextEdgeGoesOn stops an edge and starts the next on the same address: the
// phone's binding is used before it has registered again.
func TestNextEdgeGoesOn(t *testing.T) {
	t.Parallel()
	r := startEdge(t)
	p := r.phone("udp", alice())
	p.MustRegister(60)
	r.stop()
	if live := r.store.LiveNow(aor, time.Now()); len(live) != 1 {
		t.Fatalf("after the stop: got %d live bindings, want 1", len(live))
	}
	cfg := testConfig()
	cfg.sipAddr = r.SIP
	next := restartEdge(t, cfg, r.store, r.stream)
	next.outcome(next.give(alice(), checkSync(), nil), command.Delivered)
	p.Notify()
	before := r.store.Stored(aor)[0].Edge
	p.MustRegister(60)
	stored := r.store.Stored(aor)
	if len(stored) != 1 || stored[0].Edge == before {
		t.Errorf("got bindings %+v, want one that the new edge holds", stored)
	}
}

// TestKilledEdgeLosesNothing takes an edge away without a stop, as kill -9 does,
// with a command in its hands.
func TestKilledEdgeLosesNothing(t *testing.T) {
	t.Parallel()
	store := edgetest.NewStore(t)
	store.AddCredential(alice())
	now := time.Now()
	// What the dead edge left behind.
	if err := store.PutLease(context.Background(), registration.Lease{Edge: "dead", Renewed: now.Add(-registration.LeaseLife)}); err != nil {
		t.Fatal(err)
	}
	r := restartEdge(t, testConfig(), store, &stream{})
	p := r.phone("udp", alice())
	if err := store.PutBinding(context.Background(), registration.Binding{
		AOR: aor, Key: "k", AccountID: "acc", DeviceID: "dev", Username: "alice", Realm: realm, Edge: "dead", Contact: p.Contact(),
		Received: p.Addr(), Transport: "UDP", Expiry: time.Hour, Since: now.Add(-time.Hour), Written: now.Add(-time.Hour),
	}); err != nil {
		t.Fatal(err)
	}
	c := edgetest.NewCommand(alice(), now.Add(-time.Minute), checkSync())
	c.State, c.Edge, c.Claim, c.Due, c.Attempts = command.Sending, "dead", "claim", now.Add(-time.Second), 1
	ref := store.Give(c)
	r.stream.insert("DEVICE#acc#dev", "COMMAND#"+c.ID)
	p.Notify()
	r.outcome(ref, command.Delivered)
}

func TestStoreThatRefuses(t *testing.T) {
	t.Parallel()
	r := startEdge(t)
	p := r.phone("udp", alice())
	r.store.FailCall("PutBinding", true)
	res := p.Register(60)
	if h := res.GetHeader("Retry-After"); res.StatusCode != 503 || h == nil {
		t.Errorf("got %d %v, want 503 with Retry-After", res.StatusCode, h)
	}
	r.store.FailWith(nil)
	edgetest.Eventually(t, "the store has no binding that was not acknowledged", func() bool { return len(r.store.Stored(aor)) == 0 })
	p.MustRegister(60)
	if got := len(r.store.LiveNow(aor, time.Now())); got != 1 {
		t.Errorf("got %d bindings, want 1", got)
	}
}

func TestRegistrationRunsOut(t *testing.T) {
	t.Parallel()
	r := startEdge(t)
	p := r.phone("udp", alice())
	p.MustRegister(2)
	edgetest.Eventually(t, "binding has run out", func() bool { return len(r.store.Stored(aor)) == 0 })
}
