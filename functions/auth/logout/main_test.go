package main

import (
	"testing"

	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/endpoint/endpointtest"
	"github.com/dialplane/dialplane/shared/tabletest"
)

func serve(w *endpointtest.World) endpoint.Endpoint {
	return endpoint.Endpoint{Routes: routes, Gate: w.Gate, Handle: logout(w.Gate)}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	w := endpointtest.New(t)
	w.Store.Fail("Revoke", 1, tabletest.Before)
	w.Call(serve(w), "DELETE", "/token_auth", "", 503)
	w.Call(serve(w), "DELETE", "/token_auth", "", 200) // the failed one ended nothing
	w.Call(serve(w), "DELETE", "/token_auth", "", 401)
}
