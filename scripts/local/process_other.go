//go:build !linux

package main

import "syscall"

// processAttributes put a child in its own group. Only Linux can tie its life
// to the runner's; elsewhere functions end themselves when the Runtime API is
// gone, and an edge outlives a runner that is killed with SIGKILL.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
