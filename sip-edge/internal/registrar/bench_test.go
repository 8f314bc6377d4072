package registrar

import (
	"context"
	"log/slog"
	"net/netip"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/sip-edge/internal/digest"
)

// BenchmarkChallenge answers a REGISTER without credentials.
func BenchmarkChallenge(b *testing.B) {
	e := newEdge(b)
	ctx := context.Background()
	b.ReportAllocs()
	for i := uint32(1); b.Loop(); i++ {
		if res, err := e.Register(ctx, request(i, phoneA)); err != nil || res.Status != 401 {
			b.Fatal(res, err)
		}
	}
}

// BenchmarkRefresh is a challenge, the phone's answer to it, and the refresh of
// an unchanged binding.
func BenchmarkRefresh(b *testing.B) {
	e := newEdge(b)
	e.register(request(1, phoneA))
	ctx := context.Background()
	b.ReportAllocs()
	for i := uint32(2); b.Loop(); i++ {
		res, err := e.Register(ctx, e.authorized(request(i, phoneA), "s3cret"))
		if err != nil || res.Status != 200 {
			b.Fatal(res, err)
		}
	}
}

// nowhere is a store that keeps nothing and lets every address in.
type nowhere struct{ registration.Store }

func (nowhere) Bindings(context.Context, credential.AOR) ([]registration.Binding, error) {
	return nil, nil
}
func (nowhere) PutBinding(context.Context, registration.Binding) error { return nil }
func (nowhere) Credential(context.Context, string, string) (credential.Credential, error) {
	return credential.Credential{}, fault.BadIdentifier("")
}
func (nowhere) AddressCredential(context.Context, netip.Addr) (credential.Credential, error) {
	return credential.Credential{AccountID: "0123456789abcdef0123456789abcdef", DeviceID: "0123456789abcdef0123456789abcdef", Realm: realm, Enabled: true}, nil
}

// BenchmarkMemory registers 100,000 phones and reports what each holds of the
// heap.
func BenchmarkMemory(b *testing.B) {
	const phones = 100_000
	for b.Loop() {
		r := New(Config{
			Edge: "edge", Credentials: nowhere{}, Bindings: nowhere{}, Now: time.Now, Log: slog.New(slog.DiscardHandler),
			Digest:     digest.New(make([]byte, 32), []digest.Algorithm{digest.MD5}, time.Now),
			MinExpires: time.Minute, DefaultExpires: time.Hour, MaxExpires: time.Hour,
		})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range phones {
			n := strconv.Itoa(100_000 + i)
			q := request(1, "<sip:user"+n+"@192.0.2.7:"+strconv.Itoa(1024+i%60_000)+";transport=udp;line=abcdefgh>")
			q.User, q.CallID, q.UserAgent = "user"+n, n+"-0123456789abcdef@192.0.2.7", "Yealink SIP-T46S 66.86.0.15"
			if res, err := r.Register(context.Background(), q); err != nil || res.Status != 200 {
				b.Fatal(res, err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/phones, "B/phone")
		runtime.KeepAlive(r)
	}
}
