package check

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// importRule says which packages may not import what. Paths are relative to
// the module where they are ours; one that ends in "/..." includes what is
// below it.
type importRule struct {
	forbidden []string
	from      []string // where the rule holds; empty: everywhere
	except    []string // where it does not
	tests     bool     // it holds for tests and what helps them, too
	why       string
}

var importRules = []importRule{
	{forbidden: []string{"sip-edge/..."}, except: []string{"sip-edge/..."}, tests: true,
		why: "a function lives for milliseconds and cannot hold a phone's flow"},
	{forbidden: []string{"functions/..."}, tests: true,
		why: "what two of them need belongs in a package of shared/"},
	{forbidden: []string{"scripts/..."}, except: []string{"scripts/..."},
		why: "what is deployed must not depend on the tools of the developer"},
	{forbidden: []string{"shared/endpoint", "shared/schema", "shared/listing", "shared/auth"}, from: []string{"sip-edge/..."},
		why: "the edge speaks SIP, not HTTP, and knows credentials, not documents"},
	{forbidden: []string{"github.com/aws/...", "net/http", "log/slog"}, from: domain,
		why: "the rules of the domain hold whatever stores, transports and logs them"},
	{forbidden: []string{"github.com/awslabs/aws-lambda-go-api-proxy/..."}, except: []string{"shared/endpoint/..."}, tests: true,
		why: "one place turns events of API Gateway into requests"},
	{forbidden: []string{"github.com/xeipuuv/gojsonschema"}, except: []string{"shared/schema"}, tests: true,
		why: "it reads only the first JSON value and fetches unknown references; shared/schema guards both"},
	{forbidden: []string{"github.com/golang-jwt/jwt/..."}, except: []string{"shared/auth"},
		why: "one place decides which tokens hold"},
	{forbidden: []string{"github.com/emiago/sipgo/..."}, except: []string{"sip-edge/..."},
		why: "only the edge speaks SIP"},
	{forbidden: []string{"github.com/aws/aws-sdk-go-v2/service/dynamodb/..."},
		except: []string{"shared/table", "sip-edge/internal/changes", "scripts/..."},
		why:    "every key and every condition is in shared/table"},
	{forbidden: []string{"go.yaml.in/yaml/..."}, except: []string{"scripts/..."}, tests: true,
		why: "only the template is YAML"},
}

// domain are the packages that hold rules and no plumbing.
var domain = []string{"shared/account", "shared/auth", "shared/command", "shared/credential", "shared/device",
	"shared/document", "shared/fault", "shared/ident", "shared/listing", "shared/registration", "shared/user"}

func TestForbiddenImports(t *testing.T) {
	t.Parallel()
	for _, file := range allSources(t) {
		for _, imported := range file.imports() {
			ours := strings.TrimPrefix(imported, module+"/")
			for _, rule := range importRules {
				if rule.breaks(file, ours) {
					t.Errorf("%s imports %s: %s", file.path, ours, rule.why)
				}
			}
		}
	}
}

func TestDeployedCodeDoesNotCarryItsTests(t *testing.T) {
	t.Parallel()
	for _, file := range allSources(t) {
		for _, imported := range file.imports() {
			if !file.test && (imported == "testing" || strings.HasPrefix(imported, module) && helpsTests(imported)) {
				t.Errorf("%s imports %s", file.path, imported)
			}
		}
	}
}

func (r importRule) breaks(file source, imported string) bool {
	return (!file.test || r.tests) && within(imported, r.forbidden) &&
		(len(r.from) == 0 || within(file.folder, r.from)) && !within(file.folder, r.except)
}

// within reports whether a path is one of the patterns.
func within(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		above, tree := strings.CutSuffix(pattern, "/...")
		return name == pattern || tree && (name == above || strings.HasPrefix(name, above+"/"))
	})
}

// A rule about a package that is gone guards nothing.
func TestImportRulesNameWhatExists(t *testing.T) {
	t.Parallel()
	folders := map[string]bool{}
	for _, file := range allSources(t) {
		for dir := file.folder; dir != "."; dir = path.Dir(dir) {
			folders[dir] = true
		}
	}
	for _, rule := range importRules {
		for _, pattern := range slices.Concat(rule.forbidden, rule.from, rule.except) {
			name := strings.TrimSuffix(pattern, "/...")
			if ours := within(name, []string{"functions/...", "shared/...", "sip-edge/...", "scripts/..."}); ours && !folders[name] {
				t.Errorf("an import rule names %s, which does not exist", pattern)
			}
		}
	}
}
