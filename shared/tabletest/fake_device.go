package tabletest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
	"github.com/dialplane/dialplane/shared/table"
)

var _ device.Store = (*Fake)(nil)

// WriteDevice is device.Store's.
func (f *Fake) WriteDevice(_ context.Context, c device.Change) error {
	return f.do("WriteDevice", func() error {
		d := c.Device
		if len(c.Claims.Users) > table.MaxHotdeskUsers {
			return fault.Breaks("hotdesk.users", "maxProperties", fault.Violation{Target: table.MaxHotdeskUsers})
		}
		of := id{d.AccountID, d.ID}
		stored := f.devices[of]
		if stored.device.Rev != d.Rev-1 {
			return fault.Conflicting(errStale)
		}
		f.checkOld(c, stored)
		if err := f.checkRealm(c); fault.Of(err) == fault.Conflict {
			return err
		}
		holder, names := holder(d.AccountID, "device", d.ID), deviceNames(d.AccountID, c.Claims)
		causes := map[string]string{"sip.ip": c.Claims.IP, "mac_address": c.Claims.MAC, "mobile.mdn": c.Claims.MDN}
		if c.Claims.Credential != nil {
			causes["sip.username"] = c.Claims.Credential.Username
		}
		broken := fault.Violations{}
		broken.Merge(fault.ViolationsOf(f.taken(holder, names, causes)))
		broken.Merge(fault.ViolationsOf(f.checkRealm(c)))
		if err := broken.Err(); err != nil {
			return err
		}
		f.devices[of] = heldDevice{copyDevice(d), copyClaims(c.Claims)}
		f.hold(d.AccountID, holder, names)
		if c.Command != nil {
			f.putCommand(*c.Command)
		}
		return nil
	})
}

// checkOld fails the test if the caller is wrong about what the device holds.
func (f *Fake) checkOld(c device.Change, stored heldDevice) {
	d := c.Device
	held, given := deviceNames(d.AccountID, stored.claims), deviceNames(d.AccountID, c.Old)
	if !reflect.DeepEqual(held, given) || !slices.Equal(sorted(stored.claims.Users), sorted(c.Old.Users)) {
		f.t.Errorf("device %s gives back claims that are not what it holds", d.ID)
	}
}

// checkRealm checks the realm of a credential that is new or has moved.
func (f *Fake) checkRealm(c device.Change) error {
	account, exists := f.accounts[c.Device.AccountID]
	realm, name := identity(c.Claims)
	if _, before := identity(c.Old); realm != "" && name != before {
		if c.Claims.OwnRealm {
			if account.Realm != realm {
				return fault.Conflicting(errors.New("the account has another realm"))
			}
		} else if held, ok := f.claims["realm "+realm]; ok && held.account != c.Device.AccountID {
			return fault.Breaks("sip.realm", "unique", fault.Violation{Message: "Realm belongs to another account", Cause: realm})
		}
	}
	if c.Device.Rev == 1 && !exists {
		return fault.Conflicting(errors.New("the account is gone"))
	}
	return nil
}

// identity returns the realm in which a device's phones register, and the name
// by which they do; "" if they cannot.
func identity(c device.Claims) (realm, name string) {
	switch {
	case c.Credential != nil:
		return strings.ToLower(c.Credential.Realm), sipName(c.Credential.Realm, c.Credential.Username)
	case c.Address != nil:
		return strings.ToLower(c.Address.Realm), c.IP + " " + c.Address.Realm
	}
	return "", ""
}

func copyClaims(c device.Claims) device.Claims {
	if c.Credential != nil {
		c.Credential = new(*c.Credential)
	}
	if c.Address != nil {
		c.Address = new(*c.Address)
	}
	c.Users = slices.Clone(c.Users)
	return c
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// RemoveDevice is device.Store's.
func (f *Fake) RemoveDevice(_ context.Context, c device.Change) error {
	return f.do("RemoveDevice", func() error {
		of := id{c.Device.AccountID, c.Device.ID}
		stored, ok := f.devices[of]
		if !ok || stored.device.Rev != c.Device.Rev {
			return fault.Conflicting(errStale)
		}
		f.checkOld(c, stored)
		delete(f.devices, of)
		f.hold(of.account, holder(of.account, "device", of.id), nil)
		if c.Command != nil {
			f.putCommand(*c.Command)
		}
		return nil
	})
}

// ListDevices is device.Store's.
func (f *Fake) ListDevices(_ context.Context, accountID, from string, descending bool, yield func(device.Device) bool) error {
	var list []device.Device
	err := f.do("ListDevices", func() error {
		list = f.devicesWhere(accountID, func(d device.Device) bool {
			return from == "" || !descending && d.ID >= from || descending && d.ID <= from
		})
		return nil
	})
	if err != nil {
		return err
	}
	if descending {
		slices.Reverse(list)
	}
	for _, d := range list {
		if !yield(d) {
			break
		}
	}
	return nil
}

// devicesWhere returns copies of the devices of an account, by id.
func (f *Fake) devicesWhere(accountID string, wanted func(device.Device) bool) []device.Device {
	var out []device.Device
	for of, d := range f.devices {
		if of.account == accountID && wanted(d.device) {
			out = append(out, copyDevice(d.device))
		}
	}
	slices.SortFunc(out, func(a, b device.Device) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// UserDevices is device.Store's.
func (f *Fake) UserDevices(_ context.Context, accountID, userID string) (out []device.Device, err error) {
	err = f.do("UserDevices", func() error {
		out = f.devicesWhere(accountID, func(d device.Device) bool {
			users := f.devices[id{accountID, d.ID}].claims.Users
			return ident.Valid(userID) && (document.Text(d.Doc, "owner_id") == userID || slices.Contains(users, userID))
		})
		return nil
	})
	return out, err
}

// AddCommand is device.Store's.
func (f *Fake) AddCommand(_ context.Context, c command.Command) error {
	return f.do("AddCommand", func() error {
		if _, ok := f.devices[id{c.AccountID, c.DeviceID}]; !ok {
			return fault.BadIdentifier(c.DeviceID)
		}
		f.putCommand(c)
		return nil
	})
}
