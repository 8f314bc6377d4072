package notifier

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/wait"
	"github.com/dialplane/dialplane/sip-edge/internal/registrar"
)

const (
	// finishTime is what is left of a claim for recording the outcome.
	finishTime = 8 * time.Second
	// handOver is when a command is due again that an edge could not finish:
	// the phone's own edge, or the next attempt, takes it up.
	handOver = 5 * time.Second
)

// attempt claims a command, does what it says and records what came of it.
func (n *Notifier) attempt(ctx context.Context, ref command.Ref) {
	log := n.Log.With("account_id", ref.AccountID, "device_id", ref.DeviceID, "command_id", ref.ID)
	start := n.Now()
	c, err := n.claim(ctx, ref)
	switch fault.Of(err) {
	case fault.NotFound, fault.Conflict: // gone, done, or another's
		return
	}
	if err != nil {
		log.Warn("command not claimed", "err", err)
		return
	}
	n.recall(&c)
	before := len(c.Deliveries)
	working, cancel := context.WithDeadline(ctx, time.Now().Add(command.ClaimLife-finishTime))
	defer cancel()
	c.State, c.Due, err = n.work(working, &c)
	c.Attempts = 0 // given up in good order, or final
	sent := len(c.Deliveries) - before
	if surplus := len(c.Deliveries) - command.MaxDeliveries; surplus > 0 {
		c.Deliveries = c.Deliveries[surplus:]
	}
	log = log.With("state", string(c.State), "aor", string(c.AOR), "sent", sent,
		"duration_ms", float64(n.Now().Sub(start).Microseconds())/1000)
	if err = errors.Join(err, n.finish(ctx, c)); err != nil {
		log.Warn("command", "err", err)
	} else {
		log.Info("command")
	}
	if c.State == command.Pending && c.Due.Equal(c.Expires) {
		n.lookAgain(ctx, c)
	}
}

// claim claims a command, trying again while the store does not answer. A claim
// that was made although the store said nothing runs out by itself.
func (n *Notifier) claim(ctx context.Context, ref command.Ref) (c command.Command, err error) {
	for pause := storeRetry; ; pause = 2 * pause {
		c, err = n.Commands.ClaimCommand(ctx, ref, n.Edge, n.Now())
		if fault.Of(err) != fault.Unavailable || pause > storeRetryMax || !wait.For(ctx, pause) {
			return c, err
		}
	}
}

// work does what c says and returns its new state and, if that is Pending, when
// it is due. The error is for the log.
func (n *Notifier) work(ctx context.Context, c *command.Command) (command.State, time.Time, error) {
	soon := n.Now().Add(handOver)
	targets, err := n.Bindings.DeviceLive(ctx, c.AccountID, c.DeviceID, c.AOR)
	if err != nil {
		return command.Pending, soon, err
	}
	var here, elsewhere []registrar.Target
	for _, t := range targets {
		switch {
		case !t.Elsewhere:
			here = append(here, t)
		case c.Drop || !answered(c.Deliveries, t):
			elsewhere = append(elsewhere, t)
		}
	}
	expired, tooOften := !n.Now().Before(c.Expires), c.Attempts > command.MaxAttempts
	if tooOften {
		c.Deliveries = append(c.Deliveries, command.Delivery{Edge: n.Edge, Sent: n.Now(), Reason: "given up: earlier attempts did not finish"})
	} else if c.Notify != nil && !expired && !n.send(ctx, c, here) {
		return command.Pending, n.Now(), context.Cause(ctx) // another edge goes on
	}
	if c.Drop {
		for _, t := range here {
			if err := n.Bindings.Remove(ctx, t.Binding); err != nil {
				return command.Pending, soon, err
			}
		}
	}
	switch {
	case len(elsewhere) > 0 && !expired && !tooOften:
		return command.Pending, soon, nil
	case c.Notify == nil, slices.ContainsFunc(c.Deliveries, command.Delivery.OK):
		return command.Delivered, time.Time{}, nil
	case tooOften, slices.ContainsFunc(c.Deliveries, func(d command.Delivery) bool { return d.Status != statusFlowFailed }):
		return command.Failed, time.Time{}, nil
	case expired, c.Drop: // after a drop no phone of this registration will come back
		return command.Expired, time.Time{}, nil
	}
	return command.Pending, c.Expires, nil
}

// answered tells whether the phone bound as t has had the command: a receipt
// names it that is not about a connection which was gone.
func answered(receipts []command.Delivery, t registrar.Target) bool {
	return slices.ContainsFunc(receipts, func(d command.Delivery) bool {
		return d.Contact == t.Contact && d.Status != statusFlowFailed
	})
}

// send sends c to those of the targets that have not had it, all at once, and
// adds the receipts to c. It returns false if ctx ended before all were known.
func (n *Notifier) send(ctx context.Context, c *command.Command, targets []registrar.Target) bool {
	targets = slices.DeleteFunc(slices.Clone(targets), func(t registrar.Target) bool { return answered(c.Deliveries, t) })
	receipts, known := make([]command.Delivery, len(targets)), make([]bool, len(targets))
	var sending sync.WaitGroup
	for i, t := range targets {
		sending.Go(func() { receipts[i], known[i] = n.Phones.Send(ctx, t.Binding, *c.Notify) })
	}
	sending.Wait()
	whole := true
	for i := range targets {
		if !known[i] {
			whole = false
			continue
		}
		c.Deliveries = append(c.Deliveries, receipts[i])
		if receipts[i].Status == statusFlowFailed {
			if err := n.Bindings.Remove(ctx, targets[i].Binding); err != nil {
				n.Log.Warn("binding without a flow not removed", "aor", string(c.AOR), "err", err)
			}
		}
	}
	return whole
}

// finish records c, trying again while the store does not answer and the claim
// lasts. What cannot be recorded is remembered for the next attempt.
func (n *Notifier) finish(ctx context.Context, c command.Command) error {
	// Also when the edge stops: the outcome is known.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTime)
	defer cancel()
	for pause := storeRetry; ; pause = min(2*pause, storeRetryMax) {
		err := n.Commands.FinishCommand(ctx, c)
		switch {
		case err == nil:
			return nil
		case fault.Of(err) != fault.Unavailable || !wait.For(ctx, pause):
			if len(c.Deliveries) > 0 {
				n.remember(c.Ref(), c.Deliveries)
			}
			return err
		}
	}
}

// lookAgain looks for bindings once more after c was given up for want of one.
// A phone that registered in between has looked for pending commands when c was
// not yet pending again; whoever registers later finds it.
func (n *Notifier) lookAgain(ctx context.Context, c command.Command) {
	targets, err := n.Bindings.DeviceLive(ctx, c.AccountID, c.DeviceID, c.AOR)
	if err != nil || len(targets) > 0 {
		n.Fresh(c.AccountID, c.DeviceID)
	}
}
