package digest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/dialplane/dialplane/shared/credential"
)

var (
	errIncomplete  = errors.New("digest: username, realm, nonce or response is missing")
	errNoChallenge = errors.New("digest: no challenge that the credential can answer")
)

// Answer returns the value of the Authorization header field that answers the
// first of the challenges that cred can answer (RFC 7616 section 3.7): values
// of WWW-Authenticate or Proxy-Authenticate header fields. A challenge of
// another realm than cred's is not answered: its HA1 would be wrong.
func Answer(challenges []string, method, uri string, cred credential.Credential) (string, error) {
	for _, challenge := range challenges {
		p, err := parseDigest(challenge)
		if err != nil || !strings.EqualFold(p["realm"], cred.Realm) || p["nonce"] == "" {
			continue
		}
		algorithm, err := ParseAlgorithm(p["algorithm"])
		if err != nil || algorithm.ha1(cred) == "" {
			continue
		}
		qop, cnonce, nc := "", "", ""
		if p["qop"] != "" {
			if !offersAuth(p["qop"]) {
				continue
			}
			random := make([]byte, 8)
			rand.Read(random) // never fails (crypto/rand)
			qop, cnonce, nc = "auth", hex.EncodeToString(random), "00000001"
		}
		response := algorithm.response(algorithm.ha1(cred), method, uri, p["nonce"], nc, cnonce, qop)
		out := `Digest username=` + quote(cred.Username) + `, realm=` + quote(p["realm"]) + `, nonce=` + quote(p["nonce"]) +
			`, uri=` + quote(uri) + `, response="` + response + `", algorithm=` + string(algorithm)
		if qop != "" {
			out += `, qop=auth, nc=` + nc + `, cnonce="` + cnonce + `"`
		}
		if opaque, ok := p["opaque"]; ok {
			out += `, opaque=` + quote(opaque)
		}
		return out, nil
	}
	return "", errNoChallenge
}

// offersAuth tells whether a list of qop values has "auth".
func offersAuth(list string) bool {
	for option := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(option), "auth") {
			return true
		}
	}
	return false
}
