package table

import (
	"strconv"
	"strings"
	"testing"

	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/document"
)

// BenchmarkUpdateDevice is what a device update spends on the store, the
// network apart: reading the facts, and writing a document of 4 KB.
func BenchmarkUpdateDevice(b *testing.B) {
	doc := document.Object{}
	for _, name := range []string{"media", "provision", "sip", "caller_id"} {
		doc[name] = document.Object{"text": strings.Repeat("x", 500), "list": []any{"a", "b", true}, "more": document.Object{"key": "value"}}
	}
	doc["notes"] = strings.Repeat("y", 2000)
	d := device.Device{ID: "d", AccountID: "a", Rev: 2, Doc: doc}
	text := encodeDoc(doc)
	facts := `{"Responses":{"core":[` +
		`{"pk":{"S":"ACCOUNT#a"},"sk":{"S":"ACCOUNT"},"rev":{"N":"1"},"realm":{"S":"a.test"},"doc":{"S":"{}"}},` +
		`{"pk":{"S":"ACCOUNT#a"},"sk":{"S":"USER#u"},"rev":{"N":"1"},"doc":{"S":"{}"}},` +
		`{"pk":{"S":"ACCOUNT#a"},"sk":{"S":"DEVICE#d"},"rev":{"N":"1"},"doc":{"S":` + strconv.Quote(text) + `}}]}}`
	held := credential.New("a.test", "alice", "secret")
	change := device.Change{Device: d, Claims: device.Claims{Credential: &held, OwnRealm: true}, Old: device.Claims{Credential: &held}}
	query := auth.Query{TokenID: "t", CallerID: "a", UserID: "u", AccountID: "a", DeviceID: "d"}
	reads, writes := NewCore(NewClient(configFor(answers(facts))), "core"), NewCore(NewClient(configFor(answers("{}"))), "core")
	for b.Loop() {
		if found, err := reads.Facts(b.Context(), query); err != nil || found.Device == nil {
			b.Fatal(found, err)
		}
		if err := writes.WriteDevice(b.Context(), change); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
}
