package digest

import (
	"errors"
	"fmt"
	"strings"
)

// Bounds on one header value. The longest that a phone sends is below 600
// bytes with 12 parameters.
const (
	maxHeaderLen = 4096 // bytes
	maxParams    = 24
)

var (
	errTooLong   = errors.New("digest: header is too long")
	errNotDigest = errors.New("digest: scheme is not Digest")
)

// params are the auth-params of a challenge or of credentials, by lower-case
// name, with quotes and escapes undone.
type params map[string]string

// parseDigest reads `Digest name=value, name="value", …` (RFC 7616 section
// 3.3 and RFC 3261 section 25.1). It refuses what two readers could understand
// differently: a name that appears twice, empty elements, control characters,
// unbalanced quotes.
func parseDigest(text string) (params, error) {
	if len(text) > maxHeaderLen {
		return nil, errTooLong
	}
	s := scanner{text: strings.TrimSpace(text)}
	if scheme := s.token(); !strings.EqualFold(scheme, "Digest") {
		return nil, errNotDigest
	}
	out := params{}
	for {
		s.space()
		name := strings.ToLower(s.token())
		if name == "" {
			return nil, fmt.Errorf("digest: no parameter name at %d", s.at)
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("digest: %s appears twice", name)
		}
		if len(out) == maxParams {
			return nil, errors.New("digest: too many parameters")
		}
		s.space()
		if !s.skip('=') {
			return nil, fmt.Errorf("digest: no value of %s", name)
		}
		s.space()
		value, err := s.value()
		if err != nil {
			return nil, err
		}
		out[name] = value
		s.space()
		if s.at == len(s.text) {
			return out, nil
		}
		if !s.skip(',') {
			return nil, fmt.Errorf("digest: no comma at %d", s.at)
		}
	}
}

type scanner struct {
	text string
	at   int
}

func (s *scanner) space() {
	for s.at < len(s.text) && (s.text[s.at] == ' ' || s.text[s.at] == '\t') {
		s.at++
	}
}

func (s *scanner) skip(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

// token reads the longest token, which may be empty.
func (s *scanner) token() string {
	start := s.at
	for s.at < len(s.text) && isToken(s.text[s.at]) {
		s.at++
	}
	return s.text[start:s.at]
}

// value reads a token or a quoted-string.
func (s *scanner) value() (string, error) {
	if !s.skip('"') {
		if v := s.token(); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("digest: no value at %d", s.at)
	}
	var out strings.Builder
	for s.at < len(s.text) {
		c := s.text[s.at]
		s.at++
		switch {
		case c == '"':
			return out.String(), nil
		case c == '\\' && s.at < len(s.text):
			c = s.text[s.at]
			s.at++
		}
		if c != '\t' && c < ' ' || c == 0x7f {
			return "", errors.New("digest: control character in a quoted string")
		}
		out.WriteByte(c)
	}
	return "", errors.New("digest: quoted string does not end")
}

// isToken tells the characters of a token (RFC 3261 section 25.1).
func isToken(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("-.!%*_+`'~", c) >= 0
}

var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// quote writes value as a quoted-string.
func quote(value string) string { return `"` + escaper.Replace(value) + `"` }
