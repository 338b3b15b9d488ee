package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layered are the rooms whose files know each other in one direction only: a file of
// what is above uses those below it.
var layered = []string{"internal/app", "internal/capture", "internal/cli", "internal/doctor", "internal/repl"}

// TestFilesFormNoCircle goes by names: a file uses another if it has a name that is
// declared there and nowhere else. Types that everybody has, with their fields, are
// declared at the bottom.
func TestFilesFormNoCircle(t *testing.T) {
	for _, room := range layered {
		uses := fileUses(t, filepath.Join(root, room))
		for len(uses) > 0 { // a file that uses no other is done
			done := slices.DeleteFunc(slices.Sorted(maps.Keys(uses)), func(file string) bool { return len(uses[file]) > 0 })
			if len(done) == 0 {
				t.Errorf("%s: files that use each other in a circle, or such files: %v", room, uses)
				break
			}
			for _, file := range done {
				delete(uses, file)
				for _, of := range uses {
					delete(of, file)
				}
			}
		}
	}
}

// fileUses gives, for each file of a folder, what other files it uses, and for what.
func fileUses(t *testing.T, dir string) map[string]map[string]string {
	t.Helper()
	set := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]*ast.File)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = file
	}
	home := make(map[string]string) // of a name; empty: it has several
	for name, file := range files {
		for _, declared := range declaredIn(file) {
			if other, twice := home[declared]; twice && other != name {
				home[declared] = ""
				continue
			}
			home[declared] = name
		}
	}
	uses := make(map[string]map[string]string)
	for name, file := range files {
		uses[name] = usedBy(file, name, home)
	}
	return uses
}

// declaredIn gives the names of functions, types, variables and constants, and of
// unexported methods with a dot before them. The name of a field, too, is one with a
// dot, so that a method of that name is told from none.
func declaredIn(file *ast.File) (names []string) {
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			switch {
			case d.Recv == nil:
				names = append(names, d.Name.Name)
			case !d.Name.IsExported():
				names = append(names, "."+d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				names = append(names, specNames(spec)...)
			}
		}
	}
	return names
}

func specNames(spec ast.Spec) (names []string) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		return []string{s.Name.Name}
	case *ast.ValueSpec:
		for _, n := range s.Names {
			names = append(names, n.Name)
		}
	}
	return names
}

// usedBy gives the files that a file uses, each with a name of it. The parser has
// found what is declared in the file itself.
func usedBy(file *ast.File, name string, home map[string]string) map[string]string {
	imported, fields := importNames(file), make(map[string]bool)
	used := make(map[string]string)
	note := func(n string) {
		if of := home[n]; of != "" && of != name && !fields[n] {
			used[of] = n
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, f := range n.Names {
				fields["."+f.Name] = true
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok {
				fields["key "+key.Name] = true
			}
		}
		return true
	})
	for _, ident := range file.Unresolved {
		if !fields["key "+ident.Name] {
			note(ident.Name)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); !ok || imported[x.Name] == "" {
				note("." + s.Sel.Name)
			}
		}
		return true
	})
	return used
}
