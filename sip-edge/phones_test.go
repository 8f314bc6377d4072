package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/sip-edge/internal/edgetest"
)

// program returns the path of a program, or skips the test; in CI it must be
// there.
func program(t *testing.T, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed (Debian package %s)", name, pkg)
		}
		t.Skipf("%s is not installed (Debian package %s)", name, pkg)
	}
	return path
}

// freePort returns a port p of which p and p+1 were free for UDP and TCP, below
// those that the kernel gives to others meanwhile.
func freePort(t *testing.T) int {
	t.Helper()
	free := func(port int) bool {
		udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			return false
		}
		defer udp.Close()
		tcp, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			return false
		}
		_ = tcp.Close()
		return true
	}
	for range 50 {
		if port := 16_000 + 2*rand.IntN(8_000); free(port) && free(port+1) {
			return port
		}
	}
	t.Fatal("no two free ports in a row")
	return 0
}

// bound waits until alice is bound.
func (r *running) bound() registration.Binding {
	r.t.Helper()
	var live []registration.Binding
	edgetest.Eventually(r.t, "phone is registered", func() bool {
		live = r.store.LiveNow(aor, time.Now())
		return len(live) == 1
	})
	return live[0]
}

func TestSIPp(t *testing.T) {
	t.Parallel()
	sipp := program(t, "sipp", "sip-tester")
	scenarios, err := filepath.Abs("../scripts/load/sip")
	if err != nil {
		t.Fatal(err)
	}
	for network, mode := range map[string]string{"UDP": "u1", "TCP": "t1"} {
		for _, offer := range []string{"MD5", "MD5,SHA-256"} {
			t.Run(network+offer, func(t *testing.T) {
				t.Parallel()
				store := edgetest.NewStore(t)
				store.AddCredential(alice())
				cfg := testConfig()
				algorithms, err := parseAlgorithms(offer)
				if err != nil {
					t.Fatal(err)
				}
				cfg.algorithms = algorithms
				r := restartEdge(t, cfg, store, &stream{})
				var out bytes.Buffer
				cmd := exec.CommandContext(t.Context(), sipp, r.SIP.String(), "-t", mode, "-i", "127.0.0.1", "-p", strconv.Itoa(freePort(t)),
					"-sf", filepath.Join(scenarios, "register.xml"), "-oocsf", filepath.Join(scenarios, "notify.xml"),
					"-s", "alice", "-au", "alice", "-ap", "s3cret", "-key", "realm", realm, "-m", "1", "-l", "1", "-d", "1500",
					"-timeout", "20s", "-timeout_error", "-nostdin", "-trace_err", "-error_file", filepath.Join(t.TempDir(), "errors"))
				cmd.Dir, cmd.Stdout, cmd.Stderr = t.TempDir(), &out, &out
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				if b := r.bound(); b.Transport != network || b.UserAgent != "SIPp" {
					t.Errorf("got binding %+v", b)
				}
				c := r.outcome(r.give(alice(), checkSync(), nil), command.Delivered)
				if d := c.Deliveries[0]; d.Status != 200 || d.Transport != network {
					t.Errorf("got receipt %+v, want 200 by %s", d, network)
				}
				if err := cmd.Wait(); err != nil {
					t.Errorf("sipp: %v\n%s", err, tail(out.String()))
				}
				if stored := store.Stored(aor); len(stored) != 0 {
					t.Errorf("unregistered, but stored: %+v", stored)
				}
			})
		}
	}
}

func TestBaresip(t *testing.T) {
	t.Parallel()
	baresip := program(t, "baresip", "baresip-core")
	for _, network := range []string{"UDP", "TCP"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			r := startEdge(t)
			dir := t.TempDir()
			files := map[string]string{
				"config": fmt.Sprintf("net_interface\t\t127.0.0.1\nsip_listen\t\t127.0.0.1:%d\nmodule_path\t\t%s\nmodule\t\t\tg711.so\nmodule_app\t\taccount.so\n",
					freePort(t), modules(t)),
				"accounts": fmt.Sprintf("<sip:alice@%s;transport=%s>;auth_pass=s3cret;outbound=\"sip:%s;transport=%s\";regint=600\n",
					realm, strings.ToLower(network), r.SIP, strings.ToLower(network)),
				"contacts": "", "uuid": "",
			}
			for name, text := range files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			cmd := exec.CommandContext(t.Context(), baresip, "-f", dir, "-v")
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			defer func() {
				if t.Failed() {
					_ = cmd.Process.Kill()
					<-ended
					t.Logf("baresip:\n%s", tail(out.String()))
				}
			}()
			if b := r.bound(); b.Transport != network || !strings.HasPrefix(b.UserAgent, "baresip") {
				t.Errorf("got binding %+v", b)
			}
			// It knows NOTIFYs of its own subscriptions only.
			c := r.outcome(r.give(alice(), checkSync(), nil), command.Failed)
			if d := c.Deliveries[0]; d.Status != 481 || d.Transport != network {
				t.Errorf("got receipt %+v, want 481 by %s", d, network)
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				t.Error("baresip does not end")
				return
			}
			if stored := r.store.Stored(aor); len(stored) != 0 {
				t.Errorf("unregistered, but stored: %+v", stored)
			}
		})
	}
}

// modules returns the folder of baresip's modules.
func modules(t *testing.T) string {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/baresip/modules", "/usr/lib/*/baresip/modules", "/usr/local/lib/baresip/modules"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
	}
	t.Fatal("baresip has no modules")
	return ""
}

// tail returns the end of a program's output.
func tail(text string) string { return text[max(0, len(text)-4000):] }
