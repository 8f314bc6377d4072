// Package tabletest stands in for DynamoDB in tests.
//
// New returns an in-memory fake of every store. It keeps the promises of the
// interfaces, watches that the code under test keeps its own, and can refuse,
// time out, or apply and then fail. Local returns the real tables on DynamoDB
// Local, with a Wire that counts requests and breaks them. Exercise is the
// suite that both pass.
package tabletest

import (
	"testing"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/shared/user"
)

// Stores are all stores over the same data.
type Stores struct {
	Accounts      account.Store
	Users         user.Store
	Devices       device.Store
	Commands      command.Store
	Credentials   credential.Store
	Auth          auth.Store
	Vault         auth.Vault
	Registrations registration.Store
}

// Exercise checks that stores do what their interfaces say. open returns empty
// stores; it is called once for each part.
func Exercise(t *testing.T, open func(testing.TB) Stores) {
	for name, part := range map[string]func(*testing.T, Stores){
		"Accounts":         exerciseAccounts,
		"Users":            exerciseUsers,
		"Devices":          exerciseDevices,
		"DeviceClaims":     exerciseClaims,
		"DeviceRealms":     exerciseRealms,
		"DeviceLists":      exerciseLists,
		"Credentials":      exerciseCredentials,
		"Commands":         exerciseCommands,
		"ClaimedCommands":  exerciseClaimedCommands,
		"DueCommands":      exerciseDueCommands,
		"Facts":            exerciseFacts,
		"Logins":           exerciseLogins,
		"Keys":             exerciseKeys,
		"Bindings":         exerciseBindings,
		"Leases":           exerciseLeases,
		"Races":            exerciseRaces,
		"RacesForCommands": exerciseCommandRaces,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			part(t, open(t))
		})
	}
}
