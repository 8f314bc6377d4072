package main

import "syscall"

// processAttributes put a child in its own group and let the kernel kill it
// when the runner dies.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
