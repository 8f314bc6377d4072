package device

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
)

// The two values of sip.method.
const (
	byPassword = "password"
	byAddress  = "ip"
)

// normalise rewrites what clients write in many ways into the one way in which
// it is stored and compared (cb_devices_v2, prepare_*).
func normalise(doc document.Object, accountRealm string) {
	if mac, ok := doc["mac_address"].(string); ok {
		if digits := hexDigits(mac); digits != "" {
			doc["mac_address"] = digits
		}
	}
	if flags, ok := doc["outbound_flags"].([]any); ok {
		for i, flag := range flags {
			if text, ok := flag.(string); ok {
				flags[i] = strings.TrimSpace(text)
			}
		}
	}
	if realm := document.Text(doc, "sip", "realm"); realm != "" {
		if strings.EqualFold(realm, accountRealm) {
			document.Remove(doc, "sip", "realm")
		} else {
			document.Put(doc, strings.ToLower(realm), "sip", "realm")
		}
	}
	if provision, ok := doc["provision"].(document.Object); ok {
		pruneNull(provision)
	}
	if number := document.Text(doc, "caller_id", "emergency", "number"); number != "" {
		document.Put(doc, e164(number), "caller_id", "emergency", "number")
	}
}

func hexDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("0123456789abcdef", r) {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

func pruneNull(obj document.Object) {
	for key, value := range obj {
		switch value := value.(type) {
		case nil:
			delete(obj, key)
		case document.Object:
			pruneNull(value)
		}
	}
}

// e164 writes a number as +country and digits where that is certain: it has a
// "+" already, or it has the shape of a North American one, which is what
// Kazoo's default converter knows. Any other number stays as it is.
func e164(number string) string {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, number)
	switch {
	case digits == "":
		return number
	case strings.HasPrefix(strings.TrimSpace(number), "+"):
		return "+" + digits
	case len(digits) == 10 && digits[0] >= '2':
		return "+1" + digits
	case len(digits) == 11 && digits[0] == '1':
		return "+" + digits
	}
	return number
}

// check adds the rules that no schema can tell. What they say of a property
// stands in place of what the schema says of it.
func check(broken fault.Violations, doc document.Object, old Device, superduper bool) {
	switch method := document.Text(doc, "sip", "method"); method {
	case byAddress:
		ip := document.Text(doc, "sip", "ip")
		if addr, err := netip.ParseAddr(ip); err != nil || !addr.Is4() {
			broken.Set("sip.ip", "type", fault.Violation{Message: "Must be a valid IPv4 RFC 791", Cause: ip})
		}
	case byPassword, "":
	default:
		broken.Set("sip.method", "enum", fault.Violation{
			Message: "SIP authentication method is invalid", Target: []string{byPassword, byAddress}, Cause: method})
	}

	kind, before := document.Text(doc, "device_type"), document.Text(old.Doc, "device_type")
	if old.Rev > 0 && kind != before && !superduper {
		broken.Set("device_type", "invalid", fault.Violation{
			Message: "Not authorized to change type of device", Cause: kind})
	}

	mdn, heldMDN := document.Text(doc, "mobile", "mdn"), document.Text(old.Doc, "mobile", "mdn")
	switch {
	case kind != "mobile":
	case mdn == "":
		broken.Set("mobile.mdn", "required", fault.Violation{Message: "Field is required but missing", Value: "mdn"})
	case heldMDN != "" && mdn != heldMDN:
		broken.Set("mobile.mdn", "invalid", fault.Violation{Message: "Mobile Device Number cannot be changed", Cause: mdn})
	}
}

// claims returns the names that d holds.
func claims(d Device, in account.Account) Claims {
	c := Claims{MAC: hexDigits(document.Text(d.Doc, "mac_address"))}
	if document.Text(d.Doc, "device_type") == "mobile" {
		c.MDN = document.Text(d.Doc, "mobile", "mdn")
	}
	if users, ok := document.At(d.Doc, "hotdesk", "users"); ok {
		members, _ := users.(document.Object)
		for id := range members {
			c.Users = append(c.Users, id)
		}
		slices.Sort(c.Users)
	}

	realm, own := document.Text(d.Doc, "sip", "realm"), false
	if realm == "" {
		realm, own = in.Realm, true
	}
	username := document.Text(d.Doc, "sip", "username")
	held := credential.Credential{Realm: strings.ToLower(realm), Username: username}
	if document.Text(d.Doc, "sip", "method") == byAddress {
		c.IP = document.Text(d.Doc, "sip", "ip")
		c.Address = &held
	} else if username != "" {
		if password := document.Text(d.Doc, "sip", "password"); password != "" {
			held = credential.New(realm, username, password)
		}
		c.Credential = &held
	}
	c.OwnRealm = own
	held.AccountID, held.DeviceID = d.AccountID, d.ID
	held.OwnerID = document.Text(d.Doc, "owner_id")
	held.Enabled = document.Flag(d.Doc, true, "enabled")
	return c
}

// sipCredential returns the credential that the device's phones register by,
// or nil if they cannot.
func (c Claims) sipCredential() *credential.Credential {
	if c.Address != nil {
		return c.Address
	}
	return c.Credential
}
