package tabletest

import (
	"reflect"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
	"github.com/dialplane/dialplane/shared/user"
)

// started is when everything in the suite happens: whole milliseconds, as
// tables keep them.
var began = time.Date(2026, 11, 22, 10, 0, 0, 123_000_000, time.UTC)

// Account returns a new account that no store has yet, with every field set
// and names that nothing else has.
func Account() account.Account {
	id := ident.New()
	return account.Account{
		ID: id, Name: "Account " + id, Realm: "r" + id + ".test", Tree: []string{"root", "parent"}, Enabled: true,
		Superduper: true, Reseller: true, ResellerID: "root", Epoch: 3, Salt: []byte("0123456789abcdef"), APIKey: ident.Hex(32),
		Rev: 1, Created: began, Modified: began.Add(time.Second),
		Doc: document.Object{"name": "Account " + id, "zones": document.Object{}},
	}
}

// User returns a new user of an account, with every field set.
func User(a account.Account, username string) user.User {
	return user.User{
		ID: ident.New(), AccountID: a.ID, Username: username, Enabled: true, Admin: true, Epoch: 2,
		Logins: []string{"md5-" + username, "sha-" + username}, Rev: 1, Created: began, Modified: began,
		Doc: document.Object{"username": username},
	}
}

// stored creates an account.
func stored(t *testing.T, s Stores) account.Account {
	t.Helper()
	a := Account()
	must(t, s.Accounts.CreateAccount(t.Context(), a))
	return a
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if err == nil || fault.Of(err) != want {
		t.Errorf("got error %v, want kind %v", err, want)
	}
}

// wantInUse checks that err is Invalid and says "unique" of exactly the
// properties, with the causes given.
func wantInUse(t *testing.T, err error, causes map[string]any) {
	t.Helper()
	wantKind(t, err, fault.Invalid)
	got := map[string]any{}
	for path, rules := range fault.ViolationsOf(err) {
		broken, ok := rules["unique"]
		if !ok || broken.Message == "" {
			t.Errorf("got %v at %s, want a message of the rule unique", rules, path)
		}
		got[path] = broken.Cause
	}
	wantEqual(t, "properties and causes", got, causes)
}

func wantEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got\n%+v\nwant\n%+v", what, got, want)
	}
}

func exerciseAccounts(t *testing.T, s Stores) {
	ctx := t.Context()
	a := stored(t, s)
	for name, find := range map[string]func() (account.Account, error){
		"name":    func() (account.Account, error) { return s.Auth.AccountByName(ctx, account.NameKey(a.Name)) },
		"realm":   func() (account.Account, error) { return s.Auth.AccountByRealm(ctx, a.Realm) },
		"API key": func() (account.Account, error) { return s.Auth.AccountByAPIKey(ctx, sum(a.APIKey)) },
	} {
		got, err := find()
		must(t, err)
		wantEqual(t, "account found by "+name, got, a)
	}

	t.Run("RefusesTakenRealmAndName", func(t *testing.T) {
		b := Account()
		b.Realm, b.Name = a.Realm, " "+a.Name+"!"
		wantInUse(t, s.Accounts.CreateAccount(ctx, b), map[string]any{"realm": b.Realm, "name": b.Name})
		_, err := s.Auth.AccountByAPIKey(ctx, sum(b.APIKey))
		wantKind(t, err, fault.NotFound)
	})
	t.Run("RefusesTakenID", func(t *testing.T) {
		b := Account()
		b.ID = a.ID
		wantKind(t, s.Accounts.CreateAccount(ctx, b), fault.Conflict)
		_, err := s.Auth.AccountByRealm(ctx, b.Realm)
		wantKind(t, err, fault.NotFound)
	})
	t.Run("RefusesTakenAPIKey", func(t *testing.T) {
		b := Account()
		b.APIKey = a.APIKey
		wantKind(t, s.Accounts.CreateAccount(ctx, b), fault.Conflict)
	})
	t.Run("MovesNames", func(t *testing.T) {
		b := a
		b.Rev, b.Realm, b.APIKey, b.Enabled = 2, "new."+a.Realm, ident.Hex(32), false
		must(t, s.Accounts.UpdateAccount(ctx, b, a))
		got, err := s.Auth.AccountByRealm(ctx, b.Realm)
		must(t, err)
		wantEqual(t, "account", got, b)
		_, err = s.Auth.AccountByAPIKey(ctx, sum(a.APIKey))
		wantKind(t, err, fault.NotFound)
		c := Account()
		c.Realm = a.Realm
		must(t, s.Accounts.CreateAccount(ctx, c))
		// The same revision does not succeed twice.
		wantKind(t, s.Accounts.UpdateAccount(ctx, b, b), fault.Conflict)
	})
	t.Run("StoresWithoutNames", func(t *testing.T) {
		bare := account.Account{ID: ident.New(), Name: "!", Rev: 1}
		must(t, s.Accounts.CreateAccount(ctx, bare))
		facts, err := s.Auth.Facts(ctx, queryOf(bare.ID))
		must(t, err)
		bare.Doc = document.Object{}
		wantEqual(t, "account", *facts.Account, bare)
	})
}

func exerciseUsers(t *testing.T, s Stores) {
	ctx := t.Context()
	a, other := stored(t, s), stored(t, s)
	u := User(a, "alice")
	must(t, s.Users.CreateUser(ctx, u))
	for _, login := range u.Logins {
		got, err := s.Auth.UserByLogin(ctx, a.ID, login)
		must(t, err)
		wantEqual(t, "user found by login", got, u)
	}
	_, err := s.Auth.UserByLogin(ctx, other.ID, u.Logins[0])
	wantKind(t, err, fault.NotFound)

	t.Run("RefusesTakenName", func(t *testing.T) {
		v := User(a, "ALICE")
		wantInUse(t, s.Users.CreateUser(ctx, v), map[string]any{"username": "ALICE"})
		_, err := s.Auth.UserByLogin(ctx, a.ID, v.Logins[0])
		wantKind(t, err, fault.NotFound)
	})
	t.Run("RefusesTakenID", func(t *testing.T) {
		v := User(a, "bob")
		v.ID = u.ID
		wantKind(t, s.Users.CreateUser(ctx, v), fault.Conflict)
	})
	t.Run("TakesSameNameInOtherAccount", func(t *testing.T) { must(t, s.Users.CreateUser(ctx, User(other, "alice"))) })
	t.Run("TakesUsersWithoutName", func(t *testing.T) {
		for range 2 {
			v := User(a, "")
			v.Logins = nil
			must(t, s.Users.CreateUser(ctx, v))
		}
	})
	t.Run("ChangesPassword", func(t *testing.T) {
		v := u
		v.Rev, v.Epoch, v.Logins = 2, 3, []string{"md5-new"}
		must(t, s.Users.UpdateUser(ctx, v, u))
		got, err := s.Auth.UserByLogin(ctx, a.ID, "md5-new")
		must(t, err)
		wantEqual(t, "user", got, v)
		_, err = s.Auth.UserByLogin(ctx, a.ID, u.Logins[0])
		wantKind(t, err, fault.NotFound)
		wantKind(t, s.Users.UpdateUser(ctx, v, v), fault.Conflict)
	})
	t.Run("RefusesUpdateOfNothing", func(t *testing.T) {
		v := User(a, "carol")
		v.Rev = 2
		wantKind(t, s.Users.UpdateUser(ctx, v, user.User{}), fault.Conflict)
	})
}
