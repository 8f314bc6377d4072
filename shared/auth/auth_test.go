package auth_test

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/tabletest"
	"github.com/dialplane/dialplane/shared/user"
)

// world is a small tree of accounts — master, reseller, customer — and a
// stranger beside them, with a user of the reseller and a clock to move.
type world struct {
	*tabletest.Fake
	gate                                 *auth.Gate
	login                                auth.Login
	master, reseller, customer, stranger account.Account
	user                                 user.User
	now                                  time.Time
}

func newWorld(t *testing.T) *world {
	w := &world{Fake: tabletest.New(t), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	clock := func() time.Time { return w.now }
	w.Fake.Now = clock
	w.gate = auth.NewGate(w)
	w.gate.Now = clock
	w.login = auth.Login{Store: w, Issuer: &auth.Issuer{Vault: w, Now: clock}, Now: clock}
	create := func(name string, tree ...string) account.Account {
		a := account.Account{ID: name, Name: name, Realm: name + ".example", Tree: tree, Enabled: true, Salt: []byte(name + "-salt-of-16-b"),
			APIKey: hex.EncodeToString([]byte(strings.Repeat(name[:1], 32))), Rev: 1, Created: w.now, Modified: w.now, Doc: document.Object{"name": name}}
		a.Superduper = name == "master"
		if err := w.CreateAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	w.master = create("master")
	w.reseller = create("reseller", "master")
	w.customer = create("customer", "master", "reseller")
	w.stranger = create("zebra", "master")
	w.user = user.User{ID: "u1", AccountID: "reseller", Username: "ann", Enabled: true, Rev: 1, Created: w.now, Modified: w.now,
		Logins: auth.LoginKeys(w.reseller.Salt, "ann", "secret"), Doc: document.Object{"username": "ann"}}
	if err := w.CreateUser(t.Context(), w.user); err != nil {
		t.Fatal(err)
	}
	return w
}

// credentials is what a client sends for a user name and password.
func credentials(username, password string) auth.Credentials {
	sum := md5.Sum([]byte(username + ":" + password))
	return auth.Credentials{Digest: hex.EncodeToString(sum[:]), Method: auth.DigestMD5, AccountName: "Reseller"}
}

func (w *world) userToken(t *testing.T) string {
	t.Helper()
	grant, err := w.login.User(t.Context(), credentials("ann", "secret"), "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	return grant.Token
}

func (w *world) keyToken(t *testing.T, a account.Account) string {
	t.Helper()
	grant, err := w.login.APIKey(t.Context(), a.APIKey, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	return grant.Token
}

func TestAdmission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user, reseller, master := w.userToken(t), w.keyToken(t, w.reseller), w.keyToken(t, w.master)
	customer := w.keyToken(t, w.customer)
	for _, test := range []struct {
		name, token, target string
		want                fault.Kind
	}{
		{"OwnAccount", reseller, "reseller", fault.Internal},
		{"OwnAccountByDefault", reseller, "", fault.Internal},
		{"UserInOwnAccount", user, "reseller", fault.Internal},
		{"Descendant", reseller, "customer", fault.Internal},
		{"UserInDescendant", user, "customer", fault.Internal},
		{"Ancestor", reseller, "master", fault.Forbidden},
		{"Sibling", reseller, "zebra", fault.Forbidden},
		{"ParentOfCustomer", customer, "reseller", fault.Forbidden},
		{"Stranger", customer, "zebra", fault.Forbidden},
		{"AccountThatDoesNotExistLooksLikeAStranger", customer, "nobody", fault.Forbidden},
		{"SuperduperEverywhere", master, "zebra", fault.Internal},
		{"SuperduperSeesWhatDoesNotExist", master, "nobody", fault.NotFound},
		{"NoToken", "", "reseller", fault.Unauthenticated},
		{"Garbage", "a.b.c", "reseller", fault.Unauthenticated},
		{"HugeToken", strings.Repeat("a", 5000), "reseller", fault.Unauthenticated},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, err := w.gate.Admit(t.Context(), test.token, auth.Target{AccountID: test.target})
			if err != nil && fault.Of(err) != test.want {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if err == nil && (test.want != fault.Internal || s.Account.ID == "") {
				t.Fatalf("admitted to %q", s.Account.ID)
			}
		})
	}
}

func TestAdmissionIsOneRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.userToken(t)
	target := auth.Target{AccountID: "customer", DeviceID: "none"}
	w.gate.Admit(t.Context(), token, target) // fetches the public key, once a process
	before := w.Calls()
	if _, err := w.gate.Admit(t.Context(), token, target); fault.Of(err) != fault.NotFound {
		t.Fatalf("got %v", err)
	}
	for op, n := range w.Calls() {
		if extra := n - before[op]; (op == "Facts" && extra != 1) || (op != "Facts" && extra != 0) {
			t.Errorf("%s was called %d times", op, extra)
		}
	}
}

func TestForgedTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.userToken(t)
	parts := strings.Split(token, ".")
	encode := base64.RawURLEncoding.EncodeToString
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, forged := range map[string]string{
		"OtherAccount":  parts[0] + "." + encode([]byte(strings.ReplaceAll(string(claims), "reseller", "master"))) + "." + parts[2],
		"NoAlgorithm":   encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + ".",
		"HMACWithKid":   encode([]byte(strings.ReplaceAll(string(header), "ES256", "HS256"))) + "." + parts[1] + "." + parts[2],
		"NoKid":         encode([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + parts[1] + "." + parts[2],
		"UnknownKid":    encode([]byte(`{"alg":"ES256","kid":"someone-elses","typ":"JWT"}`)) + "." + parts[1] + "." + parts[2],
		"KidOfOtherKey": encode([]byte(`{"alg":"ES256","kid":"../ACCOUNT#master","typ":"JWT"}`)) + "." + parts[1] + "." + parts[2],
		"CutSignature":  token[:len(token)-2],
		"NoSignature":   parts[0] + "." + parts[1] + ".",
	} {
		if _, err := w.gate.Admit(t.Context(), forged, auth.Target{}); fault.Of(err) != fault.Unauthenticated {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestWhatEndsATokenAtOnce(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *world, string){
		"Logout": func(t *testing.T, w *world, token string) {
			s, err := w.gate.Admit(t.Context(), token, auth.Target{})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.gate.Logout(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		},
		"NewPassword": func(t *testing.T, w *world, _ string) {
			changed := w.user
			changed.Rev, changed.Epoch, changed.Logins = 2, 1, auth.LoginKeys(w.reseller.Salt, "ann", "another")
			if err := w.UpdateUser(t.Context(), changed, w.user); err != nil {
				t.Fatal(err)
			}
		},
		"DisabledUser": func(t *testing.T, w *world, _ string) {
			changed := w.user
			changed.Rev, changed.Enabled = 2, false
			if err := w.UpdateUser(t.Context(), changed, w.user); err != nil {
				t.Fatal(err)
			}
		},
		"DisabledAccount": func(t *testing.T, w *world, _ string) {
			changed := w.reseller
			changed.Rev, changed.Enabled = 2, false
			if err := w.UpdateAccount(t.Context(), changed, w.reseller); err != nil {
				t.Fatal(err)
			}
		},
		"AccountsTokensEnded": func(t *testing.T, w *world, _ string) {
			changed := w.reseller
			changed.Rev, changed.Epoch = 2, 1
			if err := w.UpdateAccount(t.Context(), changed, w.reseller); err != nil {
				t.Fatal(err)
			}
		},
		"AnHour": func(_ *testing.T, w *world, _ string) { w.now = w.now.Add(auth.TokenLife) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			token := w.userToken(t)
			w.now = w.now.Add(time.Minute)
			if _, err := w.gate.Admit(t.Context(), token, auth.Target{}); err != nil {
				t.Fatalf("token is not good to begin with: %v", err)
			}
			end(t, w, token)
			if _, err := w.gate.Admit(t.Context(), token, auth.Target{}); fault.Of(err) != fault.Unauthenticated {
				t.Errorf("got %v, want %v", err, fault.Unauthenticated)
			}
		})
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	sum := sha1.Sum([]byte("ann:secret"))
	bySHA := auth.Credentials{Digest: strings.ToUpper(hex.EncodeToString(sum[:])), Method: auth.DigestSHA1, AccountRealm: "RESELLER.example"}
	in := func(c auth.Credentials, account string) auth.Credentials { c.AccountName = account; return c }
	for _, test := range []struct {
		name string
		sent auth.Credentials
		ok   bool
	}{
		{"MD5AndAccountName", credentials("ann", "secret"), true},
		{"SHA1AndRealm", bySHA, true},
		{"NameIsReduced", in(credentials("ann", "secret"), " re-SELLER "), true},
		{"WrongPassword", credentials("ann", "Secret"), false},
		{"UnknownUser", credentials("bob", "secret"), false},
		{"UnknownAccount", in(credentials("ann", "secret"), "nobody"), false},
		{"OtherAccount", in(credentials("ann", "secret"), "customer"), false},
		{"NoAccount", in(credentials("ann", "secret"), ""), false},
		{"MD5CalledSHA", auth.Credentials{Digest: credentials("ann", "secret").Digest, Method: auth.DigestSHA1, AccountName: "reseller"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			grant, err := w.login.User(t.Context(), test.sent, "192.0.2.1")
			if !test.ok {
				if fault.Of(err) != fault.Unauthenticated {
					t.Errorf("got %v, want %v", err, fault.Unauthenticated)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			view := grant.View()
			if view["account_id"] != "reseller" || view["owner_id"] != "u1" || view["is_master_account"] != false {
				t.Errorf("got %v", view)
			}
		})
	}
}

// TestEveryFailedLoginCostsTheSame counts the reads: the slow hash before them
// is the same one.
func TestEveryFailedLoginCostsTheSame(t *testing.T) {
	t.Parallel()
	costs := func(c auth.Credentials) int {
		w := newWorld(t)
		before := w.Calls()
		w.login.User(t.Context(), c, "192.0.2.1")
		n := 0
		for op, calls := range w.Calls() {
			n += calls - before[op]
		}
		return n
	}
	wrong, nobody := costs(credentials("ann", "wrong")), costs(auth.Credentials{Digest: "0", Method: auth.DigestMD5, AccountName: "nobody"})
	if wrong != nobody {
		t.Errorf("a wrong password takes %d calls, an unknown account %d", wrong, nobody)
	}
}

func TestOnlyTheRightPasswordShowsThatTheAccountIsDisabled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	changed := w.reseller
	changed.Rev, changed.Enabled = 2, false
	if err := w.UpdateAccount(t.Context(), changed, w.reseller); err != nil {
		t.Fatal(err)
	}
	if _, err := w.login.User(t.Context(), credentials("ann", "wrong"), "192.0.2.1"); fault.Of(err) != fault.Unauthenticated {
		t.Errorf("wrong password: got %v", err)
	}
	_, err := w.login.User(t.Context(), credentials("ann", "secret"), "192.0.2.1")
	if _, ok := fault.ViolationsOf(err)["account"]["disabled"]; !ok {
		t.Errorf("right password: got %v", err)
	}
}

func TestLoginsAreLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wrong := credentials("ann", "wrong")
	for n := range 20 {
		if _, err := w.login.User(t.Context(), wrong, "192.0.2.1"); fault.Of(err) != fault.Unauthenticated {
			t.Fatalf("attempt %d: got %v", n+1, err)
		}
	}
	if _, err := w.login.User(t.Context(), credentials("ann", "secret"), "192.0.2.1"); fault.Of(err) != fault.TooMany {
		t.Errorf("the 21st attempt: got %v, want %v", err, fault.TooMany)
	}
	if _, err := w.login.User(t.Context(), credentials("ann", "secret"), "192.0.2.2"); err != nil {
		t.Errorf("from another address: %v", err)
	}
	w.now = w.now.Add(time.Minute)
	if _, err := w.login.User(t.Context(), credentials("ann", "secret"), "192.0.2.1"); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

func TestUnknownAPIKeyIsNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.login.APIKey(t.Context(), strings.Repeat("0", 64), "192.0.2.1"); fault.Of(err) != fault.NotFound {
		t.Errorf("got %v, want %v", err, fault.NotFound)
	}
}

func TestIssuersAgreeOnOneKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tokens := make([]string, 8)
	var group sync.WaitGroup
	for i := range tokens {
		group.Go(func() {
			issuer := &auth.Issuer{Vault: w, Now: func() time.Time { return w.now }}
			token, err := issuer.Issue(context.Background(), w.reseller, nil)
			if err != nil {
				t.Error(err)
			}
			tokens[i] = token
		})
	}
	group.Wait()
	kid := strings.Split(tokens[0], ".")[0]
	for _, token := range tokens {
		if strings.Split(token, ".")[0] != kid {
			t.Error("two keys are in use")
		}
		if _, err := w.gate.Admit(t.Context(), token, auth.Target{}); err != nil {
			t.Error(err)
		}
	}
}

func TestSigningKeyIsReplacedAfterAMonth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.userToken(t)
	w.now = w.now.Add(30*24*time.Hour - time.Minute)
	last := w.userToken(t)
	w.now = w.now.Add(30 * time.Minute)
	next := w.userToken(t)
	if strings.Split(last, ".")[0] == strings.Split(next, ".")[0] {
		t.Error("the key is older than a month")
	}
	for _, token := range []string{last, next} { // tokens outlive the change of keys
		if _, err := w.gate.Admit(t.Context(), token, auth.Target{}); err != nil {
			t.Error(err)
		}
	}
}

func TestStoreThatDoesNotAnswerAdmitsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.userToken(t)
	for _, op := range []string{"PublicKey", "Facts"} {
		w.Fail(op, 1, tabletest.Before)
		if _, err := w.gate.Admit(t.Context(), token, auth.Target{}); fault.Of(err) != fault.Unavailable {
			t.Errorf("%s: got %v, want %v", op, err, fault.Unavailable)
		}
	}
	if _, err := w.gate.Admit(t.Context(), token, auth.Target{}); err != nil {
		t.Error(err)
	}
}

func BenchmarkLoginKey(b *testing.B) {
	for b.Loop() {
		auth.LoginKey([]byte("0123456789abcdef"), auth.DigestMD5, "0123456789abcdef0123456789abcdef")
	}
}
