package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// root is where the module begins, and module its path.
const root, module = "../..", "dropwatch"

// A pkg is a package of this module as `go list -json` tells it.
type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// name is the package's path below the module's.
func (p *pkg) name() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

// list asks the go command for all packages that are built for an operating
// system.
func list(t *testing.T, goos string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list for %s: %v\n%s", goos, err, stderr.String())
	}
	var pkgs []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs
		}
		if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// match tells whether name fits a pattern of path.Match, or is what comes
// before "/..." or lies below it.
func match(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == prefix || strings.HasPrefix(name, prefix+"/")
	}
	ok, _ := path.Match(pattern, name)
	return ok
}

func matchAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, name) })
}

// A checker holds the rules, and what it has met of them.
type checker struct {
	rooms     []room
	libraries []library
	testRooms []string

	used     map[string]bool // patterns of rules that something fitted
	problems []string
}

func (c *checker) problem(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(c.problems, text) {
		c.problems = append(c.problems, text)
	}
}

// check holds packages against the rules.
func (c *checker) check(pkgs []pkg) {
	if c.used == nil {
		c.used = make(map[string]bool)
	}
	for i := range pkgs {
		p := &pkgs[i]
		r, ok := c.room(p.name())
		if !ok {
			continue
		}
		for _, imp := range p.Imports {
			c.imports(p, r, imp, false)
		}
		for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
			c.imports(p, r, imp, true)
		}
	}
}

// room finds the one room that a package is in.
func (c *checker) room(name string) (found room, ok bool) {
	for _, r := range c.rooms {
		if !match(r.pkgs, name) {
			continue
		}
		if ok {
			c.problem("%s is in two rooms, %s and %s", name, found.pkgs, r.pkgs)
		}
		c.used[r.pkgs] = true
		found, ok = r, true
	}
	if !ok {
		c.problem("%s is in no room: say in rooms what it may import, and why", name)
	}
	return found, ok
}

// imports holds one import against the rules.
func (c *checker) imports(p *pkg, r room, imp string, test bool) {
	own, ok := strings.CutPrefix(imp, module+"/")
	switch {
	case !ok:
		c.foreign(p, imp, test)
	case imp == p.ImportPath || matchAny(r.may, own):
	case test && matchAny(c.testRooms, own):
	default:
		c.problem("%s imports %s: %s", p.name(), own, r.reason)
	}
}

// foreign holds an import of another module against the rules.
func (c *checker) foreign(p *pkg, imp string, test bool) {
	for _, l := range c.libraries {
		if !match(l.imports, imp) {
			continue
		}
		c.used[l.imports] = true
		support := test || match("internal/vmtest/...", p.name())
		if !matchAny(l.by, p.name()) && !(l.tests && support) {
			c.problem("%s imports %s: %s", p.name(), imp, l.reason)
		}
		return
	}
	if host, _, _ := strings.Cut(imp, "/"); strings.Contains(host, ".") {
		c.problem("%s imports %s: say in libraries who may, and why", p.name(), imp)
	}
}

// stale finds the rules that nothing fits, and those that still promise what
// has come.
func (c *checker) stale() {
	for _, r := range c.rooms {
		c.fits("room", r.pkgs, r.future)
	}
	for _, l := range c.libraries {
		c.fits("library", l.imports, l.future)
	}
}

func (c *checker) fits(kind, pattern string, future bool) {
	switch used := c.used[pattern]; {
	case !used && !future:
		c.problem("the rule for %s %s fits nothing: remove it, or mark it as future", kind, pattern)
	case used && future:
		c.problem("the rule for %s %s is marked as future, but it is there", kind, pattern)
	}
}
