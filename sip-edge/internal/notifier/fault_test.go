package notifier

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/sip-edge/internal/edgetest"
)

// TestStoreFaults fails each call of the store, before and after it is applied,
// for a while. No command may be lost, and no phone may get one twice.
func TestStoreFaults(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"ClaimCommand", "FinishCommand", "PendingCommands", "DueCommands"} {
		for _, applied := range []bool{false, true} {
			for _, outage := range []time.Duration{300 * time.Millisecond, 30 * time.Second, 3 * time.Minute} {
				name := call + "RefusedFor" + outage.String()
				if applied {
					name = call + "AppliedAndLostFor" + outage.String()
				}
				t.Run(name, func(t *testing.T) {
					inBubble(t, func(t *testing.T, b *bench) {
						b.bind(phone("a"))
						b.store.FailCall(call, applied)
						ref := b.store.Give(edgetest.NewCommand(alice(), time.Now(), checkSync()))
						if call == "PendingCommands" {
							b.Fresh("acc", "dev")
						} else {
							b.Enqueue(ref)
						}
						time.Sleep(outage) // fake
						b.store.FailWith(nil)
						time.Sleep(2 * (command.ClaimLife + SweepPeriod))
						synctest.Wait()
						got := b.store.Command(ref)
						if call == "ClaimCommand" && applied && outage > command.MaxAttempts*command.ClaimLife {
							// Each claim counts, also those whose answer was lost.
							if got.State != command.Failed || len(b.got()) != 0 || len(got.Deliveries) != 1 || got.Deliveries[0].Reason == "" {
								t.Errorf("got state %s, receipts %+v, want failed with a reason", got.State, got.Deliveries)
							}
							return
						}
						if got.State != command.Delivered {
							t.Errorf("got state %s, want delivered", got.State)
						}
						if sent := b.got(); len(sent) != 1 {
							t.Errorf("got %d NOTIFYs, want 1", len(sent))
						}
					})
				})
			}
		}
	}
}

func TestBindingsThatCannotBeReadAreReadLater(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.bind(phone("a"))
		b.fail(edgetest.ErrDown)
		ref := b.store.Give(edgetest.NewCommand(alice(), time.Now(), checkSync()))
		b.Enqueue(ref)
		time.Sleep(time.Minute) // fake
		if got := b.store.Command(ref); got.State.Final() {
			t.Fatalf("got state %s while the bindings are unknown", got.State)
		}
		b.fail(nil)
		time.Sleep(SweepPeriod + handOver)
		synctest.Wait()
		if got := b.store.Command(ref); got.State != command.Delivered {
			t.Errorf("got state %s, want delivered", got.State)
		}
	})
}

func TestFailedDropIsRepeated(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		c := edgetest.NewCommand(alice(), time.Now(), nil)
		c.Drop = true
		b.bind(phone("a"))
		ref := b.store.Give(c)
		b.fail(edgetest.ErrDown)
		b.Enqueue(ref)
		time.Sleep(time.Second) // fake
		b.fail(nil)
		time.Sleep(SweepPeriod + handOver)
		synctest.Wait()
		if got := b.store.Command(ref); got.State != command.Delivered || len(b.targets) != 0 {
			t.Errorf("got state %s with %d bindings, want delivered with none", got.State, len(b.targets))
		}
	})
}
