package main

import (
	"testing"

	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/endpoint/endpointtest"
)

func serve(w *endpointtest.World) endpoint.Endpoint {
	return endpoint.Endpoint{Routes: routes, Gate: w.Gate, Handle: get}
}

func TestGet(t *testing.T) {
	t.Parallel()
	w := endpointtest.New(t)
	d := w.Device(`{"name":"d","sip":{"username":"bob","password":"secret1"}}`)
	got := w.Call(serve(w), "GET", w.Path("/devices/"+d.ID), "", 200)
	if got.Data("id") != d.ID || got.Data("name") != "d" || got.Data("sip", "expire_seconds") == nil || got.Body["revision"] != d.Revision() {
		t.Errorf("got %s", got.Text)
	}
	if tag := got.Header["Etag"]; len(tag) != 1 || tag[0] != `"`+d.Revision()+`"` {
		t.Errorf("got ETag %q", tag)
	}
	w.Call(serve(w), "GET", w.Path("/devices/none"), "", 404)
	w.Call(serve(w), "GET", "/accounts/"+w.Stranger.ID+"/devices/"+d.ID, "", 403)
}
