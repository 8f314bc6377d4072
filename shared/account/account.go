// Package account holds what the rest of dialplane needs to know of an
// account: its place in the tree, its realm, and whether it may act.
package account

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/dialplane/dialplane/shared/document"
)

// Account is a tenant. Accounts form a tree whose root is the master account.
type Account struct {
	ID         string
	Name       string
	Realm      string   // lower case, unique in the system; the SIP domain of the account's phones
	Tree       []string // ids of the ancestors, root first, parent last; empty for the master account
	Enabled    bool
	Superduper bool   // may act on every account (Kazoo's pvt_superduper_admin)
	Reseller   bool   // accounts below it have it as reseller, unless another reseller stands between
	ResellerID string // the nearest reseller above, or the master account
	// Epoch counts the changes that end every token of the account: its API
	// key was rotated, or it was disabled. A token carries the epoch it was
	// issued at.
	Epoch int64
	// Salt is what the account's login digests are hashed with: 16 bytes.
	Salt []byte
	// APIKey is 64 hex digits. It is a secret.
	APIKey   string
	Rev      int64 // counts writes from 1; 0 means not stored yet
	Created  time.Time
	Modified time.Time
	Doc      document.Object // what clients sent, without private keys
}

// Covers reports whether a may act on target: on itself, on every account
// below it, and on every account at all if it is superduper (Kazoo's
// cb_simple_authz).
func (a Account) Covers(target Account) bool {
	return a.Superduper || a.ID == target.ID || slices.Contains(target.Tree, a.ID)
}

// ParentID returns the id of the account above, or "" for the master account.
func (a Account) ParentID() string {
	if len(a.Tree) == 0 {
		return ""
	}
	return a.Tree[len(a.Tree)-1]
}

// NameKey reduces a name to what must be unique in the system: its letters and
// digits in lower case (Kazoo's kzd_accounts:normalize_name).
func NameKey(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// Store keeps accounts.
type Store interface {
	// CreateAccount stores a new account and claims its realm, its name and
	// its API key. It returns fault.Invalid naming "realm" or "name" if either
	// is taken, fault.Conflict if the id is, and fault.Unreachable if the
	// store does not answer, in which case it may or may not have happened.
	CreateAccount(ctx context.Context, a Account) error
	// UpdateAccount replaces the stored account, whose Rev must be a.Rev-1 and
	// whose name, realm and API key were those of old. Errors as for
	// CreateAccount; fault.Conflict also if the account changed meanwhile.
	UpdateAccount(ctx context.Context, a, old Account) error
}
