package registrar

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/sip-edge/internal/digest"
	"github.com/dialplane/dialplane/sip-edge/internal/edgetest"
)

const realm = "acme.example.com"

func alice() credential.Credential {
	c := credential.New(realm, "Alice", "s3cret")
	c.AccountID, c.DeviceID = "acc", "dev"
	return c
}

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// edge is a registrar with its store and clock.
type edge struct {
	*Registrar
	t     testing.TB
	store *edgetest.Store
	clock *clock
	fresh []string
}

func newEdge(t testing.TB) *edge {
	t.Helper()
	c := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	store := edgetest.NewStore(t)
	store.AddCredential(alice())
	e := startEdge(t, "edge-1", store, c.Now)
	e.clock = c
	return e
}

func startEdge(t testing.TB, id string, store *edgetest.Store, now func() time.Time) *edge {
	t.Helper()
	e := &edge{t: t, store: store}
	e.Registrar = New(Config{
		Edge: id, Credentials: store, Bindings: store, Now: now, Log: slog.New(slog.DiscardHandler),
		Digest:     digest.New(bytes.Repeat([]byte{1}, 32), []digest.Algorithm{digest.MD5, digest.SHA256}, now),
		MinExpires: 60 * time.Second, DefaultExpires: time.Hour, MaxExpires: 2 * time.Hour,
	})
	e.renew()
	return e
}

// renew writes the lease of the edge.
func (e *edge) renew() {
	e.t.Helper()
	if err := e.lease().put(context.Background(), false); err != nil {
		e.t.Fatal(err)
	}
}

func (e *edge) lease() Lease {
	return Lease{Edge: e.Edge, Store: e.store, Now: e.Now, Log: e.Log}
}

// request returns a REGISTER of alice without credentials.
func request(cseq uint32, contacts ...string) Request {
	return Request{
		User: "alice", Realm: realm, CallID: "call-1", CSeq: cseq, Contacts: contacts, UserAgent: "Phone/1.0",
		Source: netip.MustParseAddrPort("192.0.2.7:4444"), Local: "0.0.0.0:5060", Transport: "UDP",
	}
}

func text(s string) *string { return &s }

// authorized answers the challenge to q with the password.
func (e *edge) authorized(q Request, password string) Request {
	e.t.Helper()
	bare := q
	bare.Authorization = nil
	res, err := e.Register(context.Background(), bare)
	if err != nil || res.Status != 401 {
		e.t.Fatalf("no challenge: %+v, %v", res, err)
	}
	cred := credential.New(q.Realm, "Alice", password)
	value, err := digest.Answer(headers(res, "WWW-Authenticate"), "REGISTER", "sip:"+q.Realm, cred)
	if err != nil {
		e.t.Fatal(err)
	}
	q.Authorization = []string{value}
	return q
}

func headers(res *Response, name string) []string {
	var out []string
	for _, h := range res.Headers {
		if h.Name == name {
			out = append(out, h.Value)
		}
	}
	return out
}

// register sends q with the right password.
func (e *edge) register(q Request) *Response {
	e.t.Helper()
	res, err := e.Register(context.Background(), e.authorized(q, "s3cret"))
	if err != nil {
		e.t.Fatal(err)
	}
	if res.Fresh != nil {
		e.fresh = append(e.fresh, res.Fresh.DeviceID)
	}
	return res
}

// want fails unless res is that status with those contacts.
func want(t testing.TB, res *Response, status int, contacts ...string) {
	t.Helper()
	if res.Status != status {
		t.Fatalf("got %d %s, want %d", res.Status, res.Reason, status)
	}
	if got, want := strings.Join(headers(res, "Contact"), " "), strings.Join(contacts, " "); got != want {
		t.Fatalf("got contacts %q, want %q", got, want)
	}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	const a, b = "<sip:alice@192.0.2.7:4444>", "<sip:alice@192.0.2.8:4444>"
	zero := text("0")
	for _, tt := range []struct {
		name     string
		before   []Request
		request  Request
		status   int
		contacts string
	}{
		{"BindsForTheDefault", nil, request(1, a), 200, a + ";expires=3600"},
		{"TakesTheParameterFirst", nil, func() Request { q := request(1, a+";expires=100"); q.Expires = text("200"); return q }(), 200, a + ";expires=100"},
		{"TakesTheHeaderSecond", nil, func() Request { q := request(1, a); q.Expires = text("200"); return q }(), 200, a + ";expires=200"},
		{"TakesNonsenseForAnHour", nil, request(1, a+";expires=soon"), 200, a + ";expires=3600"},
		{"CutsToTheMaximum", nil, request(1, a+";expires=9999999999999999999"), 200, a + ";expires=7200"},
		{"RefusesTooBrief", nil, request(1, a+";expires=59"), 423, ""},
		{"RefusesWholeIfOneIsTooBrief", nil, request(1, a, b+";expires=1"), 423, ""},
		{"AllowsTheMinimum", nil, request(1, a+";expires=60"), 200, a + ";expires=60"},
		{"KeepsQ", nil, request(1, a+";q=0.3"), 200, a + ";expires=3600;q=0.3"},
		{"BindsTwo", nil, request(1, a, b+";expires=60"), 200, a + ";expires=3600 " + b + ";expires=60"},
		{"ListsWithoutContact", []Request{request(1, a)}, request(2), 200, a + ";expires=3600"},
		{"AddsASecondPhone", []Request{request(1, a)}, func() Request { q := request(1, b); q.CallID = "call-2"; return q }(), 200, a + ";expires=3600 " + b + ";expires=3600"},
		{"RefreshesTheSame", []Request{request(1, a+";expires=100")}, request(2, a), 200, a + ";expires=3600"},
		{"FindsEqualURI", []Request{request(1, "<sip:alice@192.0.2.7:4444;line=x>")}, request(2, "<sip:%61lice@192.0.2.7:4444>"), 200, "<sip:%61lice@192.0.2.7:4444>;expires=3600"},
		{"RemovesOne", []Request{request(1, a, b)}, request(2, a+";expires=0"), 200, b + ";expires=3600"},
		{"RemovesWhatIsNotThere", nil, request(1, a+";expires=0"), 200, ""},
		{"RemovesAll", []Request{request(1, a, b)}, func() Request { q := request(2, "*"); q.Expires = zero; return q }(), 200, ""},
		{"RefusesStarWithoutExpires", []Request{request(1, a)}, request(2, "*"), 400, ""},
		{"RefusesStarWithTime", nil, func() Request { q := request(1, "*"); q.Expires = text("60"); return q }(), 400, ""},
		{"RefusesStarWithContact", nil, func() Request { q := request(1, "*", a); q.Expires = zero; return q }(), 400, ""},
		{"RefusesBadContact", nil, request(1, "sip:alice@192.0.2.7?x=y"), 400, ""},
		{"RefusesTooManyContacts", nil, request(1, strings.Repeat(a+",", maxContacts)+b), 403, ""},
		{"RefusesSameCSeq", []Request{request(5, a)}, request(5, a), 500, ""},
		{"RefusesLowerCSeq", []Request{request(5, a)}, request(4, a+";expires=0"), 500, ""},
		{"RefusesStarWithLowerCSeq", []Request{request(5, a)}, func() Request { q := request(4, "*"); q.Expires = zero; return q }(), 500, ""},
		{"AllowsLowerCSeqOfAnotherCall", []Request{request(5, a)}, func() Request { q := request(1, a+";expires=0"); q.CallID = "call-2"; return q }(), 200, ""},
		{"RefusesWholeIfOneIsOutOfOrder", []Request{request(5, a)}, request(5, b, a), 500, ""},
		{"TakesTheLastOfTwoEqual", nil, request(1, a+";expires=100", a+";expires=200"), 200, a + ";expires=200"},
		{"BindsAndUnbindsInOne", nil, request(1, a, a+";expires=0"), 200, ""},
		{"RefusesAnotherUser", nil, func() Request { q := request(1, a); q.User = "bob"; return q }(), 403, ""},
		{"IgnoresCaseOfTheUser", nil, func() Request { q := request(1, a); q.User = "ALICE"; return q }(), 200, a + ";expires=3600"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t)
			for _, q := range tt.before {
				want := e.register(q)
				if want.Status != 200 {
					t.Fatalf("before: got %d", want.Status)
				}
			}
			before := e.store.Stored("alice@" + realm)
			res := e.register(tt.request)
			if res.Status != tt.status {
				t.Fatalf("got %d %s, want %d", res.Status, res.Reason, tt.status)
			}
			if got := strings.Join(headers(res, "Contact"), " "); got != tt.contacts {
				t.Errorf("got contacts %q, want %q", got, tt.contacts)
			}
			stored := e.store.Stored("alice@" + realm)
			if res.Status == 200 && len(stored) != len(headers(res, "Contact")) {
				t.Errorf("answered %d contacts, stored %d", len(headers(res, "Contact")), len(stored))
			}
			if res.Status != 200 && len(stored) != len(before) {
				t.Errorf("refused, but bindings went from %d to %d", len(before), len(stored))
			}
			if res.Status == 423 && strings.Join(headers(res, "Min-Expires"), "") != "60" {
				t.Errorf("got headers %v, want Min-Expires 60", res.Headers)
			}
		})
	}
}

func TestRefreshIsNotWritten(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	want(t, e.register(request(1, "<sip:alice@192.0.2.7:4444>")), 200, "<sip:alice@192.0.2.7:4444>;expires=3600")
	bindings, writes := e.store.Count("Bindings"), e.store.Count("PutBinding")
	for i := range 1000 {
		e.clock.Add(15 * time.Second)
		want(t, e.register(request(uint32(i+2), "<sip:alice@192.0.2.7:4444>")), 200, "<sip:alice@192.0.2.7:4444>;expires=3600")
	}
	if got := e.store.Count("PutBinding") - writes + e.store.Count("RemoveBinding"); got > 5 {
		t.Errorf("1,000 refreshes of an unchanged binding: got %d writes, want at most 5", got)
	}
	if got := e.store.Count("Bindings") - bindings; got != 0 {
		t.Errorf("got %d reads of bindings, want 0", got)
	}
	if len(e.fresh) != 1 {
		t.Errorf("got %d fresh registrations, want 1", len(e.fresh))
	}
}

func TestChangeIsWritten(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*Request)
		write  bool
		fresh  bool
	}{
		{"Nothing", func(*Request) {}, false, false},
		{"Source", func(q *Request) { q.Source = netip.MustParseAddrPort("192.0.2.7:5555") }, true, true},
		{"Transport", func(q *Request) { q.Transport = "TCP" }, true, true},
		{"LocalSocket", func(q *Request) { q.Local = "0.0.0.0:5070" }, true, true},
		{"UserAgent", func(q *Request) { q.UserAgent = "Phone/2.0" }, true, false},
		{"Q", func(q *Request) { q.Contacts = []string{"<sip:alice@192.0.2.7:4444>;q=0.5"} }, true, false},
		{"CallID", func(q *Request) { q.CallID = "call-9" }, false, false},
		{"LongerExpiry", func(q *Request) { q.Expires = text("3601") }, true, false},
		{"MuchShorterExpiry", func(q *Request) { q.Expires = text("1799") }, true, false},
		{"LittleShorterExpiry", func(q *Request) { q.Expires = text("1800") }, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t)
			e.register(request(1, "<sip:alice@192.0.2.7:4444>"))
			writes := e.store.Count("PutBinding")
			q := request(2, "<sip:alice@192.0.2.7:4444>")
			tt.change(&q)
			e.clock.Add(time.Second)
			if res := e.register(q); res.Status != 200 {
				t.Fatalf("got %d", res.Status)
			}
			if got := e.store.Count("PutBinding")-writes == 1; got != tt.write {
				t.Errorf("got write %v, want %v", got, tt.write)
			}
			if got := len(e.fresh) == 2; got != tt.fresh {
				t.Errorf("got fresh %v, want %v", got, tt.fresh)
			}
			stored := e.store.Stored("alice@" + realm)
			if len(stored) != 1 || tt.write && stored[0].UserAgent != q.UserAgent {
				t.Errorf("got %+v", stored)
			}
		})
	}
}

func TestBindingIsTouchedOnceADay(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.register(request(1, "<sip:alice@192.0.2.7:4444>"))
	for i := range 24 * 3 * 2 { // three days, every half hour
		e.clock.Add(30 * time.Minute)
		e.register(request(uint32(i+2), "<sip:alice@192.0.2.7:4444>"))
		if age := e.clock.Now().Sub(e.store.Stored("alice@" + realm)[0].Written); age > 24*time.Hour {
			t.Fatalf("binding was not written for %v", age)
		}
	}
	if got := e.store.Count("PutBinding"); got > 5 {
		t.Errorf("got %d writes in three days, want at most 5", got)
	}
}

func TestOldestBindingsMakeRoom(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	for i := range maxContacts + 3 {
		q := request(1, "<sip:alice@192.0.2.7:"+strconv.Itoa(1000+i)+">")
		q.CallID = "call-" + strconv.Itoa(i)
		res := e.register(q)
		if got := len(headers(res, "Contact")); res.Status != 200 || got != min(i+1, maxContacts) {
			t.Fatalf("phone %d: got %d with %d contacts", i, res.Status, got)
		}
		e.clock.Add(time.Second)
	}
	stored := e.store.Stored("alice@" + realm)
	if len(stored) != maxContacts || e.Count() != maxContacts {
		t.Fatalf("got %d stored and %d held, want %d", len(stored), e.Count(), maxContacts)
	}
	for _, b := range stored {
		if port, _ := strconv.Atoi(b.Contact[len(b.Contact)-4:]); port < 1003 {
			t.Errorf("%s is still bound", b.Contact)
		}
	}
}

func TestStrangeTextIsMadeFit(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	q := request(1, "<sip:alice@192.0.2.7:4444>")
	q.UserAgent = "Phöne\x01\xff" + strings.Repeat("ä", maxText)
	q.CallID = strings.Repeat("x", 5000)
	e.register(q)
	b := e.store.Stored("alice@" + realm)[0]
	if !strings.HasPrefix(b.UserAgent, "Phöneä") || len(b.UserAgent) > maxText || len(b.CallID) > maxCallID {
		t.Errorf("got user agent %q, call id %q", b.UserAgent, b.CallID)
	}
	q.CSeq = 1
	if res := e.register(q); res.Status != 500 {
		t.Errorf("same long Call-ID and CSeq: got %d, want 500", res.Status)
	}
}

func TestStoreErrorsAreUnavailable(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Credential", "AddressCredential", "Bindings", "PutBinding"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t)
			q := e.authorized(request(1, "<sip:alice@192.0.2.7:4444>"), "s3cret")
			if call == "AddressCredential" {
				q.Authorization, q.Source = nil, netip.MustParseAddrPort("192.0.2.99:1")
			}
			e.store.FailCall(call, false)
			res, err := e.Register(context.Background(), q)
			if fault.Of(err) != fault.Unavailable {
				t.Errorf("got %+v, %v, want fault.Unavailable", res, err)
			}
		})
	}
}
