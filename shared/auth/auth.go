// Package auth decides who is calling and what they may do: it checks
// credentials, issues and verifies tokens, and admits or refuses requests.
//
// It fails closed: a request is admitted only when the token's signature, its
// lifetime, the caller's account and user as they are stored now, and the
// caller's place above the target account have all been seen to be right.
package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/user"
)

// Gate admits requests.
type Gate struct {
	Store Store
	Now   func() time.Time

	keys     keyCache
	verified tokenCache
}

// NewGate returns a gate over store.
func NewGate(store Store) *Gate { return &Gate{Store: store, Now: time.Now} }

// Target is what a request is about. Empty ids are not looked at.
type Target struct {
	AccountID string // empty: the caller's own account
	DeviceID  string
}

// Session is an admitted request.
type Session struct {
	Token   Token
	Raw     string          // the token as it was sent
	Caller  account.Account // account that the token acts for
	User    *user.User      // nil for an API key's token
	Account account.Account // account that the request is about
	Device  *device.Device  // nil unless the target named one
}

// Actor returns the caller as who changes devices of the target account.
func (s Session) Actor(requestID string) device.Actor {
	return device.Actor{
		Account:    s.Account,
		Author:     device.Author{AccountID: s.Token.AccountID, UserID: s.Token.UserID, RequestID: requestID},
		Superduper: s.Caller.Superduper,
	}
}

// Revision returns the revision of the one document that the target named, or
// "" if it named none.
func (s Session) Revision() string {
	if s.Device == nil {
		return ""
	}
	return s.Device.Revision()
}

// Admit verifies a token and checks it against target in one read of the
// store.
//
// Errors: fault.Unauthenticated if the token does not hold; fault.Forbidden if
// the caller may not act on the account, whether it exists or not;
// fault.NotFound if there is no such account (which only a superduper caller
// gets to see) or no such device; fault.Unavailable.
func (g *Gate) Admit(ctx context.Context, raw string, target Target) (Session, error) {
	token, err := g.verify(ctx, raw)
	if err != nil {
		return Session{}, err
	}
	if target.AccountID == "" {
		target.AccountID = token.AccountID
	}
	facts, err := g.Store.Facts(ctx, Query{
		TokenID: token.ID, CallerID: token.AccountID, UserID: token.UserID,
		AccountID: target.AccountID, DeviceID: target.DeviceID,
	})
	if err != nil {
		return Session{}, fmt.Errorf("read caller and target: %w", err)
	}
	if err := token.holds(facts); err != nil {
		return Session{}, fault.InvalidCredentials(err)
	}
	switch {
	case facts.Account == nil && facts.Caller.Superduper:
		return Session{}, fault.BadIdentifier(target.AccountID)
	case facts.Account == nil, !facts.Caller.Covers(*facts.Account):
		return Session{}, fault.NotAllowed(errors.New("account is not the caller's nor below it"))
	case target.DeviceID != "" && facts.Device == nil:
		return Session{}, fault.BadIdentifier(target.DeviceID)
	}
	return Session{Token: token, Raw: raw, Caller: *facts.Caller, User: facts.User,
		Account: *facts.Account, Device: facts.Device}, nil
}

// holds checks a well-signed token against what is stored now.
func (t Token) holds(facts Facts) error {
	switch {
	case facts.Revoked:
		return errors.New("token is revoked")
	case facts.Caller == nil:
		return errors.New("account of the token is gone")
	case !facts.Caller.Enabled:
		return errors.New("account of the token is disabled")
	case facts.Caller.Epoch != t.AccountEpoch:
		return errors.New("tokens of the account were ended")
	case t.UserID == "":
		return nil
	case facts.User == nil:
		return errors.New("user of the token is gone")
	case !facts.User.Enabled:
		return errors.New("user of the token is disabled")
	case facts.User.Epoch != t.UserEpoch:
		return errors.New("tokens of the user were ended")
	}
	return nil
}

// Logout ends the session's token at once.
func (g *Gate) Logout(ctx context.Context, s Session) error {
	if err := g.Store.Revoke(ctx, s.Token.ID, s.Token.Expires); err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	return nil
}
