package tabletest

import (
	"strings"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
)

func queryOf(accountID string) auth.Query { return auth.Query{AccountID: accountID} }

func exerciseFacts(t *testing.T, s Stores) {
	ctx := t.Context()
	caller, target := stored(t, s), stored(t, s)
	u := User(caller, "alice")
	must(t, s.Users.CreateUser(ctx, u))
	c := Phone(target, "bob")
	write(t, s, c)
	token := ident.New()
	q := auth.Query{TokenID: token, CallerID: caller.ID, UserID: u.ID, AccountID: target.ID, DeviceID: c.Device.ID}
	want := auth.Facts{Caller: &caller, User: &u, Account: &target, Device: &c.Device}

	facts := func(q auth.Query) auth.Facts {
		t.Helper()
		got, err := s.Auth.Facts(ctx, q)
		must(t, err)
		return got
	}
	wantEqual(t, "facts", facts(q), want)
	must(t, s.Auth.Revoke(ctx, token, began.Add(time.Hour)))
	want.Revoked = true
	wantEqual(t, "facts of a revoked token", facts(q), want)
	must(t, s.Auth.Revoke(ctx, token, began.Add(time.Hour))) // twice is no error

	q.TokenID, q.AccountID, q.DeviceID = "", caller.ID, ""
	wantEqual(t, "facts of a caller about itself", facts(q), auth.Facts{Caller: &caller, User: &u, Account: &caller})
	wantEqual(t, "facts of nothing", facts(auth.Query{}), auth.Facts{})
	wantEqual(t, "facts of strangers", facts(auth.Query{
		TokenID: "x", CallerID: "x", UserID: u.ID, AccountID: "\xff", DeviceID: strings.Repeat("d", 5000)}), auth.Facts{})
	wantEqual(t, "facts without a caller", facts(auth.Query{UserID: u.ID, DeviceID: c.Device.ID}), auth.Facts{})
}

func exerciseLogins(t *testing.T, s Stores) {
	ctx := t.Context()
	for name, find := range map[string]func() (account.Account, error){
		"name":    func() (account.Account, error) { return s.Auth.AccountByName(ctx, "nobody") },
		"no name": func() (account.Account, error) { return s.Auth.AccountByName(ctx, "") },
		"realm":   func() (account.Account, error) { return s.Auth.AccountByRealm(ctx, "nobody.test") },
		"long":    func() (account.Account, error) { return s.Auth.AccountByRealm(ctx, strings.Repeat("r", 5000)) },
		"API key": func() (account.Account, error) { return s.Auth.AccountByAPIKey(ctx, sum("nobody")) },
	} {
		if got, err := find(); fault.Of(err) != fault.NotFound || err == nil {
			t.Errorf("by %s: got %v and %v, want kind not_found", name, got, err)
		}
	}
	_, err := s.Auth.UserByLogin(ctx, "nobody", "x")
	wantKind(t, err, fault.NotFound)

	bucket, window := ident.New(), time.Minute
	start := began.Truncate(window)
	count := func(bucket string, now time.Time, want int) {
		t.Helper()
		got, err := s.Auth.CountAttempt(ctx, bucket, now, window)
		must(t, err)
		wantEqual(t, "attempts", got, want)
	}
	count(bucket, start, 1)
	count(bucket, start.Add(window-time.Millisecond), 2)
	count(bucket, start.Add(window), 1)
	count(ident.New(), start, 1)
	count(bucket, start, 3)
}

func exerciseKeys(t *testing.T, s Stores) {
	ctx := t.Context()
	_, err := s.Vault.SigningKey(ctx)
	wantKind(t, err, fault.NotFound)
	_, err = s.Auth.PublicKey(ctx, "missing")
	wantKind(t, err, fault.NotFound)

	first := auth.Key{ID: ident.New(), Private: []byte{1, 0}, Public: []byte{2, 0}, Created: began}
	second := auth.Key{ID: ident.New(), Private: []byte{3}, Public: []byte{4}, Created: began.Add(time.Hour)}
	later := time.Now().Add(time.Hour)
	wantKind(t, s.Vault.ReplaceSigningKey(ctx, "missing", first, later), fault.Conflict)
	must(t, s.Vault.ReplaceSigningKey(ctx, "", first, later))
	wantKind(t, s.Vault.ReplaceSigningKey(ctx, "", second, later), fault.Conflict)
	_, err = s.Auth.PublicKey(ctx, second.ID)
	wantKind(t, err, fault.NotFound)
	must(t, s.Vault.ReplaceSigningKey(ctx, first.ID, second, later))
	got, err := s.Vault.SigningKey(ctx)
	must(t, err)
	wantEqual(t, "signing key", got, second)
	for _, k := range []auth.Key{first, second} {
		got, err := s.Auth.PublicKey(ctx, k.ID)
		must(t, err)
		k.Private = nil
		wantEqual(t, "public key", got, k)
	}
	third := auth.Key{ID: ident.New(), Private: []byte{5}, Public: []byte{6}, Created: began}
	must(t, s.Vault.ReplaceSigningKey(ctx, second.ID, third, time.Now().Add(-time.Second)))
	_, err = s.Auth.PublicKey(ctx, third.ID)
	wantKind(t, err, fault.NotFound)
}
