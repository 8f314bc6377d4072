package registrar

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/sip-edge/internal/digest"
	"github.com/dialplane/dialplane/sip-edge/internal/edgetest"
)

func TestAuthentication(t *testing.T) {
	t.Parallel()
	phone := netip.MustParseAddr("192.0.2.7")
	const contact = "<sip:alice@192.0.2.7:4444>"
	byAddress := func(username, realm string) credential.Credential {
		return credential.Credential{AccountID: "acc", DeviceID: "ip-dev", Realm: realm, Username: username, Enabled: true}
	}
	for _, tt := range []struct {
		name   string
		set    func(*edgetest.Store)
		send   func(*edge) Request
		status int
		stale  bool
	}{
		{name: "ChallengesWithoutAnswer", send: func(*edge) Request { return request(1, contact) }, status: 401},
		{name: "ChallengesForeignScheme", send: func(*edge) Request {
			q := request(1, contact)
			q.Authorization = []string{"NoOneKnowsThisScheme opaque-data=here"}
			return q
		}, status: 401},
		{name: "AcceptsThePassword", send: func(e *edge) Request { return e.authorized(request(1, contact), "s3cret") }, status: 200},
		{name: "ChallengesWrongPassword", send: func(e *edge) Request { return e.authorized(request(1, contact), "wrong") }, status: 401},
		{name: "ChallengesUnknownUser", set: func(s *edgetest.Store) { s.RemoveCredential(alice()) },
			send: func(e *edge) Request { return e.authorized(request(1, contact), "s3cret") }, status: 401},
		{name: "RefusesDisabledDevice", set: func(s *edgetest.Store) { c := alice(); c.Enabled = false; s.AddCredential(c) },
			send: func(e *edge) Request { return e.authorized(request(1, contact), "s3cret") }, status: 403},
		{name: "ChallengesDisabledDeviceWithWrongPassword", set: func(s *edgetest.Store) { c := alice(); c.Enabled = false; s.AddCredential(c) },
			send: func(e *edge) Request { return e.authorized(request(1, contact), "wrong") }, status: 401},
		{name: "CallsOldNonceStale", send: func(e *edge) Request {
			q := e.authorized(request(1, contact), "s3cret")
			e.clock.Add(digest.Lifetime + time.Second)
			return q
		}, status: 401, stale: true},
		{name: "PicksTheRightOfManyAnswers", send: func(e *edge) Request {
			q := e.authorized(request(1, contact), "s3cret")
			q.Authorization = append([]string{`Digest username="x", realm="other", nonce="n", uri="u", response="r"`}, q.Authorization...)
			return q
		}, status: 200},
		{name: "RefusesToOutsideTheRealm", send: func(e *edge) Request {
			q := e.authorized(request(1, contact), "s3cret")
			q.Realm = "other.example.com"
			return q
		}, status: 404},
		{name: "AcceptsAddressWithUsername", set: func(s *edgetest.Store) { s.AddAddress(phone, byAddress("alice", realm)) },
			send: func(*edge) Request { return request(1, contact) }, status: 200},
		{name: "AcceptsAddressWithoutUsername", set: func(s *edgetest.Store) { s.AddAddress(phone, byAddress("", realm)) },
			send: func(*edge) Request { q := request(1, contact); q.User = "anyone"; return q }, status: 200},
		{name: "ChallengesPasswordUserAtAddress", set: func(s *edgetest.Store) { s.AddAddress(phone, byAddress("", realm)) },
			send: func(*edge) Request { return request(1, contact) }, status: 401},
		{name: "ChallengesOtherUserAtAddress", set: func(s *edgetest.Store) { s.AddAddress(phone, byAddress("trunk", realm)) },
			send: func(*edge) Request { return request(1, contact) }, status: 401},
		{name: "ChallengesAddressOfOtherRealm", set: func(s *edgetest.Store) { s.AddAddress(phone, byAddress("alice", "other.example.com")) },
			send: func(*edge) Request { return request(1, contact) }, status: 401},
		{name: "RefusesDisabledAddress", set: func(s *edgetest.Store) {
			c := byAddress("alice", realm)
			c.Enabled = false
			s.AddAddress(phone, c)
		}, send: func(*edge) Request { return request(1, contact) }, status: 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t)
			if tt.set != nil {
				tt.set(e.store)
			}
			res, err := e.Register(context.Background(), tt.send(e))
			if err != nil {
				t.Fatal(err)
			}
			if res.Status != tt.status {
				t.Fatalf("got %d %s, want %d", res.Status, res.Reason, tt.status)
			}
			if tt.status == 401 {
				challenges := headers(res, "WWW-Authenticate")
				if len(challenges) != 2 || !strings.Contains(challenges[0], "algorithm=MD5") || !strings.Contains(challenges[1], "algorithm=SHA-256") {
					t.Errorf("got challenges %q, want MD5 and SHA-256", challenges)
				}
				if got := strings.Contains(strings.Join(challenges, ""), "stale=true"); got != tt.stale {
					t.Errorf("got stale %v, want %v", got, tt.stale)
				}
			}
			if tt.status != 200 && len(e.store.Stored("alice@"+realm)) != 0 {
				t.Error("refused, but bound")
			}
		})
	}
}

func TestForeignNonceCostsNoLookUp(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	for i := range 100 {
		q := request(1, "<sip:alice@192.0.2.7>")
		q.Authorization = []string{`Digest username="alice", realm="` + realm + `", nonce="n` + strconv.Itoa(i) + `", uri="u", response="r"`}
		if res, err := e.Register(context.Background(), q); err != nil || res.Status != 401 {
			t.Fatalf("got %+v, %v", res, err)
		}
	}
	if got := e.store.Count("Credential"); got != 0 {
		t.Errorf("got %d look-ups of users, want 0", got)
	}
	if got := e.store.Count("AddressCredential"); got != 1 {
		t.Errorf("got %d look-ups of one address, want 1", got)
	}
}

func TestAddressIsRememberedForHalfAMinute(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	send := func(want int) {
		t.Helper()
		res, err := e.Register(context.Background(), request(1, "<sip:alice@192.0.2.7>"))
		if err != nil || res.Status != want {
			t.Fatalf("got %+v, %v, want %d", res, err, want)
		}
	}
	send(401)
	e.store.AddAddress(netip.MustParseAddr("192.0.2.7"), credential.Credential{AccountID: "acc", DeviceID: "d", Realm: realm, Username: "alice", Enabled: true})
	send(401)
	e.clock.Add(addressLife)
	send(200)
}
