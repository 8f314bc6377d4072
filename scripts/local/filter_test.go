package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestFilter(t *testing.T) {
	t.Parallel()
	const record = `{"eventName":"INSERT","dynamodb":{"Keys":{"pk":{"S":"ACCOUNT#1"},"sk":{"S":"DEVICE#2"}},
		"NewImage":{"state":{"S":"Pending"},"n":{"N":"5"},"on":{"BOOL":true},"none":{"NULL":null},"tags":{"SS":["a","b"]},"nothing":{"L":[]}}}}`
	tests := []struct {
		name, pattern string
		want          bool
	}{
		{"Equal", `{"eventName":["INSERT"]}`, true},
		{"EqualToOneOf", `{"eventName":["MODIFY","INSERT"]}`, true},
		{"EqualToNone", `{"eventName":["MODIFY","REMOVE"]}`, false},
		{"CaseMatters", `{"eventName":["insert"]}`, false},
		{"Nested", `{"dynamodb":{"Keys":{"sk":{"S":["DEVICE#2"]}}}}`, true},
		{"And", `{"eventName":["INSERT"],"dynamodb":{"Keys":{"sk":{"S":["DEVICE#3"]}}}}`, false},
		{"Prefix", `{"dynamodb":{"Keys":{"sk":{"S":[{"prefix":"DEVICE#"}]}}}}`, true},
		{"PrefixOrEqual", `{"dynamodb":{"Keys":{"sk":{"S":["ACCOUNT",{"prefix":"USER#"}]}}}}`, false},
		{"Suffix", `{"dynamodb":{"Keys":{"sk":{"S":[{"suffix":"#2"}]}}}}`, true},
		{"IgnoreCase", `{"dynamodb":{"NewImage":{"state":{"S":[{"equals-ignore-case":"pending"}]}}}}`, true},
		{"NumberIsText", `{"dynamodb":{"NewImage":{"n":{"N":["5"]}}}}`, true},
		{"NumberIsNoNumber", `{"dynamodb":{"NewImage":{"n":{"N":[5]}}}}`, false},
		{"Bool", `{"dynamodb":{"NewImage":{"on":{"BOOL":[true]}}}}`, true},
		{"Null", `{"dynamodb":{"NewImage":{"none":{"NULL":[null]}}}}`, true},
		{"NullIsNotAbsent", `{"dynamodb":{"NewImage":{"gone":{"NULL":[null]}}}}`, false},
		{"AnythingBut", `{"eventName":[{"anything-but":"REMOVE"}]}`, true},
		{"AnythingButIt", `{"eventName":[{"anything-but":["REMOVE","INSERT"]}]}`, false},
		{"AnythingButPrefix", `{"dynamodb":{"Keys":{"sk":{"S":[{"anything-but":{"prefix":"DEV"}}]}}}}`, false},
		{"AnythingButNeedsAValue", `{"userIdentity":{"type":[{"anything-but":"x"}]}}`, false},
		{"Exists", `{"dynamodb":{"NewImage":{"state":{"S":[{"exists":true}]}}}}`, true},
		{"ExistsNot", `{"dynamodb":{"OldImage":{"state":{"S":[{"exists":false}]}}}}`, true},
		{"ExistsSeesLeavesOnly", `{"dynamodb":{"NewImage":[{"exists":true}]}}`, false},
		{"AbsentPath", `{"dynamodb":{"OldImage":{"state":{"S":["Pending"]}}}}`, false},
		{"ElementOfSet", `{"dynamodb":{"NewImage":{"tags":{"SS":["b"]}}}}`, true},
		{"NotAnElementOfSet", `{"dynamodb":{"NewImage":{"tags":{"SS":["c"]}}}}`, false},
		{"EmptyListHasNoElement", `{"dynamodb":{"NewImage":{"nothing":{"L":[{"exists":true}]}}}}`, false},
		{"Or", `{"$or":[{"eventName":["REMOVE"]},{"dynamodb":{"NewImage":{"n":{"N":["5"]}}}}]}`, true},
		{"OrOfNone", `{"$or":[{"eventName":["REMOVE"]},{"eventName":["MODIFY"]}]}`, false},
		{"OrAndRest", `{"eventName":["MODIFY"],"$or":[{"eventName":["INSERT"]}]}`, false},
		{"Everything", `{}`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			all, err := parseFilters([]string{tt.pattern})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := all.pass(json.RawMessage(record)); err != nil || got != tt.want {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestFiltersAreJoinedByOr(t *testing.T) {
	t.Parallel()
	both, err := parseFilters([]string{`{"a":["1"]}`, `{"b":["2"]}`})
	if err != nil {
		t.Fatal(err)
	}
	for record, want := range map[string]bool{`{"a":"1"}`: true, `{"b":"2"}`: true, `{"a":"2"}`: false} {
		if got, err := both.pass(json.RawMessage(record)); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", record, got, err, want)
		}
	}
	if got, err := filters(nil).pass(json.RawMessage(`{}`)); err != nil || !got {
		t.Errorf("no filters: got %v, %v; want that everything passes", got, err)
	}
	if _, err := both.pass(json.RawMessage(`{`)); err == nil {
		t.Error("a broken record passes judgement")
	}
}

func TestParseFilterRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, pattern, want string }{
		{"NoJSON", `{`, "filter pattern"},
		{"Array", `[]`, "must be an object"},
		{"Scalar", `{"a":"b"}`, "a must be an object or an array"},
		{"EmptyArray", `{"a":[]}`, "a is empty"},
		{"Numeric", `{"a":[{"numeric":[">",1]}]}`, "numeric does not work on DynamoDB"},
		{"Unknown", `{"a":[{"wildcard":"*"}]}`, "unknown operator wildcard"},
		{"TwoOperators", `{"a":[{"prefix":"a","suffix":"b"}]}`, "one operator"},
		{"PrefixOfANumber", `{"a":[{"prefix":1}]}`, "prefix takes a text"},
		{"ExistsOfText", `{"a":[{"exists":"yes"}]}`, "exists takes true or false"},
		{"AnythingButNumeric", `{"a":[{"anything-but":{"numeric":1}}]}`, "numeric"},
		{"ArrayInArray", `{"a":[["b"]]}`, "array in an array"},
		{"OrOfScalars", `{"$or":["a"]}`, "$or must list objects"},
		{"Deep", `{"a":{"b":{"c":1}}}`, "c must be"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := parseFilters([]string{tt.pattern}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to contain %q", err, tt.want)
			}
		})
	}
}

func FuzzFilter(f *testing.F) {
	f.Add(`{"a":["b",{"prefix":"c"}],"$or":[{"d":[1]}]}`, `{"a":"cc","d":[1,2]}`)
	f.Add(`{"a":[{"anything-but":["x"]}]}`, `{"a":{"b":null}}`)
	f.Fuzz(func(t *testing.T, pattern, record string) {
		all, err := parseFilters([]string{pattern})
		if err != nil || !json.Valid([]byte(record)) {
			return
		}
		if _, err := all.pass(json.RawMessage(record)); err != nil {
			t.Errorf("valid JSON cannot be judged: %v", err)
		}
	})
}
