// Package listing reads what a client asks of a list — filters, order and
// page — and collects the page (crossbar crossbar_view, crossbar_filter).
package listing

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/dialplane/dialplane/shared/fault"
)

const (
	defaultPageSize = 50
	// maxPageSize bounds a page that a client asks for, in items.
	maxPageSize = 5000
	// maxItems bounds a list without pages, in items: an answer of Lambda
	// holds 6 MB, and the largest summaries take about 300 bytes.
	maxItems = 20_000
)

// Params is what a client asks of a list.
type Params struct {
	PageSize   int    // 1 to 5000; the number of items after filtering
	From       string // sort key of the first item; "" starts at the beginning
	Descending bool
	Whole      bool // no pages: everything in one answer
	Filters    []Filter
}

// Parse reads the query string. Lists are ascending unless the client says
// otherwise, as in Kazoo 4.3.
func Parse(query url.Values) (Params, error) {
	p := Params{
		PageSize:   defaultPageSize,
		From:       decodeKey(query.Get("start_key")),
		Descending: truthy(query.Get("descending")) || falsy(query.Get("ascending")),
		Whole:      falsy(query.Get("paginate")),
	}
	if text := query.Get("page_size"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return Params{}, fault.Plain(fault.NotFound, "faulty_request", "invalid page size")
		}
		p.PageSize = min(n, maxPageSize)
	}
	filters, err := parseFilters(query)
	p.Filters = filters
	return p, err
}

func truthy(s string) bool { return s == "true" || s == "1" || s == "yes" }
func falsy(s string) bool  { return s == "false" || s == "0" || s == "no" }

// Arrange puts items, which come in ascending order of their keys, into the
// order that p asks for and leaves out those before its first.
func Arrange[T any](p Params, items []T, key func(T) string) []T {
	items = slices.Clone(items)
	if p.Descending {
		slices.Reverse(items)
	}
	if p.From == "" {
		return items
	}
	return slices.DeleteFunc(items, func(item T) bool {
		if p.Descending {
			return key(item) > p.From
		}
		return key(item) < p.From
	})
}

// Page is one page of a list, as the envelope shows it.
type Page struct {
	Items   []any
	Whole   bool   // not a page: the envelope tells no size and no keys
	Start   string // opaque key of this page; "" for the first
	Next    string // opaque key of the next page; "" if this is the last
	maximum int
}

// NewPage returns the empty page that p asks for.
func (p Params) NewPage() *Page {
	if p.Whole {
		return &Page{Items: []any{}, Whole: true, maximum: maxItems}
	}
	return &Page{Items: []any{}, Start: encodeKey(p.From), maximum: p.PageSize}
}

// Add appends item, whose sort key is key, and reports whether more may
// follow. The item that no longer fits tells where the next page starts.
func (page *Page) Add(key string, item any) bool {
	if len(page.Items) == page.maximum {
		page.Next = encodeKey(key)
		return false
	}
	page.Items = append(page.Items, item)
	return true
}

// Err returns a fault.TooMuch error if the list was to be whole and is not.
func (page *Page) Err() error {
	if page.Whole && page.Next != "" {
		return &fault.Error{Kind: fault.TooMuch, Code: "range not satisfiable"}
	}
	return nil
}

func encodeKey(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }

// decodeKey takes a key that no page has given as the sort key itself, as
// Kazoo does.
func decodeKey(text string) string {
	key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return text
	}
	return string(key)
}
