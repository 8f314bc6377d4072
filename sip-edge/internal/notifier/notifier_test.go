package notifier

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/shared/wait"
	"github.com/dialplane/dialplane/sip-edge/internal/edgetest"
	"github.com/dialplane/dialplane/sip-edge/internal/registrar"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func alice() credential.Credential {
	c := credential.New("acme.example.com", "alice", "s3cret")
	c.AccountID, c.DeviceID = "acc", "dev"
	return c
}

func phone(name string) registrar.Target {
	return registrar.Target{Binding: registration.Binding{
		AOR: alice().AOR(), Key: name, AccountID: "acc", DeviceID: "dev", Username: "alice", Realm: "acme.example.com", Edge: "edge-1",
		Contact: "sip:alice@" + name, Received: "192.0.2.7:4444", Transport: "UDP", Expiry: time.Hour,
	}}
}

func elsewhere(t registrar.Target) registrar.Target { t.Elsewhere = true; return t }

// world is the phones, and what the edge knows of them.
type world struct {
	mu      sync.Mutex
	targets []registrar.Target
	err     error // of DeviceLive and Remove
	answers map[string]int
	silence map[string]time.Duration // before the answer
	sent    []string
}

func (w *world) DeviceLive(context.Context, string, string, credential.AOR) ([]registrar.Target, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.targets), w.err
}

func (w *world) Remove(_ context.Context, b registration.Binding) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.targets = slices.DeleteFunc(w.targets, func(t registrar.Target) bool { return t.Key == b.Key })
	}
	return w.err
}

func (w *world) Send(ctx context.Context, b registration.Binding, n command.Notify) (command.Delivery, bool) {
	w.mu.Lock()
	w.sent = append(w.sent, b.Key)
	status, silence := w.answers[b.Key], w.silence[b.Key]
	w.mu.Unlock()
	d := command.Delivery{Contact: b.Contact, Event: n.Event, Edge: "edge-1", Status: status, Sent: time.Now()}
	if !wait.For(ctx, silence) {
		return d, false
	}
	d.Answered = time.Now()
	return d, true
}

func (w *world) bind(targets ...registrar.Target) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.targets = targets
}

func (w *world) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

func (w *world) got() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(slices.Values(w.sent))
}

// bench runs a notifier in fake time.
type bench struct {
	*Notifier
	*world
	store *edgetest.Store
	stop  func()
}

func inBubble(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	inBubbleWithQueue(t, queueDepth, test)
}

func inBubbleWithQueue(t *testing.T, depth int, test func(t *testing.T, b *bench)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{world: &world{answers: map[string]int{"a": 200, "b": 200}, silence: map[string]time.Duration{}}, store: edgetest.NewStore(t)}
		b.store.AddCredential(alice())
		b.Notifier = New(Config{Edge: "edge-1", Commands: b.store, Bindings: b.world, Phones: b.world, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		b.queue = make(chan command.Ref, depth)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		b.stop = sync.OnceFunc(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		defer b.stop()
		synctest.Wait()
		test(t, b)
	})
}

func checkSync() *command.Notify { return &command.Notify{Event: "check-sync"} }

func TestCommand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		targets []registrar.Target
		answers map[string]int
		command func(*command.Command)
		state   command.State
		due     time.Duration // after the start; of a pending command
		sent    []string
		left    []string // bindings
		last    int      // status of the last receipt
	}{
		{name: "Delivers", targets: []registrar.Target{phone("a")}, state: command.Delivered, sent: []string{"a"}, left: []string{"a"}, last: 200},
		{name: "DeliversToAll", targets: []registrar.Target{phone("a"), phone("b")}, state: command.Delivered, sent: []string{"a", "b"}, left: []string{"a", "b"}, last: 200},
		{name: "OneThatAcceptsIsEnough", targets: []registrar.Target{phone("a"), phone("b")}, answers: map[string]int{"a": 202, "b": 481},
			state: command.Delivered, sent: []string{"a", "b"}, left: []string{"a", "b"}, last: 481},
		{name: "FailsWhenRefused", targets: []registrar.Target{phone("a")}, answers: map[string]int{"a": 481}, state: command.Failed, sent: []string{"a"}, left: []string{"a"}, last: 481},
		{name: "FailsWhenSilent", targets: []registrar.Target{phone("a")}, answers: map[string]int{"a": 408}, state: command.Failed, sent: []string{"a"}, left: []string{"a"}, last: 408},
		{name: "FailsWhenItCannotBeSent", targets: []registrar.Target{phone("a")}, answers: map[string]int{"a": 0}, state: command.Failed, sent: []string{"a"}, left: []string{"a"}},
		{name: "WaitsForAPhone", state: command.Pending, due: command.DefaultLife},
		{name: "WaitsWhenTheFlowIsGone", targets: []registrar.Target{phone("a")}, answers: map[string]int{"a": 430},
			state: command.Pending, due: command.DefaultLife, sent: []string{"a"}, last: 430},
		{name: "Expires", targets: []registrar.Target{phone("a")}, command: func(c *command.Command) { c.Expires = c.Created }, state: command.Expired, left: []string{"a"}},
		{name: "DropsOnly", targets: []registrar.Target{phone("a"), phone("b")}, command: func(c *command.Command) { c.Notify, c.Drop = nil, true }, state: command.Delivered},
		{name: "DropsNothing", command: func(c *command.Command) { c.Notify, c.Drop = nil, true }, state: command.Delivered},
		{name: "NotifiesThenDrops", targets: []registrar.Target{phone("a")}, command: func(c *command.Command) { c.Drop = true }, state: command.Delivered, sent: []string{"a"}, last: 200},
		{name: "DropsAlsoWhenRefused", targets: []registrar.Target{phone("a")}, answers: map[string]int{"a": 481},
			command: func(c *command.Command) { c.Drop = true }, state: command.Failed, sent: []string{"a"}, last: 481},
		{name: "DropsAlsoWhenExpired", targets: []registrar.Target{phone("a")},
			command: func(c *command.Command) { c.Drop, c.Expires = true, c.Created }, state: command.Expired},
		{name: "NobodyLeftAfterADrop", command: func(c *command.Command) { c.Drop = true }, state: command.Expired},
		{name: "LeavesOtherEdgesTheirPhones", targets: []registrar.Target{elsewhere(phone("a"))}, state: command.Pending, due: handOver, left: []string{"a"}},
		{name: "SendsItsOwnAndHandsOver", targets: []registrar.Target{elsewhere(phone("a")), phone("b")}, state: command.Pending, due: handOver,
			sent: []string{"b"}, left: []string{"a", "b"}, last: 200},
		{name: "EndsWhenOtherEdgesAreDone", targets: []registrar.Target{elsewhere(phone("a"))},
			command: func(c *command.Command) {
				c.Deliveries = []command.Delivery{{Contact: "sip:alice@a", Status: 200}}
			}, state: command.Delivered, left: []string{"a"}, last: 200},
		{name: "SendsNobodyTwice", targets: []registrar.Target{phone("a"), phone("b")},
			command: func(c *command.Command) {
				c.Deliveries = []command.Delivery{{Contact: "sip:alice@a", Status: 481}}
			}, state: command.Delivered, sent: []string{"b"}, left: []string{"a", "b"}, last: 200},
		{name: "SendsAgainAfterALostFlow", targets: []registrar.Target{phone("a")},
			command: func(c *command.Command) {
				c.Deliveries = []command.Delivery{{Contact: "sip:alice@a", Status: 430}}
			}, state: command.Delivered, sent: []string{"a"}, left: []string{"a"}, last: 200},
		{name: "GivesUpWhatKillsEdges", targets: []registrar.Target{phone("a")},
			command: func(c *command.Command) { c.Attempts = command.MaxAttempts }, state: command.Failed, left: []string{"a"}},
		{name: "TriesTheLastTime", targets: []registrar.Target{phone("a")},
			command: func(c *command.Command) { c.Attempts = command.MaxAttempts - 1 }, state: command.Delivered, sent: []string{"a"}, left: []string{"a"}, last: 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				b.bind(tt.targets...)
				if tt.answers != nil {
					b.answers = tt.answers
				}
				start := time.Now()
				c := edgetest.NewCommand(alice(), start, checkSync())
				if tt.command != nil {
					tt.command(&c)
				}
				ref := b.store.Give(c)
				b.Enqueue(ref)
				synctest.Wait()
				got := b.store.Command(ref)
				if got.State != tt.state {
					t.Fatalf("got state %s, want %s", got.State, tt.state)
				}
				if got.State == command.Pending && !got.Due.Equal(start.Add(tt.due)) {
					t.Errorf("got due after %v, want %v", got.Due.Sub(start), tt.due)
				}
				if got.Attempts != 0 && !got.State.Final() {
					t.Errorf("got %d attempts, want 0 after giving up in good order", got.Attempts)
				}
				if !slices.Equal(b.got(), tt.sent) {
					t.Errorf("got NOTIFYs to %v, want %v", b.got(), tt.sent)
				}
				var left []string
				for _, target := range b.targets {
					left = append(left, target.Key)
				}
				if !slices.Equal(left, tt.left) {
					t.Errorf("got bindings %v, want %v", left, tt.left)
				}
				last := 0
				if len(got.Deliveries) > 0 {
					last = got.Deliveries[len(got.Deliveries)-1].Status
				}
				if last != tt.last {
					t.Errorf("got receipts %+v, want the last to be %d", got.Deliveries, tt.last)
				}
				if tt.name == "GivesUpWhatKillsEdges" && (len(got.Deliveries) != 1 || got.Deliveries[0].Reason == "") {
					t.Errorf("got receipts %+v, want one with a reason", got.Deliveries)
				}
			})
		})
	}
}

// TestPhoneThatRegistersMeanwhile has a phone register just when its command is
// given up for want of one, after it looked for pending commands.
func TestPhoneThatRegistersMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		ref := b.store.Give(edgetest.NewCommand(alice(), time.Now(), checkSync()))
		b.store.FailWith(func(call string) (bool, error) {
			if call == "FinishCommand" {
				b.bind(phone("a"))
			}
			return false, nil
		})
		b.Enqueue(ref)
		synctest.Wait()
		if got := b.store.Command(ref); got.State != command.Delivered {
			t.Errorf("got state %s, want delivered", got.State)
		}
	})
}

func TestFreshPhoneGetsWhatIsPending(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		var refs []command.Ref
		for range 3 {
			refs = append(refs, b.store.Give(edgetest.NewCommand(alice(), time.Now(), checkSync())))
			b.Enqueue(refs[len(refs)-1])
			synctest.Wait()
		}
		b.bind(phone("a"))
		b.Fresh("acc", "dev")
		synctest.Wait()
		for _, ref := range refs {
			if got := b.store.Command(ref); got.State != command.Delivered {
				t.Errorf("got state %s, want delivered", got.State)
			}
		}
	})
}

func TestSweeper(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		command func(*command.Command)
		bound   bool
		within  time.Duration
		state   command.State
	}{
		{"FindsWhatTheStreamLost", func(*command.Command) {}, true, command.SweepAfter + SweepPeriod, command.Delivered},
		{"FindsWhatADeadEdgeLeft", func(c *command.Command) {
			c.State, c.Edge, c.Claim, c.Due, c.Attempts = command.Sending, "edge-0", "claim-0", c.Created.Add(command.ClaimLife), 1
		}, true, command.ClaimLife + SweepPeriod, command.Delivered},
		{"EndsWhatWaitedTooLong", func(c *command.Command) {
			c.Expires = c.Created.Add(time.Minute)
			c.Due = c.Expires
		}, false, time.Minute + SweepPeriod, command.Expired},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				if tt.bound {
					b.bind(phone("a"))
				}
				c := edgetest.NewCommand(alice(), time.Now(), checkSync())
				tt.command(&c)
				ref := b.store.Give(c)
				time.Sleep(tt.within) // fake
				synctest.Wait()
				if got := b.store.Command(ref); got.State != tt.state {
					t.Errorf("got state %s, want %s", got.State, tt.state)
				}
			})
		})
	}
}

func TestFullQueueLeavesCommandsToTheSweeper(t *testing.T) {
	inBubbleWithQueue(t, 8, func(t *testing.T, b *bench) {
		b.bind(phone("a"))
		b.silence["a"] = time.Second
		const commands = workers + 8 + 100
		for range commands {
			b.Enqueue(b.store.Give(edgetest.NewCommand(alice(), time.Now(), checkSync())))
		}
		time.Sleep(20 * time.Minute) // fake
		synctest.Wait()
		all, err := b.store.Commands(context.Background(), "acc", "dev", 2*commands)
		if err != nil || len(all) != commands {
			t.Fatalf("got %d commands, %v", len(all), err)
		}
		for _, c := range all {
			if c.State != command.Delivered {
				t.Fatalf("got state %s, want delivered", c.State)
			}
		}
		if got := len(b.got()); got != commands {
			t.Errorf("got %d NOTIFYs, want %d", got, commands)
		}
	})
}

func TestDrain(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.bind(phone("a"), phone("b"))
		b.silence["a"], b.silence["b"] = DrainTime-time.Second, DrainTime+time.Second
		ref := b.store.Give(edgetest.NewCommand(alice(), time.Now(), checkSync()))
		b.Enqueue(ref)
		synctest.Wait()
		start := time.Now()
		b.stop()
		if took := time.Since(start); took != DrainTime {
			t.Errorf("took %v to stop, want %v", took, DrainTime)
		}
		got := b.store.Command(ref)
		if got.State != command.Pending || !got.Due.Equal(time.Now()) {
			t.Errorf("got state %s due in %v, want pending and due now", got.State, time.Until(got.Due))
		}
		if len(got.Deliveries) != 1 || got.Deliveries[0].Contact != "sip:alice@a" {
			t.Errorf("got receipts %+v, want that of a", got.Deliveries)
		}
		waiting := b.store.Give(edgetest.NewCommand(alice(), time.Now(), checkSync()))
		b.Enqueue(waiting)
		synctest.Wait()
		if got := b.store.Command(waiting); got.State != command.Pending || got.Attempts != 0 {
			t.Errorf("after the stop: got %+v, want it untouched", got)
		}
	})
}
