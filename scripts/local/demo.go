package main

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/dialplane/dialplane/scripts/bootstrap"
	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/ident"
	"github.com/dialplane/dialplane/shared/schema"
	"github.com/dialplane/dialplane/shared/table"
)

// Credentials open the demo account and its one device. They are the same at
// every start with the same state directory.
type Credentials struct {
	AccountID   string `json:"account_id"`
	AccountName string `json:"account_name"`
	Realm       string `json:"realm"`
	Username    string `json:"username"`
	Password    string `json:"password"`
	APIKey      string `json:"api_key"`
	DeviceID    string `json:"device_id"`
	SIPUsername string `json:"sip_username"`
	SIPPassword string `json:"sip_password"`
}

// demoRealm resolves to the loopback address on every machine (RFC 6761
// section 6.3), so that a softphone needs no outbound proxy.
const demoRealm = "demo.localhost"

// newCredentials chooses the demo account, before it is made.
func newCredentials() Credentials {
	return Credentials{
		AccountID: ident.New(), AccountName: "Demo", Realm: demoRealm, Username: "admin", Password: ident.Hex(8), APIKey: ident.Hex(32),
		DeviceID: ident.New(), SIPUsername: "phone1", SIPPassword: ident.Hex(8),
	}
}

// store is where the demo account is kept.
type store struct {
	client *dynamodb.Client
	core   string // name of the table
}

// seedFunc makes what is not stored yet of the demo account.
type seedFunc func(ctx context.Context, s store, c Credentials) error

// deviceSchema is what POST /accounts/{account_id}/devices applies.
var deviceSchema = []byte(`{"$ref": "https://schemas.dialplane.invalid/devices.json"}`)

// seed is the seedFunc of a normal run.
func seed(ctx context.Context, s store, c Credentials) error {
	core := table.NewCore(s.client, s.core)
	made, err := bootstrap.Account(ctx, core, bootstrap.Spec{
		AccountID: c.AccountID, AccountName: c.AccountName, Realm: c.Realm, APIKey: c.APIKey,
		Username: c.Username, Password: c.Password,
	}, time.Now())
	if err != nil {
		return err
	}
	facts, err := core.Facts(ctx, auth.Query{AccountID: c.AccountID, DeviceID: c.DeviceID})
	if err != nil || facts.Device != nil {
		return err
	}
	devices := device.Service{Store: core, Schema: schema.MustCompile(deviceSchema), Now: time.Now}
	by := device.Actor{Account: made.Account, Author: device.Author{AccountID: c.AccountID}}
	_, err = devices.Create(ctx, by, document.Object{"id": c.DeviceID, "name": "Demo phone", "sip": document.Object{
		"username": c.SIPUsername, "password": c.SIPPassword}})
	return err
}
