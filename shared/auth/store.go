package auth

import (
	"context"
	"time"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/user"
)

// Query names what a decision needs to see. Empty ids are not looked up.
type Query struct {
	TokenID   string // has this token been revoked?
	CallerID  string // account that the token acts for
	UserID    string // user of that account, if the token is a user's
	AccountID string // account that the request is about
	DeviceID  string // device of that account
}

// Facts is the answer to a Query. What is absent is nil.
type Facts struct {
	Revoked bool
	Caller  *account.Account
	User    *user.User
	Account *account.Account
	Device  *device.Device
}

// Key is an ES256 key pair that signs tokens.
type Key struct {
	ID      string // the kid of a token: base64url SHA-256 of Public
	Private []byte // PKCS #8 DER; nil where only the public half is known
	Public  []byte // PKIX DER
	Created time.Time
}

// Store is what authentication reads and writes. All methods return
// fault.Unreachable if the store does not answer.
type Store interface {
	// Facts answers q in one consistent round trip.
	Facts(ctx context.Context, q Query) (Facts, error)
	// AccountByName finds an account by its name, as account.NameKey reduces
	// it; AccountByRealm by its realm in lower case; AccountByAPIKey by the
	// hex SHA-256 of its API key. They return fault.NotFound if there is none.
	AccountByName(ctx context.Context, nameKey string) (account.Account, error)
	AccountByRealm(ctx context.Context, realm string) (account.Account, error)
	AccountByAPIKey(ctx context.Context, hash string) (account.Account, error)
	// UserByLogin finds the user who holds a login key, or returns
	// fault.NotFound.
	UserByLogin(ctx context.Context, accountID, loginKey string) (user.User, error)
	// Revoke ends a token. The record is kept until the token would have
	// ended by itself.
	Revoke(ctx context.Context, tokenID string, until time.Time) error
	// CountAttempt counts one login attempt in a bucket and returns how many
	// the window that holds now has seen, this one included.
	CountAttempt(ctx context.Context, bucket string, now time.Time, window time.Duration) (int, error)
	// PublicKey returns the public half of a key, or fault.NotFound.
	PublicKey(ctx context.Context, keyID string) (Key, error)
}

// Vault keeps the private signing key. Only the functions that issue tokens
// may read it.
type Vault interface {
	// SigningKey returns the key that signs now, or fault.NotFound before the
	// first.
	SigningKey(ctx context.Context) (Key, error)
	// ReplaceSigningKey makes next the signing key, and its public half
	// readable by everyone, if the signing key is still the one with id
	// oldID ("" for none). Otherwise it returns fault.Conflict. The public
	// half stays readable until keep.
	ReplaceSigningKey(ctx context.Context, oldID string, next Key, keep time.Time) error
}
