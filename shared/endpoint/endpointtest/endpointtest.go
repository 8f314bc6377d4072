// Package endpointtest calls an endpoint as API Gateway would, over the fake
// store, with an account, a user and a device to act on.
package endpointtest

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/schema"
	"github.com/dialplane/dialplane/shared/tabletest"
)

// World is a store with one account, a stranger to it, and a token.
type World struct {
	Store    *tabletest.Fake
	Gate     *auth.Gate
	Login    auth.Login
	Devices  device.Service // with the schema of devices
	Account  account.Account
	Stranger account.Account
	Token    string // of Account's API key
	IfMatch  string // sent as If-Match unless it is empty
	Log      bytes.Buffer
	t        testing.TB
}

// Now is what time it is in every World.
func Now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// New returns a world without devices.
func New(t testing.TB) *World {
	t.Helper()
	w := &World{t: t, Store: tabletest.New(t)}
	w.Store.Now = Now
	w.Gate = auth.NewGate(w.Store)
	w.Gate.Now = Now
	w.Login = auth.Login{Store: w.Store, Issuer: &auth.Issuer{Vault: w.Store, Now: Now}, Now: Now}
	w.Devices = device.Service{Store: w.Store, Now: Now,
		Schema: schema.MustCompile([]byte(`{"$ref":"https://schemas.dialplane.invalid/devices.json"}`))}
	w.Account = w.account("a", "Acme")
	w.Stranger = w.account("b", "Stranger")
	grant, err := w.Login.APIKey(t.Context(), w.Account.APIKey, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	w.Token = grant.Token
	return w
}

func (w *World) account(digit, name string) account.Account {
	w.t.Helper()
	a := account.Account{ID: strings.Repeat(digit, 32), Name: name, Realm: strings.ToLower(name) + ".example", Enabled: true,
		Salt: []byte("0123456789abcdef"), APIKey: strings.Repeat(digit, 64), Rev: 1, Created: Now(), Modified: Now(),
		Doc: document.Object{"name": name}}
	if err := w.Store.CreateAccount(w.t.Context(), a); err != nil {
		w.t.Fatal(err)
	}
	return a
}

// Device stores a device made of the JSON object data.
func (w *World) Device(data string) device.Device {
	w.t.Helper()
	v, err := document.Decode([]byte(data))
	if err != nil {
		w.t.Fatal(err)
	}
	by := device.Actor{Account: w.Account, Author: device.Author{AccountID: w.Account.ID}}
	d, err := w.Devices.Create(w.t.Context(), by, v.(document.Object))
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// Stored returns the device as it is stored now, or nil.
func (w *World) Stored(id string) *device.Device {
	w.t.Helper()
	facts, err := w.Store.Facts(w.t.Context(), auth.Query{AccountID: w.Account.ID, DeviceID: id})
	if err != nil {
		w.t.Fatal(err)
	}
	return facts.Device
}

// Path returns a path below the account.
func (w *World) Path(rest string) string { return "/accounts/" + w.Account.ID + rest }

// Answer is what came back.
type Answer struct {
	Status int
	Header map[string][]string
	Body   document.Object
	Text   string
}

// Data returns the value at path below the envelope's data.
func (a Answer) Data(path ...string) any {
	v, _ := document.At(a.Body, append([]string{"data"}, path...)...)
	return v
}

// Call sends one request to e through the translation that Lambda uses, and
// checks the status and that the answer is an envelope. The target may have a
// query. w.Token is sent unless it is empty.
func (w *World) Call(e endpoint.Endpoint, method, target, body string, want int) Answer {
	w.t.Helper()
	e.Log, e.Now = slog.New(slog.NewJSONHandler(&w.Log, nil)), Now
	path, query, _ := strings.Cut(target, "?")
	event := events.APIGatewayProxyRequest{
		Path: path, HTTPMethod: method, Body: body, MultiValueQueryStringParameters: map[string][]string{},
		MultiValueHeaders: map[string][]string{"Content-Type": {"application/json"}},
		RequestContext: events.APIGatewayProxyRequestContext{Path: "/v2" + path, Stage: "v2",
			Identity: events.APIGatewayRequestIdentity{SourceIP: "192.0.2.9"}},
	}
	for pair := range strings.SplitSeq(query, "&") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			event.MultiValueQueryStringParameters[name] = append(event.MultiValueQueryStringParameters[name], value)
		}
	}
	if w.Token != "" {
		event.MultiValueHeaders["X-Auth-Token"] = []string{w.Token}
	}
	if w.IfMatch != "" {
		event.MultiValueHeaders["If-Match"] = []string{w.IfMatch}
	}
	response, err := httpadapter.New(e).ProxyWithContext(context.WithoutCancel(w.t.Context()), event)
	if err != nil {
		w.t.Fatal(err)
	}
	answer := Answer{Status: response.StatusCode, Header: response.MultiValueHeaders, Text: response.Body}
	v, err := document.Decode([]byte(response.Body))
	if err != nil {
		w.t.Fatalf("answer is no JSON: %v: %s", err, response.Body)
	}
	answer.Body = v.(document.Object)
	if answer.Status != want {
		w.t.Errorf("%s %s: got %d, want %d: %s", method, target, answer.Status, want, answer.Text)
	}
	if id, _ := answer.Body["request_id"].(string); id == "" || !json.Valid([]byte(answer.Text)) {
		w.t.Errorf("answer is no envelope: %s", answer.Text)
	}
	return answer
}
