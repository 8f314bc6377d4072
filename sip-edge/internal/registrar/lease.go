package registrar

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/shared/wait"
)

// leaseRetry is the wait after a renewal that failed.
const leaseRetry = time.Second

// Lease is an edge's sign of life in the store.
type Lease struct {
	Edge  string
	Store registration.Store
	Now   func() time.Time
	Log   *slog.Logger
}

// Start writes the lease for the first time. While the store does not answer it
// tries on, until ctx ends. It must have returned before the first binding is
// made.
func (l Lease) Start(ctx context.Context) error {
	for {
		err := l.put(ctx, false)
		if err == nil {
			return nil
		}
		if fault.Of(err) != fault.Unavailable || ctx.Err() != nil {
			return err
		}
		l.Log.Warn("waiting for the store", "err", err)
		if !wait.For(ctx, leaseRetry) {
			return ctx.Err()
		}
	}
}

// Run renews the lease until ctx ends.
func (l Lease) Run(ctx context.Context) error {
	pause := registration.LeasePeriod
	for wait.For(ctx, pause) {
		pause = registration.LeasePeriod
		if err := l.put(ctx, false); err != nil && ctx.Err() == nil {
			l.Log.Warn("lease not renewed", "err", err)
			pause = leaseRetry
		}
	}
	return nil
}

// Stop marks the lease as given up in good order: from now on the bindings live
// as long as was granted, and no longer.
func (l Lease) Stop(ctx context.Context) error { return l.put(ctx, true) }

func (l Lease) put(ctx context.Context, stopped bool) error {
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	if err := l.Store.PutLease(ctx, registration.Lease{Edge: l.Edge, Renewed: l.Now(), Stopped: stopped}); err != nil {
		return fmt.Errorf("put lease: %w", err)
	}
	return nil
}
