package bootstrap_test

import (
	"testing"
	"time"

	"github.com/dialplane/dialplane/scripts/bootstrap"
	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/tabletest"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestFirstAccountCanLogIn(t *testing.T) {
	t.Parallel()
	store := tabletest.New(t)
	made, err := bootstrap.Account(t.Context(), store, bootstrap.Spec{AccountName: "Master", Realm: "SIP.example.com", Username: "Admin"}, now)
	if err != nil {
		t.Fatal(err)
	}
	if made.Account.Realm != "sip.example.com" || !made.Account.Superduper || len(made.Account.APIKey) != 64 {
		t.Errorf("got %+v", made.Account)
	}
	login := auth.LoginKeys(made.Account.Salt, "admin", made.Password)[0]
	if u, err := store.UserByLogin(t.Context(), made.Account.ID, login); err != nil || !u.Admin {
		t.Errorf("got %+v, %v", u, err)
	}
}

func TestInterruptedStartIsTakenUp(t *testing.T) {
	t.Parallel()
	store := tabletest.New(t)
	spec := bootstrap.Spec{AccountID: "a1", AccountName: "Demo", Realm: "demo.localhost", APIKey: "k", Username: "admin", Password: "secret"}
	store.Fail("CreateUser", 1, tabletest.Before)
	if _, err := bootstrap.Account(t.Context(), store, spec, now); fault.Of(err) != fault.Unavailable {
		t.Fatalf("got %v", err)
	}
	first, err := bootstrap.Account(t.Context(), store, spec, now)
	if err != nil {
		t.Fatal(err)
	}
	again, err := bootstrap.Account(t.Context(), store, spec, now.Add(time.Hour))
	if err != nil || again.User.ID != first.User.ID || !again.Account.Created.Equal(first.Account.Created) {
		t.Errorf("got %+v, %v", again, err)
	}
}

func TestTakenRealmIsRefused(t *testing.T) {
	t.Parallel()
	store := tabletest.New(t)
	spec := bootstrap.Spec{AccountName: "One", Realm: "sip.example.com", Username: "admin"}
	if _, err := bootstrap.Account(t.Context(), store, spec, now); err != nil {
		t.Fatal(err)
	}
	spec.AccountName = "Two"
	if _, err := bootstrap.Account(t.Context(), store, spec, now); fault.Of(err) != fault.Invalid {
		t.Errorf("got %v, want %v", err, fault.Invalid)
	}
}
