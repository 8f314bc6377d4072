// Package digest challenges phones, checks their answers, and answers the
// challenges of phones (RFC 7616, RFC 2617, RFC 8760, RFC 3261 section 22). It
// knows no SIP types.
//
// It guarantees that an answer is accepted only if it proves knowledge of the
// password for a nonce that this edge, or one with the same key, made for that
// realm within the last five minutes, and that no edge accepts an answer twice.
// An unknown user and a wrong password cannot be told apart, nor by time.
package digest

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/dialplane/dialplane/shared/credential"
)

// Authorization is the answer to a challenge, with quotes and escapes undone.
type Authorization struct {
	Username, Realm, Nonce, URI, Response, Algorithm, Cnonce, QOP, NC string
}

// ParseAuthorization reads the value of an Authorization or
// Proxy-Authorization header field. It returns an error if the scheme is not
// Digest, a parameter appears twice or one that is needed is missing.
func ParseAuthorization(value string) (Authorization, error) {
	p, err := parseDigest(value)
	if err != nil {
		return Authorization{}, err
	}
	a := Authorization{
		Username: p["username"], Realm: p["realm"], Nonce: p["nonce"], URI: p["uri"], Response: p["response"],
		Algorithm: p["algorithm"], Cnonce: p["cnonce"], QOP: p["qop"], NC: p["nc"],
	}
	if a.Username == "" || a.Realm == "" || a.Nonce == "" || a.Response == "" {
		return Authorization{}, errIncomplete
	}
	return a, nil
}

// Outcome is what came of checking an answer.
type Outcome int

// The outcomes.
const (
	Refused  Outcome = iota // the answer proves nothing: challenge anew
	Stale                   // it proves the password, but its nonce is old or used up: challenge anew and say so
	Accepted                // the caller is who the credential says
)

// Server makes challenges and checks the answers. Use New.
type Server struct {
	key        []byte
	algorithms []Algorithm
	now        func() time.Time
	used       *usage
	decoy      string // stands in for the HA1 of a user that does not exist
}

// New returns a server that makes nonces with key and offers the algorithms in
// the given order. Edges that share key accept each other's nonces, but not
// each other's memory of used ones.
func New(key []byte, algorithms []Algorithm, now func() time.Time) *Server {
	decoy := make([]byte, 32)
	rand.Read(decoy) // never fails (crypto/rand)
	return &Server{key: key, algorithms: algorithms, now: now, used: newUsage(maxNonces, now()), decoy: hex.EncodeToString(decoy)}
}

// Challenges returns the values of the WWW-Authenticate header fields that
// challenge for realm: one for each algorithm (RFC 8760 section 2.3), all with
// one fresh nonce. stale says that only the last nonce was the trouble.
func (s *Server) Challenges(realm string, stale bool) []string {
	nonce := newNonce(s.key, realm, s.now())
	out := make([]string, len(s.algorithms))
	for i, algorithm := range s.algorithms {
		out[i] = `Digest realm=` + quote(realm) + `, nonce="` + nonce + `", algorithm=` + string(algorithm) + `, qop="auth"`
		if stale {
			out[i] += `, stale=true`
		}
	}
	return out
}

// Recognizes tells whether the nonce of a was made with this key for its realm,
// however long ago. It costs less than looking a user up.
func (s *Server) Recognizes(a Authorization) bool {
	_, ours := openNonce(s.key, a.Realm, a.Nonce)
	return ours
}

// Verify checks an answer for a request of the given method against the
// credential of the user it names; the zero credential if there is no such
// user. Without qop (RFC 2617 section 3.2.2) a nonce can be used once; with
// qop=auth any number of times, each with a higher nonce count.
//
// The digest-uri is taken as the client wrote it and not compared with the
// Request-URI: proxies may rewrite that (RFC 3261 section 22.4 item 5), and
// within a realm a REGISTER for another Request-URI gains nothing.
func (s *Server) Verify(method string, a Authorization, cred credential.Credential) Outcome {
	id, ours := openNonce(s.key, a.Realm, a.Nonce)
	algorithm, err := ParseAlgorithm(a.Algorithm)
	if !ours || err != nil || !s.offers(algorithm) {
		return Refused
	}
	nc := ^uint32(0) // without qop: the first use is the last
	if a.QOP != "" {
		// RFC 7616 section 3.4: nc is exactly 8 hex digits, cnonce is required.
		n, err := strconv.ParseUint(a.NC, 16, 32)
		if err != nil || len(a.NC) != 8 || a.Cnonce == "" || !strings.EqualFold(a.QOP, "auth") {
			return Refused
		}
		nc = uint32(n)
	}
	ha1 := algorithm.ha1(cred)
	known := ha1 != ""
	if !known {
		ha1 = s.decoy
	}
	want := algorithm.response(ha1, method, a.URI, a.Nonce, a.NC, a.Cnonce, a.QOP)
	right := subtle.ConstantTimeCompare([]byte(strings.ToLower(a.Response)), []byte(want)) == 1
	if !right || !known {
		return Refused
	}
	now := s.now()
	age := now.Sub(id.issued())
	if age > Lifetime || age < -clockSkew || !s.used.take(id, nc, now) {
		return Stale
	}
	return Accepted
}

func (s *Server) offers(algorithm Algorithm) bool {
	for _, offered := range s.algorithms {
		if offered == algorithm {
			return true
		}
	}
	return false
}
