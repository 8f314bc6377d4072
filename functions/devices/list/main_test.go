package main

import (
	"fmt"
	"testing"

	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/endpoint/endpointtest"
)

func serve(w *endpointtest.World) endpoint.Endpoint {
	return endpoint.Endpoint{Routes: routes, Gate: w.Gate, Handle: list(w.Store)}
}

func TestList(t *testing.T) {
	t.Parallel()
	w := endpointtest.New(t)
	for i := range 5 {
		w.Device(fmt.Sprintf(`{"id":"d%d","name":"n%d","enabled":%t,"sip":{"username":"user%d"}}`, i, i, i%2 == 0, i))
	}
	for _, test := range []struct{ name, query, want, next string }{
		{"All", "", "d0 d1 d2 d3 d4 ", ""},
		{"Descending", "?descending=true", "d4 d3 d2 d1 d0 ", ""},
		{"FirstPage", "?page_size=2", "d0 d1 ", "ZDI"},
		{"NextPage", "?page_size=2&start_key=ZDI", "d2 d3 ", "ZDQ"},
		{"LastPage", "?page_size=2&start_key=ZDQ", "d4 ", ""},
		{"PageCountsWhatTheFilterLeaves", "?page_size=2&filter_enabled=true", "d0 d2 ", "ZDQ"},
		{"FilterByPath", "?filter_sip.username=user3", "d3 ", ""},
		{"FilterByID", "?filter_id=d1", "d1 ", ""},
		{"NothingFound", "?filter_name=none", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := w.Call(serve(w), "GET", w.Path("/devices")+test.query, "", 200)
			ids := ""
			for _, item := range got.Data().([]any) {
				ids += item.(document.Object)["id"].(string) + " "
			}
			if next, _ := got.Body["next_start_key"].(string); ids != test.want || next != test.next {
				t.Errorf("got %q and next %q, want %q and %q", ids, next, test.want, test.next)
			}
			if size := fmt.Sprint(got.Body["page_size"]); size != fmt.Sprint(len(got.Data().([]any))) {
				t.Errorf("got page size %s", size)
			}
		})
	}
}

func TestRefusesBadPageSize(t *testing.T) {
	t.Parallel()
	w := endpointtest.New(t)
	if got := w.Call(serve(w), "GET", w.Path("/devices?page_size=0"), "", 404); got.Body["message"] != "faulty_request" {
		t.Errorf("got %s", got.Text)
	}
}
