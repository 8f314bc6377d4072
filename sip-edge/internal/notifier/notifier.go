// Package notifier carries commands to phones: it claims them, sends NOTIFYs,
// drops bindings, and records what came of it.
//
// It guarantees that a command is recorded as delivered only if a phone has
// accepted it, that a command whose fate could not be recorded is taken up
// again, and that a command which finds no phone is found by the phone that
// registers next. A phone may get a NOTIFY twice when an edge dies between
// sending and recording; never because of a slow store.
package notifier

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/shared/wait"
	"github.com/dialplane/dialplane/sip-edge/internal/registrar"
)

const (
	// queueDepth bounds the commands that wait. What does not fit is left to
	// the sweeper.
	queueDepth = 4096
	// workers bounds the commands in hand. Each may wait 32 s for a silent
	// phone.
	workers = 256
	// DrainTime is how long commands in hand may go on after Run's context has
	// ended: below ECS's StopTimeout of 30 s.
	DrainTime = 20 * time.Second
	// SweepPeriod is how often due commands are looked for.
	SweepPeriod = 15 * time.Second
	// storeRetry is the wait before a failed call of the store is repeated; it
	// doubles up to storeRetryMax.
	storeRetry, storeRetryMax = 100 * time.Millisecond, 2 * time.Second
	// maxUnsaved bounds the commands whose receipts could not be stored and are
	// remembered, so that the next attempt does not send again.
	maxUnsaved = 1024
	// unsavedLife is after what time such receipts make room for others.
	unsavedLife = 10 * time.Minute
	// checkers bounds the devices whose pending commands are looked up at once.
	checkers = 16
)

// Bindings tells where phones are. *registrar.Registrar implements it.
type Bindings interface {
	// DeviceLive returns the live bindings of a device at aor, or wherever it
	// is bound if aor is empty: all that were acknowledged before the call.
	DeviceLive(ctx context.Context, accountID, deviceID string, aor credential.AOR) ([]registrar.Target, error)
	// Remove removes a binding that no other living edge holds.
	Remove(ctx context.Context, b registration.Binding) error
}

// Phones reaches phones. *Sender implements it.
type Phones interface {
	// Send sends a NOTIFY and returns the receipt, or false if ctx ended first.
	Send(ctx context.Context, b registration.Binding, n command.Notify) (command.Delivery, bool)
}

// Config is what a Notifier needs.
type Config struct {
	Edge     string
	Commands command.Store
	Bindings Bindings
	Phones   Phones
	Now      func() time.Time
	Log      *slog.Logger
}

// Notifier takes commands up. Use New; Run must run.
type Notifier struct {
	Config
	queue chan command.Ref

	mu      sync.Mutex
	checks  map[device]bool          // whose pending commands must be looked up
	unsaved map[command.Ref]receipts // what the store does not have
	wake    chan struct{}            // has an element when checks has
}

// receipts are those of a command, with the time when storing them failed.
type receipts struct {
	list   []command.Delivery
	failed time.Time
}

type device struct{ account, id string }

// New returns a notifier that has nothing in hand.
func New(config Config) *Notifier {
	return &Notifier{
		Config: config, queue: make(chan command.Ref, queueDepth), wake: make(chan struct{}, 1),
		checks: map[device]bool{}, unsaved: map[command.Ref]receipts{},
	}
}

// Enqueue takes up a command that needs attention. It never blocks; a command
// that does not fit is found by the sweeper.
func (n *Notifier) Enqueue(ref command.Ref) {
	select {
	case n.queue <- ref:
	default:
		n.Log.Warn("queue is full", "account_id", ref.AccountID, "device_id", ref.DeviceID, "command_id", ref.ID)
	}
}

// Fresh takes up the pending commands of a device that has a phone at a new
// place. It never blocks and is never lost while the process lives.
func (n *Notifier) Fresh(accountID, deviceID string) {
	n.mu.Lock()
	n.checks[device{accountID, deviceID}] = true
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. Commands in hand then have DrainTime to finish;
// what is not finished by then is given back.
func (n *Notifier) Run(ctx context.Context) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var inHand, feeders sync.WaitGroup
	feeders.Go(func() { n.sweepLoop(ctx) })
	feeders.Go(func() { n.checkLoop(ctx) })
	slots := make(chan struct{}, workers)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case slots <- struct{}{}:
			select {
			case <-ctx.Done():
			case ref := <-n.queue:
				inHand.Go(func() {
					defer func() { <-slots }()
					n.attempt(life, ref)
				})
			}
		}
	}
	timer := time.AfterFunc(DrainTime, end)
	defer timer.Stop()
	inHand.Wait()
	feeders.Wait()
	return nil
}

// sweepLoop finds what the stream has lost, what dead edges have left, and what
// has waited too long.
func (n *Notifier) sweepLoop(ctx context.Context) {
	for pause := time.Duration(0); wait.For(ctx, pause); pause = SweepPeriod {
		refs, err := n.Commands.DueCommands(ctx, n.Now(), max(1, cap(n.queue)-len(n.queue)))
		if err != nil && ctx.Err() == nil {
			n.Log.Warn("due commands not read", "err", err)
		}
		for _, ref := range refs {
			n.Enqueue(ref)
		}
	}
}

// checkLoop looks up the pending commands of devices that Fresh named, again
// and again until the store answers.
func (n *Notifier) checkLoop(ctx context.Context) {
	pause := storeRetry
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		}
		n.mu.Lock()
		todo := n.checks
		n.checks = map[device]bool{}
		n.mu.Unlock()
		var failed atomic.Bool
		var looking errgroup.Group
		looking.SetLimit(checkers)
		for d := range todo {
			looking.Go(func() error {
				if err := n.check(ctx, d); err != nil && ctx.Err() == nil {
					n.Log.Warn("pending commands not read", "account_id", d.account, "device_id", d.id, "err", err)
					failed.Store(true)
					n.Fresh(d.account, d.id)
				}
				return nil
			})
		}
		_ = looking.Wait() // they return nil
		if !failed.Load() {
			pause = storeRetry
			continue
		}
		if !wait.For(ctx, pause) {
			return
		}
		pause = min(2*pause, storeRetryMax)
	}
}

// check queues the pending commands of a device.
func (n *Notifier) check(ctx context.Context, d device) error {
	pending, err := n.Commands.PendingCommands(ctx, d.account, d.id)
	if err != nil {
		return err
	}
	for _, c := range pending {
		select {
		case n.queue <- c.Ref():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// remember keeps receipts that could not be stored.
func (n *Notifier) remember(ref command.Ref, list []command.Delivery) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.Now()
	if len(n.unsaved) >= maxUnsaved {
		maps.DeleteFunc(n.unsaved, func(_ command.Ref, r receipts) bool { return now.Sub(r.failed) > unsavedLife })
	}
	if len(n.unsaved) < maxUnsaved {
		n.unsaved[ref] = receipts{list, now}
	}
}

// recall adds to c what could not be stored of its last attempt here.
func (n *Notifier) recall(c *command.Command) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, d := range n.unsaved[c.Ref()].list {
		if !slices.ContainsFunc(c.Deliveries, func(stored command.Delivery) bool {
			return stored.Edge == d.Edge && stored.Contact == d.Contact && stored.Sent.Equal(d.Sent)
		}) {
			c.Deliveries = append(c.Deliveries, d)
		}
	}
	delete(n.unsaved, c.Ref())
}
