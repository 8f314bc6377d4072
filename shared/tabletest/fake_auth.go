package tabletest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/user"
)

var (
	_ auth.Store = (*Fake)(nil)
	_ auth.Vault = (*Fake)(nil)
)

// Facts is auth.Store's.
func (f *Fake) Facts(_ context.Context, q auth.Query) (out auth.Facts, err error) {
	err = f.do("Facts", func() error {
		out.Revoked = f.revoked[q.TokenID]
		if a, ok := f.accounts[q.CallerID]; ok {
			out.Caller = new(copyAccount(a))
		}
		if u, ok := f.users[id{q.CallerID, q.UserID}]; ok {
			out.User = new(copyUser(u))
		}
		if a, ok := f.accounts[q.AccountID]; ok {
			out.Account = new(copyAccount(a))
		}
		if d, ok := f.devices[id{q.AccountID, q.DeviceID}]; ok {
			out.Device = new(copyDevice(d.device))
		}
		return nil
	})
	return out, err
}

// AccountByName is auth.Store's.
func (f *Fake) AccountByName(_ context.Context, nameKey string) (account.Account, error) {
	return f.accountBy("AccountByName", "name "+nameKey)
}

// AccountByRealm is auth.Store's.
func (f *Fake) AccountByRealm(_ context.Context, realm string) (account.Account, error) {
	return f.accountBy("AccountByRealm", "realm "+strings.ToLower(realm))
}

// AccountByAPIKey is auth.Store's.
func (f *Fake) AccountByAPIKey(_ context.Context, hash string) (account.Account, error) {
	return f.accountBy("AccountByAPIKey", "api_key "+hash)
}

func (f *Fake) accountBy(op, name string) (out account.Account, err error) {
	err = f.do(op, func() error {
		held, ok := f.claims[name]
		if !ok {
			return fault.BadIdentifier("")
		}
		out = copyAccount(f.accounts[held.account])
		return nil
	})
	return out, err
}

// UserByLogin is auth.Store's.
func (f *Fake) UserByLogin(_ context.Context, accountID, loginKey string) (out user.User, err error) {
	err = f.do("UserByLogin", func() error {
		for of, u := range f.users {
			if of.account == accountID && slices.Contains(u.Logins, loginKey) {
				out = copyUser(u)
				return nil
			}
		}
		return fault.BadIdentifier("")
	})
	return out, err
}

// Revoke is auth.Store's.
func (f *Fake) Revoke(_ context.Context, tokenID string, _ time.Time) error {
	return f.do("Revoke", func() error {
		f.revoked[tokenID] = true
		return nil
	})
}

// CountAttempt is auth.Store's.
func (f *Fake) CountAttempt(_ context.Context, bucket string, now time.Time, window time.Duration) (n int, err error) {
	err = f.do("CountAttempt", func() error {
		key := fmt.Sprint(bucket, "#", now.Truncate(window).UnixMilli())
		f.attempts[key]++
		n = f.attempts[key]
		return nil
	})
	return n, err
}

// PublicKey is auth.Store's.
func (f *Fake) PublicKey(_ context.Context, keyID string) (out auth.Key, err error) {
	err = f.do("PublicKey", func() error {
		found, ok := f.public[keyID]
		if !ok || !f.Now().Before(found.keep) {
			return fault.BadIdentifier(keyID)
		}
		out = found.key
		return nil
	})
	return out, err
}

// SigningKey is auth.Vault's.
func (f *Fake) SigningKey(context.Context) (out auth.Key, err error) {
	err = f.do("SigningKey", func() error {
		if f.signing == nil {
			return fault.BadIdentifier("signing key")
		}
		out = *f.signing
		return nil
	})
	return out, err
}

// ReplaceSigningKey is auth.Vault's.
func (f *Fake) ReplaceSigningKey(_ context.Context, oldID string, next auth.Key, keep time.Time) error {
	return f.do("ReplaceSigningKey", func() error {
		signs := ""
		if f.signing != nil {
			signs = f.signing.ID
		}
		if signs != oldID {
			return fault.Conflicting(errors.New("another key signs by now"))
		}
		next.Created = millis(next.Created)
		next.Private, next.Public = slices.Clone(next.Private), slices.Clone(next.Public)
		f.signing = &next
		f.public[next.ID] = publicKey{auth.Key{ID: next.ID, Public: next.Public, Created: next.Created}, keep}
		return nil
	})
}
