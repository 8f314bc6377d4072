package wait_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialplane/dialplane/shared/wait"
)

func TestFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if !wait.For(t.Context(), time.Minute) || time.Since(start) != time.Minute {
			t.Errorf("waited %v, want a minute", time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if wait.For(ctx, time.Minute) || time.Since(start) != time.Second {
			t.Errorf("waited %v, want the second that the context had", time.Since(start))
		}
	})
}
