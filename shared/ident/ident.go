// Package ident makes and checks identifiers.
package ident

import (
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/oklog/ulid/v2"
)

// New returns a document id: 32 lower-case hex digits, 128 random bits, the
// shape of Kazoo's ids.
func New() string { return Hex(16) }

// Hex returns n random bytes as lower-case hex.
func Hex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}

// Valid reports whether id can name an account or a document: 1 to 64 ASCII
// letters, digits, "-" and "_". Kazoo's own ids are 32 hex digits, but it
// honours the id that a client chooses.
func Valid(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// Ordered returns an identifier that sorts by the time it was made (a ULID).
func Ordered(now time.Time) string {
	return ulid.MustNew(ulid.Timestamp(now), rand.Reader).String()
}

// gregorianEpoch is the number of seconds from year 0 to 1970.
const gregorianEpoch = 62167219200

// Gregorian returns t in Kazoo's seconds, which count from year 0.
func Gregorian(t time.Time) int64 { return t.Unix() + gregorianEpoch }
