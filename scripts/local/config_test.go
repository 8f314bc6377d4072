package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// env returns a getenv over pairs.
func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestConfigDefaults(t *testing.T) {
	t.Parallel()
	cfg, err := configFrom(env(), "/repo", true)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.APIAddr != "127.0.0.1:8000" || cfg.SIPAddr != "0.0.0.0:5060" || cfg.StateDir != "/repo/.local" || cfg.LogLevel != "info" ||
		cfg.JSONLogs || !cfg.Color || len(cfg.Edge) != 0 {
		t.Errorf("got %+v", cfg)
	}
	if err := cfg.fill(); err != nil {
		t.Fatal(err)
	}
	if cfg.BuildDir != "/repo/.build/local" || cfg.ToolsDir != "/repo/.tools" || cfg.TablePrefix != "dialplane-" || cfg.seed == nil {
		t.Errorf("filled: got %+v", cfg)
	}
}

func TestConfigSettings(t *testing.T) {
	t.Parallel()
	cfg, err := configFrom(env("API_ADDR", ":1", "SIP_ADDR", "[::1]:2", "HEALTH_ADDR", "h:3", "DYNAMODB_ADDR", "d:4", "STATE_DIR", "s",
		"LOG_FORMAT", "json", "LOG_LEVEL", "debug", "NO_COLOR", "1", "SIP_MIN_EXPIRES", "30", "NONCE_KEY", "ab"), "/repo", true)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.APIAddr != ":1" || cfg.SIPAddr != "[::1]:2" || cfg.HealthAddr != "h:3" || cfg.DynamoDBAddr != "d:4" || cfg.StateDir != "s" ||
		!cfg.JSONLogs || cfg.LogLevel != "debug" || cfg.Color || !slices.Equal(cfg.Edge, []string{"SIP_MIN_EXPIRES=30", "NONCE_KEY=ab"}) {
		t.Errorf("got %+v", cfg)
	}
	piped, err := configFrom(env(), "/repo", false)
	if err != nil || !piped.JSONLogs || piped.Color {
		t.Errorf("not on a terminal: got %+v, %v; want JSON without colour", piped, err)
	}
}

func TestConfigReportsEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := configFrom(env("API_ADDR", "8000", "SIP_ADDR", "x:sip", "LOG_FORMAT", "xml", "LOG_LEVEL", "loud"), "/repo", true)
	for _, want := range []string{`API_ADDR is "8000"`, `SIP_ADDR is "x:sip"`, `LOG_FORMAT is "xml"`, `LOG_LEVEL is "loud"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestFindRoot(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	below := filepath.Join(root, "a", "b")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := findRoot(below); err == nil {
		t.Errorf("got %q where there is no template", got)
	}
	if err := os.WriteFile(filepath.Join(root, "template.yaml"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := findRoot(below); err != nil || got != root {
		t.Errorf("got %q, %v; want %q", got, err, root)
	}
}

func TestClaimedAddressesAreFree(t *testing.T) {
	t.Parallel()
	addr, err := claimSIP(context.Background(), "SIP_ADDR", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if port, err := portOf(addr); err != nil || port == 0 {
		t.Errorf("got %q: no port was chosen", addr)
	}
}

func TestATakenAddressIsOneClearSentence(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	want := addr + " is already in use: stop what listens there, or set X_ADDR to another address"
	if _, err := listen(context.Background(), "X_ADDR", addr); err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	addr = packets.LocalAddr().String()
	if _, err := claimSIP(context.Background(), "SIP_ADDR", addr); err == nil || !strings.HasPrefix(err.Error(), addr+" is already in use") {
		t.Errorf("UDP: got %v", err)
	}
	if _, err := claimTCP(context.Background(), "X_ADDR", "192.0.2.1:1"); err == nil || !strings.HasPrefix(err.Error(), "X_ADDR is 192.0.2.1:1: ") {
		t.Errorf("an address of another machine: got %v", err)
	}
}
