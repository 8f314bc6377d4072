package schema

import (
	"embed"
	"fmt"
	"strings"

	"github.com/xeipuuv/gojsonschema"

	"github.com/dialplane/dialplane/shared/document"
)

// base starts the ids of the shared definitions. Names under .invalid never
// resolve (RFC 6761 section 6.4), so no mistake can turn an id into a request.
const base = "https://schemas.dialplane.invalid/"

//go:embed defs/*.json
var defFiles embed.FS

// definitions are the shared definitions that one schema refers to, by id.
// gojsonschema asks its loader factory for every $ref that it meets; being
// that factory, definitions hands out embedded files and refuses the rest,
// which gojsonschema would otherwise fetch without a word.
type definitions map[string]any

// load returns the decoded definition with the given id.
func (d definitions) load(id string) (any, error) {
	if doc, ok := d[id]; ok {
		return doc, nil
	}
	name, ours := strings.CutPrefix(id, base)
	text, err := defFiles.ReadFile("defs/" + name)
	if !ours || err != nil {
		return nil, fmt.Errorf("$ref to %q, which is no shared definition", id)
	}
	doc, err := document.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", name, err)
	}
	d[id] = doc
	return doc, nil
}

// New returns a loader for the schema with the given id.
func (d definitions) New(id string) gojsonschema.JSONLoader {
	doc, err := d.load(id)
	return defLoader{JSONLoader: gojsonschema.NewRawLoader(doc), doc: doc, err: err}
}

// defLoader loads a shared definition, or fails.
type defLoader struct {
	gojsonschema.JSONLoader
	doc any
	err error
}

// LoadJSON returns the definition.
func (l defLoader) LoadJSON() (any, error) { return l.doc, l.err }

// rootLoader loads a function's schema, whose references defs resolves.
type rootLoader struct {
	gojsonschema.JSONLoader
	defs definitions
}

// LoaderFactory returns what resolves references.
func (l rootLoader) LoaderFactory() gojsonschema.JSONLoaderFactory { return l.defs }
