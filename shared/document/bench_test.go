package document

import (
	"os"
	"testing"
)

func BenchmarkDecode(b *testing.B) {
	text, err := os.ReadFile("../schema/testdata/vinix-device.json")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(text); err != nil {
			b.Fatal(err)
		}
	}
}
