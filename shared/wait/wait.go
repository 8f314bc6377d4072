// Package wait waits in a way that can be ended.
package wait

import (
	"context"
	"time"
)

// For waits for d. It returns false if ctx ended before.
func For(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
