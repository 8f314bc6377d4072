// Package document handles the JSON objects that clients store: it decodes
// them strictly, merges and copies them, reads dotted paths and writes them
// canonically. Numbers keep the text that the client sent.
package document

import (
	"maps"
	"strings"
)

// Object is one JSON object. Its values are nil, bool, string, json.Number,
// []any and Object's own underlying map[string]any: nothing else.
type Object = map[string]any

// Copy returns a deep copy of obj.
func Copy(obj Object) Object { return CopyValue(obj).(Object) }

// CopyValue returns a deep copy of a value of an Object.
func CopyValue(v any) any {
	switch v := v.(type) {
	case Object:
		out := make(Object, len(v))
		for k, member := range v {
			out[k] = CopyValue(member)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = CopyValue(element)
		}
		return out
	default:
		return v
	}
}

// Merge applies patch to a copy of base as Kazoo's PATCH does: objects merge,
// null removes, an empty object clears what was there, and anything else,
// lists included, replaces.
func Merge(base, patch Object) Object {
	out := Copy(base)
	merge(out, patch)
	return out
}

func merge(into, patch Object) {
	for key, change := range patch {
		switch change := change.(type) {
		case nil:
			delete(into, key)
		case Object:
			old, ok := into[key].(Object)
			if !ok || len(change) == 0 {
				old = Object{}
				into[key] = old
			}
			merge(old, change)
		default:
			into[key] = CopyValue(change)
		}
	}
}

// Public returns a shallow copy of obj without its private root keys: those
// that start with "_" or "pvt_" (crossbar cb_context, private fields).
func Public(obj Object) Object {
	out := maps.Clone(obj)
	for key := range out {
		if strings.HasPrefix(key, "_") || strings.HasPrefix(key, "pvt_") {
			delete(out, key)
		}
	}
	return out
}

// At returns the value at path, and whether it is there.
func At(obj Object, path ...string) (any, bool) {
	var v any = obj
	for _, key := range path {
		member, ok := v.(Object)
		if !ok {
			return nil, false
		}
		if v, ok = member[key]; !ok {
			return nil, false
		}
	}
	return v, true
}

// Text returns the string at path, or "" if there is none.
func Text(obj Object, path ...string) string {
	v, _ := At(obj, path...)
	s, _ := v.(string)
	return s
}

// Flag returns the boolean at path, or otherwise if there is none.
func Flag(obj Object, otherwise bool, path ...string) bool {
	v, _ := At(obj, path...)
	if b, ok := v.(bool); ok {
		return b
	}
	return otherwise
}

// Put sets the value at path, which has at least one key, making the objects on
// the way. It overwrites whatever on the way is no object.
func Put(obj Object, value any, path ...string) {
	for _, key := range path[:len(path)-1] {
		next, ok := obj[key].(Object)
		if !ok {
			next = Object{}
			obj[key] = next
		}
		obj = next
	}
	obj[path[len(path)-1]] = value
}

// Remove deletes the value at path, which has at least one key, if it is there.
func Remove(obj Object, path ...string) {
	parent, ok := At(obj, path[:len(path)-1]...)
	if members, isObject := parent.(Object); ok && isObject {
		delete(members, path[len(path)-1])
	}
}
