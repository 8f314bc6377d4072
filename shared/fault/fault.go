// Package fault is the error vocabulary of dialplane.
//
// A failure that a client can act on is a *fault.Error: a Kind that decides
// the status, a stable Code for programs, and Data that says which field is
// wrong and how to mend it. Every other error is Internal: its text goes to
// the log and never to the client. Kinds are rendered in exactly two places:
// shared/endpoint for HTTP and sip-edge/internal/sipserver for SIP.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of failure happened. The zero value is Internal, so an
// error that nobody classified is never shown to a client.
type Kind uint8

// The kinds, with the HTTP status that shared/endpoint gives each.
const (
	Internal           Kind = iota // 500; the text is withheld
	Invalid                        // 400; Data is a Violations
	Refused                        // 400; the request makes no sense as a whole
	Unauthenticated                // 401
	Forbidden                      // 403
	NotFound                       // 404
	MethodNotAllowed               // 405
	Conflict                       // 409
	PreconditionFailed             // 412
	TooLarge                       // 413
	UnsupportedMedia               // 415
	TooMuch                        // 416; the answer would be larger than can be sent
	TooMany                        // 429; RetryAfter is set
	Unavailable                    // 503; the store is slow or refuses; safe to retry
)

var kindNames = [...]string{
	"internal", "invalid", "refused", "unauthenticated", "forbidden", "not_found", "method_not_allowed",
	"conflict", "precondition_failed", "too_large", "unsupported_media", "too_much", "too_many", "unavailable",
}

// String returns the kind's name as it stands in logs.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Error is a failure that may be shown to a client.
type Error struct {
	Kind Kind
	// Code is the stable word for programs: Kazoo's `message`, such as
	// "bad_identifier" (crossbar cb_context:add_system_error).
	Code string
	// Data is what the client needs to mend the request; nil renders as {}.
	Data any
	// RetryAfter is how long the client should wait, in whole seconds; zero
	// means that waiting does not help.
	RetryAfter time.Duration
	// Cause is for the log only.
	Cause error
}

// Error returns the code and the cause, for the log.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Code + ": " + e.Cause.Error()
	}
	if v, ok := e.Data.(Violations); ok {
		return e.Code + ": " + v.String()
	}
	return e.Code
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Of returns the kind of err: Internal unless an *Error is in its chain.
func Of(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// message is Kazoo's usual shape of an error's data.
type message struct {
	Message string `json:"message"`
	Cause   string `json:"cause,omitempty"`
}

// InvalidCredentials is the answer to a missing, wrong, expired or revoked
// token and to every failed login: one answer for all, so that it says nothing
// about which part was wrong.
func InvalidCredentials(cause error) error {
	return &Error{Kind: Unauthenticated, Code: "invalid_credentials", Data: message{Message: "invalid credentials"}, Cause: cause}
}

// NotAllowed refuses an authenticated caller.
func NotAllowed(cause error) error {
	return &Error{Kind: Forbidden, Code: "forbidden", Data: message{Message: "forbidden"}, Cause: cause}
}

// BadIdentifier says that id names no document here.
func BadIdentifier(id string) error {
	return &Error{Kind: NotFound, Code: "bad_identifier", Data: message{Message: "bad identifier", Cause: id}}
}

// Conflicting says that the document changed since it was read, or that its id
// is taken.
func Conflicting(cause error) error {
	return &Error{Kind: Conflict, Code: "datastore_conflict", Data: message{Message: "conflicting documents"}, Cause: cause}
}

// NotMatching says that the document is not at the revision that the client
// asks for.
func NotMatching(revision string) error {
	return &Error{Kind: PreconditionFailed, Code: "precondition_failed",
		Data: message{Message: "the document is at another revision", Cause: revision}}
}

// Unreachable says that the store did not answer in time or refused the load.
// Whether the write happened is unknown; the caller may retry.
func Unreachable(cause error) error {
	return &Error{Kind: Unavailable, Code: "datastore_unreachable", Data: message{Message: "datastore timeout"},
		RetryAfter: time.Second, Cause: cause}
}

// TooManyRequests asks the client to wait.
func TooManyRequests(wait time.Duration) error {
	return &Error{Kind: TooMany, Code: "too_many_requests", Data: message{Message: "too many requests"}, RetryAfter: wait}
}

// BodyTooLarge refuses a body of more than limit bytes.
func BodyTooLarge(limit int) error {
	return &Error{Kind: TooLarge, Code: validationCode, Data: Violations{
		"file": {"maxSize": {Message: fmt.Sprintf("Payload or Files must not be more than %d bytes", limit), Target: limit}},
	}}
}

// Plain is a failure of the given kind whose data is a one-line message that
// tells the client what to do.
func Plain(kind Kind, code, text string) error {
	return &Error{Kind: kind, Code: code, Data: message{Message: text}}
}
