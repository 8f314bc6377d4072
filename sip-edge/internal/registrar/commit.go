package registrar

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/registration"
)

// commit stores what is planned and then takes it into memory. If the store
// fails on the way nothing is taken over, and what it may have got already is
// put right again in the background.
func (r *Registrar) commit(ctx context.Context, e *entry, p *plan) error {
	var begun []*item
	for _, i := range p.items {
		var err error
		switch {
		case i.removed && i.old.Key != "":
			begun = append(begun, i)
			err = r.Bindings.RemoveBinding(ctx, i.old)
		case i.write:
			begun = append(begun, i)
			err = r.Bindings.PutBinding(ctx, *i.next)
		}
		if err != nil {
			r.undo(p.aor, begun)
			return fmt.Errorf("store bindings: %w", err)
		}
	}
	for _, i := range begun {
		key := i.old.Key
		if i.next != nil {
			key = i.next.Key
		}
		r.settled(repairKey{p.aor, key})
	}
	e.others = slices.DeleteFunc(e.others, func(o other) bool { return !p.leaves(o) })
	for _, i := range p.items {
		switch {
		case i.removed && i.held != nil:
			r.table.remove(e, i.held)
		case i.next == nil: // the request leaves it alone
		case i.write:
			if i.held != nil {
				r.table.remove(e, i.held)
			}
			// The fields of a record other than the order of its requests never
			// change, so that others may read them.
			added := &record{Binding: *i.next, index: -1}
			added.deadline.Store(i.until.UnixNano())
			r.table.add(e, added)
		default:
			i.held.CallID, i.held.CSeq = i.next.CallID, i.next.CSeq
			r.table.extend(i.held, i.until)
		}
	}
	return nil
}

// leaves tells whether the plan leaves o with its edge.
func (p *plan) leaves(o other) bool {
	return slices.ContainsFunc(p.items, func(i *item) bool { return i.held == nil && i.old.Key == o.Key && i.next == nil && !i.removed })
}

const (
	// storeWait bounds one call of the store in the background.
	storeWait = 5 * time.Second
	// repairTick is how often the background looks for something to repair.
	repairTick = 500 * time.Millisecond
	// repairWaitMax bounds the wait between two tries to repair one binding.
	repairWaitMax = 30 * time.Second
	// maxRepairs bounds the bindings that wait for repair.
	maxRepairs = 100_000
	// expireWorkers bounds the bindings that are being removed at once.
	expireWorkers = 8
)

type repairKey struct {
	aor credential.AOR
	key string
}

// repair is a binding that the store may have wrong, because a write of it
// failed or may have failed. What is right is what memory has, or else restore,
// or else nothing.
type repair struct {
	restore *registration.Binding // was held by another edge before
	next    time.Time
	wait    time.Duration
}

// undo queues the repair of what a failed request may have written.
func (r *Registrar) undo(aor credential.AOR, begun []*item) {
	for _, i := range begun {
		broken := repair{}
		key := i.old.Key
		switch {
		case i.next != nil && key == "":
			key = i.next.Key
		case i.held == nil:
			broken.restore = &i.old
		}
		r.repairLater(repairKey{aor, key}, broken)
	}
}

func (r *Registrar) repairLater(k repairKey, broken repair) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.repairs[k]; !known && len(r.repairs) >= maxRepairs {
		r.Log.Error("too many bindings to repair", "aor", k.aor)
		return
	}
	broken.next, broken.wait = r.Now(), repairTick
	r.repairs[k] = &broken
}

// settled tells that the store has the binding right again.
func (r *Registrar) settled(k repairKey) {
	r.mu.Lock()
	delete(r.repairs, k)
	r.mu.Unlock()
}

// dueRepairs returns what to repair now.
func (r *Registrar) dueRepairs() []repairKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []repairKey
	now := r.Now()
	for k, broken := range r.repairs {
		if !broken.next.After(now) {
			out = append(out, k)
		}
	}
	return out
}

// mend makes the store agree with memory about one binding.
func (r *Registrar) mend(ctx context.Context, k repairKey) {
	e := r.table.enter(k.aor)
	defer r.table.leave(k.aor, e)
	r.mu.Lock()
	broken := r.repairs[k]
	r.mu.Unlock()
	if broken == nil {
		return // a request has put it right meanwhile
	}
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	var err error
	if i := slices.IndexFunc(e.held, func(held *record) bool { return held.Key == k.key }); i >= 0 {
		err = r.Bindings.PutBinding(ctx, e.held[i].Binding)
	} else if broken.restore != nil {
		err = r.Bindings.PutBinding(ctx, *broken.restore)
	} else {
		err = r.Bindings.RemoveBinding(ctx, registration.Binding{AOR: k.aor, Key: k.key, Edge: r.Edge})
	}
	if err == nil {
		r.settled(k)
		return
	}
	r.Log.Warn("binding could not be repaired", "aor", k.aor, "err", err)
	r.mu.Lock()
	broken.wait = min(2*broken.wait, repairWaitMax)
	broken.next = r.Now().Add(broken.wait)
	r.mu.Unlock()
}
