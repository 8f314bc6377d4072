package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// filter is an event pattern of a FilterCriteria ("Filter rule syntax" in the
// Lambda developer guide): an object mirrors the record, an array lists what a
// value may be. Fields are joined by and, the values of an array by or.
type filter struct {
	fields map[string]filter // of an object
	rules  []rule            // of an array
	anyOf  []filter          // "$or": one of them must match
}

// rule decides about one value; present is false if the record has none.
type rule func(value any, present bool) bool

// parseFilter reads a pattern. It fails for an operator that Lambda does not
// take for DynamoDB, such as numeric, or that it does not know.
func parseFilter(pattern string) (filter, error) {
	var raw any
	if err := json.Unmarshal([]byte(pattern), &raw); err != nil {
		return filter{}, fmt.Errorf("filter pattern: %w", err)
	}
	object, ok := raw.(map[string]any)
	if !ok {
		return filter{}, fmt.Errorf("filter pattern %s: it must be an object", pattern)
	}
	f, err := parseFields(object)
	if err != nil {
		return filter{}, fmt.Errorf("filter pattern %s: %w", pattern, err)
	}
	return f, nil
}

func parseFields(object map[string]any) (filter, error) {
	f := filter{fields: map[string]filter{}}
	for key, value := range object {
		switch v := value.(type) {
		case map[string]any:
			nested, err := parseFields(v)
			if err != nil {
				return filter{}, err
			}
			f.fields[key] = nested
		case []any:
			if err := f.addList(key, v); err != nil {
				return filter{}, err
			}
		default:
			return filter{}, fmt.Errorf("%s must be an object or an array", key)
		}
	}
	return f, nil
}

// addList reads the array under key: rules, or alternatives if key is "$or".
func (f *filter) addList(key string, list []any) error {
	if len(list) == 0 {
		return fmt.Errorf("%s is empty: nothing could match", key)
	}
	leaf := filter{}
	for _, item := range list {
		if key == "$or" {
			object, ok := item.(map[string]any)
			if !ok {
				return fmt.Errorf("$or must list objects")
			}
			alternative, err := parseFields(object)
			if err != nil {
				return err
			}
			f.anyOf = append(f.anyOf, alternative)
			continue
		}
		r, err := parseRule(item)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		leaf.rules = append(leaf.rules, r)
	}
	if key != "$or" {
		f.fields[key] = leaf
	}
	return nil
}

func parseRule(item any) (rule, error) {
	object, ok := item.(map[string]any)
	if !ok {
		if _, nested := item.([]any); nested {
			return nil, fmt.Errorf("an array in an array")
		}
		return equals(item), nil
	}
	if len(object) != 1 {
		return nil, fmt.Errorf("a rule has one operator")
	}
	for operator, operand := range object {
		return parseOperator(operator, operand)
	}
	return nil, nil // not reached: the object has one member
}

func parseOperator(operator string, operand any) (rule, error) {
	text, isText := operand.(string)
	switch operator {
	case "exists":
		want, ok := operand.(bool)
		if !ok {
			return nil, fmt.Errorf("exists takes true or false")
		}
		return func(_ any, present bool) bool { return present == want }, nil
	case "anything-but":
		return parseAnythingBut(operand)
	case "prefix", "suffix", "equals-ignore-case":
		if !isText {
			return nil, fmt.Errorf("%s takes a text", operator)
		}
		return textRule(operator, text), nil
	case "numeric":
		return nil, fmt.Errorf("numeric does not work on DynamoDB records, whose numbers are text")
	}
	return nil, fmt.Errorf("unknown operator %s", operator)
}

func textRule(operator, operand string) rule {
	return func(value any, present bool) bool {
		s, ok := value.(string)
		switch {
		case !ok || !present:
			return false
		case operator == "prefix":
			return strings.HasPrefix(s, operand)
		case operator == "suffix":
			return strings.HasSuffix(s, operand)
		default:
			return strings.EqualFold(s, operand)
		}
	}
}

// parseAnythingBut takes a value, a list of values, or one text rule.
func parseAnythingBut(operand any) (rule, error) {
	var none []rule
	switch v := operand.(type) {
	case []any:
		for _, item := range v {
			none = append(none, equals(item))
		}
	case map[string]any:
		r, err := parseRule(v)
		if err != nil {
			return nil, err
		}
		none = []rule{r}
	default:
		none = []rule{equals(v)}
	}
	return func(value any, present bool) bool {
		return present && !slices.ContainsFunc(none, func(r rule) bool { return r(value, true) })
	}, nil
}

// equals compares values of one JSON type; what is listed as an object or an
// array equals nothing.
func equals(want any) rule {
	return func(value any, present bool) bool {
		switch value.(type) {
		case map[string]any, []any:
			return false
		}
		switch want.(type) {
		case map[string]any, []any:
			return false
		}
		return present && value == want
	}
}

// matches reports whether a record, decoded from JSON, meets the pattern.
func (f filter) matches(value any, present bool) bool {
	if f.rules != nil {
		return f.matchesLeaf(value, present)
	}
	object, _ := value.(map[string]any)
	for key, nested := range f.fields {
		child, ok := object[key]
		if !nested.matches(child, ok) {
			return false
		}
	}
	return len(f.anyOf) == 0 || slices.ContainsFunc(f.anyOf, func(a filter) bool { return a.matches(value, present) })
}

// matchesLeaf applies the rules to a value, or to each element of an array.
// Rules see no objects: an inner node counts as absent.
func (f filter) matchesLeaf(value any, present bool) bool {
	values := []any{value}
	switch v := value.(type) {
	case []any:
		values, present = v, len(v) > 0
	case map[string]any:
		present = false
	}
	if !present {
		values = []any{nil}
	}
	return slices.ContainsFunc(f.rules, func(r rule) bool {
		return slices.ContainsFunc(values, func(v any) bool { return r(v, present) })
	})
}

// filters is the pattern list of one mapping.
type filters []filter

func parseFilters(patterns []string) (filters, error) {
	var all filters
	for _, pattern := range patterns {
		f, err := parseFilter(pattern)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// pass reports whether a record in Lambda's JSON is delivered: it meets one of
// the patterns, or there are none.
func (all filters) pass(record json.RawMessage) (bool, error) {
	if len(all) == 0 {
		return true, nil
	}
	var value any
	if err := json.Unmarshal(record, &value); err != nil {
		return false, fmt.Errorf("filter: %w", err)
	}
	return slices.ContainsFunc(all, func(f filter) bool { return f.matches(value, true) }), nil
}
