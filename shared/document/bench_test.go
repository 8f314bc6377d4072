package document

import (
	"os"
	"testing"
)

// wholeDevice is the largest body that the documents of the API show.
func wholeDevice(b *testing.B) []byte {
	text, err := os.ReadFile("../schema/testdata/vinix-device.json")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	return text
}

func BenchmarkDecode(b *testing.B) {
	text := wholeDevice(b)
	for b.Loop() {
		if _, err := Decode(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCanonical(b *testing.B) {
	obj := object(b, string(wholeDevice(b)))
	for b.Loop() {
		Canonical(obj)
	}
}

func BenchmarkMerge(b *testing.B) {
	obj := object(b, string(wholeDevice(b)))
	patch := object(b, `{"name":"other","sip":{"password":"secret"},"provision":null}`)
	for b.Loop() {
		Merge(obj, patch)
	}
}
