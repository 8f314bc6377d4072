// Package device holds the rules of devices: what may be stored, what is
// filled in, which names are unique, and what a change asks of the edge
// (crossbar cb_devices_v2, branch 4.3).
package device

import (
	"context"
	"time"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/document"
)

// Device is an endpoint of an account: a desk phone, a softphone, a fax
// machine or a forwarded cell phone.
type Device struct {
	ID        string
	AccountID string
	Rev       int64 // counts writes from 1; 0 means not stored yet
	Created   time.Time
	Modified  time.Time
	By        Author
	Doc       document.Object // the whole public document, without its id

	text string // Doc as canonical JSON, if it has been made: see Text
}

// Author says on whose behalf a document was last written (Kazoo's
// pvt_auth_account_id, pvt_auth_user_id and pvt_request_id).
type Author struct {
	AccountID string
	UserID    string // empty for an API key
	RequestID string
}

// Claims are the names that a device holds and no other may. The store takes,
// keeps and gives them back in the transaction that writes the device.
type Claims struct {
	// Credential is nil if the device has no SIP username. It is unique by
	// realm and username, and within the account by username alone.
	Credential *credential.Credential
	// Address is the credential stored under IP, the address that the device
	// authenticates by (sip.method "ip"); nil if it does not. IP is unique in
	// the system. Address has no HA1 and perhaps no Username.
	Address *credential.Credential
	IP      string
	MAC     string // 12 hex digits as a rule; unique in the account
	MDN     string // number of a mobile device; unique in the system
	// Users are the users hot-desked onto the device: the keys of
	// hotdesk.users. Many devices may have the same.
	Users []string
	// OwnRealm tells that the credential's realm is the account's own, and so
	// must still be that when the device is written.
	OwnRealm bool
}

// Change is one write: the device, what it claims, and what the edge shall do.
type Change struct {
	Device  Device           // to be stored, with the Rev it shall have
	Claims  Claims           // held after the change
	Old     Claims           // held before it; zero for a new device
	Command *command.Command // nil: nothing to do
}

// Store keeps devices. Every method is atomic: it happens whole or not at all.
//
// All methods return fault.Unreachable if the store does not answer, in which
// case a write may or may not have happened.
type Store interface {
	// WriteDevice stores c.Device: a new one if its Rev is 1, else one whose
	// stored Rev is one less. It returns fault.Conflict if the device exists,
	// changed or is gone, and fault.Invalid if a claim is held by another
	// device, naming each such property.
	WriteDevice(ctx context.Context, c Change) error
	// RemoveDevice removes c.Device, whose stored Rev must be c.Device.Rev,
	// gives c.Old back and stores c.Command. It returns fault.Conflict if the
	// device changed or is gone.
	RemoveDevice(ctx context.Context, c Change) error
	// ListDevices calls yield for the devices of an account in the order of
	// their ids, from the id `from` on (inclusive; "" means from the start or
	// end), until yield returns false.
	ListDevices(ctx context.Context, accountID, from string, descending bool, yield func(Device) bool) error
	// UserDevices returns the devices that a user owns or is hot-desked onto, in
	// the order of their ids. What was written within the last second may be
	// missing.
	UserDevices(ctx context.Context, accountID, userID string) ([]Device, error)
	// AddCommand stores c if its device exists, else returns fault.NotFound.
	AddCommand(ctx context.Context, c command.Command) error
	// Commands returns the newest commands of a device, newest first, at most
	// limit; those older than command.Retention may be missing.
	Commands(ctx context.Context, accountID, deviceID string, limit int) ([]command.Command, error)
}
