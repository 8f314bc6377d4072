package table

import (
	"context"

	"github.com/dialplane/dialplane/shared/ident"
	"github.com/dialplane/dialplane/shared/user"
)

var _ user.Store = (*Core)(nil)

type userItem struct {
	stored
	AccountID string   `dynamodbav:"account_id"`
	Username  string   `dynamodbav:"username,omitempty"`
	Enabled   bool     `dynamodbav:"enabled"`
	Admin     bool     `dynamodbav:"admin,omitempty"`
	Epoch     int64    `dynamodbav:"epoch"`
	Logins    []string `dynamodbav:"logins,omitempty"`
}

// CreateUser is user.Store's.
func (c *Core) CreateUser(ctx context.Context, u user.User) error {
	return c.writeUser(ctx, "create user", u, user.User{})
}

// UpdateUser is user.Store's.
func (c *Core) UpdateUser(ctx context.Context, u, old user.User) error {
	return c.writeUser(ctx, "update user", u, old)
}

func (c *Core) writeUser(ctx context.Context, action string, u, old user.User) error {
	k := userKey(u.AccountID, u.ID)
	steps := []step{putDoc(k, u.Rev, encodeUser(u))}
	return c.apply(ctx, action, append(steps, claimSteps(u.AccountID, k.sk, userClaims(u), userClaims(old))...))
}

// userClaims returns the names that u holds. A login key is made of the
// username, so that only a user of the same name can want the same one.
func userClaims(u user.User) []claim {
	taken := inUse("username", "Username must be unique within account", u.Username)
	var out []claim
	if u.Username != "" {
		out = append(out, claim{key: usernameKey(u.AccountID, u.Username), taken: taken})
	}
	for _, login := range u.Logins {
		out = append(out, claim{key: loginKey(u.AccountID, login), taken: taken})
	}
	return out
}

func encodeUser(u user.User) item {
	return encode(userItem{
		stored: stored{keyed: keyedBy(userKey(u.AccountID, u.ID)), Rev: u.Rev, Write: ident.New(),
			Created: toMillis(u.Created), Modified: toMillis(u.Modified), Doc: encodeDoc(u.Doc)},
		AccountID: u.AccountID, Username: u.Username, Enabled: u.Enabled, Admin: u.Admin, Epoch: u.Epoch, Logins: u.Logins,
	})
}

func decodeUser(it item) (user.User, error) {
	in, err := decode[userItem](it)
	if err != nil {
		return user.User{}, err
	}
	doc, err := decodeDoc(in.Doc)
	if err != nil {
		return user.User{}, err
	}
	named, _ := ParseKey(in.PK, in.SK)
	return user.User{
		ID: named.ID, AccountID: in.AccountID, Username: in.Username, Enabled: in.Enabled, Admin: in.Admin, Epoch: in.Epoch,
		Logins: in.Logins, Rev: in.Rev, Created: in.Created.time(), Modified: in.Modified.time(), Doc: doc,
	}, nil
}
