package sipserver_test

import (
	"bytes"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/emiago/sipgo/siptest"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/sip-edge/internal/digest"
	"github.com/dialplane/dialplane/sip-edge/internal/edgetest"
	"github.com/dialplane/dialplane/sip-edge/internal/registrar"
	"github.com/dialplane/dialplane/sip-edge/internal/sipserver"
)

// trusted is an address whose REGISTERs for example.com need no password, so
// that they get as far as they can.
const trusted, stranger = "192.0.2.1:5060", "192.0.2.2:5060"

// panics is a log that remembers panics.
type panics struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (p *panics) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if bytes.Contains(b, []byte("panic:")) {
		p.buf.Write(b)
	}
	return len(b), nil
}

func (p *panics) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.String()
}

// newEdge returns the handlers of an edge without sockets.
func newEdge(t *testing.T) (*sipserver.Server, *panics) {
	t.Helper()
	log := &panics{}
	s, err := sipserver.New(slog.New(slog.NewJSONHandler(log, nil)), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.UserAgent().Close() })
	store := edgetest.NewStore(t)
	store.AddAddress(netip.MustParseAddrPort(trusted).Addr(), credential.Credential{AccountID: "acc", DeviceID: "dev", Realm: "example.com", Enabled: true})
	r := registrar.New(registrar.Config{
		Edge: "edge", Credentials: store, Bindings: store, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Digest:     digest.New([]byte("0123456789abcdef"), []digest.Algorithm{digest.MD5, digest.SHA256}, time.Now),
		MinExpires: time.Minute, DefaultExpires: time.Hour, MaxExpires: 2 * time.Hour,
	})
	s.Handle(sip.REGISTER, r.Handle)
	return s, log
}

// deliver has a datagram answered, and returns the answer, or nil if there is
// none. What sipgo itself answers, before any handler, counts as 400.
func deliver(s *sipserver.Server, source string, raw []byte) *sip.Response {
	msg, err := s.Parse(raw)
	if err != nil {
		return nil
	}
	req, ok := msg.(*sip.Request)
	if !ok {
		return nil
	}
	req.SetTransport("UDP")
	req.SetSource(source)
	if _, err := sip.ServerTxKeyMake(req); err != nil {
		return sip.NewResponseFromRequest(req, 400, "Bad Request", nil)
	}
	tx := siptest.NewServerTxRecorder(req)
	s.Dispatch(req, tx)
	answers := tx.Result()
	tx.Terminate()
	if len(answers) == 0 {
		return nil
	}
	return answers[len(answers)-1]
}

// TestOnlyAcceptedRegistersAreRemembered looks whether sipgo keeps a
// transaction after it was answered.
func TestOnlyAcceptedRegistersAreRemembered(t *testing.T) {
	t.Parallel()
	const rest = " sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\nFrom: <sip:a@example.com>;tag=1\r\n" +
		"To: <sip:a@example.com>\r\nCall-ID: a\r\nContact: <sip:a@192.0.2.1>\r\nCSeq: 1 "
	for _, tt := range []struct {
		method, source string
		status         int
		kept           bool
	}{
		{"REGISTER", trusted, 200, true}, {"REGISTER", stranger, 401, false}, {"OPTIONS", trusted, 200, false}, {"INVITE", trusted, 405, false},
	} {
		t.Run(tt.method+tt.source, func(t *testing.T) {
			t.Parallel()
			s, _ := newEdge(t)
			msg, err := s.Parse([]byte(tt.method + rest + tt.method + "\r\n\r\n"))
			if err != nil {
				t.Fatal(err)
			}
			req := msg.(*sip.Request)
			req.SetTransport("UDP")
			req.SetSource(tt.source)
			tx := siptest.NewServerTxRecorder(req)
			defer tx.Terminate()
			s.Dispatch(req, tx)
			tx.TerminateGracefully() // as sipgo does after the handler
			if res := tx.Result(); len(res) != 1 || res[0].StatusCode != tt.status {
				t.Fatalf("got answers %v, want one %d", res, tt.status)
			}
			select {
			case <-tx.Done():
				if tt.kept {
					t.Error("the transaction has ended, want it kept")
				}
			default:
				if !tt.kept {
					t.Error("the transaction is kept, want it ended")
				}
			}
		})
	}
}

const torture = "../../../events/sip/torture"

// TestTorture plays the messages of RFC 4475. Where the RFC leaves a choice, or
// asks for a 400 to what cannot be parsed, the edge stays silent: status 0.
func TestTorture(t *testing.T) {
	t.Parallel()
	want := map[string]struct {
		status   int
		contacts string // of a 200 to a REGISTER
	}{
		// Section 3.1.1, valid messages.
		"valid/wsinv.sip":      {400, ""}, // sipgo does not read a Via with spaces inside
		"valid/intmeth.sip":    {0, ""},   // has a NUL, which is not repeated
		"valid/esc01.sip":      {405, ""},
		"valid/escnull.sip":    {200, "<sip:%00@host5.example.com> <sip:%00%00@host5.example.com>"},
		"valid/esc02.sip":      {405, ""}, // the method is not REGISTER
		"valid/lwsdisp.sip":    {200, ""},
		"valid/longreq.sip":    {405, ""},
		"valid/dblreq.sip":     {200, "<sip:j.user@host.example.com>"}, // the INVITE behind it is not seen
		"valid/semiuri.sip":    {200, ""},
		"valid/transports.sip": {200, ""},
		"valid/mpart01.sip":    {405, ""},
		"valid/unreason.sip":   {0, ""}, // a response that answers nothing
		"valid/noreason.sip":   {0, ""},
		// Section 3.1.2, invalid messages.
		"invalid/badinv01.sip":   {0, ""},
		"invalid/clerr.sip":      {0, ""},
		"invalid/ncl.sip":        {0, ""},
		"invalid/scalar02.sip":   {0, ""},
		"invalid/scalarlg.sip":   {0, ""},
		"invalid/quotbal.sip":    {0, ""},
		"invalid/ltgtruri.sip":   {0, ""},
		"invalid/lwsruri.sip":    {0, ""},
		"invalid/lwsstart.sip":   {0, ""},
		"invalid/trws.sip":       {0, ""},
		"invalid/escruri.sip":    {405, ""},
		"invalid/baddate.sip":    {405, ""},
		"invalid/regbadct.sip":   {400, ""},
		"invalid/badaspec.sip":   {0, ""},
		"invalid/baddn.sip":      {200, ""}, // leniency that section 3.1.2.15 allows
		"invalid/badvers.sip":    {505, ""},
		"invalid/mismatch01.sip": {400, ""},
		"invalid/mismatch02.sip": {400, ""},
		"invalid/bigcode.sip":    {0, ""},
		// Sections 3.2 to 3.4.
		"invalid/badbranch.sip": {200, ""}, // matched as RFC 2543 says
		"invalid/insuf.sip":     {400, ""},
		"invalid/unkscm.sip":    {416, ""},
		"invalid/novelsc.sip":   {0, ""},
		"invalid/unksm2.sip":    {400, ""},
		"invalid/bext01.sip":    {420, ""},
		"invalid/invut.sip":     {405, ""},
		"invalid/regaut01.sip":  {401, ""},
		"invalid/multi01.sip":   {400, ""},
		"invalid/mcl01.sip":     {400, ""},
		"invalid/bcast.sip":     {0, ""},
		"invalid/zeromf.sip":    {200, ""}, // the last hop has no use for Max-Forwards
		"invalid/cparam01.sip":  {200, "<sip:+19725552222@gw1.example.net>"},
		"invalid/cparam02.sip":  {200, "<sip:+19725552222@gw1.example.net;unknownparam>"},
		"invalid/regescrt.sip":  {200, "<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"},
		"invalid/sdp01.sip":     {405, ""},
		"invalid/inv2543.sip":   {400, ""}, // no tag in From, no branch
	}
	files, err := filepath.Glob(torture + "/*/*.sip")
	if err != nil || len(files) != len(want) {
		t.Fatalf("got %d files, %v, want %d", len(files), err, len(want))
	}
	for _, file := range files {
		name, _ := filepath.Rel(torture, file)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expected, ok := want[filepath.ToSlash(name)]
			if !ok {
				t.Fatal("nothing is said of this file")
			}
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, log := newEdge(t)
			source := trusted
			if expected.status == 401 {
				source = stranger
			}
			status, contacts := 0, ""
			if res := deliver(s, source, raw); res != nil {
				status = res.StatusCode
				var list []string
				for _, h := range res.GetHeaders("Contact") {
					value, _, _ := strings.Cut(h.Value(), ";expires=")
					list = append(list, value)
				}
				contacts = strings.Join(list, " ")
			}
			if status != expected.status || contacts != expected.contacts {
				t.Errorf("got %d %s, want %d %s", status, contacts, expected.status, expected.contacts)
			}
			if log.String() != "" {
				t.Error(log)
			}
		})
	}
}

// FuzzRequest feeds datagrams to sipgo's parser and the edge's handlers.
func FuzzRequest(f *testing.F) {
	files, _ := filepath.Glob(torture + "/*/*.sip")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte("REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa;rport\r\nFrom: <sip:a@example.com>;tag=1\r\n" +
		"To: <sip:a@example.com>\r\nCall-ID: a\r\nCSeq: 1 REGISTER\r\nContact: *\r\nExpires: 0\r\n" +
		"Authorization: Digest username=\"a\", realm=\"example.com\", nonce=\"n\", uri=\"sip:example.com\", response=\"r\", qop=auth, nc=00000001, cnonce=\"c\"\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, log := newEdge(t)
		for _, source := range []string{trusted, stranger} {
			res := deliver(s, source, raw)
			if log.String() != "" {
				t.Fatal(log)
			}
			if res == nil {
				continue
			}
			if res.StatusCode < 200 || res.StatusCode > 699 {
				t.Fatalf("got status %d", res.StatusCode)
			}
			for _, h := range res.Headers() {
				if res.StatusCode != 400 && strings.ContainsAny(h.Value(), "\r\n\x00") {
					t.Fatalf("answer has a broken line: %q", h.String())
				}
			}
		}
	})
}
