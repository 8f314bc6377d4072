package vendor

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

func TestCheckSync(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for _, tt := range []struct {
		name, brand, userAgent string
		reboot                 *bool
		want                   string
	}{
		{"UnknownSync", "", "MyPhone/1.0", nil, "check-sync"},
		{"UnknownReboot", "", "MyPhone/1.0", &yes, "check-sync;reboot=true"},
		{"UnknownReload", "", "MyPhone/1.0", &no, "check-sync;reboot=false"},
		{"NothingKnown", "", "", nil, "check-sync"},
		{"YealinkByUserAgent", "", "Yealink SIP-T46S 66.84.0.15", nil, "check-sync;reboot=false"},
		{"YealinkReboot", "", "Yealink SIP-T46S 66.84.0.15", &yes, "check-sync;reboot=true"},
		{"SnomByBrand", "Snom", "", nil, "check-sync;reboot=false"},
		{"UserAgentBeatsBrand", "yealink", "PolycomVVX-VVX_410-UA/5.9.0", &yes, "check-sync"},
		{"BrandWhenUserAgentIsWhiteLabelled", "cisco", "AcmePhone/2", &yes, "reboot"},
		{"PolycomReload", "poly", "", &no, "check-sync"},
		{"CiscoSPA", "", "Cisco/SPA504G-7.6.2b", nil, "resync"},
		{"CiscoMPP", "", "Cisco-CP-7841-3PCC/11.2", &yes, "reboot"},
		{"CiscoEnterprise", "", "Cisco-CP7960G/8.0", &yes, "check-sync"},
		{"Linksys", "", "Linksys/SPA942-6.1.5(a)", &yes, "reboot_now"},
		{"Grandstream", "", "Grandstream GXP2160 1.0.9.26", &yes, "check-sync;reboot=true"},
		{"Mitel", "mitel", "", nil, "check-sync"},
		{"OnlyTheStartCounts", "", "Not a Yealink", nil, "check-sync"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := CheckSync(tt.brand, tt.userAgent, tt.reboot); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestData(t *testing.T) {
	t.Parallel()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var all []words
	if err := dec.Decode(&all); err != nil {
		t.Fatal(err)
	}
	// An event-type with parameters (RFC 6665 section 8.4).
	event := regexp.MustCompile(`^[a-z][a-z_-]*(;[a-z]+=[a-z]+)?$`)
	owner := map[string]string{}
	for _, w := range all {
		if !event.MatchString(w.Sync) || !event.MatchString(w.Reboot) {
			t.Errorf("%s: got events %q and %q", w.Name, w.Sync, w.Reboot)
		}
		if w.Name == "" || len(w.UserAgents) == 0 {
			t.Errorf("%q: no name or no user agents", w.Name)
		}
		for _, name := range append(append([]string{w.Name}, w.Brands...), w.UserAgents...) {
			if name != strings.ToLower(name) {
				t.Errorf("%s: %q is not lower case", w.Name, name)
			}
			if owner[name] != "" && owner[name] != w.Name {
				t.Errorf("%q belongs to %s and %s", name, owner[name], w.Name)
			}
			owner[name] = w.Name
		}
	}
	for _, start := range all[len(all)-1].UserAgents {
		if find("", start+" x") == nil {
			t.Errorf("%q is not found", start)
		}
	}
}
