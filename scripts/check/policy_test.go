package check

import (
	"go/ast"
	"slices"
	"strings"
	"testing"

	"github.com/dialplane/dialplane/scripts/policy"
	"go.yaml.in/yaml/v3"
)

// under returns what stands under the key of that name anywhere below node.
func under(node *yaml.Node, name string) []*yaml.Node {
	var found []*yaml.Node
	if node == nil {
		return nil
	}
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 1 && node.Content[i-1].Value == name {
			found = append(found, child)
		}
		found = append(found, under(child, name)...)
	}
	return found
}

// scalars returns the texts in node.
func scalars(node *yaml.Node) []string {
	if node.Kind == yaml.ScalarNode {
		return []string{node.Value}
	}
	var all []string
	for _, child := range node.Content {
		all = append(all, scalars(child)...)
	}
	return all
}

func TestNoPermissionIsAWildcard(t *testing.T) {
	t.Parallel()
	actions := 0
	for _, r := range theTemplate(t).Resources {
		for _, key := range []string{"Action", "Resource", "NotAction", "NotResource"} {
			for _, node := range under(r.Properties, key) {
				for _, text := range scalars(node) {
					actions++
					if strings.Contains(text, "*") {
						t.Errorf("template.yaml:%d: %s has the %s %q", node.Line, r.ID, key, text)
					}
				}
			}
		}
	}
	if actions == 0 {
		t.Error("the template grants nothing: this test looks at the wrong place")
	}
}

func statementsOf(t *testing.T) map[string][]policy.Statement {
	t.Helper()
	tmpl := theTemplate(t)
	all := map[string][]policy.Statement{}
	for _, f := range tmpl.Functions {
		statements, err := policy.OfFunction(tmpl, f)
		if err != nil {
			t.Fatal(err)
		}
		all[f.ID] = statements
	}
	for _, r := range tmpl.Resources {
		if r.Type == "AWS::IAM::Role" {
			statements, err := policy.OfRole(tmpl, r)
			if err != nil {
				t.Fatal(err)
			}
			all[r.ID] = statements
		}
	}
	return all
}

func TestStatementsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	for id, statements := range statementsOf(t) {
		seen := map[string]bool{}
		for _, s := range statements {
			if seen[s.Sid] {
				t.Errorf("template.yaml:%d: %s has two statements %s", s.Line, id, s.Sid)
			}
			seen[s.Sid] = true
		}
	}
}

// Who reads the signing key can make every token.
func TestOnlyIssuersOfTokensReachTheSigningKey(t *testing.T) {
	t.Parallel()
	const table = "${SecretsTable.Arn}"
	issuers := []string{"AuthUserFunction", "AuthApiFunction"}
	for id, statements := range statementsOf(t) {
		for _, s := range statements {
			if slices.Contains(s.Resources, table) && !slices.Contains(issuers, id) {
				t.Errorf("template.yaml:%d: %s may use the table of secrets", s.Line, id)
			}
		}
	}
	for _, f := range theTemplate(t).Functions {
		_, named := f.Environment["SECRETS_TABLE"]
		if named != slices.Contains(issuers, f.ID) {
			t.Errorf("%s: SECRETS_TABLE set is %v", f.ID, named)
		}
	}
}

// The edge must not read documents: they hold passwords.
func TestEdgeReadsNoDocuments(t *testing.T) {
	t.Parallel()
	statements := statementsOf(t)["EdgeRole"]
	for _, key := range []string{"ACCOUNT#a", "APIKEY#a", "TOKENKEY#a", "REALM#a", "NAME#a"} {
		for _, action := range []string{"GetItem", "BatchGetItem", "Query", "Scan", "UpdateItem", "PutItem", "DeleteItem"} {
			for _, s := range statements {
				if s.Allows(policy.Request{Action: "dynamodb:" + action, Resource: "${CoreTable.Arn}", LeadingKeys: []string{key}}) {
					t.Errorf("template.yaml:%d: the edge may %s %s", s.Line, action, key)
				}
			}
		}
	}
	get := policy.Request{Action: "dynamodb:GetItem", Resource: "${CoreTable.Arn}", LeadingKeys: []string{"SIP#realm#user"}}
	if !slices.ContainsFunc(statements, func(s policy.Statement) bool { return s.Allows(get) }) {
		t.Error("the edge may not read SIP credentials: this test looks at the wrong place")
	}
}

// tableCalls are the functions of shared/table that open a table, with what
// the template must give to the function that calls them.
var tableCalls = map[string]string{
	"MustOpenCore": "${CoreTable.Arn}", "MustOpenRegistrations": "${RegistrationsTable.Arn}", "MustOpenSecrets": "${SecretsTable.Arn}",
}

func TestFunctionsMayUseTheTablesTheyOpenAndNoOther(t *testing.T) {
	t.Parallel()
	opened := map[string]map[string]bool{}
	for _, file := range allSources(t) {
		name, ok := strings.CutPrefix(file.folder, "functions/")
		if !ok || file.test {
			continue
		}
		ast.Inspect(file.syntax, func(node ast.Node) bool {
			if call, ok := node.(*ast.SelectorExpr); ok && tableCalls[call.Sel.Name] != "" {
				if opened[name] == nil {
					opened[name] = map[string]bool{}
				}
				opened[name][tableCalls[call.Sel.Name]] = true
			}
			return true
		})
	}
	granted := statementsOf(t)
	for _, f := range theTemplate(t).Functions {
		for _, table := range tableCalls {
			may := slices.ContainsFunc(granted[f.ID], func(s policy.Statement) bool {
				return slices.ContainsFunc(s.Resources, func(r string) bool { return r == table || strings.HasPrefix(r, table+"/") })
			})
			if may != opened[f.Name()][table] {
				t.Errorf("%s: it may use %s: %v; its code opens it: %v", f.ID, table, may, opened[f.Name()][table])
			}
		}
	}
}
