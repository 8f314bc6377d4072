package registrar

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/registration"
)

// Target is a live binding.
type Target struct {
	registration.Binding
	// Elsewhere tells that another edge that is alive holds the phone's flow,
	// so that only it can reach the phone.
	Elsewhere bool
}

// Live returns the bindings of aor that are live now. It includes every binding
// whose REGISTER was acknowledged before the call. The error is
// fault.Unreachable if the store does not answer.
func (r *Registrar) Live(ctx context.Context, aor credential.AOR) ([]Target, error) {
	e := r.table.enter(aor)
	defer r.table.leave(aor, e)
	now := r.Now()
	if err := r.readOthers(ctx, aor, e, now); err != nil {
		return nil, err
	}
	var out []Target
	for _, held := range e.held {
		if held.runsOut().After(now) {
			out = append(out, Target{Binding: held.Binding})
		}
	}
	for _, o := range e.others {
		if !slices.ContainsFunc(out, func(t Target) bool { return t.Key == o.Key }) {
			out = append(out, Target{Binding: o.Binding, Elsewhere: o.elsewhere})
		}
	}
	return out, nil
}

// Remove removes a binding that this edge holds, or that a dead edge held. The
// error is fault.Unreachable if the store does not answer; the binding may then
// be there or not.
func (r *Registrar) Remove(ctx context.Context, b registration.Binding) error {
	e := r.table.enter(b.AOR)
	defer r.table.leave(b.AOR, e)
	i := slices.IndexFunc(e.held, func(held *record) bool { return held.Key == b.Key })
	if i >= 0 && (e.held[i].Received != b.Received || e.held[i].Transport != b.Transport) {
		return nil // the phone has registered from another place meanwhile
	}
	if err := r.Bindings.RemoveBinding(ctx, b); err != nil {
		return fmt.Errorf("remove binding: %w", err)
	}
	r.settled(repairKey{b.AOR, b.Key})
	if i >= 0 {
		r.table.remove(e, e.held[i])
	}
	e.others = slices.DeleteFunc(e.others, func(o other) bool { return o.Key == b.Key })
	return nil
}

// Count returns how many bindings the edge holds.
func (r *Registrar) Count() int {
	r.table.mu.Lock()
	defer r.table.mu.Unlock()
	return len(r.table.queue)
}

// liveElsewhere returns the stored bindings that other edges hold, or held when
// they died, and that are live.
func (r *Registrar) liveElsewhere(ctx context.Context, stored []registration.Binding, now time.Time) ([]other, error) {
	edges := map[string]bool{}
	for _, b := range stored {
		if b.Edge != r.Edge {
			edges[b.Edge] = true
		}
	}
	if len(edges) == 0 {
		return nil, nil
	}
	leases, err := r.Bindings.Leases(ctx, slices.Sorted(maps.Keys(edges)))
	if err != nil {
		return nil, fmt.Errorf("read leases: %w", err)
	}
	var out []other
	for _, b := range stored {
		lease := leases[b.Edge]
		if b.Edge == r.Edge || !b.Live(lease, now) {
			continue
		}
		// A binding without any time of its own lives just while its edge does.
		o := other{Binding: b, elsewhere: registration.Binding{}.Live(lease, now)}
		if o.elsewhere {
			o.until = now.Add(b.Expiry) // at the latest, unless its phone refreshes it
		} else if o.until = lease.Renewed.Add(b.Expiry); b.Written.After(lease.Renewed) {
			o.until = b.Written.Add(b.Expiry)
		}
		out = append(out, o)
	}
	return out, nil
}

// Run removes bindings that run out and repairs the store until ctx ends.
func (r *Registrar) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { r.expireLoop(ctx); return nil })
	g.Go(func() error { r.repairLoop(ctx); return nil })
	return g.Wait()
}

func (r *Registrar) expireLoop(ctx context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	slots := make(chan struct{}, expireWorkers)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due, wait := r.table.due(r.Now())
		if due != nil {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			workers.Go(func() {
				defer func() { <-slots }()
				r.expire(ctx, due)
			})
			continue
		}
		if wait == 0 {
			wait = time.Hour // nothing is bound; add wakes us
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-r.table.wake:
		case <-timer.C:
		}
	}
}

// expire removes a binding unless it was refreshed meanwhile. For memory it is
// gone at once; the store follows.
func (r *Registrar) expire(ctx context.Context, due *record) {
	e := r.table.enter(due.AOR)
	defer r.table.leave(due.AOR, e)
	if !slices.Contains(e.held, due) {
		return
	}
	if due.runsOut().After(r.Now()) {
		r.table.requeue(due)
		return
	}
	r.table.remove(e, due)
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	if err := r.Bindings.RemoveBinding(ctx, due.Binding); err != nil {
		r.Log.Warn("expired binding not removed yet", "aor", due.AOR, "err", err)
		r.repairLater(repairKey{due.AOR, due.Key}, repair{})
		return
	}
	r.settled(repairKey{due.AOR, due.Key})
}

func (r *Registrar) repairLoop(ctx context.Context) {
	tick := time.NewTicker(repairTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, k := range r.dueRepairs() {
			if ctx.Err() != nil {
				return
			}
			r.mend(ctx, k)
		}
	}
}

// DeviceLive returns the live bindings of a device at aor; if aor is empty,
// wherever it is bound. It includes every binding whose REGISTER was
// acknowledged before the call by this edge and, if aor is given, by any.
func (r *Registrar) DeviceLive(ctx context.Context, accountID, deviceID string, aor credential.AOR) ([]Target, error) {
	aors := map[credential.AOR]bool{aor: true}
	if aor == "" {
		stored, err := r.Bindings.AccountBindings(ctx, accountID)
		if err != nil {
			return nil, fmt.Errorf("read bindings of account: %w", err)
		}
		aors = r.table.aorsOf(accountID, deviceID)
		for _, b := range stored {
			if b.DeviceID == deviceID {
				aors[b.AOR] = true
			}
		}
	}
	var out []Target
	for aor := range aors {
		targets, err := r.Live(ctx, aor)
		if err != nil {
			return nil, err
		}
		for _, t := range targets {
			if t.AccountID == accountID && t.DeviceID == deviceID {
				out = append(out, t)
			}
		}
	}
	return out, nil
}
