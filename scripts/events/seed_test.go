package events

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/shared/schema"
	"github.com/dialplane/dialplane/shared/tabletest"
	"github.com/dialplane/dialplane/shared/user"
)

// What the sample events name.
const (
	accountID = "acc00000000000000000000000000001"
	otherID   = "acc00000000000000000000000000002"
	userID    = "05e50000000000000000000000000001"
	deviceID  = "de500000000000000000000000000001"
	realm     = "events.example.com"
	password  = "correct horse battery staple"
)

// tokenPlace is what stands in the samples where a token belongs.
const tokenPlace = "put the auth_token that PUT /user_auth answers here"

// seed stores what the samples name, puts a token into the event if it has a
// place for one, and returns it.
func seed(t *testing.T, tables *tabletest.Tables, event []byte) []byte {
	t.Helper()
	now := time.Now()
	own := account.Account{ID: accountID, Name: "Events Example", Realm: realm, Enabled: true, ResellerID: accountID,
		Salt: bytes.Repeat([]byte{7}, 16), APIKey: strings.Repeat("a5", 32), Rev: 1, Created: now, Modified: now,
		Doc: document.Object{"name": "Events Example", "realm": realm}}
	other := account.Account{ID: otherID, Name: "Another", Realm: "other.example.com", Enabled: true, ResellerID: otherID,
		Salt: bytes.Repeat([]byte{8}, 16), APIKey: strings.Repeat("b6", 32), Rev: 1, Created: now, Modified: now,
		Doc: document.Object{"name": "Another", "realm": "other.example.com"}}
	alice := user.User{ID: userID, AccountID: accountID, Username: "alice", Enabled: true, Admin: true,
		Logins: auth.LoginKeys(own.Salt, "alice", password), Rev: 1, Created: now, Modified: now,
		Doc: document.Object{"username": "alice", "first_name": "Alice", "last_name": "Example"}}
	must(t, tables.Core.CreateAccount(t.Context(), own))
	must(t, tables.Core.CreateAccount(t.Context(), other))
	must(t, tables.Core.CreateUser(t.Context(), alice))
	seedDevice(t, tables, own, now)
	if !bytes.Contains(event, []byte(tokenPlace)) {
		return event
	}
	issuer := auth.Issuer{Vault: tables.Secrets, Now: time.Now}
	token, err := issuer.Issue(t.Context(), own, &alice)
	must(t, err)
	return bytes.ReplaceAll(event, []byte(tokenPlace), []byte(token))
}

// seedDevice stores the device, and registers a phone for it.
func seedDevice(t *testing.T, tables *tabletest.Tables, own account.Account, now time.Time) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "functions", "devices", "create", "schema.json"))
	must(t, err)
	devices := device.Service{Store: tables.Core, Schema: schema.MustCompile(text), Now: func() time.Time { return now }}
	_, err = devices.Create(t.Context(), device.Actor{Account: own, Author: device.Author{AccountID: accountID, UserID: userID}},
		document.Object{"id": deviceID, "name": "Desk", "owner_id": userID, "mac_address": "00155daabbcc",
			"sip": document.Object{"username": "desk", "password": "Kq7-vd2x-9Tn"}})
	must(t, err)
	must(t, tables.Registrations.PutLease(t.Context(), registration.Lease{Edge: "edge-1", Renewed: now}))
	must(t, tables.Registrations.PutBinding(t.Context(), registration.Binding{
		AOR: credential.NewAOR("desk", realm), Key: "1", AccountID: accountID, DeviceID: deviceID, Username: "desk", Realm: realm,
		Edge: "edge-1", Contact: "sip:desk@192.0.2.9:5060", Received: "192.0.2.9:5060", Local: "192.0.2.1:5060", Transport: "UDP",
		CallID: "1", CSeq: 1, Expiry: time.Hour, Since: now, Written: now}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
