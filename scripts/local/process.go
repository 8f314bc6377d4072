package main

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// pipeWait is how long the output of an ended process is waited for if a
// descendant holds it open.
const pipeWait = time.Second

// process is a running child in a process group of its own: a Ctrl-C in the
// terminal is for the runner alone, which stops its children in order. On
// Linux a child dies with the runner, however that dies.
type process struct {
	name string
	cmd  *exec.Cmd
	out  *source
	kill <-chan struct{} // closed when there is no time for manners
	done chan struct{}   // closed when the process is gone and its output read
	err  error           // how it ended; read it after done
}

// command says what to start.
type command struct {
	name string // for logs; also the process's argv[0]
	path string
	dir  string
	env  []string
}

// startProcess starts c with its output going to out. Closing kill kills it.
func startProcess(c command, out *source, kill <-chan struct{}) (*process, error) {
	p := &process{
		name: c.name, out: out, kill: kill, done: make(chan struct{}),
		cmd: &exec.Cmd{Path: c.path, Args: []string{c.name}, Dir: c.dir, Env: c.env, Stdout: out, Stderr: out,
			WaitDelay: pipeWait, SysProcAttr: processAttributes()},
	}
	started := make(chan error)
	go func() {
		// Linux sends the parent-death signal when the thread that started the
		// child ends, so this goroutine keeps its thread (prctl(2),
		// PR_SET_PDEATHSIG).
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		defer close(p.done)
		p.err = p.cmd.Wait()
		p.out.flush()
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	go func() {
		select {
		case <-kill:
			p.signal(syscall.SIGKILL)
		case <-p.done:
		}
	}()
	return p, nil
}

// signal sends to the process's whole group, unless it is gone.
func (p *process) signal(s syscall.Signal) {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, s) // fails only if it ends just now
	}
}

// stop asks the process to end, kills it after grace, and waits until it is
// gone. It reports whether it had to be killed.
func (p *process) stop(grace time.Duration) (killed bool) {
	p.signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return false
	case <-timer.C:
	case <-p.kill:
	}
	p.signal(syscall.SIGKILL)
	<-p.done
	return true
}

// gone reports whether the process has ended.
func (p *process) gone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// ending says how a process that is gone ended.
func (p *process) ending() string {
	if p.err == nil {
		return "exit status 0"
	}
	if exit, ok := errors.AsType[*exec.ExitError](p.err); ok {
		return exit.String()
	}
	return p.err.Error()
}
