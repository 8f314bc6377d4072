package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dialplane/dialplane/shared/ident"
)

// The ways in which an invocation ends without the function's own word.
var (
	errTimedOut = errors.New("the function ran into its timeout and was killed")
	errCrashed  = errors.New("the function's process ended")
	errStopping = errors.New("the system is stopping")
)

// limits bound the instances of one function.
type limits struct {
	instances int           // at most this many at a time; further invocations wait
	idle      time.Duration // an instance unused for so long is stopped
	start     time.Duration // an instance must ask for work within this
	grace     time.Duration // what SIGTERM is given before SIGKILL
}

// lambdaLimits are those of a local run. Lambda allows 10 s for the start
// ("Lambda execution environment", init phase).
var lambdaLimits = limits{instances: 10, idle: 5 * time.Minute, start: 10 * time.Second, grace: time.Second}

// function runs one Lambda function: as many instances of its binary as are
// in use at a time, each serving one invocation after another, started when
// there is none free. A crash costs the one invocation.
type function struct {
	arn     string
	command command // without AWS_LAMBDA_RUNTIME_API
	timeout time.Duration
	limits  limits
	out     *source
	kill    <-chan struct{}

	slots    chan struct{} // one for each instance in use
	stopping chan struct{} // closed by stop
	running  sync.WaitGroup

	mu      sync.Mutex
	stopped bool        // guarded by mu
	idle    []*instance // guarded by mu; used last stands last
}

// instance is one process of a function with its Runtime API.
type instance struct {
	process *process
	api     *runtimeAPI
	expiry  *time.Timer // runs while the instance is idle
	fresh   bool        // has not served an invocation yet
}

func newFunction(arn string, c command, timeout time.Duration, l limits, out *source, kill <-chan struct{}) *function {
	return &function{
		arn: arn, command: c, timeout: timeout, limits: l, out: out, kill: kill,
		slots: make(chan struct{}, l.instances), stopping: make(chan struct{}),
	}
}

// invoke runs the function on payload and returns its response. It fails with
// *functionError if the function reported a failure, errTimedOut, errCrashed,
// errStopping, or ctx's error. A caller that leaves early does not end the
// invocation, as in Lambda.
func (f *function) invoke(ctx context.Context, payload []byte) ([]byte, error) {
	select {
	case f.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for an instance: %w", ctx.Err())
	case <-f.stopping:
		return nil, errStopping
	}
	inv := &invocation{
		id: requestID(), traceID: traceID(time.Now()), payload: payload, timeout: f.timeout,
		result: make(chan result, 1),
	}
	done := make(chan result, 1)
	if !f.spawn(func() {
		defer func() { <-f.slots }()
		payload, err := f.run(inv)
		done <- result{payload, err}
	}) {
		<-f.slots
		return nil, errStopping
	}
	select {
	case res := <-done:
		return res.payload, res.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// spawn runs do in a goroutine that stop waits for, unless it is too late.
func (f *function) spawn(do func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return false
	}
	f.running.Go(do)
	return true
}

// run serves inv with an idle instance or a new one.
func (f *function) run(inv *invocation) ([]byte, error) {
	for {
		in, err := f.take()
		if err != nil {
			return nil, err
		}
		taken, res := f.serve(in, inv)
		if !taken && !in.fresh {
			f.discard(in) // it died while idle, and inv never reached it
			continue
		}
		in.fresh = false
		if taken && !in.process.gone() && !errors.Is(res.err, errStopping) {
			f.release(in)
		} else {
			f.discard(in)
		}
		return res.payload, res.err
	}
}

// serve hands inv to the instance and waits for the result. It reports whether
// the instance took it.
func (f *function) serve(in *instance, inv *invocation) (taken bool, res result) {
	start := time.NewTimer(f.limits.start)
	defer start.Stop()
	select {
	case in.api.next <- inv:
	case err := <-in.api.initFailed:
		return false, result{err: fmt.Errorf("start: %w", err)}
	case <-in.process.done:
		select {
		case err := <-in.api.initFailed:
			return false, result{err: fmt.Errorf("start: %w", err)}
		default:
			return false, result{err: fmt.Errorf("%w before it asked for work: %s", errCrashed, in.process.ending())}
		}
	case <-start.C:
		return false, result{err: fmt.Errorf("%w: it did not ask for work within %v", errTimedOut, f.limits.start)}
	case <-f.stopping:
		return false, result{err: errStopping}
	}
	timeout := time.NewTimer(f.timeout)
	defer timeout.Stop()
	select {
	case res = <-inv.result:
	case <-timeout.C:
		in.process.stop(0)
		res = result{err: fmt.Errorf("%w after %v", errTimedOut, f.timeout)}
	case <-in.process.done:
		select {
		case res = <-inv.result: // its last word
		default:
			res = result{err: fmt.Errorf("%w: %s", errCrashed, in.process.ending())}
		}
	case <-f.stopping:
		res = result{err: errStopping}
	}
	return true, res
}

// take returns an idle instance, or a new one.
func (f *function) take() (*instance, error) {
	f.mu.Lock()
	for len(f.idle) > 0 {
		in := f.idle[len(f.idle)-1]
		f.idle = f.idle[:len(f.idle)-1]
		in.expiry.Stop()
		if !in.process.gone() {
			f.mu.Unlock()
			return in, nil
		}
		f.mu.Unlock()
		in.api.close()
		f.mu.Lock()
	}
	f.mu.Unlock()
	api, err := startRuntimeAPI(f.arn)
	if err != nil {
		return nil, err
	}
	c := f.command
	c.env = append(slices.Clone(c.env), "AWS_LAMBDA_RUNTIME_API="+api.addr)
	p, err := startProcess(c, f.out, f.kill)
	if err != nil {
		api.close()
		return nil, err
	}
	return &instance{process: p, api: api, fresh: true}, nil
}

// release keeps the instance for the next invocation.
func (f *function) release(in *instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	in.expiry = time.AfterFunc(f.limits.idle, func() { f.expire(in) })
	f.idle = append(f.idle, in)
}

func (f *function) expire(in *instance) {
	f.spawn(func() {
		f.mu.Lock()
		i := slices.Index(f.idle, in)
		if i >= 0 {
			f.idle = slices.Delete(f.idle, i, i+1)
		}
		f.mu.Unlock()
		if i >= 0 {
			f.discard(in)
		}
	})
}

// discard ends the instance.
func (f *function) discard(in *instance) {
	in.process.stop(f.limits.grace)
	in.api.close()
}

// stop ends all instances and waits until they are gone. What they work on
// fails with errStopping.
func (f *function) stop() {
	f.mu.Lock()
	if f.stopped {
		f.mu.Unlock()
		return
	}
	f.stopped = true
	close(f.stopping)
	f.mu.Unlock()
	f.running.Wait()
	// No invocation is left that could take or release an instance.
	var stops sync.WaitGroup
	for _, in := range f.idle {
		in.expiry.Stop()
		stops.Go(func() { f.discard(in) })
	}
	stops.Wait()
	f.idle = nil
}

// requestID returns a random id in the shape of Lambda's and API Gateway's.
func requestID() string {
	h := ident.Hex(16)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// traceID returns an X-Ray trace header that is sampled out.
func traceID(now time.Time) string {
	return fmt.Sprintf("Root=1-%08x-%s;Parent=%s;Sampled=0", now.Unix(), ident.Hex(12), ident.Hex(8))
}
