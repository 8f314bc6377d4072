package registrar

import (
	"container/heap"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/registration"
)

// record is a binding that this edge holds. The binding is as stored, but for
// CallID and CSeq, which are those of the last REGISTER.
type record struct {
	registration.Binding // guarded by its entry's mu
	deadline             atomic.Int64

	// Guarded by table.mu: the place in the queue of deadlines, -1 if it is not
	// there, and the deadline that it is queued for. A refresh moves only the
	// deadline, and the queue catches up when the old one comes.
	index  int
	queued int64
}

func (r *record) runsOut() time.Time { return time.Unix(0, r.deadline.Load()) }

// other is a binding that another edge holds, as last read.
type other struct {
	registration.Binding
	until     time.Time // when it runs out if its phone does not refresh it
	elsewhere bool      // its edge was alive
}

// entry is what the edge knows of one address-of-record.
type entry struct {
	users int // who has it in hand; guarded by table.mu

	// mu is held while the bindings are looked at or changed, with all calls of
	// the store that belong to it: changes of one address-of-record happen one
	// after the other.
	mu     sync.Mutex
	held   []*record
	others []other
}

// table is the edge's memory of bindings.
type table struct {
	mu      sync.Mutex // taken after entry.mu, never held during a call of the store
	entries map[credential.AOR]*entry
	queue   deadlines
	wake    chan struct{} // has an element when the first deadline may have become earlier
}

func newTable() *table {
	return &table{entries: map[credential.AOR]*entry{}, wake: make(chan struct{}, 1)}
}

// enter returns the entry of aor, locked. The caller must leave it.
func (t *table) enter(aor credential.AOR) *entry {
	t.mu.Lock()
	e := t.entries[aor]
	if e == nil {
		e = &entry{}
		t.entries[aor] = e
	}
	e.users++
	t.mu.Unlock()
	e.mu.Lock()
	return e
}

// leave unlocks an entry and forgets it if it holds nothing.
func (t *table) leave(aor credential.AOR, e *entry) {
	empty := len(e.held) == 0
	e.mu.Unlock()
	t.mu.Lock()
	e.users--
	if empty && e.users == 0 {
		delete(t.entries, aor)
	}
	t.mu.Unlock()
}

// add puts a record into e, which the caller has entered.
func (t *table) add(e *entry, r *record) {
	e.held = append(e.held, r)
	t.mu.Lock()
	r.queued = r.deadline.Load()
	heap.Push(&t.queue, r)
	t.wakeUp(r.index == 0)
	t.mu.Unlock()
}

// remove takes a record out of e, which the caller has entered. It returns
// false if it was not there.
func (t *table) remove(e *entry, r *record) bool {
	for i, held := range e.held {
		if held == r {
			e.held = append(e.held[:i], e.held[i+1:]...)
			t.mu.Lock()
			if r.index >= 0 {
				heap.Remove(&t.queue, r.index)
			}
			t.mu.Unlock()
			return true
		}
	}
	return false
}

// extend gives a record of an entered entry another deadline.
func (t *table) extend(r *record, deadline time.Time) {
	r.deadline.Store(deadline.UnixNano())
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.index >= 0 && deadline.UnixNano() < r.queued {
		r.queued = deadline.UnixNano()
		heap.Fix(&t.queue, r.index)
		t.wakeUp(r.index == 0)
	}
}

// wakeUp makes the expiry loop look at the queue again.
func (t *table) wakeUp(first bool) {
	if !first {
		return
	}
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// requeue puts a record back whose deadline has moved on. Its entry is entered.
func (t *table) requeue(r *record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.index < 0 {
		r.queued = r.deadline.Load()
		heap.Push(&t.queue, r)
	}
}

// due takes a record that has run out by now from the queue, or tells how long
// it is to the next deadline; zero if there is none.
func (t *table) due(now time.Time) (*record, time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.queue) > 0 {
		first := t.queue[0]
		if first.queued > now.UnixNano() {
			return nil, time.Duration(first.queued - now.UnixNano())
		}
		if deadline := first.deadline.Load(); deadline > now.UnixNano() {
			first.queued = deadline
			heap.Fix(&t.queue, 0)
			continue
		}
		return heap.Pop(&t.queue).(*record), 0
	}
	return nil, 0
}

// deadlines is a heap of records (container/heap).
type deadlines []*record

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].queued < d[j].queued }
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = i, j
}

// Push implements heap.Interface.
func (d *deadlines) Push(x any) {
	r := x.(*record)
	r.index = len(*d)
	*d = append(*d, r)
}

// Pop implements heap.Interface.
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	r := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	r.index = -1
	return r
}

// aorsOf returns the addresses-of-record that a device is bound to here. It
// looks at every binding: it is for the rare device without a username.
func (t *table) aorsOf(accountID, deviceID string) map[credential.AOR]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[credential.AOR]bool{}
	for _, r := range t.queue {
		if r.AccountID == accountID && r.DeviceID == deviceID {
			out[r.AOR] = true
		}
	}
	return out
}
