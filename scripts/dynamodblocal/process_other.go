//go:build !unix

package dynamodblocal

import (
	"os/exec"
	"syscall"
)

// bindToParent does nothing here: the command is killed when its context ends,
// and a parent that is killed leaves it running.
func bindToParent(*exec.Cmd, syscall.Signal) {}

// killGroup does nothing here.
func killGroup(*exec.Cmd) {}
