package auth

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/user"
	"golang.org/x/crypto/argon2"
)

// Logins allowed from one address to one account in one window, right or
// wrong. A person logs in a few times a day, a program once an hour.
const (
	attemptWindow = time.Minute
	maxAttempts   = 20
)

// Names of the digests in which clients send user name and password, as
// PUT /user_auth calls them.
const (
	DigestMD5  = "md5"
	DigestSHA1 = "sha"
)

// LoginKey turns the digest of "username:password" that a client sends into
// the key under which the user is stored: a slow hash (argon2id with the
// parameters that OWASP recommends, about 20 ms) with the account's salt.
//
// Kazoo's clients do not send the user name, so the user must be found by the
// digest. The user name inside the digest keeps equal passwords in one account
// apart, the salt those in different accounts.
func LoginKey(salt []byte, method, digest string) string {
	sum := argon2.IDKey([]byte(strings.ToLower(digest)), salt, 2, 19*1024, 1, 32)
	return method + "-" + hex.EncodeToString(sum)
}

// LoginKeys returns both login keys of a user name and password.
func LoginKeys(salt []byte, username, password string) []string {
	text := []byte(strings.ToLower(username) + ":" + password)
	md5Sum, sha1Sum := md5.Sum(text), sha1.Sum(text)
	return []string{
		LoginKey(salt, DigestMD5, hex.EncodeToString(md5Sum[:])),
		LoginKey(salt, DigestSHA1, hex.EncodeToString(sha1Sum[:])),
	}
}

// HashAPIKey returns the form in which an API key is looked up. The key is 32
// random bytes, so a fast hash is enough.
func HashAPIKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// View returns what a login tells the client besides the token
// (cb_user_auth, create_auth_token).
func (g Grant) View() document.Object {
	view := document.Object{
		"account_id": g.Account.ID, "account_name": g.Account.Name, "apps": []any{},
		"language": g.language(), "cluster_id": "dialplane",
		"reseller_id": g.Account.ResellerID, "is_reseller": g.Account.Reseller,
		"is_master_account": len(g.Account.Tree) == 0, "capabilities": document.Object{}, "ui_config": document.Object{},
	}
	if g.User != nil {
		view["owner_id"] = g.User.ID
	}
	return view
}

// language is the user's, else the account's, else Kazoo's default.
func (g Grant) language() string {
	if g.User != nil {
		if own := document.Text(g.User.Doc, "language"); own != "" {
			return own
		}
	}
	if own := document.Text(g.Account.Doc, "language"); own != "" {
		return own
	}
	return "en-us"
}

// Login turns credentials into tokens.
type Login struct {
	Store  Store
	Issuer *Issuer
	Now    func() time.Time
}

// Credentials is what PUT /user_auth carries. The account is found by its
// realm, or else by its name.
type Credentials struct {
	Digest       string // hex of the digest of "username:password"
	Method       string // DigestMD5 or DigestSHA1
	AccountRealm string
	AccountName  string
}

// Grant is a successful login.
type Grant struct {
	Token   string
	Account account.Account
	User    *user.User // nil for an API key
}

// User logs a user in, who calls from the address source.
//
// Whatever is wrong, the answer is fault.Unauthenticated and takes the same
// work: one slow hash and two reads. Only who knows a right password learns
// that the account is disabled (fault.Invalid, as in Kazoo). fault.TooMany
// after 20 attempts in a minute.
func (l Login) User(ctx context.Context, c Credentials, source string) (Grant, error) {
	if err := l.count(ctx, source, c.AccountRealm+"/"+account.NameKey(c.AccountName)); err != nil {
		return Grant{}, err
	}
	in, err := l.findAccount(ctx, c)
	if err != nil && fault.Of(err) != fault.NotFound {
		return Grant{}, fmt.Errorf("find account: %w", err)
	}
	if in.Salt == nil { // no such account: do the same work on nothing
		in.Salt = make([]byte, 16)
	}
	u, err := l.Store.UserByLogin(ctx, in.ID, LoginKey(in.Salt, c.Method, c.Digest))
	if fault.Of(err) == fault.NotFound {
		return Grant{}, fault.InvalidCredentials(err)
	}
	if err != nil {
		return Grant{}, fmt.Errorf("find user: %w", err)
	}
	if !u.Enabled {
		return Grant{}, fault.InvalidCredentials(fmt.Errorf("user %s is disabled", u.ID))
	}
	return l.grant(ctx, in, &u)
}

func (l Login) findAccount(ctx context.Context, c Credentials) (account.Account, error) {
	if c.AccountRealm != "" {
		return l.Store.AccountByRealm(ctx, strings.ToLower(c.AccountRealm))
	}
	return l.Store.AccountByName(ctx, account.NameKey(c.AccountName))
}

// APIKey logs an account in by its API key. An unknown key is fault.NotFound,
// as in Kazoo; fault.TooMany after 20 attempts in a minute.
func (l Login) APIKey(ctx context.Context, key, source string) (Grant, error) {
	if err := l.count(ctx, source, "api_key"); err != nil {
		return Grant{}, err
	}
	a, err := l.Store.AccountByAPIKey(ctx, HashAPIKey(key))
	if fault.Of(err) == fault.NotFound {
		return Grant{}, &fault.Error{Kind: fault.NotFound, Code: "bad identifier", Data: []string{key}}
	}
	if err != nil {
		return Grant{}, fmt.Errorf("find account: %w", err)
	}
	return l.grant(ctx, a, nil)
}

func (l Login) grant(ctx context.Context, a account.Account, u *user.User) (Grant, error) {
	if !a.Enabled {
		return Grant{}, fault.Breaks("account", "disabled", fault.Violation{Message: "account disabled"})
	}
	token, err := l.Issuer.Issue(ctx, a, u)
	if err != nil {
		return Grant{}, fmt.Errorf("issue token: %w", err)
	}
	return Grant{Token: token, Account: a, User: u}, nil
}

// count counts an attempt from source at what, and refuses too many.
func (l Login) count(ctx context.Context, source, what string) error {
	sum := sha256.Sum256([]byte(source + " " + what)) // both are of any length and content
	now := l.Now()
	n, err := l.Store.CountAttempt(ctx, hex.EncodeToString(sum[:16]), now, attemptWindow)
	if err != nil {
		return fmt.Errorf("count login: %w", err)
	}
	if n > maxAttempts {
		return fault.TooManyRequests(now.Truncate(attemptWindow).Add(attemptWindow).Sub(now))
	}
	return nil
}
