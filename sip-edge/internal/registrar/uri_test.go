package registrar

import (
	"strings"
	"testing"
)

// The pairs are those of RFC 3261 section 19.1.4.
func TestURIEquality(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, a, b string
		want       bool
	}{
		{"EscapesAndCaseOfHostAndParams", "sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp", true},
		{"NewParamOnOneSide", "sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true},
		{"SecurityOnOneSide", "sip:carol@chicago.com", "sip:carol@chicago.com;security=on", true},
		{"OrderOfHeaders", "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com", "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com", true},
		{"OrderOfManyHeaders", "sip:alice@atlanta.com?subject=project%20x&priority=urgent", "sip:alice@atlanta.com?priority=urgent&subject=project%20x", true},
		{"CaseOfUser", "SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false},
		{"DefaultPort", "sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
		{"TransportOnOneSide", "sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false},
		{"PortAndTransport", "sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false},
		{"HeaderOnOneSide", "sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false},
		{"HostAgainstAddress", "sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false},
		{"DifferentSecurity", "sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false},
		{"Scheme", "sip:alice@atlanta.com", "sips:alice@atlanta.com", false},
		{"Password", "sip:alice:a@atlanta.com", "sip:alice:b@atlanta.com", false},
		{"UserOnOneSide", "sip:alice@atlanta.com", "sip:atlanta.com", false},
		{"MaddrOnOneSide", "sip:alice@atlanta.com", "sip:alice@atlanta.com;maddr=239.255.255.1", false},
		{"IPv6", "sip:alice@[2001:DB8::1]:5060", "sip:alice@[2001:db8::1]:5060", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := parseURI(tt.a)
			if err != nil {
				t.Fatal(err)
			}
			b, err := parseURI(tt.b)
			if err != nil {
				t.Fatal(err)
			}
			if got, back := a.equal(b), b.equal(a); got != tt.want || back != tt.want {
				t.Errorf("got %v and %v, want %v", got, back, tt.want)
			}
		})
	}
}

func TestBadURIs(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "sip:", "alice@atlanta.com", "mailto:alice@atlanta.com", "sip:@atlanta.com", "sip:alice@", "sip:alice@a b", "sip:alice@a\r\nX: 1",
		"sip:alice@a\x00", "sip:alice@a>", "sip:alice@a%", "sip:al%4@a", "sip:al%zz@a", "sip:alice@a:", "sip:alice@a:port", "sip:alice@a:123456",
		"sip:alice@[::1", "sip:alice@[::1]x", "sip:alice@[evil]", "sip:alice@a;x=1;X=2", "sip:alice@a;", "sip:alice@a?", "sip:alice@a!b",
		"sip:alice@" + strings.Repeat("a", maxURI),
	} {
		if u, err := parseURI(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, u)
		}
	}
}

func TestParseContacts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		values []string
		want   string // text|expires|q of each, "*" or "error"
	}{
		{"NoContact", nil, ""},
		{"Star", []string{"*"}, "*"},
		{"StarWithSpace", []string{" * "}, "*"},
		{"StarTwice", []string{"*, *"}, "error"},
		{"StarInTwoFields", []string{"*", "*"}, "error"},
		{"StarAndContact", []string{"*", "<sip:a@b>"}, "error"},
		{"StarWithParameter", []string{"*;expires=0"}, "error"},
		{"Bare", []string{"sip:a@b"}, "sip:a@b||"},
		{"ParametersOfBareURIAreTheHeaders", []string{"sip:a@b;expires=5;q=0.5"}, "sip:a@b|5|0.5"},
		{"ParametersInBracketsAreTheURIs", []string{"<sip:a@b;expires=5;transport=tcp>;q=1"}, "sip:a@b;expires=5;transport=tcp||1"},
		{"DisplayName", []string{`"A, <b>; \"c\"" <sip:a@b>;expires=60`}, "sip:a@b|60|"},
		{"TokenName", []string{`Bob B <sip:a@b>`}, "sip:a@b||"},
		{"ManyInOneField", []string{`"x,y" <sip:a@b>;q=0.1 , sip:c@d;q=0.2,<sip:e@f?a=b,c>`}, "sip:a@b||0.1 sip:c@d||0.2 sip:e@f?a=b,c||"},
		{"ManyFields", []string{"<sip:a@b>", "<sip:c@d>"}, "sip:a@b|| sip:c@d||"},
		{"QuotedParameter", []string{`<sip:a@b>;+sip.instance="<urn:uuid:1,2;3>";reg-id=1;expires=7`}, "sip:a@b|7|"},
		{"HeadersInBrackets", []string{"<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"}, "sip:user@example.com?Route=%3Csip:sip.example.com%3E||"},
		{"HeadersWithoutBrackets", []string{"sip:user@example.com?Route=%3Csip:sip.example.com%3E"}, "error"},
		{"UnknownParameter", []string{"sip:+19725552222@gw1.example.net;unknownparam"}, "sip:+19725552222@gw1.example.net||"},
		{"OpenQuote", []string{`"a <sip:a@b>`}, "error"},
		{"OpenBracket", []string{`<sip:a@b`}, "error"},
		{"TextAfterBracket", []string{`<sip:a@b>x`}, "error"},
		{"NameWithoutBrackets", []string{`"a" sip:a@b`}, "error"},
		{"Empty", []string{""}, "error"},
		{"EmptyElement", []string{"<sip:a@b>,,<sip:c@d>"}, "error"},
		{"TrailingComma", []string{"<sip:a@b>,"}, "error"},
		{"ParameterTwice", []string{"<sip:a@b>;expires=1;Expires=2"}, "error"},
		{"EmptyExpires", []string{"<sip:a@b>;expires"}, "error"},
		{"QTooLarge", []string{"<sip:a@b>;q=1.1"}, "error"},
		{"QTooLong", []string{"<sip:a@b>;q=0.1234"}, "error"},
		{"OtherScheme", []string{"<tel:+1234>"}, "error"},
		{"TooMany", []string{strings.Repeat("<sip:a@b>,", maxContacts) + "<sip:c@d>"}, "error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			contacts, star, err := parseContacts(tt.values)
			var parts []string
			for _, c := range contacts {
				parts = append(parts, c.text+"|"+c.expires+"|"+c.q)
			}
			got := strings.Join(parts, " ")
			switch {
			case err != nil:
				got = "error"
			case star:
				got = "*"
			}
			if got != tt.want {
				t.Errorf("got %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}

func FuzzParseContacts(f *testing.F) {
	f.Add("*")
	f.Add(`"A, <b>; \"c\"" <sip:a@b;transport=tcp>;expires=60;q=0.5, sip:c@[::1]:5060;q=1`)
	f.Add("<sip:user@example.com?Route=%3Csip:sip.example.com%3E>")
	f.Fuzz(func(t *testing.T, value string) {
		contacts, star, err := parseContacts([]string{value})
		if err != nil {
			return
		}
		if star && len(contacts) > 0 {
			t.Fatal("star beside contacts")
		}
		for _, c := range contacts {
			if strings.ContainsAny(c.text, "\r\n\x00<> \"") || strings.ContainsAny(c.q, "\r\n\x00; ") {
				t.Fatalf("%q can leave its header field", c.text)
			}
			again, _, err := parseContacts([]string{"<" + c.text + ">"})
			if err != nil || len(again) != 1 || again[0].text != c.text || !again[0].uri.equal(c.uri) {
				t.Fatalf("%q does not survive: %+v %v", c.text, again, err)
			}
		}
	})
}
