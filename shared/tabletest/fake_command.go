package tabletest

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
)

var (
	_ command.Store    = (*Fake)(nil)
	_ credential.Store = (*Fake)(nil)
)

// commandsWhere returns copies of commands, oldest first.
func (f *Fake) commandsWhere(wanted func(command.Command) bool) []command.Command {
	var out []command.Command
	for _, c := range f.commands {
		if wanted(c) {
			out = append(out, copyCommand(c))
		}
	}
	slices.SortFunc(out, func(a, b command.Command) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Commands is device.Store's.
func (f *Fake) Commands(_ context.Context, accountID, deviceID string, limit int) (out []command.Command, err error) {
	err = f.do("Commands", func() error {
		out = f.commandsWhere(func(c command.Command) bool { return c.AccountID == accountID && c.DeviceID == deviceID })
		slices.Reverse(out)
		out = out[:min(len(out), max(limit, 0))]
		return nil
	})
	return out, err
}

// PendingCommands is command.Store's.
func (f *Fake) PendingCommands(_ context.Context, accountID, deviceID string) (out []command.Command, err error) {
	err = f.do("PendingCommands", func() error {
		out = f.commandsWhere(func(c command.Command) bool {
			return c.AccountID == accountID && c.DeviceID == deviceID && c.State == command.Pending
		})
		return nil
	})
	return out, err
}

// DueCommands is command.Store's.
func (f *Fake) DueCommands(_ context.Context, now time.Time, limit int) (out []command.Ref, err error) {
	err = f.do("DueCommands", func() error {
		due := f.commandsWhere(func(c command.Command) bool { return !c.State.Final() && !c.Due.After(now) })
		slices.SortStableFunc(due, func(a, b command.Command) int { return a.Due.Compare(b.Due) })
		for _, c := range due[:min(len(due), max(limit, 0))] {
			out = append(out, c.Ref())
		}
		return nil
	})
	return out, err
}

// ClaimCommand is command.Store's.
func (f *Fake) ClaimCommand(_ context.Context, ref command.Ref, edge string, now time.Time) (out command.Command, err error) {
	err = f.do("ClaimCommand", func() error {
		c, ok := f.commands[ref]
		if !ok {
			return fault.BadIdentifier(ref.ID)
		}
		if c.State.Final() || c.State == command.Sending && c.Due.After(now) {
			return fault.Conflicting(errors.New("it is " + string(c.State)))
		}
		c.State, c.Claim, c.Edge, c.Due = command.Sending, ident.New(), edge, now.Add(command.ClaimLife)
		c.Attempts++
		f.putCommand(c)
		out = copyCommand(f.commands[ref])
		return nil
	})
	if err != nil {
		return command.Command{}, err
	}
	return out, nil
}

// FinishCommand is command.Store's. To finish a command twice the same way is
// no error.
func (f *Fake) FinishCommand(_ context.Context, c command.Command) error {
	return f.do("FinishCommand", func() error {
		stored, ok := f.commands[c.Ref()]
		if !ok || stored.Claim != c.Claim {
			return fault.Conflicting(errors.New("the claim is not held"))
		}
		finished := stored
		finished.State, finished.Due, finished.Attempts, finished.Deliveries = c.State, c.Due, c.Attempts, c.Deliveries
		if stored.State == command.Sending {
			f.putCommand(finished)
		} else if !reflect.DeepEqual(stored, copyCommand(finished)) {
			return fault.Conflicting(errors.New("it is finished otherwise"))
		}
		return nil
	})
}

// Credential is credential.Store's.
func (f *Fake) Credential(_ context.Context, realm, username string) (credential.Credential, error) {
	return f.credential("Credential", sipName(realm, username))
}

// AddressCredential is credential.Store's.
func (f *Fake) AddressCredential(_ context.Context, addr netip.Addr) (credential.Credential, error) {
	return f.credential("AddressCredential", "sip.ip "+addr.Unmap().String())
}

func (f *Fake) credential(op, name string) (out credential.Credential, err error) {
	err = f.do(op, func() error {
		held, ok := f.claims[name]
		if !ok || held.credential == nil {
			return fault.BadIdentifier(name)
		}
		out = *held.credential
		return nil
	})
	return out, err
}
