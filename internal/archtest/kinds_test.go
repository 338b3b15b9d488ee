package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// eventPath is the package whose kinds every switch has to name.
const eventPath = module + "/internal/event"

// TestSwitchesOverKinds: a switch over event.Kind names every kind, so that a new
// kind is nowhere taken for a drop or a loss by a default.
func TestSwitchesOverKinds(t *testing.T) {
	kinds := kindsOf(t, parse(t, filepath.Join(root, "internal/event/event.go")))
	switches := 0
	err := filepath.WalkDir(filepath.Join(root, "internal"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		problems, n := checkKinds(parse(t, path), kinds, filepath.Base(filepath.Dir(path)) == "event")
		for _, p := range problems {
			t.Errorf("%s: %s", path, p)
		}
		switches += n
		return nil
	})
	if err != nil || len(kinds) < 5 || switches < 5 {
		t.Errorf("%d kinds %q and %d switches found: %v", len(kinds), kinds, switches, err)
	}
}

func parse(t *testing.T, path string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// kindsOf are the constants of type Kind in a file.
func kindsOf(t *testing.T, f *ast.File) (kinds []string) {
	t.Helper()
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		if id, ok := g.Specs[0].(*ast.ValueSpec).Type.(*ast.Ident); !ok || id.Name != "Kind" {
			continue
		}
		for _, s := range g.Specs {
			kinds = append(kinds, s.(*ast.ValueSpec).Names[0].Name)
		}
	}
	return kinds
}

// checkKinds finds the switches over kinds of a file, in package event itself if
// inside, and those that lack a kind or compare kinds case by case.
func checkKinds(f *ast.File, kinds []string, inside bool) (problems []string, switches int) {
	names := importNames(f)
	kindOf := func(e ast.Expr) string {
		if id, ok := e.(*ast.Ident); ok && inside && slices.Contains(kinds, id.Name) {
			return id.Name
		}
		sel, ok := e.(*ast.SelectorExpr)
		if !ok {
			return ""
		}
		if x, ok := sel.X.(*ast.Ident); ok && names[x.Name] == eventPath && slices.Contains(kinds, sel.Sel.Name) {
			return sel.Sel.Name
		}
		return ""
	}
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.SwitchStmt)
		if !ok {
			return true
		}
		named, compared := kindsIn(s, kindOf)
		if s.Tag == nil && compared {
			problems = append(problems, "a switch without a tag compares kinds: use switch e.Kind")
		}
		if s.Tag == nil || len(named) == 0 {
			return true
		}
		switches++
		for _, k := range kinds {
			if !slices.Contains(named, k) {
				problems = append(problems, fmt.Sprintf("a switch over kinds does not name %s", k))
			}
		}
		return true
	})
	return problems, switches
}

// kindsIn are the kinds that are cases of a switch, and whether a case compares
// with one.
func kindsIn(s *ast.SwitchStmt, kindOf func(ast.Expr) string) (named []string, compared bool) {
	for _, c := range s.Body.List {
		for _, e := range c.(*ast.CaseClause).List {
			if k := kindOf(e); k != "" {
				named = append(named, k)
			}
			ast.Inspect(e, func(n ast.Node) bool {
				b, ok := n.(*ast.BinaryExpr)
				compared = compared || ok && (b.Op == token.EQL || b.Op == token.NEQ) && kindOf(b.Y) != ""
				return true
			})
		}
	}
	return named, compared
}

func TestChecksOfKinds(t *testing.T) {
	kinds := []string{"Drop", "Loss"}
	for text, want := range map[string]int{
		"switch e.Kind { case event.Drop: case event.Loss: }":         0,
		"switch e.Kind { case event.Drop, event.Loss: default: }":     0,
		"switch e.Kind { case event.Drop: default: }":                 1,
		"switch { case e.Kind == event.Loss && true: }":               1,
		"switch { case other.Kind == event.AtSocket: case e.Count: }": 0,
		"switch e.Place { case event.AtSocket: }":                     0,
		"switch e.Kind { case other.Drop: }":                          0,
	} {
		source := "package p\nimport (\"dropwatch/internal/event\"; \"other\")\nfunc f() {" + text + "}"
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := checkKinds(f, kinds, false); len(got) != want {
			t.Errorf("%s: %q, want %d problems", text, got, want)
		}
	}
}
