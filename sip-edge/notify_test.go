package main

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/sip-edge/internal/digest"
	"github.com/dialplane/dialplane/sip-edge/internal/edgetest"
)

const aor = "alice@" + realm

func checkSync() *command.Notify { return &command.Notify{Event: "check-sync;reboot=false"} }

func TestPhoneIsNotified(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			r := startEdge(t)
			p := r.phone(network, alice())
			res := p.MustRegister(60)
			if got := res.GetHeader("Contact").Value(); got != "<"+p.Contact()+">;expires=60" {
				t.Errorf("got Contact %s", got)
			}
			stored := r.store.LiveNow(aor, time.Now())
			if len(stored) != 1 || stored[0].Contact != p.Contact() || stored[0].Received != p.Addr() || stored[0].Transport != strings.ToUpper(network) ||
				stored[0].UserAgent != "Test/1.0" || stored[0].Local != r.SIP.String() || stored[0].DeviceID != "dev" {
				t.Fatalf("got bindings %+v", stored)
			}
			ref := r.give(alice(), checkSync(), nil)
			n := p.Notify()
			if got := n.StartLine(); got != "NOTIFY "+p.Contact()+" SIP/2.0" {
				t.Errorf("got %q", got)
			}
			for name, want := range map[string]string{
				"Event": "check-sync;reboot=false", "Subscription-State": "terminated;reason=noresource", "Max-Forwards": "70",
				"Content-Length": "0", "To": "<sip:alice@acme.example.com>",
			} {
				if h := n.GetHeader(name); h == nil || h.Value() != want {
					t.Errorf("got %s %v, want %s", name, h, want)
				}
			}
			if via := n.Via(); via.Host != "127.0.0.1" || via.Port != int(r.SIP.Port()) || !via.Params.Has("rport") {
				t.Errorf("got Via %s", via)
			}
			c := r.outcome(ref, command.Delivered)
			if len(c.Deliveries) != 1 {
				t.Fatalf("got receipts %+v", c.Deliveries)
			}
			d := c.Deliveries[0]
			if d.Status != 200 || d.Reason != "OK" || d.Contact != p.Contact() || d.Received != p.Addr() || d.Transport != strings.ToUpper(network) ||
				d.Event != "check-sync;reboot=false" || d.Edge == "" || d.Sent.IsZero() || d.Answered.Before(d.Sent) {
				t.Errorf("got receipt %+v", d)
			}
			p.MustRegister(0)
			if stored := r.store.Stored(aor); len(stored) != 0 {
				t.Errorf("unregistered, but stored: %+v", stored)
			}
			for _, secret := range []string{"s3cret", alice().HA1MD5, alice().HA1SHA256, "Digest", "response="} {
				if strings.Contains(r.log.String(), secret) {
					t.Errorf("log has %q", secret)
				}
			}
		})
	}
}

// TestAddressesOfTheEdge has edges listen in several ways, and looks at what
// they call themselves.
func TestAddressesOfTheEdge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, listen, advertised, dial, host string }{
		{"AllIPv4", "0.0.0.0:0", "", "127.0.0.1", "127.0.0.1"},
		{"All", "[::]:0", "", "127.0.0.1", "127.0.0.1"},
		{"AllByIPv6", "[::]:0", "", "::1", "::1"},
		{"IPv6", "[::1]:0", "", "::1", "::1"},
		{"Advertised", "127.0.0.1:0", "sip.example.com:5070", "127.0.0.1", "sip.example.com"},
	} {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(tt.name+network, func(t *testing.T) {
				t.Parallel()
				store := edgetest.NewStore(t)
				store.AddCredential(alice())
				cfg := testConfig()
				cfg.sipAddr, cfg.advertised = netip.MustParseAddrPort(tt.listen), tt.advertised
				r := restartEdge(t, cfg, store, &stream{})
				r.SIP = netip.AddrPortFrom(netip.MustParseAddr(tt.dial), r.SIP.Port())
				p := r.phone(network, alice())
				p.MustRegister(60)
				r.outcome(r.give(alice(), checkSync(), nil), command.Delivered)
				n := p.Notify()
				port := int(r.SIP.Port())
				if tt.advertised != "" {
					port = 5070
				}
				contact := "<sip:" + net.JoinHostPort(tt.host, strconv.Itoa(port))
				if via := n.Via(); via.Host != tt.host || via.Port != port || !strings.HasPrefix(n.GetHeader("Contact").Value(), contact) {
					t.Errorf("got Via %s and Contact %s, want %s:%d", via, n.GetHeader("Contact").Value(), tt.host, port)
				}
			})
		}
	}
}

func TestAnswersOfPhones(t *testing.T) {
	t.Parallel()
	server := digest.New([]byte("the phone's own key, 32 bytes long"), []digest.Algorithm{digest.MD5, digest.SHA256}, time.Now)
	challenge := func(status, header, realm string) func(*sip.Request) string {
		return func(req *sip.Request) string {
			answers := map[string]string{"WWW-Authenticate": "Authorization", "Proxy-Authenticate": "Proxy-Authorization"}[header]
			if h := req.GetHeader(answers); h != nil {
				a, err := digest.ParseAuthorization(h.Value())
				if err == nil && server.Verify("NOTIFY", a, alice()) == digest.Accepted && a.URI == strings.Fields(req.StartLine())[1] && req.CSeq().SeqNo == 2 {
					return "200 OK"
				}
				return "403 Forbidden"
			}
			text := status
			for _, c := range server.Challenges(realm, false) {
				text += "\r\n" + header + ": " + c
			}
			return text
		}
	}
	for _, tt := range []struct {
		name   string
		answer func(*sip.Request) string
		state  command.State
		status int
		reason string
		sent   int
	}{
		{"Accepts", func(*sip.Request) string { return "202 Accepted" }, command.Delivered, 202, "Accepted", 1},
		{"Refuses", func(*sip.Request) string { return "481 Subscription does not exist" }, command.Failed, 481, "Subscription does not exist", 1},
		{"Challenges", challenge("401 Unauthorized", "WWW-Authenticate", realm), command.Delivered, 200, "OK", 2},
		{"ChallengesAsProxy", challenge("407 Proxy Authentication Required", "Proxy-Authenticate", realm), command.Delivered, 200, "OK", 2},
		{"ChallengesForAnotherRealm", challenge("401 Unauthorized", "WWW-Authenticate", "phone"), command.Failed, 401, "Unauthorized", 1},
		{"ChallengesForEver", func(*sip.Request) string {
			return "401 Unauthorized\r\nWWW-Authenticate: " + server.Challenges(realm, true)[0]
		}, command.Failed, 401, "Unauthorized", 2},
		{"StaysSilent", func(*sip.Request) string { return "" }, command.Failed, 408, "Request Timeout", 0},
	} {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(tt.name+"By"+network, func(t *testing.T) {
				t.Parallel()
				r := startEdge(t)
				p := r.phone(network, alice())
				p.MustRegister(60)
				p.Answer(tt.answer)
				c := r.outcome(r.give(alice(), checkSync(), nil), tt.state)
				if len(c.Deliveries) != 1 || c.Deliveries[0].Status != tt.status || c.Deliveries[0].Reason != tt.reason {
					t.Errorf("got receipts %+v, want %d %s", c.Deliveries, tt.status, tt.reason)
				}
				if got := c.Deliveries[0].Answered.IsZero(); got != (tt.sent == 0) {
					t.Errorf("got answered at %v", c.Deliveries[0].Answered)
				}
				if got := p.Notifies(); tt.sent > 0 && got != tt.sent {
					t.Errorf("got %d NOTIFYs, want %d", got, tt.sent)
				}
			})
		}
	}
}

func TestVendorsWordIsSent(t *testing.T) {
	t.Parallel()
	r := startEdge(t)
	p := r.phone("udp", alice())
	p.MustRegister(60)
	reboot := true
	r.give(alice(), &command.Notify{Brand: "cisco", Reboot: &reboot}, nil)
	if got := p.Notify().GetHeader("Event").Value(); got != "reboot" {
		t.Errorf("got Event %q, want reboot", got)
	}
	r.give(alice(), &command.Notify{}, nil)
	if got := p.Notify().GetHeader("Event").Value(); got != "check-sync" {
		t.Errorf("got Event %q, want check-sync", got)
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		network string
		size    int
		status  int
	}{{"udp", 10, 200}, {"udp", 7_000, 200}, {"udp", 8_192, 513}, {"udp", 60_000, 513}, {"tcp", 60_000, 200}} {
		t.Run(fmt.Sprintf("%s%d", tt.network, tt.size), func(t *testing.T) {
			t.Parallel()
			r := startEdge(t)
			p := r.phone(tt.network, alice())
			p.MustRegister(60)
			body := strings.Repeat("x", tt.size)
			state := map[int]command.State{200: command.Delivered, 513: command.Failed}[tt.status]
			c := r.outcome(r.give(alice(), &command.Notify{Event: "x", ContentType: "text/plain", Body: body}, nil), state)
			if got := c.Deliveries[0]; got.Status != tt.status || tt.status == 513 && !strings.Contains(got.Reason, "8192") {
				t.Errorf("got receipt %+v, want %d", got, tt.status)
			}
			if tt.status == 200 {
				if n := p.Notify(); string(n.Body()) != body || n.ContentType().Value() != "text/plain" {
					t.Errorf("got %d bytes of %v, want %d", len(n.Body()), n.ContentType(), tt.size)
				}
			}
		})
	}
}

func TestNothingUserSuppliedBreaksOutOfItsHeader(t *testing.T) {
	t.Parallel()
	for _, n := range []*command.Notify{
		{Event: "x\r\nX-Evil: 1"}, {Event: "x\nX-Evil: 1"}, {Event: "x\x00"}, {Event: " "}, {Event: "x", ContentType: "a/b\r\nX-Evil: 1", Body: "b"},
	} {
		t.Run(n.Event+n.ContentType, func(t *testing.T) {
			t.Parallel()
			r := startEdge(t)
			p := r.phone("udp", alice())
			p.MustRegister(60)
			c := r.outcome(r.give(alice(), n, nil), command.Failed)
			if got := c.Deliveries[0]; got.Status != 0 || !strings.HasPrefix(got.Reason, "not sent: ") {
				t.Errorf("got receipt %+v, want a reason and no status", got)
			}
			if got := p.Notifies(); got != 0 {
				t.Errorf("got %d NOTIFYs, want 0", got)
			}
		})
	}
}

// TestEachPhoneGetsItsOwn has several phones on TCP, of which the last to
// connect must not get what is meant for the first.
func TestEachPhoneGetsItsOwn(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			r := startEdge(t)
			var phones []*edgetest.Phone
			var creds []credential.Credential
			for i := range 4 {
				cred := device(fmt.Sprintf("user%d", i), fmt.Sprintf("dev%d", i))
				r.store.AddCredential(cred)
				p := r.phone(network, cred)
				p.MustRegister(60)
				phones, creds = append(phones, p), append(creds, cred)
			}
			for i, p := range phones {
				r.outcome(r.give(creds[i], checkSync(), nil), command.Delivered)
				if got := p.Notify().To().Address.User; got != creds[i].Username {
					t.Errorf("phone %d got a NOTIFY for %s", i, got)
				}
			}
			for i, p := range phones {
				if got := p.Notifies(); got != 0 {
					t.Errorf("phone %d got %d NOTIFYs too many", i, got)
				}
			}
		})
	}
}

func TestCommandWaitsForThePhone(t *testing.T) {
	t.Parallel()
	r := startEdge(t)
	ref := r.give(alice(), checkSync(), nil)
	r.outcome(ref, command.Pending)
	p := r.phone("udp", alice())
	p.MustRegister(60)
	p.Notify()
	r.outcome(ref, command.Delivered)
}

func TestLostFlow(t *testing.T) {
	t.Parallel()
	r := startEdge(t)
	p := r.phone("tcp", alice())
	p.MustRegister(60)
	p.Close()
	ref := r.give(alice(), checkSync(), nil)
	c := r.outcome(ref, command.Pending)
	if len(c.Deliveries) != 1 || c.Deliveries[0].Status != 430 || c.Deliveries[0].Reason != "Flow Failed" {
		t.Errorf("got receipts %+v, want 430", c.Deliveries)
	}
	if stored := r.store.Stored(aor); len(stored) != 0 {
		t.Errorf("got bindings %+v, want none", stored)
	}
	again := r.phone("tcp", alice())
	again.MustRegister(60)
	again.Notify()
	c = r.outcome(ref, command.Delivered)
	if len(c.Deliveries) != 2 || c.Deliveries[1].Status != 200 {
		t.Errorf("got receipts %+v, want 430 and 200", c.Deliveries)
	}
}

func TestFlowThatBreaksOnTheWay(t *testing.T) {
	t.Parallel()
	r := startEdge(t)
	p := r.phone("tcp", alice())
	p.MustRegister(60)
	p.Answer(func(*sip.Request) string { return "" })
	ref := r.give(alice(), checkSync(), nil)
	p.Notify()
	p.Close()
	c := r.outcome(ref, command.Pending)
	if len(c.Deliveries) != 1 || c.Deliveries[0].Status != 430 {
		t.Errorf("got receipts %+v, want 430", c.Deliveries)
	}
}

func TestDrop(t *testing.T) {
	t.Parallel()
	r := startEdge(t)
	p := r.phone("udp", alice())
	p.MustRegister(60)
	c := r.outcome(r.give(alice(), checkSync(), func(c *command.Command) { c.Drop = true }), command.Delivered)
	if c.Deliveries[0].Status != 200 || len(r.store.Stored(aor)) != 0 {
		t.Errorf("got %+v and %d bindings, want it delivered and dropped", c.Deliveries, len(r.store.Stored(aor)))
	}
	r.store.RemoveCredential(alice())
	if res := p.Register(60); res.StatusCode != 401 {
		t.Errorf("credential is gone: got %d, want 401", res.StatusCode)
	}
}

func TestDeviceWithoutUsernameIsFoundByItsBindings(t *testing.T) {
	t.Parallel()
	r := startEdge(t)
	cred := credential.Credential{AccountID: "acc", DeviceID: "trunk", Realm: realm, Enabled: true}
	r.store.AddAddress(netip.MustParseAddr("127.0.0.1"), cred)
	p := r.phone("udp", credential.New(realm, "anyone", ""))
	p.MustRegister(60)
	c := edgetest.NewCommand(cred, time.Now(), checkSync())
	r.outcome(r.give(cred, checkSync(), func(g *command.Command) { *g = c; g.AOR = "" }), command.Delivered)
	p.Notify()
}
