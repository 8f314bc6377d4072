package endpoint

import (
	"cmp"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/awslabs/aws-lambda-go-api-proxy/core"
	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
)

// maxBody bounds a request's body, in bytes (Kazoo's crossbar.max_upload_size).
const maxBody = 8_000_000

// Request is one decoded and admitted request.
type Request struct {
	ID      string          // X-Request-ID if the client sent a sane one, else 32 hex digits
	Source  string          // address of the client
	Path    string          // as the client wrote it, stage included
	Query   url.Values      //
	Data    document.Object // `data` of the envelope, without private keys; {} if the body is empty
	Session auth.Session    // zero if the endpoint is public

	root      document.Object // the envelope around Data
	dataToken string          // auth_token, if Data had one
	http      *http.Request
}

func newRequest(r *http.Request) *Request {
	req := &Request{http: r, Query: r.URL.Query(), ID: r.Header.Get("X-Request-ID"),
		Source: r.RemoteAddr, Path: r.URL.Path, Data: document.Object{}}
	if gateway, ok := core.GetAPIGatewayContextFromContext(r.Context()); ok {
		req.Source, req.Path = gateway.Identity.SourceIP, gateway.Path
	}
	if !saneID(req.ID) {
		req.ID = ident.New()
	}
	return req
}

// saneID reports whether a client's request id may be repeated in headers and
// logs: 1 to 128 printable ASCII characters.
func saneID(id string) bool {
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return id != "" && len(id) <= 128
}

// PathValue returns the named wildcard of the route, or "".
func (r *Request) PathValue(name string) string { return r.http.PathValue(name) }

// Param returns a parameter from where Kazoo looks for it: the data, then the
// query, then the envelope (cb_context:req_value). It is nil if absent.
func (r *Request) Param(name string) any {
	if v, ok := r.Data[name]; ok {
		return v
	}
	if r.Query.Has(name) {
		return r.Query.Get(name)
	}
	return r.root[name]
}

// Params returns the named parameters that the request has.
func (r *Request) Params(names ...string) document.Object {
	found := document.Object{}
	for _, name := range names {
		if v := r.Param(name); v != nil {
			found[name] = v
		}
	}
	return found
}

// Method returns the HTTP method.
func (r *Request) Method() string { return r.http.Method }

// Text returns a parameter that is a string, or "".
func (r *Request) Text(name string) string {
	s, _ := r.Param(name).(string)
	return s
}

// token returns the token from the first place that has one. An Authorization
// header of any other scheme than Bearer names no token.
func (r *Request) token() string {
	if token := r.http.Header.Get("X-Auth-Token"); token != "" {
		return token
	}
	if token := cmp.Or(r.dataToken, r.Text("auth_token")); token != "" {
		return token
	}
	scheme, token, _ := strings.Cut(r.http.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}

// checkMatch refuses a request whose If-Match names another revision than the
// document has. The write that follows is refused if the document changes
// after this was looked at, so nothing can slip between. What has no revision
// matches nothing (RFC 9110 section 13.1.1).
func (r *Request) checkMatch() error {
	asked := r.http.Header.Get("If-Match")
	if revision := r.Session.Revision(); asked != "" && !matches(asked, revision) {
		return fault.NotMatching(revision)
	}
	return nil
}

// matches reports whether a list of entity tags, or "*", names revision. Tags
// may come without their quotes, as in the envelope.
func matches(list, revision string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.Trim(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), `"`)
		if revision != "" && (tag == "*" || tag == revision) {
			return true
		}
	}
	return false
}

// pretty reports whether the client wants to read the answer itself.
func (r *Request) pretty() bool {
	return strings.EqualFold(r.http.Header.Get("X-Pretty-Print"), "true") || r.Query.Get("pretty_print") == "true"
}

// decode reads the envelope of a request (crossbar api_util, envelope).
func (r *Request) decode() error {
	if err := r.checkMediaType(); err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(r.http.Body, maxBody+1))
	if err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	if len(body) > maxBody {
		return fault.BodyTooLarge(maxBody)
	}
	if len(strings.TrimSpace(string(body))) == 0 {
		return nil
	}
	value, err := document.Decode(body)
	if err != nil {
		return fault.Breaks("json", "invalid", fault.Violation{Message: err.Error(), Target: "body"})
	}
	sent, ok := value.(document.Object)
	if !ok {
		return fault.Breaks("json", "invalid", fault.Violation{Message: "the body must be a JSON object", Target: "body"})
	}
	r.root = document.Object{}
	for key, v := range sent {
		if v != nil {
			r.root[strings.ReplaceAll(strings.ToLower(key), "-", "_")] = v
		}
	}
	return r.takeData()
}

// takeData moves `data` out of the envelope.
func (r *Request) takeData() error {
	data, ok := r.root["data"]
	if !ok {
		return fault.Breaks("data", "required", fault.Violation{
			Message: "Field is required but missing", Value: "data"})
	}
	object, ok := data.(document.Object)
	if !ok {
		return fault.Breaks("data", "type", fault.Violation{
			Message: "Value did not match type(s): object", Target: "object"})
	}
	delete(r.root, "data")
	r.Data = document.Public(object)
	r.dataToken, _ = r.Data["auth_token"].(string)
	delete(r.Data, "auth_token") // it must not be stored with the document
	return nil
}

// mediaTypes are the types under which a body is read as JSON. The form type
// is what curl says of -d unless told otherwise.
var mediaTypes = map[string]bool{
	"": true, "application/json": true, "application/x-json": true, "application/x-www-form-urlencoded": true,
}

func (r *Request) checkMediaType() error {
	switch r.http.Method {
	case http.MethodPut, http.MethodPost, http.MethodPatch:
	default:
		return nil // Kazoo looks at no type where it needs no body
	}
	said := r.http.Header.Get("Content-Type")
	if kind, _, err := mime.ParseMediaType(said); said == "" || (err == nil && mediaTypes[kind]) {
		return nil
	}
	return fault.Plain(fault.UnsupportedMedia, "unsupported_media_type",
		"send the body as application/json")
}
