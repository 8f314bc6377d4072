package tabletest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/user"
)

var (
	_ account.Store = (*Fake)(nil)
	_ user.Store    = (*Fake)(nil)
)

var errStale = errors.New("another revision is stored")

// Names of claims. Each starts with the property that a violation names.

func accountNames(a account.Account) map[string]*credential.Credential {
	out := map[string]*credential.Credential{}
	if a.Realm != "" {
		out["realm "+strings.ToLower(a.Realm)] = nil
	}
	if key := account.NameKey(a.Name); key != "" {
		out["name "+key] = nil
	}
	if a.APIKey != "" {
		sum := sha256.Sum256([]byte(a.APIKey))
		out["api_key "+hex.EncodeToString(sum[:])] = nil
	}
	return out
}

func userNames(u user.User) map[string]*credential.Credential {
	out := map[string]*credential.Credential{}
	if u.Username != "" {
		out["username "+u.AccountID+" "+strings.ToLower(u.Username)] = nil
	}
	for _, login := range u.Logins {
		out["username login "+u.AccountID+" "+login] = nil
	}
	return out
}

func sipName(realm, username string) string {
	return "sip.username " + string(credential.NewAOR(username, realm))
}

func deviceNames(account string, c device.Claims) map[string]*credential.Credential {
	out := map[string]*credential.Credential{}
	if held := c.Credential; held != nil {
		out[sipName(held.Realm, held.Username)] = held
		out["sip.username "+account+" "+strings.ToLower(held.Username)] = nil
	}
	if c.IP != "" {
		out["sip.ip "+c.IP] = c.Address
	}
	if c.MAC != "" {
		out["mac_address "+account+" "+c.MAC] = nil
	}
	if c.MDN != "" {
		out["mobile.mdn "+c.MDN] = nil
	}
	return out
}

// messages are what Kazoo says of a name in use, by property.
var messages = map[string]string{
	"realm": "Account realm already in use", "name": "Account name already in use",
	"username":     "Username must be unique within account",
	"sip.username": "SIP credentials already in use", "sip.ip": "SIP IP already in use",
	"mac_address": "MAC address already in use", "mobile.mdn": "Mobile Device Number already exists in the system",
}

// taken says which of the names another document holds. causes has the value
// that the client wrote, by property.
func (f *Fake) taken(holder string, names map[string]*credential.Credential, causes map[string]string) error {
	broken := fault.Violations{}
	for name := range names {
		if held, ok := f.claims[name]; ok && held.holder != holder {
			path, _, _ := strings.Cut(name, " ")
			message, ok := messages[path]
			if !ok {
				return fault.Conflicting(errors.New(path + " is in use"))
			}
			broken.Set(path, "unique", fault.Violation{Message: message, Cause: causes[path]})
		}
	}
	return broken.Err()
}

// hold gives the holder exactly the names.
func (f *Fake) hold(account, holder string, names map[string]*credential.Credential) {
	for name, held := range f.claims {
		if held.holder == holder {
			delete(f.claims, name)
		}
	}
	for name, c := range names {
		if c != nil {
			c = new(*c)
		}
		f.claims[name] = heldClaim{holder: holder, account: account, credential: c}
	}
}

// CreateAccount is account.Store's.
func (f *Fake) CreateAccount(_ context.Context, a account.Account) error {
	return f.do("CreateAccount", func() error { return f.writeAccount(a, account.Account{}) })
}

// UpdateAccount is account.Store's.
func (f *Fake) UpdateAccount(_ context.Context, a, old account.Account) error {
	return f.do("UpdateAccount", func() error { return f.writeAccount(a, old) })
}

func (f *Fake) writeAccount(a, old account.Account) error {
	stored := f.accounts[a.ID]
	if stored.Rev != a.Rev-1 {
		return fault.Conflicting(errStale)
	}
	if !reflect.DeepEqual(accountNames(stored), accountNames(old)) {
		f.t.Errorf("account %s gives back names that are not what it holds", a.ID)
	}
	holder, names := holder(a.ID, "account", a.ID), accountNames(a)
	if err := f.taken(holder, names, map[string]string{"realm": a.Realm, "name": a.Name}); err != nil {
		return err
	}
	f.accounts[a.ID] = copyAccount(a)
	f.hold(a.ID, holder, names)
	return nil
}

// CreateUser is user.Store's.
func (f *Fake) CreateUser(_ context.Context, u user.User) error {
	return f.do("CreateUser", func() error { return f.writeUser(u, user.User{}) })
}

// UpdateUser is user.Store's.
func (f *Fake) UpdateUser(_ context.Context, u, old user.User) error {
	return f.do("UpdateUser", func() error { return f.writeUser(u, old) })
}

func (f *Fake) writeUser(u, old user.User) error {
	of := id{u.AccountID, u.ID}
	stored := f.users[of]
	if stored.Rev != u.Rev-1 {
		return fault.Conflicting(errStale)
	}
	if !reflect.DeepEqual(userNames(stored), userNames(old)) {
		f.t.Errorf("user %s gives back names that are not what it holds", u.ID)
	}
	holder, names := holder(u.AccountID, "user", u.ID), userNames(u)
	if err := f.taken(holder, names, map[string]string{"username": u.Username}); err != nil {
		return err
	}
	f.users[of] = copyUser(u)
	f.hold(u.AccountID, holder, names)
	return nil
}
