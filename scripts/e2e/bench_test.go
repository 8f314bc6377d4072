package e2e

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkSyncToNotify measures from the answer to POST …/sync to the NOTIFY
// on the phone's socket.
func BenchmarkSyncToNotify(b *testing.B) {
	c := login(b)
	id := newDevice(b, c, "bench-sync")
	p := newPhone(b, "udp", system.credentials["realm"], "bench-sync", "secret-bench-sync")
	p.register(600)
	var waits []time.Duration
	for b.Loop() {
		<-time.After(rand.N(200 * time.Millisecond)) // else each request would meet the edge's poll at the same point
		c.call("POST", devices()+"/"+id+"/sync", nil, 200)
		answered := time.Now()
		p.notified()
		waits = append(waits, time.Since(answered))
	}
	slices.Sort(waits)
	for name, share := range map[string]float64{"p50-ms": 0.5, "p99-ms": 0.99} {
		b.ReportMetric(float64(waits[int(share*float64(len(waits)-1))].Microseconds())/1000, name)
	}
}

// BenchmarkDeviceUpdate replaces a device by the whole of Vinix's example body
// and reports the CPU that the function's process takes for each.
func BenchmarkDeviceUpdate(b *testing.B) {
	c := login(b)
	id := newDevice(b, c, "bench-update")
	body, err := os.ReadFile("../../shared/schema/testdata/vinix-device.json")
	if err != nil {
		b.Fatal(err)
	}
	update := func() { c.call("POST", devices()+"/"+id, `{"data":`+string(body)+`}`, 200) }
	update() // starts the function
	before := cpuOf(b, "/replace")
	for b.Loop() {
		update()
	}
	used := cpuOf(b, "/replace") - before
	b.ReportMetric(float64(used.Microseconds())/1000/float64(b.N), "function-cpu-ms/op")
}

// cpuOf returns the CPU time of the runner's processes whose program ends in
// name (proc(5), stat: utime and stime in ticks of 10 ms).
func cpuOf(b *testing.B, name string) time.Duration {
	b.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil || len(stats) == 0 {
		b.Skip("needs /proc")
	}
	var ticks int
	for _, exe := range stats {
		target, err := os.Readlink(exe)
		if err != nil || !strings.Contains(target, "/.build/local/") || !strings.HasSuffix(target, name) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(filepath.Dir(exe), "stat"))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		for _, field := range fields[11:13] {
			n, err := strconv.Atoi(field)
			if err != nil {
				b.Fatal(err)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// BenchmarkFunctionStart measures each function from exec to its first poll
// for an invocation.
func BenchmarkFunctionStart(b *testing.B) {
	binaries, err := filepath.Glob("../../.build/local/*/*")
	if err != nil || len(binaries) == 0 {
		b.Fatal("no functions are built", err)
	}
	for _, binary := range binaries {
		if filepath.Base(binary) == "sip-edge" {
			continue
		}
		b.Run(filepath.Base(binary), func(b *testing.B) {
			polled := make(chan struct{}, 1)
			release := make(chan struct{})
			api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/next") {
					polled <- struct{}{}
					select {
					case <-release:
					case <-r.Context().Done():
					}
				}
			}))
			defer api.Close()
			defer close(release)
			var waits []time.Duration
			for b.Loop() {
				cmd := exec.Command(binary)
				cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(api.URL, "http://"), "AWS_REGION=us-east-1",
					"AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "CORE_TABLE=core", "REGISTRATIONS_TABLE=registrations", "SECRETS_TABLE=secrets"}
				started := time.Now()
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				select {
				case <-polled:
				case <-time.After(10 * time.Second):
					b.Fatal("no poll in 10 s")
				}
				waits = append(waits, time.Since(started))
				cmd.Process.Kill()
				cmd.Wait()
			}
			slices.Sort(waits)
			b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}
