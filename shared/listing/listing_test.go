package listing_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
	"github.com/dialplane/dialplane/shared/listing"
)

// ids are ten sorted sort keys.
var ids = []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}

// pages walks a list from its start and returns each page's keys.
func pages(t *testing.T, query string) [][]string {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for range 20 {
		asked, err := listing.Parse(values)
		if err != nil {
			t.Fatal(err)
		}
		page := asked.NewPage()
		for _, id := range listing.Arrange(asked, ids, func(s string) string { return s }) {
			if !page.Add(id, id) {
				break
			}
		}
		var keys []string
		for _, item := range page.Items {
			keys = append(keys, item.(string))
		}
		all = append(all, keys)
		if page.Start != values.Get("start_key") {
			t.Errorf("page says it starts at %q, was asked for %q", page.Start, values.Get("start_key"))
		}
		if page.Next == "" {
			return all
		}
		values.Set("start_key", page.Next)
	}
	t.Fatal("pages never end")
	return nil
}

func TestPages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, query, want string }{
		{"AllFitOnOne", "", "[[a b c d e f g h i j]]"},
		{"LastPageIsShort", "page_size=4", "[[a b c d] [e f g h] [i j]]"},
		{"LastPageIsFull", "page_size=5", "[[a b c d e] [f g h i j]]"},
		{"Descending", "page_size=6&descending=true", "[[j i h g f e] [d c b a]]"},
		{"NotAscending", "ascending=false", "[[j i h g f e d c b a]]"},
		{"Whole", "page_size=2&paginate=false", "[[a b c d e f g h i j]]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := fmt.Sprint(pages(t, test.query)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestRawStartKeyIsTakenAsItIs(t *testing.T) {
	t.Parallel()
	asked, err := listing.Parse(url.Values{"start_key": {"not base64!"}})
	if err != nil || asked.From != "not base64!" {
		t.Errorf("got %q and %v", asked.From, err)
	}
}

func TestWholeListHasABound(t *testing.T) {
	t.Parallel()
	asked, _ := listing.Parse(url.Values{"paginate": {"false"}})
	page := asked.NewPage()
	for i := 0; page.Add(fmt.Sprint(i), i); i++ {
		if i > 1_000_000 {
			t.Fatal("no bound")
		}
	}
	if kind := fault.Of(page.Err()); kind != fault.TooMuch {
		t.Errorf("got %v, want %v", kind, fault.TooMuch)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	doc, err := document.Decode([]byte(`{"name":"Front desk","enabled":true,"line":3,"empty":"","none":null,
		"flags":[],"sip":{"username":"bob","realm":"a.example"},"tags":["x"]}`))
	if err != nil {
		t.Fatal(err)
	}
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := fmt.Sprint(ident.Gregorian(made))
	subject := listing.Subject{Doc: doc.(document.Object), Created: made, Modified: made.Add(time.Hour)}
	for _, test := range []struct {
		name, query string
		want        bool
	}{
		{"Equal", "filter_name=Front desk", true},
		{"Unequal", "filter_name=front desk", false},
		{"DottedPath", "filter_sip.username=bob", true},
		{"Boolean", "filter_enabled=true", true},
		{"Number", "filter_line=3", true},
		{"AnyOfList", `filter_sip.username=["al","bob"]`, true},
		{"NoneOfList", `filter_sip.username=["al","cy"]`, false},
		{"MissingComparesAsEmpty", "filter_owner_id=", true},
		{"Not", "filter_not_sip.username=al", true},
		{"NotMatches", "filter_not_sip.username=bob", false},
		{"HasKey", "has_key=sip.realm", true},
		{"HasKeyOfNull", "has_key=none", true},
		{"HasNoKey", "has_key=owner_id", false},
		{"KeyMissing", "key_missing=owner_id", true},
		{"HasValue", "has_value=tags", true},
		{"HasNoValueInEmptyList", "has_value=flags", false},
		{"ValueMissing", "value_missing=empty", true},
		{"DocumentedSpelling", "missing_value=none", true},
		{"CreatedFromIsInclusive", "created_from=" + at, true},
		{"CreatedToIsInclusive", "created_to=" + at, true},
		{"ModifiedIsLater", "modified_to=" + at, false},
		{"AllMustHold", "filter_enabled=true&filter_line=4", false},
		{"OtherParametersAreNoFilters", "page_size=3&foo=bar", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			values, err := url.ParseQuery(test.query)
			if err != nil {
				t.Fatal(err)
			}
			asked, err := listing.Parse(values)
			if err != nil {
				t.Fatal(err)
			}
			if got := asked.Match(subject); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, query string
		want        fault.Kind
	}{
		{"PageSizeZero", "page_size=0", fault.NotFound},
		{"PageSizeNegative", "page_size=-5", fault.NotFound},
		{"PageSizeText", "page_size=many", fault.NotFound},
		{"DateText", "created_from=today", fault.Invalid},
		{"RangeThatEndsBeforeItStarts", "created_from=20&created_to=10", fault.Invalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			values, _ := url.ParseQuery(test.query)
			if _, err := listing.Parse(values); fault.Of(err) != test.want {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestRefusesTooManyFilters(t *testing.T) {
	t.Parallel()
	values := url.Values{}
	for i := range 33 {
		values.Set(fmt.Sprintf("filter_f%d", i), "x")
	}
	if _, err := listing.Parse(values); fault.Of(err) != fault.Refused {
		t.Errorf("got %v, want %v", err, fault.Refused)
	}
}
