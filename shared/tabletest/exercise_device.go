package tabletest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
)

// Device returns the creation of a device that holds nothing.
func Device(a account.Account) device.Change {
	return device.Change{Device: device.Device{
		ID: ident.New(), AccountID: a.ID, Rev: 1, Created: began, Modified: began,
		By:  device.Author{AccountID: a.ID, UserID: "u", RequestID: "r"},
		Doc: document.Object{"name": "phone"},
	}}
}

// Phone returns the creation of a device with a SIP username in the account's
// own realm.
func Phone(a account.Account, username string) device.Change {
	c := Device(a)
	held := credential.New(a.Realm, username, "secret of "+username)
	held.AccountID, held.DeviceID = a.ID, c.Device.ID
	c.Claims.Credential, c.Claims.OwnRealm = &held, true
	return c
}

// Next returns the update that follows a change: one revision on, holding the
// same.
func Next(c device.Change) device.Change {
	c.Device.Doc = document.Copy(c.Device.Doc)
	c.Device.Rev++
	c.Old, c.Command = c.Claims, nil
	return c
}

// Removal returns the removal of what a change stored.
func Removal(c device.Change) device.Change { return device.Change{Device: c.Device, Old: c.Claims} }

// Reboot returns a pending command for a device.
func Reboot(d device.Device) command.Command {
	return command.Command{
		ID: ident.Ordered(began), AccountID: d.AccountID, DeviceID: d.ID, AOR: "alice@example.test",
		Notify: &command.Notify{Event: "check-sync", Reboot: new(true), Brand: "yealink", ContentType: "text/plain", Body: "now"},
		State:  command.Pending, Created: began, Expires: began.Add(command.DefaultLife), Due: began.Add(command.SweepAfter),
		RequestID: "r",
	}
}

// write applies changes that must succeed.
func write(t *testing.T, s Stores, changes ...device.Change) {
	t.Helper()
	for _, c := range changes {
		must(t, s.Devices.WriteDevice(t.Context(), c))
	}
}

// read returns a stored device, or nil.
func read(t *testing.T, s Stores, d device.Device) *device.Device {
	t.Helper()
	q := queryOf(d.AccountID)
	q.DeviceID = d.ID
	facts, err := s.Auth.Facts(t.Context(), q)
	must(t, err)
	return facts.Device
}

func exerciseDevices(t *testing.T, s Stores) {
	ctx := t.Context()
	a := stored(t, s)

	t.Run("KeepsDocumentAsSent", func(t *testing.T) {
		c := Device(a)
		c.Device.Doc = document.Object{
			"text": "<é>\u2028\U0001F600", "empty": "", "none": nil, "flag": false, "list": []any{}, "object": document.Object{"": "x", "a.b": "y"},
			"numbers": []any{json.Number("1.0"), json.Number("1e2"), json.Number("123456789012345678901234567890"), json.Number("-0")},
		}
		write(t, s, c)
		wantEqual(t, "device", read(t, s, c.Device), &c.Device)
	})
	t.Run("RefusesTakenID", func(t *testing.T) {
		c := Device(a)
		write(t, s, c)
		again := c
		again.Device.Doc = document.Object{"name": "other"}
		wantKind(t, s.Devices.WriteDevice(ctx, again), fault.Conflict)
		wantEqual(t, "device", read(t, s, c.Device), &c.Device)
	})
	t.Run("RefusesStaleRevision", func(t *testing.T) {
		c := Device(a)
		write(t, s, c)
		second := Next(c)
		second.Device.Doc["name"] = "second"
		write(t, s, second)
		stale := Next(c)
		cmd := Reboot(c.Device)
		stale.Device.Doc["name"], stale.Command = "stale", &cmd
		wantKind(t, s.Devices.WriteDevice(ctx, stale), fault.Conflict)
		wantKind(t, s.Devices.RemoveDevice(ctx, Removal(c)), fault.Conflict)
		wantEqual(t, "device", read(t, s, c.Device), &second.Device)
		wantCommands(t, s, c.Device, nil)
	})
	t.Run("RefusesUpdateOfNothing", func(t *testing.T) {
		c := Next(Device(a))
		wantKind(t, s.Devices.WriteDevice(ctx, c), fault.Conflict)
		wantKind(t, s.Devices.RemoveDevice(ctx, Removal(c)), fault.Conflict)
	})
	t.Run("RefusesDeviceOfNoAccount", func(t *testing.T) {
		nowhere := Account()
		wantKind(t, s.Devices.WriteDevice(ctx, Device(nowhere)), fault.Conflict)
		wantKind(t, s.Devices.WriteDevice(ctx, Phone(nowhere, "alice")), fault.Conflict)
	})
	t.Run("WritesCommandWithDevice", func(t *testing.T) {
		c := Device(a)
		write(t, s, c)
		c = Next(c)
		first, last := Reboot(c.Device), Reboot(c.Device)
		first.ID, last.ID = ident.Ordered(began), ident.Ordered(began.Add(time.Second))
		first.Notify = nil
		first.Drop = true
		c.Command = &first
		write(t, s, c)
		gone := Removal(c)
		gone.Command = &last
		must(t, s.Devices.RemoveDevice(ctx, gone))
		if got := read(t, s, c.Device); got != nil {
			t.Errorf("got %+v, want no device", got)
		}
		wantCommands(t, s, c.Device, []command.Command{last, first})
		wantKind(t, s.Devices.AddCommand(ctx, first), fault.NotFound)
	})
	t.Run("RemovedDeviceCanComeBack", func(t *testing.T) {
		c := Phone(a, "revenant")
		write(t, s, c)
		must(t, s.Devices.RemoveDevice(ctx, Removal(c)))
		write(t, s, c)
	})
	t.Run("RefusesTooManyHotdeskUsers", func(t *testing.T) {
		c := Device(a)
		for i := range 41 {
			c.Claims.Users = append(c.Claims.Users, fmt.Sprint("user", i))
		}
		err := s.Devices.WriteDevice(ctx, c)
		wantKind(t, err, fault.Invalid)
		if fault.ViolationsOf(err)["hotdesk.users"] == nil {
			t.Errorf("got %v, want a violation at hotdesk.users", err)
		}
	})
}

func wantCommands(t *testing.T, s Stores, d device.Device, want []command.Command) {
	t.Helper()
	got, err := s.Devices.Commands(t.Context(), d.AccountID, d.ID, 100)
	must(t, err)
	wantEqual(t, "commands", got, want)
}

func exerciseLists(t *testing.T, s Stores) {
	ctx := t.Context()
	a, other := stored(t, s), stored(t, s)
	write(t, s, Device(other))
	must(t, s.Users.CreateUser(ctx, User(a, "neighbour"))) // sorts after devices
	padding := strings.Repeat("x", 60_000)
	var all []string
	for i := range 30 { // more than one page of 1 MB
		c := Device(a)
		c.Device.ID = fmt.Sprintf("d%02d", i)
		c.Device.Doc["padding"] = padding
		all = append(all, c.Device.ID)
		write(t, s, c)
	}
	list := func(from string, descending bool, most int) []string {
		t.Helper()
		var ids []string
		must(t, s.Devices.ListDevices(ctx, a.ID, from, descending, func(d device.Device) bool {
			ids = append(ids, d.ID)
			return len(ids) < most
		}))
		return ids
	}
	wantEqual(t, "all", list("", false, 100), all)
	wantEqual(t, "from an id on", list("d27", false, 100), all[27:])
	wantEqual(t, "between ids", list("d27x", false, 100), all[28:])
	wantEqual(t, "two", list("d03", false, 2), all[3:5])
	wantEqual(t, "descending", list("", true, 2), []string{"d29", "d28"})
	wantEqual(t, "descending from an id on", list("d01", true, 100), []string{"d01", "d00"})
	wantEqual(t, "from beyond any id", list(strings.Repeat("z", 5000), false, 100), []string(nil))

	owner, guest := ident.New(), ident.New()
	owned, linked, both := Device(other), Device(other), Device(other)
	owned.Device.ID, both.Device.ID, linked.Device.ID = "a", "b", "c"
	owned.Device.Doc["owner_id"], both.Device.Doc["owner_id"] = owner, owner
	linked.Claims.Users, both.Claims.Users = []string{guest, owner}, []string{owner, "not an id#"}
	write(t, s, owned, linked, both)
	users := func(user string) (ids []string) {
		t.Helper()
		devices, err := s.Devices.UserDevices(ctx, other.ID, user)
		must(t, err)
		for _, d := range devices {
			ids = append(ids, d.ID)
		}
		return ids
	}
	wantEqual(t, "owned or linked", users(owner), []string{"a", "b", "c"})
	wantEqual(t, "linked", users(guest), []string{"c"})
	wantEqual(t, "of nobody", users(""), []string(nil))
	linked = Next(linked)
	linked.Claims.Users = nil
	both = Next(both)
	delete(both.Device.Doc, "owner_id")
	write(t, s, linked, both)
	wantEqual(t, "unlinked", users(guest), []string(nil))
	wantEqual(t, "after changes", users(owner), []string{"a", "b"})
	must(t, s.Devices.RemoveDevice(ctx, Removal(both)))
	wantEqual(t, "after removal", users(owner), []string{"a"})
}
