package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// buildNotice is how often a long build says that it goes on.
const buildNotice = 15 * time.Second

// edgeFolder is the folder of the SIP edge's main package.
const edgeFolder = "sip-edge"

// build compiles main packages, given as folders below root, for this machine
// and returns the binary of each. What has not changed costs nothing: the go
// command compares each binary with its sources.
//
// One go command builds many packages far faster than many commands build one
// each (16 unchanged binaries on a busy 2-core machine: 0.4 s, not 5.3 s), but
// names the binaries after the last element of their folders. So there is one
// command for each set of folders with different last elements.
//
// The flags are those of `go run`, so that the runner's own packages are
// compiled once for both.
func build(ctx context.Context, root, dir string, folders []string, out *console) (map[string]string, error) {
	binaries := map[string]string{}
	began := time.Now()
	notice := time.NewTicker(buildNotice)
	defer notice.Stop()
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		for {
			select {
			case <-notice.C:
				out.sayf("  still building (%.0f s); the first build takes longest", time.Since(began).Seconds())
			case <-finished:
				return
			}
		}
	}()
	for i, set := range distinctNames(folders) {
		target := filepath.Join(dir, strconv.Itoa(i+1))
		if err := goBuild(ctx, root, target, set); err != nil {
			return nil, err
		}
		for _, folder := range set {
			binaries[folder] = filepath.Join(target, path.Base(folder))
		}
	}
	return binaries, nil
}

// distinctNames splits folders into as few sets as there can be without a
// last element twice in one.
func distinctNames(folders []string) [][]string {
	var sets [][]string
	seen := map[string]int{}
	for _, folder := range slices.Sorted(slices.Values(folders)) {
		name := path.Base(folder)
		i := seen[name]
		seen[name]++
		if i == len(sets) {
			sets = append(sets, nil)
		}
		sets[i] = append(sets[i], folder)
	}
	return sets
}

func goBuild(ctx context.Context, root, target string, folders []string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	args := []string{"build", "-ldflags=-w", "-o", target + string(filepath.Separator)}
	for _, folder := range folders {
		args = append(args, "./"+folder)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	// Make may have exported another machine's settings.
	cmd.Env = append(os.Environ(), "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for the runner
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return errors.New("the go command is not on the PATH: it builds the functions")
	case err != nil:
		return fmt.Errorf("go build: %w\n%s", err, strings.TrimSpace(output.String()))
	}
	return nil
}
