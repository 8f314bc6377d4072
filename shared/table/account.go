package table

import (
	"context"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
)

var _ account.Store = (*Core)(nil)

type accountItem struct {
	stored
	Name       string   `dynamodbav:"name"`
	Realm      string   `dynamodbav:"realm"`
	Tree       []string `dynamodbav:"tree,omitempty"`
	Enabled    bool     `dynamodbav:"enabled"`
	Superduper bool     `dynamodbav:"superduper,omitempty"`
	Reseller   bool     `dynamodbav:"reseller,omitempty"`
	ResellerID string   `dynamodbav:"reseller_id,omitempty"`
	Epoch      int64    `dynamodbav:"epoch"`
	Salt       []byte   `dynamodbav:"salt,omitempty"`
	APIKey     string   `dynamodbav:"api_key,omitempty"`
}

// CreateAccount is account.Store's.
func (c *Core) CreateAccount(ctx context.Context, a account.Account) error {
	return c.writeAccount(ctx, "create account", a, account.Account{})
}

// UpdateAccount is account.Store's.
func (c *Core) UpdateAccount(ctx context.Context, a, old account.Account) error {
	return c.writeAccount(ctx, "update account", a, old)
}

func (c *Core) writeAccount(ctx context.Context, action string, a, old account.Account) error {
	k := accountKey(a.ID)
	steps := []step{putDoc(k, a.Rev, encodeAccount(a))}
	return c.apply(ctx, action, append(steps, claimSteps(a.ID, k.sk, accountClaims(a), accountClaims(old))...))
}

// accountClaims returns the names that a holds. The zero account holds none.
func accountClaims(a account.Account) []claim {
	var out []claim
	if a.Realm != "" {
		out = append(out, claim{key: realmKey(a.Realm), taken: inUse("realm", "Account realm already in use", a.Realm)})
	}
	if name := account.NameKey(a.Name); name != "" {
		out = append(out, claim{key: nameKey(name), taken: inUse("name", "Account name already in use", a.Name)})
	}
	if a.APIKey != "" {
		out = append(out, claim{key: apiKeyKey(auth.HashAPIKey(a.APIKey)), taken: fault.Conflicting(nil)})
	}
	return out
}

func encodeAccount(a account.Account) item {
	return encode(accountItem{
		stored: stored{keyed: keyedBy(accountKey(a.ID)), Rev: a.Rev, Write: ident.New(),
			Created: toMillis(a.Created), Modified: toMillis(a.Modified), Doc: encodeDoc(a.Doc)},
		Name: a.Name, Realm: a.Realm, Tree: a.Tree, Enabled: a.Enabled, Superduper: a.Superduper, Reseller: a.Reseller,
		ResellerID: a.ResellerID, Epoch: a.Epoch, Salt: a.Salt, APIKey: a.APIKey,
	})
}

func decodeAccount(it item) (account.Account, error) {
	in, err := decode[accountItem](it)
	if err != nil {
		return account.Account{}, err
	}
	doc, err := decodeDoc(in.Doc)
	if err != nil {
		return account.Account{}, err
	}
	named, _ := ParseKey(in.PK, in.SK)
	return account.Account{
		ID: named.ID, Name: in.Name, Realm: in.Realm, Tree: in.Tree, Enabled: in.Enabled, Superduper: in.Superduper,
		Reseller: in.Reseller, ResellerID: in.ResellerID, Epoch: in.Epoch, Salt: in.Salt, APIKey: in.APIKey,
		Rev: in.Rev, Created: in.Created.time(), Modified: in.Modified.time(), Doc: doc,
	}, nil
}
