package digest

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/dialplane/dialplane/shared/credential"
)

// Algorithm is a hash that both sides can use.
type Algorithm string

// The algorithms (RFC 8760 section 2.1). MD5 is what nearly all desk phones
// know.
const (
	MD5    Algorithm = "MD5"
	SHA256 Algorithm = "SHA-256"
)

// ParseAlgorithm returns the algorithm that name means; case does not matter.
// The empty name means MD5 (RFC 7616 section 3.3).
func ParseAlgorithm(name string) (Algorithm, error) {
	switch strings.ToUpper(name) {
	case "", string(MD5):
		return MD5, nil
	case string(SHA256):
		return SHA256, nil
	}
	return "", fmt.Errorf("digest: unknown algorithm %q", name)
}

// ha1 returns the stored hash of "username:realm:password"; empty if cred has
// none.
func (a Algorithm) ha1(cred credential.Credential) string {
	if a == SHA256 {
		return cred.HA1SHA256
	}
	return cred.HA1MD5
}

// hash returns the hex digest of the parts, joined by colons.
func (a Algorithm) hash(parts ...string) string {
	text := make([]byte, 0, 256)
	for i, part := range parts {
		if i > 0 {
			text = append(text, ':')
		}
		text = append(text, part...)
	}
	if a == SHA256 {
		sum := sha256.Sum256(text)
		return hex.EncodeToString(sum[:])
	}
	sum := md5.Sum(text)
	return hex.EncodeToString(sum[:])
}

// response computes the response of RFC 7616 section 3.4.1, or without qop
// that of RFC 2617 section 3.2.2.1.
func (a Algorithm) response(ha1, method, uri, nonce, nc, cnonce, qop string) string {
	ha2 := a.hash(method, uri)
	if qop == "" {
		return a.hash(ha1, nonce, ha2)
	}
	return a.hash(ha1, nonce, nc, cnonce, qop, ha2)
}
