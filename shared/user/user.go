// Package user holds the people of an account, who log in with a password.
package user

import (
	"context"
	"time"

	"github.com/dialplane/dialplane/shared/document"
)

// User is a person of an account.
type User struct {
	ID        string
	AccountID string
	Username  string // lower case, unique in the account; "" means the user cannot log in
	Enabled   bool
	Admin     bool // Kazoo's priv_level "admin"
	// Epoch counts the changes that end every token of the user: a new
	// password, or being disabled. A token carries the epoch it was issued at.
	Epoch int64
	// Logins are the keys under which the user's password can be found: see
	// auth.LoginKey. They cannot be turned back into the password.
	Logins   []string
	Rev      int64 // counts writes from 1; 0 means not stored yet
	Created  time.Time
	Modified time.Time
	Doc      document.Object // what clients sent, without private keys and password
}

// Store keeps users.
type Store interface {
	// CreateUser stores a new user and claims the user's name and login keys.
	// It returns fault.Invalid naming "username" if that is taken,
	// fault.Conflict if the id is, and fault.Unreachable if the store does not
	// answer, in which case it may or may not have happened.
	CreateUser(ctx context.Context, u User) error
	// UpdateUser replaces the stored user, whose Rev must be u.Rev-1 and whose
	// name and login keys were those of old. Errors as for CreateUser;
	// fault.Conflict also if the user changed meanwhile.
	UpdateUser(ctx context.Context, u, old User) error
}
