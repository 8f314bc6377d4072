package table_test

import (
	"context"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/ident"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/shared/tabletest"
)

// world is what the writes under test start from.
type world struct {
	*tabletest.Tables
	account account.Account
	command command.Command // pending
	claimed command.Command
}

// write is one write of the store. It is prepared on empty tables and must do
// the same each time it is called.
type write struct {
	name    string
	prepare func(t *testing.T, w *world) (do func(context.Context) error)
	// always: the write has no condition and succeeds however often it is done
	always bool
	// alone: the table has no transactions that could be in its way
	alone bool
}

// newWorld makes tables with one account.
func newWorld(t *testing.T) *world {
	w := &world{Tables: tabletest.Local(t), account: tabletest.Account()}
	must(t, w.Core.CreateAccount(t.Context(), w.account))
	return w
}

// withCommand adds a device and a pending and a claimed command.
func (w *world) withCommand(t *testing.T) {
	ctx := t.Context()
	c := tabletest.Device(w.account)
	must(t, w.Core.WriteDevice(ctx, c))
	w.command, w.claimed = tabletest.Reboot(c.Device), tabletest.Reboot(c.Device)
	w.claimed.ID = ident.Ordered(began.Add(time.Hour))
	must(t, w.Core.AddCommand(ctx, w.command))
	must(t, w.Core.AddCommand(ctx, w.claimed))
	var err error
	w.claimed, err = w.Core.ClaimCommand(ctx, w.claimed.Ref(), "edge", began)
	must(t, err)
}

var writes = []write{
	{name: "CreateAccount", prepare: func(_ *testing.T, w *world) func(context.Context) error {
		a := tabletest.Account()
		return func(ctx context.Context) error { return w.Core.CreateAccount(ctx, a) }
	}},
	{name: "UpdateAccount", prepare: func(_ *testing.T, w *world) func(context.Context) error {
		a := w.account
		a.Rev, a.Realm, a.APIKey = 2, "new.test", ident.Hex(32)
		return func(ctx context.Context) error { return w.Core.UpdateAccount(ctx, a, w.account) }
	}},
	{name: "CreateUser", prepare: func(_ *testing.T, w *world) func(context.Context) error {
		u := tabletest.User(w.account, "alice")
		return func(ctx context.Context) error { return w.Core.CreateUser(ctx, u) }
	}},
	{name: "UpdateUser", prepare: func(t *testing.T, w *world) func(context.Context) error {
		old := tabletest.User(w.account, "alice")
		must(t, w.Core.CreateUser(t.Context(), old))
		u := old
		u.Rev, u.Logins = 2, []string{"new"}
		return func(ctx context.Context) error { return w.Core.UpdateUser(ctx, u, old) }
	}},
	{name: "CreateDevice", prepare: func(_ *testing.T, w *world) func(context.Context) error {
		c := phone(w.account, "alice")
		cmd := tabletest.Reboot(c.Device)
		c.Command = &cmd
		return func(ctx context.Context) error { return w.Core.WriteDevice(ctx, c) }
	}},
	{name: "RenameDevice", prepare: func(t *testing.T, w *world) func(context.Context) error {
		c := phone(w.account, "alice")
		must(t, w.Core.WriteDevice(t.Context(), c))
		c = tabletest.Next(c)
		c.Device.Doc["name"] = "renamed"
		return func(ctx context.Context) error { return w.Core.WriteDevice(ctx, c) }
	}},
	{name: "UpdateDevice", prepare: func(t *testing.T, w *world) func(context.Context) error {
		c := phone(w.account, "alice")
		must(t, w.Core.WriteDevice(t.Context(), c))
		c = tabletest.Next(c)
		held := *c.Claims.Credential
		held.Username, held.HA1MD5 = "bob", "0"
		cmd := tabletest.Reboot(c.Device)
		c.Claims.Credential, c.Claims.MAC, c.Command = &held, "0004f2000000", &cmd
		return func(ctx context.Context) error { return w.Core.WriteDevice(ctx, c) }
	}},
	{name: "RemoveDevice", prepare: func(t *testing.T, w *world) func(context.Context) error {
		c := phone(w.account, "alice")
		must(t, w.Core.WriteDevice(t.Context(), c))
		gone := tabletest.Removal(c)
		cmd := tabletest.Reboot(c.Device)
		gone.Command = &cmd
		return func(ctx context.Context) error { return w.Core.RemoveDevice(ctx, gone) }
	}},
	{name: "RemoveBareDevice", prepare: func(t *testing.T, w *world) func(context.Context) error {
		c := tabletest.Device(w.account)
		must(t, w.Core.WriteDevice(t.Context(), c))
		return func(ctx context.Context) error { return w.Core.RemoveDevice(ctx, tabletest.Removal(c)) }
	}},
	{name: "AddCommand", always: true, prepare: func(t *testing.T, w *world) func(context.Context) error {
		w.withCommand(t)
		cmd := w.command
		cmd.ID = ident.Ordered(began.Add(time.Minute))
		return func(ctx context.Context) error { return w.Core.AddCommand(ctx, cmd) }
	}},
	{name: "ClaimCommand", prepare: func(t *testing.T, w *world) func(context.Context) error {
		w.withCommand(t)
		return func(ctx context.Context) error {
			_, err := w.Core.ClaimCommand(ctx, w.command.Ref(), "edge", began)
			return err
		}
	}},
	{name: "FinishCommand", always: true, prepare: func(t *testing.T, w *world) func(context.Context) error {
		w.withCommand(t)
		done := w.claimed
		done.State, done.Deliveries = command.Delivered, []command.Delivery{{Status: 200, Sent: began}}
		return func(ctx context.Context) error { return w.Core.FinishCommand(ctx, done) }
	}},
	{name: "GiveCommandUp", always: true, prepare: func(t *testing.T, w *world) func(context.Context) error {
		w.withCommand(t)
		done := w.claimed
		done.State, done.Due = command.Pending, began.Add(time.Hour)
		return func(ctx context.Context) error { return w.Core.FinishCommand(ctx, done) }
	}},
	{name: "Revoke", always: true, prepare: func(_ *testing.T, w *world) func(context.Context) error {
		return func(ctx context.Context) error { return w.Core.Revoke(ctx, "token", began) }
	}},
	{name: "FirstSigningKey", prepare: func(_ *testing.T, w *world) func(context.Context) error {
		key := auth.Key{ID: "first", Private: []byte{1}, Public: []byte{2}, Created: began}
		return func(ctx context.Context) error { return w.Secrets.ReplaceSigningKey(ctx, "", key, began) }
	}},
	{name: "NextSigningKey", prepare: func(t *testing.T, w *world) func(context.Context) error {
		key := auth.Key{ID: "first", Private: []byte{1}, Public: []byte{2}, Created: began}
		must(t, w.Secrets.ReplaceSigningKey(t.Context(), "", key, began))
		key.ID = "next"
		return func(ctx context.Context) error { return w.Secrets.ReplaceSigningKey(ctx, "first", key, began) }
	}},
	{name: "PutBinding", always: true, alone: true, prepare: func(_ *testing.T, w *world) func(context.Context) error {
		b := tabletest.Binding(w.account.ID, "d", "alice", "c")
		return func(ctx context.Context) error { return w.Registrations.PutBinding(ctx, b) }
	}},
	{name: "RemoveBinding", always: true, alone: true, prepare: func(t *testing.T, w *world) func(context.Context) error {
		b := tabletest.Binding(w.account.ID, "d", "alice", "c")
		must(t, w.Registrations.PutBinding(t.Context(), b))
		return func(ctx context.Context) error { return w.Registrations.RemoveBinding(ctx, b) }
	}},
	{name: "PutLease", always: true, alone: true, prepare: func(_ *testing.T, w *world) func(context.Context) error {
		lease := registration.Lease{Edge: "edge", Renewed: began}
		return func(ctx context.Context) error { return w.Registrations.PutLease(ctx, lease) }
	}},
}
