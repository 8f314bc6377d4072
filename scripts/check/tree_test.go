package check

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/dialplane/dialplane/scripts/template"
)

const (
	root   = "../.."
	module = "github.com/dialplane/dialplane"
)

// notOurs are folders that building and running make; .gitignore names them.
var notOurs = map[string]bool{".git": true, ".build": true, ".local": true, ".tools": true, ".venv": true, ".aws-sam": true}

// files returns the paths of all files of the tree, with slashes, relative to
// its root.
var files = sync.OnceValues(func() ([]string, error) {
	var found []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && notOurs[name] {
			return fs.SkipDir
		}
		if err == nil && entry.Type().IsRegular() {
			found = append(found, name)
		}
		return err
	})
	return found, err
})

func allFiles(t *testing.T) []string {
	t.Helper()
	found, err := files()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// source is one Go file.
type source struct {
	path   string // relative to the root
	folder string
	test   bool // a test, or in a package that helps tests
	lines  int
	syntax *ast.File
}

func (s source) imports() []string {
	var paths []string
	for _, spec := range s.syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err) // the parser has read it
		}
		paths = append(paths, imported)
	}
	return paths
}

var positions = token.NewFileSet()

var sources = sync.OnceValues(func() ([]source, error) {
	names, err := files()
	if err != nil {
		return nil, err
	}
	var parsed []source
	for _, name := range names {
		if path.Ext(name) != ".go" || strings.Contains(name, "/testdata/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, err
		}
		syntax, err := parser.ParseFile(positions, name, text, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		folder := path.Dir(name)
		parsed = append(parsed, source{path: name, folder: folder, test: strings.HasSuffix(name, "_test.go") || helpsTests(folder),
			lines: strings.Count(string(text), "\n"), syntax: syntax})
	}
	return parsed, nil
})

func allSources(t *testing.T) []source {
	t.Helper()
	parsed, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// helpsTests reports whether a package is for tests alone: its name ends in
// "test", as that of httptest does.
func helpsTests(folder string) bool { return strings.HasSuffix(folder, "test") }

var loadTemplate = sync.OnceValues(func() (*template.Template, error) {
	return template.Load(filepath.Join(root, "template.yaml"))
})

func theTemplate(t *testing.T) *template.Template {
	t.Helper()
	loaded, err := loadTemplate()
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
