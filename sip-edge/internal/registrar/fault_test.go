package registrar

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/sip-edge/internal/edgetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	phoneA = "<sip:alice@192.0.2.7:4444>"
	phoneB = "<sip:alice@192.0.2.8:4444>"
	aor    = "alice@" + realm
)

// inBubble runs test in fake time with an edge whose background runs.
func inBubble(t *testing.T, test func(t *testing.T, e *edge)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := edgetest.NewStore(t)
		store.AddCredential(alice())
		e := startEdge(t, "edge-1", store, time.Now)
		stop := e.start()
		test(t, e)
		stop()
	})
}

// start runs the background of e, with its lease, until stop is called.
func (e *edge) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- e.Run(ctx) }()
	go func() { done <- e.lease().Run(ctx) }()
	return func() {
		cancel()
		if err := errors.Join(<-done, <-done); err != nil {
			e.t.Error(err)
		}
	}
}

// contacts returns the Contact URIs that readers of the store call live.
func (e *edge) contacts() map[string]bool {
	out := map[string]bool{}
	for _, b := range e.store.LiveNow(aor, e.Now()) {
		out["<"+b.Contact+">"] = true
	}
	return out
}

// TestFailedWritesChangeNothing fails each write of a REGISTER, before and
// after it is applied: the REGISTER must not be acknowledged, the edge must
// still hold what it held, and the store must come to the same.
func TestFailedWritesChangeNothing(t *testing.T) {
	t.Parallel()
	star := func(cseq uint32) Request { q := request(cseq, "*"); q.Expires = text("0"); return q }
	moved := func(cseq uint32) Request { q := request(cseq, phoneA, phoneB); q.UserAgent = "Phone/2.0"; return q }
	for _, tt := range []struct {
		name    string
		before  []string
		request func(uint32) Request
		call    string
		nth     int // which of the calls fails, from 1
	}{
		{"FirstBinding", nil, func(n uint32) Request { return request(n, phoneA) }, "PutBinding", 1},
		{"SecondOfTwo", nil, func(n uint32) Request { return request(n, phoneA, phoneB) }, "PutBinding", 2},
		{"Change", []string{phoneA, phoneB}, moved, "PutBinding", 2},
		{"Removal", []string{phoneA}, func(n uint32) Request { return request(n, phoneA+";expires=0") }, "RemoveBinding", 1},
		{"SecondRemoval", []string{phoneA, phoneB}, star, "RemoveBinding", 2},
		{"RemovalAfterBinding", []string{phoneA}, func(n uint32) Request { return request(n, phoneB, phoneA+";expires=0") }, "RemoveBinding", 1},
	} {
		for _, applied := range []bool{false, true} {
			name := tt.name + "RefusedByStore"
			if applied {
				name = tt.name + "AppliedAndLost"
			}
			t.Run(name, func(t *testing.T) {
				inBubble(t, func(t *testing.T, e *edge) {
					if len(tt.before) > 0 {
						want := e.register(request(1, tt.before...))
						if want.Status != 200 {
							t.Fatalf("before: got %d", want.Status)
						}
					}
					q := e.authorized(tt.request(2), "s3cret")
					left := tt.nth
					e.store.FailWith(func(call string) (bool, error) {
						if call == tt.call {
							left--
							if left <= 0 {
								return applied && left == 0, edgetest.ErrDown // and stays down
							}
						}
						return false, nil
					})
					if res, err := e.Register(context.Background(), q); fault.Of(err) != fault.Unavailable {
						t.Fatalf("got %+v, %v, want fault.Unavailable", res, err)
					}
					if len(tt.before) != e.Count() {
						t.Errorf("edge holds %d bindings, want %d", e.Count(), len(tt.before))
					}
					time.Sleep(time.Minute) // fake
					e.store.FailWith(nil)
					time.Sleep(2 * repairWaitMax) // fake
					live := e.contacts()
					if len(live) != len(tt.before) {
						t.Errorf("store has %v, want %v", live, tt.before)
					}
					for _, contact := range tt.before {
						if !live[contact] {
							t.Errorf("store lost %s", contact)
						}
					}
					if res := e.register(tt.request(3)); res.Status != 200 {
						t.Errorf("next try: got %d, want 200", res.Status)
					}
				})
			})
		}
	}
}

func TestRepairDoesNotUndoALaterRequest(t *testing.T) {
	inBubble(t, func(t *testing.T, e *edge) {
		q := e.authorized(request(1, phoneA), "s3cret")
		e.store.FailCall("PutBinding", true)
		if _, err := e.Register(context.Background(), q); err == nil {
			t.Fatal("got no error")
		}
		e.store.FailWith(nil)
		want(t, e.register(request(2, phoneA)), 200, phoneA+";expires=3600")
		time.Sleep(time.Minute) // fake
		if live := e.contacts(); !live[phoneA] {
			t.Errorf("got %v, want %s", live, phoneA)
		}
	})
}

func TestBindingRunsOut(t *testing.T) {
	inBubble(t, func(t *testing.T, e *edge) {
		e.register(request(1, phoneA+";expires=100", phoneB+";expires=200"))
		time.Sleep(99 * time.Second) // fake
		want(t, e.register(request(2, phoneB+";expires=60")), 200, phoneA+";expires=1", phoneB+";expires=60")
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		if live := e.contacts(); live[phoneA] || !live[phoneB] {
			t.Errorf("after 100 s: got %v, want only B", live)
		}
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if stored := e.store.Stored(aor); len(stored) != 0 || e.Count() != 0 {
			t.Errorf("after all have run out: got %v and %d held", stored, e.Count())
		}
	})
}

func TestRefreshMovesTheDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, e *edge) {
		for i := range 20 {
			e.register(request(uint32(i+1), phoneA+";expires=60"))
			time.Sleep(50 * time.Second) // fake
			if live := e.contacts(); !live[phoneA] {
				t.Fatalf("refresh %d: binding is gone", i)
			}
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if live := e.contacts(); len(live) != 0 {
			t.Errorf("got %v, want none", live)
		}
	})
}

func TestRefreshMayShortenTheDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, e *edge) {
		e.register(request(1, phoneA+";expires=120"))
		e.register(request(2, phoneA+";expires=61"))
		if got := e.store.Count("PutBinding"); got != 1 {
			t.Fatalf("got %d writes, want 1", got)
		}
		time.Sleep(62 * time.Second) // fake
		synctest.Wait()
		if live := e.contacts(); len(live) != 0 {
			t.Errorf("got %v, want none", live)
		}
	})
}

func TestExpiredBindingIsRemovedOnceTheStoreIsBack(t *testing.T) {
	inBubble(t, func(t *testing.T, e *edge) {
		e.register(request(1, phoneA+";expires=60"))
		e.store.FailCall("RemoveBinding", false)
		time.Sleep(5 * time.Minute) // fake
		if got := e.Count(); got != 0 {
			t.Errorf("edge holds %d bindings, want 0", got)
		}
		e.store.FailWith(nil)
		time.Sleep(repairWaitMax + repairTick)
		synctest.Wait()
		if live := e.contacts(); len(live) != 0 {
			t.Errorf("got %v, want none", live)
		}
	})
}

// TestKilledEdge checks the liveness formula over the death of an edge and the
// return of its phone to the next one.
func TestKilledEdge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := edgetest.NewStore(t)
		store.AddCredential(alice())
		first := startEdge(t, "edge-1", store, time.Now)
		stop := first.start()
		first.register(request(1, phoneA+";expires=100", phoneB+";expires=600"))
		time.Sleep(80 * time.Second) // fake
		first.register(request(2, phoneA+";expires=100"))
		time.Sleep(21 * time.Second)
		stop() // without marking the lease: as if killed
		renewed := time.Now().Add(-time.Second)

		second := startEdge(t, "edge-2", store, time.Now)
		defer second.start()()
		if live := second.contacts(); !live[phoneA] || !live[phoneB] {
			t.Errorf("just after the kill: got %v, want both", live)
		}
		targets, err := second.Live(context.Background(), aor)
		if err != nil || len(targets) != 2 || !targets[0].Elsewhere {
			t.Errorf("lease still fresh: got %+v, %v, want two elsewhere", targets, err)
		}
		time.Sleep(registration.LeaseLife)
		targets, err = second.Live(context.Background(), aor)
		if err != nil || len(targets) != 2 || targets[0].Elsewhere {
			t.Errorf("lease has run out: got %+v, %v, want two here", targets, err)
		}
		// The phone comes back with its next refresh.
		want(t, second.register(request(3, phoneA+";expires=100")), 200, phoneA+";expires=100",
			phoneB+";expires="+seconds(time.Until(renewed.Add(600*time.Second))))
		if len(second.fresh) != 1 {
			t.Errorf("got %d fresh registrations, want 1", len(second.fresh))
		}
		for _, b := range store.Stored(aor) {
			if wantEdge := map[string]string{phoneA: "edge-2", phoneB: "edge-1"}["<"+b.Contact+">"]; b.Edge != wantEdge {
				t.Errorf("%s: held by %s, want %s", b.Contact, b.Edge, wantEdge)
			}
		}
		time.Sleep(99 * time.Second)
		if live := second.contacts(); !live[phoneA] || !live[phoneB] {
			t.Errorf("got %v, want both", live)
		}
		time.Sleep(2 * time.Second)
		if live := second.contacts(); live[phoneA] || !live[phoneB] {
			t.Errorf("A has run out: got %v, want only B", live)
		}
		time.Sleep(time.Until(renewed.Add(600*time.Second + time.Millisecond)))
		if live := second.contacts(); len(live) != 0 {
			t.Errorf("600 s after the last renewal: got %v, want none", live)
		}
	})
}

func TestStoppedEdge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := edgetest.NewStore(t)
		store.AddCredential(alice())
		first := startEdge(t, "edge-1", store, time.Now)
		stop := first.start()
		first.register(request(1, phoneA+";expires=100"))
		stop()
		if err := first.lease().Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		second := startEdge(t, "edge-2", store, time.Now)
		targets, err := second.Live(context.Background(), aor)
		if err != nil || len(targets) != 1 || targets[0].Elsewhere {
			t.Fatalf("got %+v, %v, want one that is nobody else's", targets, err)
		}
		if err := second.Remove(context.Background(), targets[0].Binding); err != nil {
			t.Fatal(err)
		}
		if stored := store.Stored(aor); len(stored) != 0 {
			t.Errorf("got %v, want none", stored)
		}
	})
}

func TestRemove(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.register(request(1, phoneA))
	targets, err := e.Live(context.Background(), aor)
	if err != nil || len(targets) != 1 {
		t.Fatalf("got %+v, %v", targets, err)
	}
	e.store.FailCall("RemoveBinding", false)
	if err := e.Remove(context.Background(), targets[0].Binding); fault.Of(err) != fault.Unavailable {
		t.Fatalf("got %v, want fault.Unavailable", err)
	}
	if e.Count() != 1 {
		t.Error("removed from memory, but not from the store")
	}
	e.store.FailWith(nil)
	moved := request(2, phoneA)
	moved.Transport = "TCP"
	e.register(moved)
	if err := e.Remove(context.Background(), targets[0].Binding); err != nil || e.Count() != 1 {
		t.Errorf("phone has moved: got %v and %d bindings, want it to stay", err, e.Count())
	}
	targets, _ = e.Live(context.Background(), aor)
	if err := e.Remove(context.Background(), targets[0].Binding); err != nil || e.Count() != 0 || len(e.store.Stored(aor)) != 0 {
		t.Errorf("got %v and %d bindings, want none", err, e.Count())
	}
	if len(e.table.entries) != 0 {
		t.Errorf("memory keeps %d empty entries", len(e.table.entries))
	}
}

func TestLeaseWaitsForTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := edgetest.NewStore(t)
		e := startEdge(t, "edge-1", store, time.Now)
		back := time.Now().Add(time.Minute)
		store.FailWith(func(string) (bool, error) {
			if time.Now().Before(back) {
				return false, edgetest.ErrDown
			}
			return false, nil
		})
		if err := e.lease().Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		store.FailWith(func(string) (bool, error) { return false, errors.New("no such table") })
		if err := e.lease().Start(context.Background()); err == nil {
			t.Error("an error that waiting does not mend: got nil")
		}
	})
}
