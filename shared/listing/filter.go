package listing

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
)

// maxFilters bounds the filters of one request.
const maxFilters = 32

// Subject is what filters look at.
type Subject struct {
	Doc               document.Object
	Created, Modified time.Time
}

// Filter reports whether a subject belongs in the list.
type Filter func(Subject) bool

// Match reports whether every filter lets s through.
func (p Params) Match(s Subject) bool {
	for _, lets := range p.Filters {
		if !lets(s) {
			return false
		}
	}
	return true
}

// parseFilters reads the filters of crossbar_filter: filter_{path},
// filter_not_{path}, has_key, key_missing, has_value, value_missing (also
// under its documented name missing_value), created_from, created_to,
// modified_from and modified_to.
func parseFilters(query url.Values) ([]Filter, error) {
	var filters []Filter
	for name, values := range query {
		f, err := parseFilter(name, values[0])
		if err != nil {
			return nil, err
		}
		if f != nil {
			filters = append(filters, f)
		}
	}
	if len(filters) > maxFilters {
		return nil, fault.Plain(fault.Refused, "faulty_request", fmt.Sprintf("at most %d filters", maxFilters))
	}
	return filters, dateRanges(query)
}

func parseFilter(name, value string) (Filter, error) {
	switch name {
	case "has_key":
		return func(s Subject) bool { return has(s.Doc, value) }, nil
	case "key_missing":
		return func(s Subject) bool { return !has(s.Doc, value) }, nil
	case "has_value":
		return func(s Subject) bool { return !empty(s.Doc, value) }, nil
	case "value_missing", "missing_value":
		return func(s Subject) bool { return empty(s.Doc, value) }, nil
	case "created_from", "created_to", "modified_from", "modified_to":
		return dateFilter(name, value)
	}
	if path, ok := strings.CutPrefix(name, "filter_not_"); ok {
		wanted := anyOf(value)
		return func(s Subject) bool { return !slices.Contains(wanted, textAt(s.Doc, path)) }, nil
	}
	if path, ok := strings.CutPrefix(name, "filter_"); ok {
		wanted := anyOf(value)
		return func(s Subject) bool { return slices.Contains(wanted, textAt(s.Doc, path)) }, nil
	}
	return nil, nil
}

// dateFilter compares a time, inclusively, with seconds of Kazoo's calendar.
func dateFilter(name, value string) (Filter, error) {
	limit, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return nil, fault.Breaks(name, "type", fault.Violation{
			Message: "Value did not match type(s): integer", Target: "integer", Value: value})
	}
	which, end, _ := strings.Cut(name, "_")
	return func(s Subject) bool {
		at := ident.Gregorian(s.Created)
		if which == "modified" {
			at = ident.Gregorian(s.Modified)
		}
		if end == "from" {
			return at >= limit
		}
		return at <= limit
	}, nil
}

// dateRanges refuses a range that ends before it starts.
func dateRanges(query url.Values) error {
	for _, which := range []string{"created", "modified"} {
		from, to := query.Get(which+"_from"), query.Get(which+"_to")
		a, errFrom := strconv.ParseInt(from, 10, 64)
		b, errTo := strconv.ParseInt(to, 10, 64)
		if errFrom == nil && errTo == nil && b < a {
			return fault.Breaks(which+"_from", "date_range", fault.Violation{
				Message: fmt.Sprintf("%s_to %d is prior to %s_from %d", which, b, which, a), Cause: a})
		}
	}
	return nil
}

func lookup(doc document.Object, path string) (any, bool) {
	return document.At(doc, strings.Split(path, ".")...)
}

func has(doc document.Object, path string) bool {
	_, ok := lookup(doc, path)
	return ok
}

// empty reports whether nothing of substance is at path.
func empty(doc document.Object, path string) bool {
	v, _ := lookup(doc, path)
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case document.Object:
		return len(v) == 0
	}
	return false
}

// textAt returns the value at path as filters compare it: a missing one is "".
func textAt(doc document.Object, path string) string {
	v, _ := lookup(doc, path)
	return text(v)
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return v.String()
	}
	b, _ := json.Marshal(v) // values of documents always marshal
	return string(b)
}

// anyOf returns the texts that a filter's value allows: the elements of a JSON
// list, or the value itself.
func anyOf(value string) []string {
	if decoded, err := document.Decode([]byte(value)); err == nil {
		if list, ok := decoded.([]any); ok {
			wanted := make([]string, len(list))
			for i, v := range list {
				wanted[i] = text(v)
			}
			return wanted
		}
	}
	return []string{value}
}
