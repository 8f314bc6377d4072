package schema

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/xeipuuv/gojsonschema"
)

// clientURL is the name of our own format: a URL that the platform will call
// on behalf of a client, so it must not lead into a private network (crossbar
// kz_json_schema_extensions, call_recording.parameters.url).
const clientURL = "client-url"

func init() {
	gojsonschema.FormatCheckers.Add(clientURL, clientURLFormat{})
}

type clientURLFormat struct{}

// IsFormat reports whether input is no string or a URL that may be called.
func (clientURLFormat) IsFormat(input any) bool {
	text, ok := input.(string)
	return !ok || isClientURL(text)
}

// isClientURL reports whether text is an http or https URL whose host is
// neither local by name nor a literal address that is not public. Names are
// not looked up: whoever makes the call must check the address it gets.
func isClientURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if addr, err := netip.ParseAddr(host); err == nil {
		return isPublic(addr)
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	// A name that ends in a number is an address to many resolvers: 127.1,
	// 2130706433, 0x7f.1 (URL Standard, "ends in a number checker").
	return last != "" && last != "localhost" && (last[0] < '0' || last[0] > '9')
}

// notPublic are networks that no client's server is in and that netip's
// predicates do not name: this network, shared address space (RFC 6598),
// protocol assignments (RFC 6890), benchmarks (RFC 2544), reserved (RFC 1112),
// and the IPv6 forms of IPv4 addresses: NAT64 (RFC 6052) and 6to4 (RFC 3056).
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("2002::/16"),
}

func isPublic(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if !addr.IsGlobalUnicast() || addr.IsPrivate() { // so not loopback, link-local, multicast or unspecified
		return false
	}
	for _, network := range notPublic {
		if network.Contains(addr) {
			return false
		}
	}
	return true
}
