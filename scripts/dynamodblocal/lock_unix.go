//go:build unix

package dynamodblocal

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// lockPeriod is how often a held lock is tried again.
const lockPeriod = 100 * time.Millisecond

// lockFile takes the advisory lock of a file, which ends with this process if
// not sooner, and returns how to give it back. It waits while another process
// has it, until ctx ends.
func lockFile(ctx context.Context, path string) (func(), error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(lockPeriod)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			file.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}
