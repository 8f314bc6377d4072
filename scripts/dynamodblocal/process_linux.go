package dynamodblocal

import (
	"os/exec"
	"syscall"
)

// bindToParent puts the command in its own process group, so that a Ctrl-C in
// the terminal is for the parent to handle, makes the kernel send it orphan
// when the parent dies, and makes the end of its context a SIGTERM.
func bindToParent(cmd *exec.Cmd, orphan syscall.Signal) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: orphan}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
}

// killGroup ends whatever the command left behind in its group.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
