// Package bootstrap makes the first account of an installation, by which all
// others are made.
package bootstrap

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
	"github.com/dialplane/dialplane/shared/user"
)

// Store is where the account goes.
type Store interface {
	account.Store
	user.Store
	auth.Store
}

// Spec names what to make. What is empty of ids and secrets is chosen at
// random.
type Spec struct {
	AccountID   string
	AccountName string
	Realm       string
	APIKey      string // 64 hex digits
	Username    string
	Password    string
}

// Made is what there is now. Password and Account.APIKey are secrets.
type Made struct {
	Account  account.Account
	User     user.User
	Password string
}

// Account makes the master account, which may act on every other, with one
// administrator and an API key. What an earlier call with the same Spec has
// made stays as it is. It fails with fault.Invalid if the realm or the name is
// another account's.
func Account(ctx context.Context, store Store, spec Spec, now time.Time) (Made, error) {
	spec.AccountID = cmp.Or(spec.AccountID, ident.New())
	spec.APIKey = cmp.Or(spec.APIKey, ident.Hex(32))
	spec.Password = cmp.Or(spec.Password, ident.Hex(9))
	spec.Username = strings.ToLower(spec.Username)
	facts, err := store.Facts(ctx, auth.Query{AccountID: spec.AccountID})
	if err != nil {
		return Made{}, fmt.Errorf("look for the account: %w", err)
	}
	if facts.Account == nil {
		a := newAccount(spec, now)
		if err := store.CreateAccount(ctx, a); err != nil {
			return Made{}, fmt.Errorf("create account: %w", err)
		}
		facts.Account = &a
	}
	logins := auth.LoginKeys(facts.Account.Salt, spec.Username, spec.Password)
	u, err := store.UserByLogin(ctx, spec.AccountID, logins[0])
	if fault.Of(err) == fault.NotFound {
		u = newUser(spec, logins, now)
		err = store.CreateUser(ctx, u)
	}
	if err != nil {
		return Made{}, fmt.Errorf("create user: %w", err)
	}
	return Made{Account: *facts.Account, User: u, Password: spec.Password}, nil
}

func newAccount(spec Spec, now time.Time) account.Account {
	salt := make([]byte, 16)
	rand.Read(salt) // never fails (crypto/rand)
	a := account.Account{
		ID: spec.AccountID, Name: spec.AccountName, Realm: strings.ToLower(spec.Realm), Enabled: true, Superduper: true,
		Reseller: true, ResellerID: spec.AccountID, // the master account is its own reseller
		Salt: salt, APIKey: spec.APIKey, Rev: 1, Created: now, Modified: now,
	}
	a.Doc = document.Object{"name": a.Name, "realm": a.Realm, "enabled": true}
	return a
}

func newUser(spec Spec, logins []string, now time.Time) user.User {
	return user.User{
		ID: ident.New(), AccountID: spec.AccountID, Username: spec.Username, Enabled: true, Admin: true,
		Logins: logins, Rev: 1, Created: now, Modified: now,
		Doc: document.Object{"username": spec.Username, "first_name": "First", "last_name": "Administrator",
			"enabled": true, "priv_level": "admin"},
	}
}
