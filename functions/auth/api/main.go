// Command api serves PUT /api_auth.
//
// Template: AuthApiFunction. Sample event: events/auth/api.json.
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

var routes = []string{"PUT /api_auth"}

//go:embed schema.json
var schemaJSON []byte

var body = schema.MustCompile(schemaJSON)

func main() {
	core := table.MustOpenCore()
	logins := auth.Login{Store: core, Issuer: &auth.Issuer{Vault: table.MustOpenSecrets(core), Now: time.Now}, Now: time.Now}
	endpoint.Start(endpoint.Endpoint{Name: "auth/api", Routes: routes, Handle: login(logins)})
}

type authenticator interface {
	APIKey(ctx context.Context, key, source string) (auth.Grant, error)
}

// login exchanges an account's API key for a token.
func login(logins authenticator) endpoint.Handler {
	return func(ctx context.Context, r *endpoint.Request) (endpoint.Reply, error) {
		if err := body.Apply(r.Data).Err(); err != nil {
			return endpoint.Reply{}, err
		}
		grant, err := logins.APIKey(ctx, document.Text(r.Data, "api_key"), r.Source)
		if err != nil {
			return endpoint.Reply{}, fmt.Errorf("log in account: %w", err)
		}
		return endpoint.Reply{Status: http.StatusCreated, Data: grant.View(), Token: grant.Token}, nil
	}
}
