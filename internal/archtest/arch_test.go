package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestImports(t *testing.T) {
	c := checker{rooms: rooms, libraries: libraries, testRooms: testRooms}
	for _, goos := range []string{"linux", "darwin"} {
		c.check(list(t, goos))
	}
	c.stale()
	for _, p := range c.problems {
		t.Error(p)
	}
}

// theProcess is what only main may touch: whoever else ends the process skips
// what is to be cleaned up, and whoever else writes to its streams cannot be
// tested, and prints between other lines.
var theProcess = map[string][]string{
	"os":  {"Exit", "Stdin", "Stdout", "Stderr"},
	"fmt": {"Print", "Printf", "Println"},
}

// mayTouch are the folders of main and of what runs instead of it in tests.
var mayTouch = []string{"cmd/...", "internal/vmtest/..."}

func TestOnlyMainTouchesTheProcess(t *testing.T) {
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		switch rel = filepath.ToSlash(rel); {
		case d.IsDir() && (rel == "bin" || rel != "." && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(rel, ".go"):
			return nil
		}
		// Tests are read, too: what a test has read, the go command knows it by
		// when it decides whether a result is still good, that of TestImports.
		text, err := os.ReadFile(path)
		if strings.HasSuffix(rel, "_test.go") || matchAny(mayTouch, rel) {
			return err
		}
		files++
		for _, p := range touches(t, rel, string(text)) {
			t.Error(p)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files read: %v", files, err)
	}
}

// touches finds where a file uses what is in theProcess.
func touches(t *testing.T, name, text string) (found []string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	names := importNames(file)
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(theProcess[names[x.Name]], sel.Sel.Name) {
			found = append(found, set.Position(n.Pos()).String()+": "+names[x.Name]+"."+sel.Sel.Name+" is for cmd alone")
		}
		return true
	})
	return found
}

// importNames maps the names by which a file knows packages to their paths.
func importNames(file *ast.File) map[string]string {
	names := make(map[string]string)
	for _, spec := range file.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		name := path[strings.LastIndexByte(path, '/')+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = path
	}
	return names
}

// atTheTop is all that may lie at the top of the repository, besides files
// whose names begin with a dot and what git ignores.
var atTheTop = []string{
	"cmd", "internal", "kallsyms", "netlink", "testdata",
	"go.mod", "go.sum", "Makefile", "README.md", "LICENSE",
}

var ignored = []string{".*", "bin", "*.test", "*.prof"}

func TestTopOfTheRepository(t *testing.T) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	for _, name := range strangers(names) {
		t.Errorf("%s lies at the top of the repository: find it a room", name)
	}
}

func strangers(names []string) (found []string) {
	for _, name := range names {
		if !slices.Contains(atTheTop, name) && !matchAny(ignored, name) {
			found = append(found, name)
		}
	}
	return found
}
