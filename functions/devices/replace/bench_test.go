package main

import (
	"os"
	"testing"

	"github.com/dialplane/dialplane/shared/endpoint/endpointtest"
)

// BenchmarkReplace replaces a device by the whole of Vinix's example body:
// everything the function does but DynamoDB's wire protocol.
func BenchmarkReplace(b *testing.B) {
	body, err := os.ReadFile("../../../shared/schema/testdata/vinix-device.json")
	if err != nil {
		b.Fatal(err)
	}
	w := endpointtest.New(b)
	d := w.Device(`{"name":"d","device_type":"string"}`)
	target, sent, e := w.Path("/devices/"+d.ID), `{"data":`+string(body)+`}`, serve(w)
	b.ReportAllocs()
	for b.Loop() {
		w.Call(e, "POST", target, sent, 200)
		w.Log.Reset()
	}
}
