package main

import (
	"strings"
	"testing"

	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/endpoint/endpointtest"
)

func serve(w *endpointtest.World) endpoint.Endpoint {
	return endpoint.Endpoint{Routes: routes, Handle: login(w.Login)}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	w := endpointtest.New(t)
	w.Token = ""
	got := w.Call(serve(w), "PUT", "/api_auth", `{"data":{"api_key":"`+w.Account.APIKey+`"}}`, 201)
	token, _ := got.Body["auth_token"].(string)
	s, err := w.Gate.Admit(t.Context(), token, auth.Target{})
	if err != nil || s.User != nil || s.Caller.ID != w.Account.ID || got.Data("owner_id") != nil {
		t.Errorf("got %s: %v", got.Text, err)
	}
	if log := w.Log.String(); strings.Contains(log, w.Account.APIKey) || strings.Contains(log, token) {
		t.Errorf("the log shows a secret: %s", log)
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	w := endpointtest.New(t)
	unknown := strings.Repeat("0", 64)
	if got := w.Call(serve(w), "PUT", "/api_auth", `{"data":{"api_key":"`+unknown+`"}}`, 404); got.Body["message"] != "bad identifier" {
		t.Errorf("got %s", got.Text)
	}
	if strings.Contains(w.Log.String(), unknown) {
		t.Errorf("the log shows the key: %s", w.Log.String())
	}
	w.Call(serve(w), "PUT", "/api_auth", `{"data":{"api_key":"short"}}`, 400)
	w.Call(serve(w), "PUT", "/api_auth", `{"data":{"api_key":"`+w.Account.APIKey+`","restrictions":{}}}`, 400)
}
