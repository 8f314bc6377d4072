package dynamodblocal

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	// stopWait is how long a server may take to end in good order before it is
	// killed. It loses nothing either way.
	stopWait = 3 * time.Second
	// cleanWait bounds the removal of a container.
	cleanWait = 10 * time.Second
)

// process is a running server and the goroutine that waits for it.
type process struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the server is gone
	output output
}

// startProcess runs l until ctx ends or stop is called.
func startProcess(ctx context.Context, l launch) (*process, error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &process{cancel: cancel, done: make(chan struct{})}
	cmd := exec.CommandContext(ctx, l.args[0], l.args[1:]...)
	cmd.Dir = l.dir
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	cmd.WaitDelay = stopWait
	bindToParent(cmd, l.orphan)
	started := make(chan error, 1)
	go func() {
		defer close(p.done)
		defer cancel()
		// Linux sends the parent-death signal when the thread that started the
		// child ends, so this goroutine keeps its thread (prctl(2),
		// PR_SET_PDEATHSIG).
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // how it ended is in its output
		killGroup(cmd)
		if l.after != nil {
			clean, stop := context.WithTimeout(context.Background(), cleanWait)
			defer stop()
			// It fails if the container is gone, as it ought to be.
			_ = exec.CommandContext(clean, l.after[0], l.after[1:]...).Run()
		}
	}()
	if err := <-started; err != nil {
		<-p.done
		return nil, err
	}
	return p, nil
}

// stop ends the process and waits until it is gone.
func (p *process) stop() error {
	p.cancel()
	select {
	case <-p.done:
		return nil
	case <-time.After(stopWait + cleanWait + time.Second):
		return fmt.Errorf("stop DynamoDB Local: still there: %s", p.lastWords())
	}
}

// lastWords returns the end of what the process wrote.
func (p *process) lastWords() string { return p.output.String() }

// output keeps the end of what is written to it.
type output struct {
	mu   sync.Mutex
	kept []byte // guarded by mu
}

// maxOutput bounds what is kept of a server's output, in bytes.
const maxOutput = 4096

// Write keeps the last maxOutput bytes.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = append(o.kept, b...)
	o.kept = o.kept[max(0, len(o.kept)-maxOutput):]
	return len(b), nil
}

// String returns what was kept.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.TrimSpace(string(o.kept))
}
