package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
	"github.com/golang-jwt/jwt/v5"
)

// TokenLife is how long a token lasts from its issue; it does not slide
// (Kazoo's kz_auth, exp).
const TokenLife = 3600 * time.Second

const (
	issuer       = "dialplane"
	maxTokenSize = 2048 // bytes; ours take about 500
)

// Methods by which a token was obtained, in Kazoo's words.
const (
	MethodUser   = "cb_user_auth"
	MethodAPIKey = "cb_api_auth"
)

// Token is what a token says. Clients treat the token as opaque.
type Token struct {
	ID           string
	AccountID    string
	UserID       string // empty for an API key's token
	Method       string
	AccountEpoch int64
	UserEpoch    int64
	Expires      time.Time
}

// tokenClaims is the JWT form of Token.
type tokenClaims struct {
	jwt.RegisteredClaims
	AccountID    string `json:"account_id"`
	UserID       string `json:"owner_id,omitempty"`
	Method       string `json:"method"`
	AccountEpoch int64  `json:"account_epoch"`
	UserEpoch    int64  `json:"user_epoch,omitempty"`
}

// sign returns t as a JWT.
func (t Token) sign(key Key) (string, error) {
	private, err := x509.ParsePKCS8PrivateKey(key.Private)
	if err != nil {
		return "", fmt.Errorf("signing key: %w", err)
	}
	unsigned := jwt.NewWithClaims(jwt.SigningMethodES256, tokenClaims{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: issuer, ID: t.ID,
			ExpiresAt: jwt.NewNumericDate(t.Expires), IssuedAt: jwt.NewNumericDate(t.Expires.Add(-TokenLife))},
		AccountID: t.AccountID, UserID: t.UserID, Method: t.Method,
		AccountEpoch: t.AccountEpoch, UserEpoch: t.UserEpoch,
	})
	unsigned.Header["kid"] = key.ID
	signed, err := unsigned.SignedString(private)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return signed, nil
}

// verify checks the signature and the lifetime of a token.
func (g *Gate) verify(ctx context.Context, raw string) (Token, error) {
	if t, ok := g.verified.get(raw); ok && g.Now().Before(t.Expires) {
		return t, nil
	}
	if raw == "" {
		return Token{}, fault.InvalidCredentials(errors.New("no token"))
	}
	if len(raw) > maxTokenSize {
		return Token{}, fault.InvalidCredentials(errors.New("token is too long"))
	}
	var said tokenClaims
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(issuer),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(g.Now))
	_, err := parser.ParseWithClaims(raw, &said, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		return g.keys.get(ctx, g.Store, kid)
	})
	if fault.Of(err) == fault.Unavailable {
		return Token{}, fmt.Errorf("read token key: %w", err)
	}
	if err != nil {
		return Token{}, fault.InvalidCredentials(err)
	}
	if said.ID == "" || said.AccountID == "" {
		return Token{}, fault.InvalidCredentials(errors.New("token names no account"))
	}
	t := Token{ID: said.ID, AccountID: said.AccountID, UserID: said.UserID, Method: said.Method,
		AccountEpoch: said.AccountEpoch, UserEpoch: said.UserEpoch, Expires: said.ExpiresAt.Time}
	g.verified.put(raw, t)
	return t, nil
}

// maxVerified bounds the tokens that a process remembers as well-signed, at
// about 1 KB each.
const maxVerified = 500

// tokenCache remembers tokens whose signature was right: to check it takes a
// tenth of a request's CPU, and a client sends the same token for an hour.
type tokenCache struct {
	mu     sync.Mutex
	tokens map[string]Token // by their text; guarded by mu
}

func (c *tokenCache) get(raw string) (Token, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.tokens[raw]
	return t, ok
}

func (c *tokenCache) put(raw string, t Token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tokens == nil || len(c.tokens) >= maxVerified {
		c.tokens = map[string]Token{}
	}
	c.tokens[raw] = t
}

// keyCache keeps public keys for the life of the process: a key never changes,
// and tokens end before their key does.
type keyCache struct {
	mu   sync.Mutex
	keys map[string]*ecdsa.PublicKey // guarded by mu; a handful, as keys last a month
}

func (c *keyCache) get(ctx context.Context, store Store, id string) (*ecdsa.PublicKey, error) {
	if !ident.Valid(id) {
		return nil, errors.New("kid is malformed")
	}
	c.mu.Lock()
	key, ok := c.keys[id]
	c.mu.Unlock()
	if ok {
		return key, nil
	}
	stored, err := store.PublicKey(ctx, id)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKIXPublicKey(stored.Public)
	if err != nil {
		return nil, fmt.Errorf("public key %s: %w", id, err)
	}
	key, ok = parsed.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("public key %s is no ECDSA key", id)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		c.keys = map[string]*ecdsa.PublicKey{}
	}
	c.keys[id] = key
	return key, nil
}
