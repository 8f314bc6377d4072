package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"sync"
	"time"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
	"github.com/dialplane/dialplane/shared/user"
)

// Life of a signing key. Its public half outlives it by more than a token.
const (
	keyLife = 30 * 24 * time.Hour
	keyKept = keyLife + 24*time.Hour
)

// Issuer issues tokens. It makes the signing key when there is none yet, and a
// new one when the last is a month old, so nobody has to hand it one.
type Issuer struct {
	Vault Vault
	Now   func() time.Time

	mu  sync.Mutex
	key Key // guarded by mu; the last one seen
}

// Issue returns a token for an account, and for one user of it unless u is
// nil.
func (i *Issuer) Issue(ctx context.Context, a account.Account, u *user.User) (string, error) {
	key, err := i.signingKey(ctx)
	if err != nil {
		return "", fmt.Errorf("signing key: %w", err)
	}
	t := Token{ID: ident.New(), AccountID: a.ID, Method: MethodAPIKey, AccountEpoch: a.Epoch,
		Expires: i.Now().Add(TokenLife)}
	if u != nil {
		t.Method, t.UserID, t.UserEpoch = MethodUser, u.ID, u.Epoch
	}
	return t.sign(key)
}

func (i *Issuer) signingKey(ctx context.Context) (Key, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	fresh := func(k Key) bool { return k.ID != "" && i.Now().Sub(k.Created) < keyLife }
	if fresh(i.key) {
		return i.key, nil
	}
	stored, err := i.Vault.SigningKey(ctx)
	if err != nil && fault.Of(err) != fault.NotFound {
		return Key{}, err
	}
	if !fresh(stored) {
		if stored, err = i.rotate(ctx, stored.ID); err != nil {
			return Key{}, err
		}
	}
	i.key = stored
	return stored, nil
}

// rotate makes a new signing key, or returns the one that another function
// made first.
func (i *Issuer) rotate(ctx context.Context, oldID string) (Key, error) {
	next, err := newKey(i.Now())
	if err != nil {
		return Key{}, err
	}
	err = i.Vault.ReplaceSigningKey(ctx, oldID, next, next.Created.Add(keyKept))
	if fault.Of(err) == fault.Conflict {
		return i.Vault.SigningKey(ctx)
	}
	return next, err
}

// newKey returns a new P-256 key pair.
func newKey(now time.Time) (Key, error) {
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("generate key: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		return Key{}, fmt.Errorf("encode private key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&pair.PublicKey)
	if err != nil {
		return Key{}, fmt.Errorf("encode public key: %w", err)
	}
	sum := sha256.Sum256(public)
	return Key{ID: base64.RawURLEncoding.EncodeToString(sum[:]), Private: private, Public: public, Created: now}, nil
}
