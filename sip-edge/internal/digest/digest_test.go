package digest

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/credential"
)

const realm = "acme.example.com"

var alice = credential.New(realm, "alice", "s3cret")

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newServer(t testing.TB) (*Server, *clock) {
	t.Helper()
	c := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	return New(bytes.Repeat([]byte{7}, 32), []Algorithm{MD5, SHA256}, c.Now), c
}

// authorize answers a challenge as a phone with the given password would.
func authorize(t testing.TB, challenge, username, password, nc string) Authorization {
	t.Helper()
	p, err := parseDigest(challenge)
	if err != nil {
		t.Fatal(err)
	}
	algorithm, err := ParseAlgorithm(p["algorithm"])
	if err != nil {
		t.Fatal(err)
	}
	a := Authorization{
		Username: username, Realm: p["realm"], Nonce: p["nonce"], URI: "sip:" + realm, Algorithm: p["algorithm"],
		Cnonce: "0a4f113b", QOP: "auth", NC: nc,
	}
	a.Response = answer(algorithm, a, password)
	return a
}

func answer(algorithm Algorithm, a Authorization, password string) string {
	ha1 := algorithm.ha1(credential.New(a.Realm, a.Username, password))
	return algorithm.response(ha1, "REGISTER", a.URI, a.Nonce, a.NC, a.Cnonce, a.QOP)
}

func TestResponseOfTheRFCs(t *testing.T) {
	t.Parallel()
	const (
		nonce7616  = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
		cnonce7616 = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
	)
	for _, tt := range []struct {
		name                              string
		algorithm                         Algorithm
		realm, nonce, cnonce, qop, secret string
		want                              string
	}{
		{"RFC7616MD5", MD5, "http-auth@example.org", nonce7616, cnonce7616, "auth", "Circle of Life", "8ca523f5e9506fed4657c9700eebdbec"},
		{"RFC7616SHA256", SHA256, "http-auth@example.org", nonce7616, cnonce7616, "auth", "Circle of Life",
			"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		{"RFC2617", MD5, "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "0a4f113b", "auth", "Circle Of Life",
			"6629fae49393a05397450978507c4ef1"},
		{"RFC2617WithoutQop", MD5, "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "", "", "Circle Of Life",
			"670fd8c2df070c60b045671b8b24ff02"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ha1 := tt.algorithm.hash("Mufasa", tt.realm, tt.secret)
			got := tt.algorithm.response(ha1, "GET", "/dir/index.html", tt.nonce, "00000001", tt.cnonce, tt.qop)
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	sha := func(c []string) string { return c[1] }
	for _, tt := range []struct {
		name   string
		pick   func([]string) string // nil: MD5
		cred   credential.Credential
		after  time.Duration
		change func(*Authorization)
		want   Outcome
	}{
		{name: "AcceptsMD5", cred: alice, want: Accepted},
		{name: "AcceptsSHA256", pick: sha, cred: alice, want: Accepted},
		{name: "AcceptsUpperCaseResponse", cred: alice, change: func(a *Authorization) { a.Response = strings.ToUpper(a.Response) }, want: Accepted},
		{name: "TakesNoAlgorithmForMD5", cred: alice, change: func(a *Authorization) { a.Algorithm = "" }, want: Accepted},
		{name: "AcceptsAtTheEndOfItsLife", cred: alice, after: Lifetime, want: Accepted},
		{name: "CallsOldNonceStale", cred: alice, after: Lifetime + time.Millisecond, want: Stale},
		{name: "RefusesOldNonceWithWrongPassword", cred: credential.New(realm, "alice", "other"), after: Lifetime + time.Second, want: Refused},
		{name: "RefusesOldNonceOfUnknownUser", after: Lifetime + time.Second, want: Refused},
		{name: "RefusesWrongPassword", cred: credential.New(realm, "alice", "other"), want: Refused},
		{name: "RefusesUnknownUser", want: Refused},
		{name: "RefusesCredentialWithoutHash", cred: credential.Credential{Realm: realm, Username: "alice", Enabled: true}, want: Refused},
		{name: "RefusesForeignNonce", cred: alice, change: func(a *Authorization) {
			a.Nonce = newNonce([]byte("another key"), realm, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
			a.Response = answer(MD5, *a, "s3cret")
		}, want: Refused},
		{name: "RefusesNonceOfAnotherRealm", cred: alice, change: func(a *Authorization) {
			a.Nonce = newNonce(bytes.Repeat([]byte{7}, 32), "other.example.com", time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
			a.Response = answer(MD5, *a, "s3cret")
		}, want: Refused},
		{name: "RefusesTamperedNonce", cred: alice, change: func(a *Authorization) {
			a.Nonce = "B" + a.Nonce[1:]
			a.Response = answer(MD5, *a, "s3cret")
		}, want: Refused},
		{name: "RefusesNonceFromTheFuture", cred: alice, after: -time.Hour, want: Stale},
		{name: "RefusesShortCount", cred: alice, change: func(a *Authorization) { a.NC = "1"; a.Response = answer(MD5, *a, "s3cret") }, want: Refused},
		{name: "CallsCountZeroUsed", cred: alice, change: func(a *Authorization) { a.NC = "00000000"; a.Response = answer(MD5, *a, "s3cret") }, want: Stale},
		{name: "RefusesMissingCnonce", cred: alice, change: func(a *Authorization) { a.Cnonce = ""; a.Response = answer(MD5, *a, "s3cret") }, want: Refused},
		{name: "RefusesAuthInt", cred: alice, change: func(a *Authorization) { a.QOP = "auth-int"; a.Response = answer(MD5, *a, "s3cret") }, want: Refused},
		{name: "RefusesUnknownAlgorithm", cred: alice, change: func(a *Authorization) { a.Algorithm = "MD5-sess" }, want: Refused},
		{name: "RefusesEmptyResponse", cred: alice, change: func(a *Authorization) { a.Response = "" }, want: Refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, c := newServer(t)
			challenges := s.Challenges(realm, false)
			challenge := challenges[0]
			if tt.pick != nil {
				challenge = tt.pick(challenges)
			}
			a := authorize(t, challenge, "alice", "s3cret", "00000001")
			if tt.change != nil {
				tt.change(&a)
			}
			c.now = c.now.Add(tt.after)
			if got := s.Verify("REGISTER", a, tt.cred); got != tt.want {
				t.Errorf("got outcome %d, want %d", got, tt.want)
			}
		})
	}
}

func TestRefusesAlgorithmThatIsNotOffered(t *testing.T) {
	t.Parallel()
	both, c := newServer(t)
	only := New(bytes.Repeat([]byte{7}, 32), []Algorithm{SHA256}, c.Now)
	a := authorize(t, both.Challenges(realm, false)[0], "alice", "s3cret", "00000001")
	if got := only.Verify("REGISTER", a, alice); got != Refused {
		t.Errorf("got outcome %d, want Refused", got)
	}
}

func TestRefusesReplay(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	challenge := s.Challenges(realm, false)[0]
	for _, step := range []struct {
		nc   string
		want Outcome
	}{{"00000001", Accepted}, {"00000001", Stale}, {"00000003", Accepted}, {"00000002", Stale}, {"00000004", Accepted}} {
		if got := s.Verify("REGISTER", authorize(t, challenge, "alice", "s3cret", step.nc), alice); got != step.want {
			t.Errorf("count %s: got outcome %d, want %d", step.nc, got, step.want)
		}
	}
}

func TestWithoutQopANonceServesOnce(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	a := authorize(t, s.Challenges(realm, false)[0], "alice", "s3cret", "")
	a.QOP, a.Cnonce = "", ""
	a.Response = answer(MD5, a, "s3cret")
	if got := s.Verify("REGISTER", a, alice); got != Accepted {
		t.Fatalf("first use: got outcome %d, want Accepted", got)
	}
	if got := s.Verify("REGISTER", a, alice); got != Stale {
		t.Errorf("second use: got outcome %d, want Stale", got)
	}
	a.QOP, a.Cnonce, a.NC = "auth", "x", "ffffffff"
	a.Response = answer(MD5, a, "s3cret")
	if got := s.Verify("REGISTER", a, alice); got != Stale {
		t.Errorf("third use, with qop: got outcome %d, want Stale", got)
	}
}

func TestFailedAnswersLeaveNoTrace(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	for range 100 {
		s.Verify("REGISTER", authorize(t, s.Challenges(realm, false)[0], "alice", "wrong", "00000001"), alice)
	}
	if s.used.count != 0 {
		t.Errorf("got %d remembered nonces, want 0", s.used.count)
	}
}

func TestFullMemoryForgetsOldestAndRefusesThem(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	s.used.max = 2
	var challenges []string
	for range 3 {
		challenges = append(challenges, s.Challenges(realm, false)[0])
		c.now = c.now.Add(2 * time.Second)
	}
	for i, challenge := range challenges {
		if got := s.Verify("REGISTER", authorize(t, challenge, "alice", "s3cret", "00000001"), alice); got != Accepted {
			t.Fatalf("nonce %d: got outcome %d, want Accepted", i, got)
		}
	}
	if s.used.count != 2 {
		t.Errorf("got %d remembered nonces, want 2", s.used.count)
	}
	if got := s.Verify("REGISTER", authorize(t, challenges[0], "alice", "s3cret", "00000001"), alice); got != Stale {
		t.Errorf("replay of a forgotten nonce: got outcome %d, want Stale", got)
	}
	if got := s.Verify("REGISTER", authorize(t, challenges[1], "alice", "s3cret", "00000002"), alice); got != Accepted {
		t.Errorf("next use of a remembered nonce: got outcome %d, want Accepted", got)
	}
}

func TestUsedNoncesAreForgottenWhenTheyAreOld(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	for range 10 {
		s.Verify("REGISTER", authorize(t, s.Challenges(realm, false)[0], "alice", "s3cret", "00000001"), alice)
		c.now = c.now.Add(time.Second)
	}
	c.now = c.now.Add(24 * time.Hour)
	s.Verify("REGISTER", authorize(t, s.Challenges(realm, false)[0], "alice", "s3cret", "00000001"), alice)
	if s.used.count != 1 || len(s.used.seen) != 1 {
		t.Errorf("got %d nonces in %d seconds, want 1 in 1", s.used.count, len(s.used.seen))
	}
}

func TestChallenges(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	challenges := s.Challenges(`we"ird\realm`, true)
	if len(challenges) != 2 {
		t.Fatalf("got %d challenges, want 2", len(challenges))
	}
	for i, algorithm := range []string{"MD5", "SHA-256"} {
		p, err := parseDigest(challenges[i])
		if err != nil {
			t.Fatal(err)
		}
		if p["realm"] != `we"ird\realm` || p["algorithm"] != algorithm || p["qop"] != "auth" || p["stale"] != "true" || p["nonce"] == "" {
			t.Errorf("got %q", challenges[i])
		}
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	ours := s.Challenges(realm, false)
	for _, tt := range []struct {
		name       string
		challenges []string
		algorithm  Algorithm // empty: no answer
		qop        string
	}{
		{"TakesTheFirst", ours, MD5, "auth"},
		{"SkipsWhatItCannotDo", []string{`Basic realm="x"`, `Digest realm="` + realm + `", nonce="n", algorithm=SHA-512-256`, ours[1]}, SHA256, "auth"},
		{"AnswersWithoutQop", []string{`Digest realm="` + realm + `", nonce="n", opaque="o\"p"`}, MD5, ""},
		{"PicksAuthFromTheList", []string{`Digest realm="` + realm + `", nonce="n", qop="auth-int, auth"`}, MD5, "auth"},
		{"LeavesAuthIntAlone", []string{`Digest realm="` + realm + `", nonce="n", qop="auth-int"`}, "", ""},
		{"LeavesOtherRealmsAlone", []string{`Digest realm="other", nonce="n"`}, "", ""},
		{"LeavesChallengesWithoutNonceAlone", []string{`Digest realm="` + realm + `"`}, "", ""},
		{"HasNothingToAnswer", nil, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			value, err := Answer(tt.challenges, "NOTIFY", "sip:alice@192.0.2.1", alice)
			if tt.algorithm == "" {
				if err == nil {
					t.Fatalf("got answer %q, want none", value)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			a, err := ParseAuthorization(value)
			if err != nil {
				t.Fatalf("%q: %v", value, err)
			}
			want := tt.algorithm.response(tt.algorithm.ha1(alice), "NOTIFY", "sip:alice@192.0.2.1", a.Nonce, a.NC, a.Cnonce, tt.qop)
			if a.Response != want || a.QOP != tt.qop || a.Username != "alice" {
				t.Errorf("got %q, want response %s", value, want)
			}
		})
	}
}

func BenchmarkNonce(b *testing.B) {
	s, c := newServer(b)
	b.ReportAllocs()
	for b.Loop() {
		newNonce(s.key, realm, c.now)
	}
}

func BenchmarkChallenges(b *testing.B) {
	s, _ := newServer(b)
	b.ReportAllocs()
	for b.Loop() {
		s.Challenges(realm, false)
	}
}

func BenchmarkVerify(b *testing.B) {
	s, _ := newServer(b)
	a := authorize(b, s.Challenges(realm, false)[0], "alice", "s3cret", "00000001")
	b.ReportAllocs()
	for b.Loop() {
		if s.Verify("REGISTER", a, alice) == Refused {
			b.Fatal("refused")
		}
	}
}

func BenchmarkParseAuthorization(b *testing.B) {
	s, _ := newServer(b)
	value, err := Answer(s.Challenges(realm, false), "REGISTER", "sip:"+realm, alice)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseAuthorization(value); err != nil {
			b.Fatal(err)
		}
	}
}
