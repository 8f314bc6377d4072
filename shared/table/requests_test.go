package table_test

import (
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/tabletest"
)

var began = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// phone returns the creation of a device that holds one of everything.
func phone(a account.Account, username string) device.Change {
	c := tabletest.Phone(a, username)
	c.Device.Doc["owner_id"] = "owner"
	c.Claims.MAC, c.Claims.MDN, c.Claims.IP = "0004f2ab7efd", "+15550100", "192.0.2.1"
	c.Claims.Address = &credential.Credential{AccountID: a.ID, DeviceID: c.Device.ID, Realm: a.Realm, Enabled: true}
	c.Claims.Users = []string{"guest"}
	return c
}

// Each request costs money and a millisecond or more: this is what each
// operation makes.
func TestOperationsMakeNoMoreRequestsThanNeeded(t *testing.T) {
	t.Parallel()
	l := tabletest.Local(t)
	core, regs, secrets := l.Core, l.Registrations, l.Secrets
	ctx := t.Context()

	a := tabletest.Account()
	u := tabletest.User(a, "alice")
	p := phone(a, "alice")
	renamed := tabletest.Next(p)
	renamed.Device.Doc["name"] = "renamed"
	told := tabletest.Next(renamed)
	told.Device.Doc["name"] = "told"
	cmd := tabletest.Reboot(p.Device)
	told.Command = &cmd
	key := auth.Key{ID: "k", Private: []byte{1}, Public: []byte{2}, Created: began}
	b := tabletest.Binding(a.ID, p.Device.ID, "alice", "c")
	linked := tabletest.Device(a)
	linked.Claims.Users = []string{"owner"}
	type calls = map[string]int

	for _, c := range []struct {
		name string
		do   func() error
		want calls
	}{
		{"CreateAccount", func() error { return core.CreateAccount(ctx, a) }, calls{"TransactWriteItems": 1}},
		{"CreateUser", func() error { return core.CreateUser(ctx, u) }, calls{"TransactWriteItems": 1}},
		{"CreateDevice", func() error { return core.WriteDevice(ctx, p) }, calls{"TransactWriteItems": 1}},
		{"UpdateDevice", func() error { return core.WriteDevice(ctx, renamed) }, calls{"PutItem": 1}},
		{"UpdateDeviceWithCommand", func() error { return core.WriteDevice(ctx, told) }, calls{"TransactWriteItems": 1}},
		{"Facts", func() error {
			facts, err := core.Facts(ctx, auth.Query{TokenID: "t", CallerID: a.ID, UserID: u.ID, AccountID: a.ID, DeviceID: p.Device.ID})
			if facts.Caller == nil || facts.User == nil || facts.Device == nil {
				t.Errorf("got %+v, want facts", facts)
			}
			return err
		}, calls{"BatchGetItem": 1}},
		{"FactsOfNothing", func() error { _, err := core.Facts(ctx, auth.Query{}); return err }, calls{}},
		{"AddCommand", func() error { return core.AddCommand(ctx, tabletest.Reboot(p.Device)) }, calls{"TransactWriteItems": 1}},
		{"ClaimCommand", func() (err error) { cmd, err = core.ClaimCommand(ctx, cmd.Ref(), "e", began); return err }, calls{"UpdateItem": 1}},
		{"FinishCommand", func() error { return core.FinishCommand(ctx, cmd) }, calls{"UpdateItem": 1}},
		{"Commands", func() error { _, err := core.Commands(ctx, a.ID, p.Device.ID, 10); return err }, calls{"Query": 1}},
		{"PendingCommands", func() error { _, err := core.PendingCommands(ctx, a.ID, p.Device.ID); return err }, calls{"Query": 1}},
		{"DueCommands", func() error { _, err := core.DueCommands(ctx, began, 10); return err }, calls{"Query": 8}},
		{"Credential", func() error { _, err := core.Credential(ctx, a.Realm, "alice"); return err }, calls{"GetItem": 1}},
		{"AddressCredential", func() error {
			_, err := core.AddressCredential(ctx, netip.MustParseAddr("192.0.2.1"))
			return err
		}, calls{"GetItem": 1}},
		{"AccountByRealm", func() error { _, err := core.AccountByRealm(ctx, a.Realm); return err }, calls{"GetItem": 2}},
		{"AccountByRealmOfNobody", func() error { _, _ = core.AccountByRealm(ctx, "nobody.test"); return nil }, calls{"GetItem": 2}},
		{"UserByLogin", func() error { _, err := core.UserByLogin(ctx, a.ID, u.Logins[0]); return err }, calls{"GetItem": 2}},
		{"UserByWrongLogin", func() error { _, _ = core.UserByLogin(ctx, a.ID, "wrong"); return nil }, calls{"GetItem": 2}},
		{"CountAttempt", func() error { _, err := core.CountAttempt(ctx, "b", began, time.Minute); return err }, calls{"UpdateItem": 1}},
		{"Revoke", func() error { return core.Revoke(ctx, "t", began) }, calls{"PutItem": 1}},
		{"ReplaceSigningKey", func() error { return secrets.ReplaceSigningKey(ctx, "", key, time.Now().Add(time.Hour)) },
			calls{"TransactWriteItems": 1}},
		{"SigningKey", func() error { _, err := secrets.SigningKey(ctx); return err }, calls{"GetItem": 1}},
		{"PublicKey", func() error { _, err := core.PublicKey(ctx, key.ID); return err }, calls{"GetItem": 1}},
		{"ListDevices", func() error {
			return core.ListDevices(ctx, a.ID, "", true, func(device.Device) bool { return true })
		}, calls{"Query": 1}},
		{"UserDevicesOwned", func() error { _, err := core.UserDevices(ctx, a.ID, "owner"); return err }, calls{"Query": 2}},
		{"CreateLinkedDevice", func() error { return core.WriteDevice(ctx, linked) }, calls{"TransactWriteItems": 1}},
		{"UserDevicesLinked", func() error { _, err := core.UserDevices(ctx, a.ID, "owner"); return err },
			calls{"Query": 2, "BatchGetItem": 1}},
		{"PutBinding", func() error { return regs.PutBinding(ctx, b) }, calls{"PutItem": 1}},
		{"Bindings", func() error { _, err := regs.Bindings(ctx, b.AOR); return err }, calls{"Query": 1}},
		{"AccountBindings", func() error { _, err := regs.AccountBindings(ctx, a.ID); return err }, calls{"Query": 1}},
		{"Leases", func() error { _, err := regs.Leases(ctx, []string{"a", "b", "a"}); return err }, calls{"BatchGetItem": 1}},
		{"RemoveBinding", func() error { return regs.RemoveBinding(ctx, b) }, calls{"DeleteItem": 1}},
		{"RemoveDevice", func() error { return core.RemoveDevice(ctx, tabletest.Removal(told)) }, calls{"TransactWriteItems": 1}},
	} {
		l.Wire.Reset()
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := l.Wire.Calls(); !maps.Equal(got, c.want) {
			t.Errorf("%s: got requests %v, want %v", c.name, got, c.want)
		}
	}
}

// What a transaction touches costs two writes each, so it touches no claim that
// stays as it is.
func TestTransactionsTouchOnlyWhatChanges(t *testing.T) {
	t.Parallel()
	l := tabletest.Local(t)
	ctx := t.Context()
	a := tabletest.Account()
	must(t, l.Core.CreateAccount(ctx, a))
	touched := func(change device.Change) []string {
		t.Helper()
		var items []string
		l.Wire.Watch(func(operation string, body []byte) {
			if operation != "TransactWriteItems" {
				t.Errorf("got %s, want a transaction", operation)
			}
			items = actions(t, body)
		})
		defer l.Wire.Watch(nil)
		must(t, l.Core.WriteDevice(ctx, change))
		return items
	}
	wantItems := func(what string, got []string, want ...string) {
		t.Helper()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got\n%q\nwant\n%q", what, got, want)
		}
	}
	p := phone(a, "alice")
	account, id := "ACCOUNT#"+a.ID, p.Device.ID
	wantItems("create", touched(p), "Put "+account+" DEVICE#"+id, "Put SIP#"+a.Realm+"#alice CREDENTIAL", "Put "+account+" SIPUSERNAME#alice",
		"Put SIPIP#192.0.2.1 CREDENTIAL", "Put "+account+" MAC#0004f2ab7efd", "Put MDN#+15550100 CLAIM",
		"Put "+account+" HOTDESK#guest#"+id, "ConditionCheck "+account+" ACCOUNT")

	cmd := tabletest.Reboot(p.Device)
	told := tabletest.Next(p)
	told.Command = &cmd
	wantItems("update with command", touched(told), "Put "+account+" DEVICE#"+id, "Put DEVICE#"+a.ID+"#"+id+" COMMAND#"+cmd.ID)

	secret := tabletest.Next(told)
	held := *told.Claims.Credential
	held.HA1MD5 = "0"
	secret.Claims.Credential = &held
	wantItems("new password", touched(secret), "Put "+account+" DEVICE#"+id, "Put SIP#"+a.Realm+"#alice CREDENTIAL")

	moved := tabletest.Next(secret)
	elsewhere := held
	elsewhere.Realm = "elsewhere.test"
	moved.Claims.Credential, moved.Claims.OwnRealm = &elsewhere, false
	wantItems("new realm", touched(moved), "Put "+account+" DEVICE#"+id, "Put SIP#elsewhere.test#alice CREDENTIAL",
		"Delete SIP#"+a.Realm+"#alice CREDENTIAL", "ConditionCheck REALM#elsewhere.test CLAIM")

	bare := tabletest.Next(moved)
	bare.Claims = device.Claims{MAC: "0004f2ab7efd"}
	bare.Device.Doc = document.Object{"name": "bare"}
	wantItems("names given back", touched(bare), "Put "+account+" DEVICE#"+id, "Delete SIP#elsewhere.test#alice CREDENTIAL",
		"Delete "+account+" SIPUSERNAME#alice", "Delete SIPIP#192.0.2.1 CREDENTIAL", "Delete MDN#+15550100 CLAIM",
		"Delete "+account+" HOTDESK#guest#"+id)
}

// actions lists what a TransactWriteItems does, as "Put pk sk".
func actions(t *testing.T, body []byte) (out []string) {
	t.Helper()
	var in struct {
		TransactItems []map[string]struct{ Item, Key json.RawMessage }
	}
	must(t, json.Unmarshal(body, &in))
	for _, entry := range in.TransactItems {
		for action, of := range entry {
			raw := of.Key
			if raw == nil {
				raw = of.Item
			}
			var fields map[string]json.RawMessage
			must(t, json.Unmarshal(raw, &fields))
			text := func(name string) string {
				var v struct{ S string }
				must(t, json.Unmarshal(fields[name], &v))
				return v.S
			}
			out = append(out, action+" "+text("pk")+" "+text("sk"))
		}
	}
	return out
}
