package tabletest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
)

func sum(secret string) string {
	hash := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(hash[:])
}

// fullPhone holds one of every name.
func fullPhone(a account.Account, username, ip string) device.Change {
	c := Phone(a, username)
	c.Claims.IP, c.Claims.MAC, c.Claims.MDN = ip, "0004f2ab7efd", "+1"+ip
	c.Claims.Address = &credential.Credential{AccountID: a.ID, DeviceID: c.Device.ID, Realm: a.Realm, Enabled: true}
	c.Claims.Users = []string{ident.New()}
	return c
}

func exerciseClaims(t *testing.T, s Stores) {
	ctx := t.Context()
	a, other := stored(t, s), stored(t, s)
	first := fullPhone(a, "Alice", "192.0.2.1")
	write(t, s, first)

	t.Run("RefusesEveryNameOfAnother", func(t *testing.T) {
		second := fullPhone(a, "aLICE", "192.0.2.1")
		cmd := Reboot(second.Device)
		second.Command = &cmd
		wantInUse(t, s.Devices.WriteDevice(ctx, second), map[string]any{
			"sip.username": "aLICE", "sip.ip": "192.0.2.1", "mac_address": "0004f2ab7efd", "mobile.mdn": "+1192.0.2.1"})
		if got := read(t, s, second.Device); got != nil {
			t.Errorf("got %+v, want no device", got)
		}
		wantCommands(t, s, second.Device, nil)
	})
	t.Run("RefusesSystemWideNamesInOtherAccount", func(t *testing.T) {
		second := fullPhone(other, "Alice", "192.0.2.1")
		wantInUse(t, s.Devices.WriteDevice(ctx, second), map[string]any{
			"sip.ip": "192.0.2.1", "mobile.mdn": "+1192.0.2.1"})
		second = Phone(other, "Alice")
		second.Claims.MAC = first.Claims.MAC
		write(t, s, second)
	})
	t.Run("RefusesUsernameInOtherRealmOfAccount", func(t *testing.T) {
		second := Phone(a, "alice")
		second.Claims.Credential.Realm, second.Claims.OwnRealm = "elsewhere."+a.Realm, false
		wantInUse(t, s.Devices.WriteDevice(ctx, second), map[string]any{"sip.username": "alice"})
	})
	t.Run("RefusesUpdateThatTakesNames", func(t *testing.T) {
		second := Phone(a, "bob")
		write(t, s, second)
		greedy := Next(second)
		greedy.Claims.MAC = first.Claims.MAC
		wantInUse(t, s.Devices.WriteDevice(ctx, greedy), map[string]any{"mac_address": first.Claims.MAC})
		wantEqual(t, "device", read(t, s, second.Device), &second.Device)
	})
	t.Run("RefusesNameThatNoKeyHolds", func(t *testing.T) {
		second := Device(a)
		second.Claims.MDN = strings.Repeat("1", 3000)
		if _, fake := s.Devices.(*Fake); fake {
			return // it has no keys
		}
		err := s.Devices.WriteDevice(ctx, second)
		wantKind(t, err, fault.Invalid)
		if fault.ViolationsOf(err)["mobile.mdn"] == nil {
			t.Errorf("got %v, want a violation at mobile.mdn", err)
		}
	})
	t.Run("KeepsItsOwnNames", func(t *testing.T) {
		same := Next(first)
		same.Device.Doc["name"] = "renamed"
		write(t, s, same)
		first = same
		wantEqual(t, "device", read(t, s, first.Device), &first.Device)
	})
	t.Run("GivesNamesBackWhenChanged", func(t *testing.T) {
		moved := Next(first)
		changed := credential.New(a.Realm, "alice2", "x")
		changed.AccountID, changed.DeviceID = a.ID, first.Device.ID
		moved.Claims.Credential, moved.Claims.MAC, moved.Claims.IP, moved.Claims.Address, moved.Claims.MDN = &changed, "", "", nil, ""
		write(t, s, moved)
		heir := fullPhone(a, "alice", "192.0.2.1")
		write(t, s, heir)
		must(t, s.Devices.RemoveDevice(ctx, Removal(heir)))
		first = moved
	})
	t.Run("GivesNamesBackWhenRemoved", func(t *testing.T) {
		must(t, s.Devices.RemoveDevice(ctx, Removal(first)))
		_, err := s.Credentials.Credential(ctx, a.Realm, "alice2")
		wantKind(t, err, fault.NotFound)
		write(t, s, fullPhone(a, "alice2", "192.0.2.1"))
	})
}

func exerciseRealms(t *testing.T, s Stores) {
	ctx := t.Context()
	a, other := stored(t, s), stored(t, s)

	t.Run("RefusesRealmThatAccountNoLongerHas", func(t *testing.T) {
		renamed := a
		renamed.Realm = "old." + a.Realm
		wantKind(t, s.Devices.WriteDevice(ctx, Phone(renamed, "early")), fault.Conflict)
		c := Device(a)
		write(t, s, c)
		c = Next(c)
		c.Claims = Phone(renamed, "late").Claims
		wantKind(t, s.Devices.WriteDevice(ctx, c), fault.Conflict)
	})
	t.Run("RefusesNewUsernameInRealmThatAccountNoLongerHas", func(t *testing.T) {
		b := stored(t, s)
		c := Phone(b, "before")
		write(t, s, c)
		moved := b
		moved.Rev, moved.Realm = 2, "moved."+b.Realm
		must(t, s.Accounts.UpdateAccount(ctx, moved, b))
		c = Next(c)
		renamed := *c.Claims.Credential
		renamed.Username = "after"
		c.Claims.Credential = &renamed
		wantKind(t, s.Devices.WriteDevice(ctx, c), fault.Conflict)
	})
	t.Run("RefusesRealmOfOtherAccount", func(t *testing.T) {
		c := Phone(a, "spy")
		c.Claims.Credential.Realm, c.Claims.OwnRealm = other.Realm, false
		wantInUse(t, s.Devices.WriteDevice(ctx, c), map[string]any{"sip.realm": other.Realm})
		byAddress := Device(a)
		byAddress.Claims.IP = "198.51.100.7"
		byAddress.Claims.Address = &credential.Credential{AccountID: a.ID, DeviceID: byAddress.Device.ID, Realm: other.Realm}
		wantInUse(t, s.Devices.WriteDevice(ctx, byAddress), map[string]any{"sip.realm": other.Realm})
	})
	t.Run("TakesRealmOfNobody", func(t *testing.T) {
		c := Phone(a, "free")
		c.Claims.Credential.Realm, c.Claims.OwnRealm = "nobody."+a.Realm, false
		write(t, s, c)
		got, err := s.Credentials.Credential(ctx, "nobody."+a.Realm, "free")
		must(t, err)
		wantEqual(t, "credential", got, *c.Claims.Credential)
	})
	t.Run("TakesOwnRealmByName", func(t *testing.T) {
		c := Phone(a, "explicit")
		c.Claims.OwnRealm = false
		write(t, s, c)
	})
}

func exerciseCredentials(t *testing.T, s Stores) {
	ctx := t.Context()
	a := stored(t, s)
	c := Phone(a, "Alice#%1")
	c.Claims.Credential.OwnerID = "owner"
	c.Claims.IP = "203.0.113.9"
	c.Claims.Address = &credential.Credential{AccountID: a.ID, DeviceID: c.Device.ID, Realm: a.Realm, Username: "x", Enabled: true}
	write(t, s, c)

	got, err := s.Credentials.Credential(ctx, strings.ToUpper(a.Realm), "aLICE#%1")
	must(t, err)
	wantEqual(t, "credential", got, *c.Claims.Credential)
	got, err = s.Credentials.AddressCredential(ctx, netip.MustParseAddr("::ffff:203.0.113.9"))
	must(t, err)
	wantEqual(t, "credential by address", got, *c.Claims.Address)

	for realm, username := range map[string]string{
		a.Realm: "alice", "": "alice#%1", a.Realm + "#alice": "%1", strings.Repeat("r", 4000): "alice", "\xff": "\xff",
	} {
		_, err := s.Credentials.Credential(ctx, realm, username)
		wantKind(t, err, fault.NotFound)
	}
	_, err = s.Credentials.AddressCredential(ctx, netip.MustParseAddr("203.0.113.10"))
	wantKind(t, err, fault.NotFound)

	disabled := Next(c)
	held := *c.Claims.Credential
	held.Enabled, held.HA1MD5 = false, "0"
	disabled.Claims.Credential = &held
	write(t, s, disabled)
	got, err = s.Credentials.Credential(ctx, a.Realm, held.Username)
	must(t, err)
	wantEqual(t, "changed credential", got, held)

	must(t, s.Devices.RemoveDevice(ctx, Removal(disabled)))
	_, err = s.Credentials.Credential(ctx, a.Realm, held.Username)
	wantKind(t, err, fault.NotFound)
	_, err = s.Credentials.AddressCredential(ctx, netip.MustParseAddr("203.0.113.9"))
	wantKind(t, err, fault.NotFound)
}
