package document

import (
	"reflect"
	"slices"
	"strings"
)

// Changed returns the dotted paths at which old and new differ, sorted. A list
// counts as one value; a whole object that came or went counts as its members.
// A dot inside a key is written %2E.
func Changed(old, new Object) []string {
	var paths []string
	changed(&paths, "", old, new)
	slices.Sort(paths)
	return paths
}

func changed(paths *[]string, prefix string, old, new Object) {
	for key, before := range old {
		after, still := new[key]
		compare(paths, prefix+strings.ReplaceAll(key, ".", "%2E"), before, after, still)
	}
	for key, after := range new {
		if _, had := old[key]; !had {
			compare(paths, prefix+strings.ReplaceAll(key, ".", "%2E"), nil, after, false)
		}
	}
}

// compare adds path, or the paths below it, if before and after differ. both
// tells that either is there.
func compare(paths *[]string, path string, before, after any, both bool) {
	was, wasObject := before.(Object)
	is, isObject := after.(Object)
	switch {
	case wasObject && isObject, wasObject && !both && len(was) > 0, isObject && !both && len(is) > 0:
		changed(paths, path+".", was, is)
	case !both || !reflect.DeepEqual(before, after):
		*paths = append(*paths, path)
	}
}
