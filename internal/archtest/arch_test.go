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

// theProcess is what only main may use: code that ends the process elsewhere skips the
// clean-up, and code that writes to its streams cannot be tested and prints between
// other lines.
var theProcess = map[string][]string{
	"os":  {"Exit", "Stdin", "Stdout", "Stderr"},
	"fmt": {"Print", "Printf", "Println"},
}

// mayTouch are the folders of main and of what runs instead of it in tests.
var mayTouch = []string{"cmd/...", "internal/vmtest/..."}

func TestOnlyMainTouchesTheProcess(t *testing.T) { eachFile(t, mayTouch, touches) }

// mayRead are the folders that may read /proc and /sys: the one room for it, a public
// package that stands alone, and what runs only in tests.
var mayRead = []string{"internal/host/...", "kallsyms/...", "internal/vmtest/...", "internal/source/sourcetest/..."}

func TestOnlyHostReadsTheHost(t *testing.T) { eachFile(t, mayRead, reads) }

// reads finds where a file calls a function of os with a path of /proc or /sys.
func reads(t *testing.T, name, text string) (found []string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	names := importNames(file)
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && names[x.Name] == "os" && slices.ContainsFunc(call.Args, ofTheHost) {
			found = append(found, set.Position(n.Pos()).String()+": internal/host reads /proc and /sys, with limits and without blocking")
		}
		return true
	})
	return found
}

// ofTheHost reports whether an expression begins with a path of /proc or /sys.
func ofTheHost(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		return ofTheHost(e.X)
	case *ast.BasicLit:
		return strings.HasPrefix(e.Value, `"/proc`) || strings.HasPrefix(e.Value, `"/sys`)
	}
	return false
}

// eachFile reports what find finds in the code of all folders but those that may have
// it. Tests may have it, too.
func eachFile(t *testing.T, may []string, find func(t *testing.T, name, text string) []string) {
	t.Helper()
	eachGoFile(t, func(t *testing.T, name, text string) []string {
		if strings.HasSuffix(name, "_test.go") || matchAny(may, name) {
			return nil
		}
		return find(t, name, text)
	})
}

// eachGoFile reports what find finds in all files of the repository, tests included. A
// name is below the root. As the files are read here, the go command runs this test
// again when one of them changes, although no package of theirs is imported.
func eachGoFile(t *testing.T, find func(t *testing.T, name, text string) []string) {
	t.Helper()
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
		text, err := os.ReadFile(path)
		files++
		for _, p := range find(t, rel, string(text)) {
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
