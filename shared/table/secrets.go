package table

import (
	"context"
	"errors"
	"time"

	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/fault"
)

var _ auth.Vault = (*Secrets)(nil)

type signingKeyItem struct {
	keyed
	KeyID   string `dynamodbav:"kid"`
	Private []byte `dynamodbav:"private"`
	Public  []byte `dynamodbav:"public"`
	Created millis `dynamodbav:"created"`
}

// SigningKey is auth.Vault's.
func (s *Secrets) SigningKey(ctx context.Context) (auth.Key, error) {
	it, err := s.get(ctx, "read signing key", signingKeyKey)
	if err != nil {
		return auth.Key{}, err
	}
	if it == nil {
		return auth.Key{}, fault.BadIdentifier("signing key")
	}
	in, err := decode[signingKeyItem](it)
	return auth.Key{ID: in.KeyID, Private: in.Private, Public: in.Public, Created: in.Created.time()}, err
}

// ReplaceSigningKey is auth.Vault's: one transaction over this table and core.
func (s *Secrets) ReplaceSigningKey(ctx context.Context, oldID string, next auth.Key, keep time.Time) error {
	sign := step{
		key: signingKeyKey, condition: isAbsent, refused: fault.Conflicting(errors.New("another key signs by now")),
		put: encode(signingKeyItem{keyed: keyedBy(signingKeyKey), KeyID: next.ID, Private: next.Private, Public: next.Public,
			Created: toMillis(next.Created)}),
	}
	if oldID != "" {
		sign.condition, sign.values = "kid = :old", item{":old": str(oldID)}
	}
	k := publicKeyKey(next.ID)
	publish := step{table: s.core.table, key: k, put: encode(publicKeyItem{
		expiringItem: expiringItem{keyed: keyedBy(k), TTL: ttlAfter(keep)}, Public: next.Public, Created: toMillis(next.Created)})}
	return s.apply(ctx, "replace signing key", []step{sign, publish})
}
