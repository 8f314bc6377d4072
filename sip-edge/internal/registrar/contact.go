package registrar

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	// maxContacts bounds the bindings of one address-of-record. A REGISTER that
	// names more is refused; one that would make them more drops those that
	// were refreshed longest ago, so that a phone which takes a new port at
	// each start is never locked out by its own past.
	maxContacts = 10
	// malformedExpires is what an expiry that is no number counts as (RFC 3261
	// section 20.19).
	malformedExpires = 3600 * time.Second
)

// contact is one value of a Contact header field.
type contact struct {
	text    string // the URI as written
	uri     uri
	expires string // "" if there was none
	q       string // as written; "" if there was none
}

var (
	errBadContact  = errors.New("bad Contact")
	errManyContact = errors.New("too many Contacts")
)

// parseContacts reads the values of all Contact header fields. star reports the
// value "*", which must stand alone (RFC 3261 section 10.3 step 6).
func parseContacts(values []string) (contacts []contact, star bool, err error) {
	for _, value := range values {
		for value = strings.TrimSpace(value); ; {
			var one string
			if one, value, err = cutElement(value); err != nil {
				return nil, false, err
			}
			if one == "*" && !star {
				star = true
			} else {
				c, err := parseContact(one)
				if err != nil {
					return nil, false, err
				}
				if len(contacts) == maxContacts {
					return nil, false, errManyContact
				}
				contacts = append(contacts, c)
			}
			if value == "" {
				break
			}
		}
	}
	if star && (len(contacts) > 0 || len(values) != 1) {
		return nil, false, errBadContact
	}
	return contacts, star, nil
}

// cutElement cuts a list at the first comma that is in neither quotes nor angle
// brackets.
func cutElement(list string) (element, rest string, err error) {
	quoted, bracketed := false, false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && !bracketed:
			quoted = !quoted
		case quoted:
		case c == '<':
			bracketed = true
		case c == '>':
			bracketed = false
		case c == ',' && !bracketed:
			rest = strings.TrimSpace(list[i+1:])
			if rest == "" {
				return "", "", errBadContact
			}
			return strings.TrimSpace(list[:i]), rest, nil
		}
	}
	if quoted || bracketed {
		return "", "", errBadContact
	}
	return strings.TrimSpace(list), "", nil
}

// parseContact reads name-addr or addr-spec with its parameters (RFC 3261
// section 25.1, contact-param).
func parseContact(text string) (contact, error) {
	address, params, err := splitAddress(text)
	if err != nil {
		return contact{}, err
	}
	c := contact{text: address}
	if c.uri, err = parseURI(address); err != nil {
		return contact{}, err
	}
	seen := map[string]bool{}
	for params != "" {
		var param string
		param, params = cutParam(params)
		name, value, _ := strings.Cut(param, "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if name == "" || seen[name] {
			return contact{}, errBadContact
		}
		seen[name] = true
		switch name {
		case "expires":
			c.expires = value
			if value == "" {
				return contact{}, errBadContact
			}
		case "q":
			if !validQ(value) {
				return contact{}, errBadContact
			}
			c.q = value
		}
	}
	return c, nil
}

// splitAddress takes a Contact value apart into its URI and the text of its
// parameters.
func splitAddress(text string) (address, params string, err error) {
	name := strings.TrimSpace(text)
	if strings.HasPrefix(name, `"`) {
		end := 1
		for ; end < len(name) && name[end] != '"'; end++ {
			if name[end] == '\\' {
				end++
			}
		}
		if end >= len(name) {
			return "", "", errBadContact
		}
		if name = strings.TrimSpace(name[end+1:]); !strings.HasPrefix(name, "<") {
			return "", "", errBadContact
		}
	}
	if before, after, found := strings.Cut(name, "<"); found {
		if strings.ContainsAny(before, `;?@:"`) {
			return "", "", errBadContact
		}
		address, params, found = strings.Cut(after, ">")
		params = strings.TrimSpace(params)
		if !found || params != "" && params[0] != ';' {
			return "", "", errBadContact
		}
		return address, strings.TrimPrefix(params, ";"), nil
	}
	address, params, found := strings.Cut(name, ";")
	address = strings.TrimSpace(address)
	// RFC 3261 section 20.10: a URI with "?" or "," needs the brackets; what
	// follows ";" without them belongs to the header field.
	if strings.ContainsRune(address, '?') || found && strings.TrimSpace(params) == "" {
		return "", "", errBadContact
	}
	return address, params, nil
}

// cutParam cuts at the first semicolon outside quotes.
func cutParam(params string) (param, rest string) {
	quoted := false
	for i := 0; i < len(params); i++ {
		switch c := params[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == ';' && !quoted:
			return params[:i], params[i+1:]
		}
	}
	return params, ""
}

// validQ tells a qvalue: 0 to 1 with at most three decimals.
func validQ(q string) bool {
	whole, decimals, _ := strings.Cut(q, ".")
	if whole != "0" && whole != "1" || len(decimals) > 3 || strings.Trim(decimals, "0123456789") != "" {
		return false
	}
	return whole == "0" || strings.Trim(decimals, "0") == ""
}

// parseExpires reads a number of seconds. Numbers beyond 32 bits count as the
// largest, what is no number as an hour.
func parseExpires(text string) time.Duration {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return malformedExpires
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		n = math.MaxUint32
	}
	return time.Duration(n) * time.Second
}
