package registrar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxURI bounds a Contact URI, in bytes.
const maxURI = 512

// uri is a SIP or SIPS URI (RFC 3261 section 19.1.1), made ready for
// comparison: escapes undone, and lower case where case does not matter.
type uri struct {
	scheme  string // sip or sips
	user    string // with the password, if there is one; case matters
	hasUser bool
	host    string // IPv6 in brackets
	port    string // as written; "" is not the same as "5060"
	params  []uriParam
	headers []uriParam
}

type uriParam struct{ name, value string }

// parseURI reads a SIP or SIPS URI. It refuses what could mean something else
// to another reader or could leave its header field: spaces, controls, angle
// brackets, quotes, bad escapes, parameters that appear twice.
func parseURI(text string) (uri, error) {
	if len(text) > maxURI {
		return uri{}, errors.New("URI is too long")
	}
	for _, c := range []byte(text) {
		if c <= ' ' || c >= 0x7f || c == '<' || c == '>' || c == '"' || c == '\\' || c == '^' || c == '`' {
			return uri{}, fmt.Errorf("character %q in URI", c)
		}
	}
	scheme, rest, ok := strings.Cut(text, ":")
	u := uri{scheme: strings.ToLower(scheme)}
	if !ok || u.scheme != "sip" && u.scheme != "sips" {
		return uri{}, errors.New("not a SIP URI")
	}
	var err error
	if user, after, found := strings.Cut(rest, "@"); found {
		u.hasUser = true
		if u.user, err = unescape(user); err != nil || user == "" {
			return uri{}, errors.New("bad user in URI")
		}
		rest = after
	}
	rest, headers, found := strings.Cut(rest, "?")
	if found {
		if u.headers, err = parseURIParams(headers, "&"); err != nil {
			return uri{}, err
		}
	}
	hostport, params, found := strings.Cut(rest, ";")
	if found {
		if u.params, err = parseURIParams(params, ";"); err != nil {
			return uri{}, err
		}
	}
	u.host, u.port, err = splitHostPort(hostport)
	return u, err
}

// splitHostPort reads host[:port], where an IPv6 address has brackets.
func splitHostPort(text string) (host, port string, err error) {
	host = text
	if end := strings.LastIndexByte(text, ']'); strings.HasPrefix(text, "[") && end > 0 {
		host, port = text[:end+1], text[end+1:]
		if port != "" && port[0] != ':' {
			return "", "", errors.New("bad host in URI")
		}
		port = strings.TrimPrefix(port, ":")
		if strings.Trim(host[1:end], "0123456789abcdefABCDEF:.") != "" {
			return "", "", errors.New("bad host in URI")
		}
	} else {
		host, port, _ = strings.Cut(text, ":")
		for _, c := range []byte(host) {
			if c != '-' && c != '.' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return "", "", errors.New("bad host in URI")
			}
		}
	}
	if host == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "" || strings.HasSuffix(text, ":") {
		return "", "", errors.New("bad host or port in URI")
	}
	return strings.ToLower(host), port, nil
}

// parseURIParams reads name[=value] pairs, sorted by name.
func parseURIParams(text, separator string) ([]uriParam, error) {
	var out []uriParam
	for part := range strings.SplitSeq(text, separator) {
		name, value, _ := strings.Cut(part, "=")
		name, err := unescape(name)
		if err != nil || name == "" {
			return nil, errors.New("bad parameter in URI")
		}
		if value, err = unescape(value); err != nil {
			return nil, err
		}
		out = append(out, uriParam{strings.ToLower(name), strings.ToLower(value)})
	}
	slices.SortFunc(out, func(a, b uriParam) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(out); i++ {
		if out[i].name == out[i-1].name {
			return nil, fmt.Errorf("parameter %s appears twice in URI", out[i].name)
		}
	}
	return out, nil
}

// unescape undoes %HH (RFC 3261 section 19.1.2).
func unescape(text string) (string, error) {
	if strings.IndexByte(text, '%') < 0 {
		return text, nil
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '%' {
			if i+2 >= len(text) {
				return "", errors.New("bad escape in URI")
			}
			high, low := hexDigit(text[i+1]), hexDigit(text[i+2])
			if high < 0 || low < 0 {
				return "", errors.New("bad escape in URI")
			}
			c = byte(high<<4 | low)
			i += 2
		}
		out.WriteByte(c)
	}
	return out.String(), nil
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// equal compares as RFC 3261 section 19.1.4 says.
func (u uri) equal(v uri) bool {
	return u.scheme == v.scheme && u.hasUser == v.hasUser && u.user == v.user && u.host == v.host && u.port == v.port &&
		slices.Equal(u.headers, v.headers) && u.sameParams(v) && v.sameParams(u)
}

// sameParams tells whether no parameter of u keeps it from being equal to v:
// what both have must match; user, ttl, method, maddr and transport must not be
// on one side alone (for transport see the examples of the section: the two
// URIs can resolve to different transports); others on one side are ignored.
func (u uri) sameParams(v uri) bool {
	for _, p := range u.params {
		i := slices.IndexFunc(v.params, func(q uriParam) bool { return q.name == p.name })
		if i >= 0 {
			if v.params[i].value != p.value {
				return false
			}
			continue
		}
		switch p.name {
		case "user", "ttl", "method", "maddr", "transport":
			return false
		}
	}
	return true
}
