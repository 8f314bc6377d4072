package check

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// Bounds on files, in lines.
const (
	maxFile = 400
	maxTest = 600 // of tests, whose tables are long
	maxMain = 120 // of a function: route, wiring and handler
)

func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	for _, file := range allSources(t) {
		limit := maxFile
		if strings.HasSuffix(file.path, "_test.go") {
			limit = maxTest
		}
		if within(file.folder, []string{"functions/..."}) && path.Base(file.path) == "main.go" {
			limit = maxMain
		}
		if file.lines >= limit {
			t.Errorf("%s has %d lines, want fewer than %d", file.path, file.lines, limit)
		}
	}
}

func TestEveryPackageHasOneComment(t *testing.T) {
	t.Parallel()
	type pkg struct{ folder, name string }
	comments := map[pkg][]string{}
	for _, file := range allSources(t) {
		if strings.HasSuffix(file.path, "_test.go") {
			continue
		}
		of := pkg{file.folder, file.syntax.Name.Name}
		comments[of] = append(comments[of], file.syntax.Doc.Text()) // "" if there is none
	}
	for of, texts := range comments {
		want := "Package " + of.name + " "
		if of.name == "main" {
			want = "Command " + path.Base(of.folder) + " "
		}
		found := 0
		for _, text := range texts {
			if text == "" {
				continue
			}
			found++
			if !strings.HasPrefix(text, want) {
				t.Errorf("%s: its package comment must start with %q: %q", of.folder, want, firstLine(text))
			}
		}
		if found != 1 {
			t.Errorf("%s: package %s has %d package comments, want 1", of.folder, of.name, found)
		}
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func TestExportedIdentifiersAreDocumented(t *testing.T) {
	t.Parallel()
	for _, file := range allSources(t) {
		if strings.HasSuffix(file.path, "_test.go") {
			continue
		}
		for _, declaration := range file.syntax.Decls {
			for _, name := range undocumented(declaration) {
				t.Errorf("%s: %s has no comment", positions.Position(name.Pos()), name.Name)
			}
		}
	}
}

// undocumented returns the exported names of a declaration that no comment
// stands above or, for one of a group, beside.
func undocumented(declaration ast.Decl) []*ast.Ident {
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		var names []*ast.Ident
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
					names = append(names, s.Name)
				}
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						names = append(names, name)
					}
				}
			}
		}
		return names
	}
	return nil
}

// exportedReceiver reports whether f is no method, or one of an exported type.
func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	on := f.Recv.List[0].Type
	if pointer, ok := on.(*ast.StarExpr); ok {
		on = pointer.X
	}
	if generic, ok := on.(*ast.IndexExpr); ok {
		on = generic.X
	}
	name, ok := on.(*ast.Ident)
	return !ok || name.IsExported()
}

// machinePath is a path of somebody's own machine.
var machinePath = regexp.MustCompile(`(^|[\s"'` + "`" + `(=:])/(work|root|home/[a-z]+|Users/[A-Za-z]+)/`)

func TestNoFileNamesPathsOfOneMachine(t *testing.T) {
	t.Parallel()
	for _, name := range allFiles(t) {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(text) {
			continue // a sample of untrusted bytes
		}
		for number, line := range strings.Split(string(text), "\n") {
			if machinePath.MatchString(line) {
				t.Errorf("%s:%d names a path of one machine: %s", name, number+1, strings.TrimSpace(line))
			}
		}
	}
}

func TestMachinePathIsRecognised(t *testing.T) {
	t.Parallel()
	if made := `see "` + path.Join("/", "home", "ann", "x") + `"`; !machinePath.MatchString(made) {
		t.Errorf("%s is not recognised", made)
	}
	if machinePath.MatchString("go run ./scripts/root/home and /accounts/work/") {
		t.Error("a relative path is taken for one of a machine")
	}
}
