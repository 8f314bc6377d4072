package main

import (
	"crypto/md5"
	"encoding/hex"
	"testing"

	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/endpoint/endpointtest"
	"github.com/dialplane/dialplane/shared/user"
)

func serve(w *endpointtest.World) endpoint.Endpoint {
	return endpoint.Endpoint{Routes: routes, Handle: login(w.Login)}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	sum := md5.Sum([]byte("ann:secret"))
	digest := hex.EncodeToString(sum[:])
	for _, test := range []struct {
		name, body string
		status     int
	}{
		{"ByAccountName", `{"data":{"credentials":"` + digest + `","account_name":"acme"}}`, 201},
		{"ByRealm", `{"data":{"credentials":"` + digest + `","account_realm":"acme.example"}}`, 201},
		{"ByRealmAsPHPSays", `{"data":{"credentials":"` + digest + `","realm":"acme.example"}}`, 201},
		{"WithMethod", `{"data":{"credentials":"` + digest + `","account_name":"Acme","method":"md5"}}`, 201},
		{"RefusesOtherAccount", `{"data":{"credentials":"` + digest + `","account_name":"Stranger"}}`, 401},
		{"RefusesUnknownMethod", `{"data":{"credentials":"` + digest + `","account_name":"Acme","method":"sha1"}}`, 400},
		{"RefusesNoCredentials", `{"data":{"account_name":"Acme"}}`, 400},
		{"RefusesEmptyBody", ``, 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := endpointtest.New(t)
			w.Token = ""
			u := user.User{ID: "u1", AccountID: w.Account.ID, Username: "ann", Enabled: true, Rev: 1, Created: endpointtest.Now(), Modified: endpointtest.Now(),
				Logins: auth.LoginKeys(w.Account.Salt, "ann", "secret"), Doc: document.Object{"username": "ann"}}
			if err := w.Store.CreateUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			got := w.Call(serve(w), "PUT", "/user_auth", test.body, test.status)
			if test.status != 201 {
				return
			}
			token, _ := got.Body["auth_token"].(string)
			s, err := w.Gate.Admit(t.Context(), token, auth.Target{})
			if err != nil || s.User.ID != "u1" || got.Data("owner_id") != "u1" || got.Data("account_id") != w.Account.ID {
				t.Errorf("got %s: %v", got.Text, err)
			}
		})
	}
}
