package table

import (
	"context"
	"net/netip"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/fault"
)

var _ credential.Store = (*Core)(nil)

// Credential is credential.Store's.
func (c *Core) Credential(ctx context.Context, realm, username string) (credential.Credential, error) {
	return c.credentialAt(ctx, sipKey(realm, username), username)
}

// AddressCredential is credential.Store's.
func (c *Core) AddressCredential(ctx context.Context, addr netip.Addr) (credential.Credential, error) {
	name := addr.Unmap().String()
	return c.credentialAt(ctx, sipIPKey(name), name)
}

func (c *Core) credentialAt(ctx context.Context, k key, name string) (credential.Credential, error) {
	it, err := c.get(ctx, "read credential", k)
	if err != nil {
		return credential.Credential{}, err
	}
	found, err := decode[claimItem](it)
	if err != nil {
		return credential.Credential{}, err
	}
	if found.DeviceID == "" { // nothing there, or a bare claim
		return credential.Credential{}, fault.BadIdentifier(name)
	}
	return found.credential(), nil
}
