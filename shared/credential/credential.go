// Package credential describes how a phone proves who it is: by the answer to
// a digest challenge, or by the address it sends from.
package credential

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
)

// Credential is the edge's whole knowledge of a device: enough to
// authenticate it and to bind its address, and no password.
type Credential struct {
	AccountID string
	DeviceID  string
	OwnerID   string // the user who owns the device; may be empty
	Realm     string // lower case
	Username  string // as the client wrote it; empty for an address credential without one
	// HA1MD5 and HA1SHA256 are the hex digests of "username:realm:password"
	// (RFC 7616 section 3.4.2). They are as good as the password within the
	// realm, and so are secrets. Empty for an address credential.
	HA1MD5    string
	HA1SHA256 string
	Enabled   bool
}

// New returns the credential of username and password in realm.
func New(realm, username, password string) Credential {
	realm = strings.ToLower(realm)
	a1 := []byte(username + ":" + realm + ":" + password)
	md5Sum, shaSum := md5.Sum(a1), sha256.Sum256(a1)
	return Credential{
		Realm: realm, Username: username, Enabled: true,
		HA1MD5: hex.EncodeToString(md5Sum[:]), HA1SHA256: hex.EncodeToString(shaSum[:]),
	}
}

// AOR is an address-of-record (RFC 3261 section 6): "user@realm" in lower
// case, which is how dialplane compares both halves.
type AOR string

// NewAOR joins a user and a realm.
func NewAOR(user, realm string) AOR {
	return AOR(strings.ToLower(user) + "@" + strings.ToLower(realm))
}

// AOR returns the address-of-record that c registers.
func (c Credential) AOR() AOR { return NewAOR(c.Username, c.Realm) }

// Store is where an edge looks credentials up. Both methods read consistently
// and return fault.NotFound if there is none and fault.Unreachable if the
// store does not answer.
type Store interface {
	// Credential returns the credential of a user; case does not matter.
	Credential(ctx context.Context, realm, username string) (Credential, error)
	// AddressCredential returns the credential of a device that authenticates
	// by its address.
	AddressCredential(ctx context.Context, addr netip.Addr) (Credential, error)
}

// SameSecret reports whether a phone that could register with other can still
// do so with c: same name, same realm, same password.
func (c Credential) SameSecret(other Credential) bool {
	return c.AOR() == other.AOR() && c.HA1MD5 == other.HA1MD5 && c.HA1SHA256 == other.HA1SHA256
}
