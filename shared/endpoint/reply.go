package endpoint

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dialplane/dialplane/shared/listing"
)

// Version is what the envelope tells clients.
const Version = "0.1.0"

// node is the envelope's name for who answered. Kazoo hashes the name of the
// server; here there is none.
var node = func() string {
	sum := md5.Sum([]byte("dialplane"))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}()

// Reply is what a handler answers.
type Reply struct {
	Status   int           // HTTP status
	Data     any           // `data` of the envelope
	Revision string        // of the one document in Data; "" if there is none
	Page     *listing.Page // set for lists, instead of Data
	Created  string        // id of the document that was made: answers with its Location
	Token    string        // a token that was just issued
	Command  string        // id of the command that was made, for GET …/commands

	failed     string // Kazoo's message of an error; "" for success
	retryAfter time.Duration
}

// envelope is Kazoo's reply (crossbar api_util, create_default_resp_envelope)
// and, in an error, Vinix's: code, message, request_id. Its data is written
// apart.
type envelope struct {
	Status    string `json:"status"`
	Error     string `json:"error,omitempty"`
	Code      string `json:"code,omitempty"`
	Message   string `json:"message,omitempty"`
	Revision  string `json:"revision,omitempty"`
	PageSize  *int   `json:"page_size,omitempty"`
	StartKey  string `json:"start_key,omitempty"`
	NextKey   string `json:"next_start_key,omitempty"`
	AuthToken string `json:"auth_token,omitempty"`
	CommandID string `json:"command_id,omitempty"`
	RequestID string `json:"request_id"`
	Timestamp string `json:"timestamp"`
	Version   string `json:"version"`
	Node      string `json:"node"`
}

// write renders r and returns the status it sent.
func (r Reply) write(w http.ResponseWriter, req *Request, now time.Time) int {
	e := envelope{
		Status: "success", Revision: r.Revision, AuthToken: r.Token, CommandID: r.Command,
		RequestID: req.ID, Timestamp: now.UTC().Format(time.RFC3339), Version: Version, Node: node,
	}
	if e.AuthToken == "" {
		e.AuthToken = req.Session.Raw
	}
	if page := r.Page; page != nil {
		r.Data = page.Items
		if !page.Whole {
			size := len(page.Items)
			e.PageSize, e.StartKey, e.NextKey = &size, page.Start, page.Next
		}
	}
	if r.failed != "" {
		e.Status, e.Error, e.Message = "error", strconv.Itoa(r.Status), r.failed
		e.Code = strings.ReplaceAll(r.failed, " ", "_")
	}

	h := w.Header()
	h.Set("Content-Type", "application/json") // exactly: Monster UI compares it whole
	h.Set("X-Request-Id", req.ID)
	if r.Created != "" {
		h.Set("Location", strings.TrimSuffix(req.Path, "/")+"/"+r.Created)
	}
	if r.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(r.retryAfter.Seconds()))))
	}
	if req.http.Method == http.MethodGet && r.Revision != "" && r.failed == "" {
		h.Set("ETag", `"`+r.Revision+`"`)
		if matches(req.http.Header.Get("If-None-Match"), r.Revision) {
			h.Del("Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return http.StatusNotModified
		}
	}
	body := append([]byte(`{"data":`), marshal(r.Data)...)
	body = append(append(body, ','), marshal(e)[1:]...)
	if req.pretty() {
		var indented bytes.Buffer
		if err := json.Indent(&indented, body, "", "  "); err != nil { // it was made above
			panic(err)
		}
		body = indented.Bytes()
	}
	w.WriteHeader(r.Status)
	w.Write(body)
	return r.Status
}

// marshal returns v as JSON without HTML escapes. What is JSON already is
// taken as it is.
func marshal(v any) []byte {
	if text, ok := v.(json.RawMessage); ok {
		return text
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil { // only values of documents and our own types come here
		panic(err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
