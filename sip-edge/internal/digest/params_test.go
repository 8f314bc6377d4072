package digest

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

func TestParseAuthorization(t *testing.T) {
	t.Parallel()
	const rest = `username="alice", realm="r", nonce="n", uri="sip:r", response="x"`
	for _, tt := range []struct {
		name, text string
		ok         bool
		username   string
	}{
		{"ReadsAnyOrder", `Digest response="x",uri="sip:r" ,  nonce="n",realm="r",username="alice"`, true, "alice"},
		{"ReadsAnyCase", `dIGEST USERNAME="alice", Realm="r", nonce="n", uri="sip:r", response="x"`, true, "alice"},
		{"UndoesEscapes", `Digest username="al\"ic\\e", realm="r", nonce="n", uri="sip:r", response="x"`, true, `al"ic\e`},
		{"ReadsTokensAndQuotedTokens", `Digest ` + rest + `, qop=auth, nc=00000001, algorithm="MD5"`, true, "alice"},
		{"ReadsTabs", "Digest\t" + rest, true, "alice"},
		{"RefusesDuplicate", `Digest ` + rest + `, Realm="r2"`, false, ""},
		{"RefusesMissingNonce", `Digest username="alice", realm="r", uri="sip:r", response="x"`, false, ""},
		{"RefusesOtherScheme", `NoOneKnowsThisScheme opaque-data=here`, false, ""},
		{"RefusesNothing", ``, false, ""},
		{"RefusesSchemeAlone", `Digest`, false, ""},
		{"RefusesOpenQuote", `Digest ` + rest + `, cnonce="abc`, false, ""},
		{"RefusesOpenEscape", `Digest ` + rest + `, cnonce="abc\`, false, ""},
		{"RefusesTrailingComma", `Digest ` + rest + `,`, false, ""},
		{"RefusesEmptyElement", `Digest ` + rest + `,,qop=auth`, false, ""},
		{"RefusesMissingComma", `Digest ` + rest + ` qop=auth`, false, ""},
		{"RefusesMissingValue", `Digest ` + rest + `, qop=`, false, ""},
		{"RefusesLineBreak", "Digest " + rest + ", opaque=\"a\r\nb\"", false, ""},
		{"RefusesNUL", "Digest " + rest + ", opaque=\"a\x00b\"", false, ""},
		{"RefusesEscapedLineFeed", "Digest " + rest + ", opaque=\"a\\\nb\"", false, ""},
		{"RefusesTooLong", `Digest ` + rest + `, opaque="` + strings.Repeat("a", maxHeaderLen) + `"`, false, ""},
		{"RefusesTooMany", `Digest ` + rest + many(maxParams), false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := ParseAuthorization(tt.text)
			if (err == nil) != tt.ok {
				t.Fatalf("got error %v, want ok %v", err, tt.ok)
			}
			if a.Username != tt.username {
				t.Errorf("got username %q, want %q", a.Username, tt.username)
			}
		})
	}
}

func many(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, ", p%d=1", i)
	}
	return out.String()
}

func FuzzParseDigest(f *testing.F) {
	s, _ := newServer(f)
	f.Add(s.Challenges(realm, true)[0])
	f.Add(`Digest username="al\"ic\\e", realm="r", nonce="n", uri="sip:r", response="x", qop=auth, nc=00000001`)
	f.Add(`NoOneKnowsThisScheme opaque-data=here`)
	f.Add("Digest a=\"\x00\"")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseDigest(text)
		if err != nil {
			return
		}
		var again []string
		for name, value := range p {
			if strings.ContainsAny(value, "\r\n\x00") {
				t.Fatalf("control character in %s of %q", name, text)
			}
			again = append(again, name+"="+quote(value))
		}
		q, err := parseDigest("Digest " + strings.Join(again, ", "))
		if err != nil && len(text) < maxHeaderLen/2 {
			t.Fatalf("%q does not survive: %v", text, err)
		}
		if err == nil && !maps.Equal(p, q) {
			t.Fatalf("got %q, want %q", q, p)
		}
	})
}
