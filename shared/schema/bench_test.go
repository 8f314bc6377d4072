package schema

import (
	"os"
	"testing"

	"github.com/dialplane/dialplane/shared/document"
)

func BenchmarkApply(b *testing.B) {
	whole, err := os.ReadFile("testdata/vinix-device.json")
	if err != nil {
		b.Fatal(err)
	}
	for name, text := range map[string]string{
		"WholeDevice": string(whole),
		"DeskPhone": `{"name":"Bob's phone","mac_address":"0004f2ab7efd","owner_id":"0123456789abcdef0123456789abcdef","device_type":"sip_device",
			"sip":{"username":"user_bob","password":"correct horse","realm":"a.example.com"},"media":{"audio":{"codecs":["PCMU","PCMA"]}},
			"caller_id":{"internal":{"name":"Bob","number":"201"}},"provision":{"endpoint_brand":"polycom","endpoint_model":"vvx400"}}`,
	} {
		b.Run(name, func(b *testing.B) {
			s, sent := refer(b, "devices"), decode(b, []byte(text))
			b.ReportAllocs()
			for b.Loop() {
				if broken := s.Apply(document.Copy(sent)); broken != nil {
					b.Fatal(broken)
				}
			}
		})
	}
}

func BenchmarkMustCompile(b *testing.B) {
	text, err := os.ReadFile("../../functions/devices/create/schema.json")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		MustCompile(text)
	}
}
