package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// alive reports whether a process exists and, where /proc tells, has not ended
// without its parent's having noticed.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err != nil || !strings.Contains(string(status), ") Z ")
}

// script writes an executable shell script.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func startScript(t *testing.T, text string, kill <-chan struct{}) (*process, *lockedBuffer) {
	t.Helper()
	out := &lockedBuffer{}
	p, err := startProcess(command{name: "a script", path: script(t, text), env: []string{"PATH=/usr/bin:/bin"}},
		newConsole(out, Config{}).source("a script"), kill)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stop(0) })
	return p, out
}

func TestProcessStopsWhenAsked(t *testing.T) {
	t.Parallel()
	p, out := startScript(t, "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done", nil)
	waitForOutput(t, out, "up")
	if killed := p.stop(patience); killed || p.ending() != "exit status 0" {
		t.Errorf("killed: %v, ending: %s; want that it went by itself", killed, p.ending())
	}
	if !strings.Contains(out.String(), "bye") {
		t.Errorf("its last words are lost: %q", out)
	}
}

func TestProcessThatDoesNotListenIsKilledWithItsChildren(t *testing.T) {
	t.Parallel()
	p, out := startScript(t, "trap '' TERM; sleep 60 & echo child $!; wait; wait", nil)
	waitForOutput(t, out, "child ")
	child, err := strconv.Atoi(regexp.MustCompile(`child (\d+)`).FindStringSubmatch(out.String())[1])
	if err != nil {
		t.Fatal(err)
	}
	if killed := p.stop(time.Millisecond); !killed {
		t.Error("a process that ignores SIGTERM went by itself")
	}
	eventually(t, "the grandchild is gone", func() bool { return !alive(child) })
}

func TestProcessIsKilledAtOnceWhenThereIsNoTime(t *testing.T) {
	t.Parallel()
	kill := make(chan struct{})
	p, out := startScript(t, "trap '' TERM; echo up; while :; do sleep 0.01; done", kill)
	waitForOutput(t, out, "up")
	stopped := make(chan bool)
	go func() { stopped <- p.stop(time.Hour) }()
	close(kill)
	<-stopped
	if !p.gone() || p.ending() != "signal: killed" {
		t.Errorf("gone: %v, ending: %s", p.gone(), p.ending())
	}
}

func TestProcessPrintsALineWithoutAnEnd(t *testing.T) {
	t.Parallel()
	p, out := startScript(t, "printf 'no end'", nil)
	<-p.done
	if !strings.HasSuffix(out.String(), "no end\n") {
		t.Errorf("got %q", out)
	}
}
