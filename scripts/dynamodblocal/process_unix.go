//go:build unix && !linux

package dynamodblocal

import (
	"os/exec"
	"syscall"
)

// bindToParent puts the command in its own process group and makes the end of
// its context a SIGTERM. A parent that is killed leaves it running: only Linux
// has a signal for that.
func bindToParent(cmd *exec.Cmd, _ syscall.Signal) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
}

// killGroup ends whatever the command left behind in its group.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
