package main

import (
	"testing"

	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/endpoint/endpointtest"
)

func serve(w *endpointtest.World) endpoint.Endpoint {
	return endpoint.Endpoint{Routes: routes, Gate: w.Gate, Handle: devices(w.Store)}
}

func TestDevicesOfUser(t *testing.T) {
	t.Parallel()
	w := endpointtest.New(t)
	const owner, guest = "00000000000000000000000000000001", "00000000000000000000000000000002"
	w.Device(`{"id":"d1","name":"a","owner_id":"` + owner + `","sip":{"username":"bob"}}`)
	w.Device(`{"id":"d2","name":"b","owner_id":"` + owner + `","hotdesk":{"users":{"` + guest + `":{},"` + owner + `":{}}}}`)
	w.Device(`{"id":"d3","name":"c"}`)
	for _, test := range []struct{ name, user, query, want string }{
		{"Owner", owner, "", "d1 false d2 false "},
		{"Guest", guest, "", "d2 true "},
		{"Nobody", "none", "", ""},
		{"Descending", owner, "?descending=true", "d2 false d1 false "},
		{"Filtered", owner, "?filter_name=b", "d2 false "},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			for _, item := range w.Call(serve(w), "GET", w.Path("/users/"+test.user+"/devices")+test.query, "", 200).Data().([]any) {
				row := item.(document.Object)
				hotdesked := "false"
				if row["hotdesked"] == true {
					hotdesked = "true"
				}
				got += row["id"].(string) + " " + hotdesked + " "
				if _, shown := row["username"]; shown {
					t.Error("this list shows no user names")
				}
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
