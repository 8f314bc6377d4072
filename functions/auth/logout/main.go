// Command logout serves DELETE /token_auth.
//
// Template: AuthLogoutFunction. Sample event: events/auth/logout.json.
package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/table"
)

var routes = []string{"DELETE /token_auth"}

func main() {
	core := table.MustOpenCore()
	gate := auth.NewGate(core)
	endpoint.Start(endpoint.Endpoint{Name: "auth/logout", Routes: routes, Gate: gate, Handle: logout(gate)})
}

type ender interface {
	Logout(ctx context.Context, s auth.Session) error
}

// logout ends the token that the request was made with.
func logout(tokens ender) endpoint.Handler {
	return func(ctx context.Context, r *endpoint.Request) (endpoint.Reply, error) {
		if err := tokens.Logout(ctx, r.Session); err != nil {
			return endpoint.Reply{}, fmt.Errorf("log out: %w", err)
		}
		return endpoint.Reply{Status: http.StatusOK, Data: document.Object{}}, nil
	}
}
