// Command user serves PUT /user_auth.
//
// Template: AuthUserFunction. Sample event: events/auth/user.json.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"time"

	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/schema"
	"github.com/dialplane/dialplane/shared/table"
)

var routes = []string{"PUT /user_auth"}

//go:embed schema.json
var schemaJSON []byte

var body = schema.MustCompile(schemaJSON)

func main() {
	core := table.MustOpenCore()
	logins := auth.Login{Store: core, Issuer: &auth.Issuer{Vault: table.MustOpenSecrets(core), Now: time.Now}, Now: time.Now}
	endpoint.Start(endpoint.Endpoint{Name: "auth/user", Routes: routes, Handle: login(logins)})
}

type authenticator interface {
	User(ctx context.Context, c auth.Credentials, source string) (auth.Grant, error)
}

// login exchanges the digest of a user's name and password for a token.
func login(logins authenticator) endpoint.Handler {
	return func(ctx context.Context, r *endpoint.Request) (endpoint.Reply, error) {
		if err := body.Apply(r.Data).Err(); err != nil {
			return endpoint.Reply{}, err
		}
		realm := document.Text(r.Data, "account_realm")
		if realm == "" { // as Kazoo's PHP SDK calls it
			realm = document.Text(r.Data, "realm")
		}
		grant, err := logins.User(ctx, auth.Credentials{
			Digest:       document.Text(r.Data, "credentials"),
			Method:       document.Text(r.Data, "method"),
			AccountRealm: realm,
			AccountName:  document.Text(r.Data, "account_name"),
		}, r.Source)
		if err != nil {
			return endpoint.Reply{}, fmt.Errorf("log in user: %w", err)
		}
		return endpoint.Reply{Status: http.StatusCreated, Data: grant.View(), Token: grant.Token}, nil
	}
}
