package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// forTests are the folders whose code only tests use, and who call what they declare.
var forTests = []string{
	"internal/vmtest/...", "internal/source/sourcetest/...", "internal/condition/conditiontest/...", "internal/perf/perftest/...",
}

// byInterface are methods that others call: the standard library, pflag, the library of screens.
var byInterface = []string{"Error", "Init", "MarshalText", "Type"}

// TestNoCodeForTestsOnly: what only tests call belongs to the tests. The public packages
// have callers elsewhere.
func TestNoCodeForTestsOnly(t *testing.T) {
	declared, used := map[string]string{}, map[string]bool{}
	eachFile(t, forTests, func(t *testing.T, name, text string) []string {
		d, u := functions(t, name, text)
		for _, id := range u {
			used[id] = true
		}
		if strings.HasPrefix(name, "internal/") {
			for id, at := range d {
				declared[id] = at
			}
		}
		return nil
	})
	for id, at := range declared {
		if !used[id] && !slices.Contains(byInterface, id) {
			t.Errorf("%s: only tests use %s: move it to them", at, id)
		}
	}
}

// TestFunctions: a declaration is no use.
func TestFunctions(t *testing.T) {
	declared, used := functions(t, "x.go", "package x\n\nfunc A() { b() }\n\nfunc (t) C() {}\n\nfunc b() {}\n")
	if len(declared) != 2 || declared["A"] == "" || declared["C"] == "" {
		t.Errorf("declared: %v", declared)
	}
	if slices.Contains(used, "A") || slices.Contains(used, "C") || !slices.Contains(used, "b") {
		t.Errorf("used: %q", used)
	}
}

// functions returns the exported functions and methods that a file declares, by name, and the
// identifiers that it uses.
func functions(t *testing.T, name, text string) (declared map[string]string, used []string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	declared = make(map[string]string)
	names := make(map[*ast.Ident]bool)
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			names[f.Name] = true
			if f.Name.IsExported() {
				declared[f.Name.Name] = set.Position(f.Pos()).String()
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && !names[id] {
			used = append(used, id.Name)
		}
		return true
	})
	return declared, used
}
