package vmtest

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	guestPrefix = "TestGuest"     // of the tests that run in a guest
	lastPrefix  = "TestGuestLast" // of those that change the kernel for good
)

// A guestPackage is a package with tests for the guests.
type guestPackage struct {
	path  string
	tests []string // the names of its TestGuest functions, sorted
}

var (
	testFunc = regexp.MustCompile(`(?m)^func (` + guestPrefix + `\w*)\(\w+ \*testing\.T\)`)
	mainCall = regexp.MustCompile(`\bvmtest\.Main\(m\)`)
)

// guestPackages finds the packages of a module that have TestGuest functions.
func guestPackages(module string) ([]guestPackage, error) {
	const files = "{{.ImportPath}}\t{{.Dir}}\t{{range .TestGoFiles}}{{.}} {{end}}{{range .XTestGoFiles}}{{.}} {{end}}"
	list, err := goTool("list", "-f", files, module+"/...")
	if err != nil {
		return nil, err
	}
	var found []guestPackage
	for s := bufio.NewScanner(bytes.NewReader(list)); s.Scan(); {
		path, rest, _ := strings.Cut(s.Text(), "\t")
		dir, names, _ := strings.Cut(rest, "\t")
		p, err := readPackage(path, dir, strings.Fields(names))
		if err != nil {
			return nil, err
		}
		if len(p.tests) > 0 {
			found = append(found, p)
		}
	}
	return found, nil
}

// readPackage reads the test files of one package.
func readPackage(path, dir string, files []string) (guestPackage, error) {
	p := guestPackage{path: path}
	hasMain := false
	for _, name := range files {
		source, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return p, fmt.Errorf("looking for tests of guests: %w", err)
		}
		for _, m := range testFunc.FindAllSubmatch(source, -1) {
			p.tests = append(p.tests, string(m[1]))
		}
		hasMain = hasMain || mainCall.Match(source)
	}
	if len(p.tests) > 0 && !hasMain {
		return p, fmt.Errorf("%s has %s, which would run on the host, too: its TestMain must call vmtest.Main(m)", path, p.tests[0])
	}
	slices.Sort(p.tests)
	return p, nil
}

// name is the path as it is in the names of subtests, in which a slash would
// begin another level: "source.bpf" of dropwatch/internal/source/bpf.
func (p guestPackage) name() string {
	_, below, _ := strings.Cut(p.path, "/")
	return strings.ReplaceAll(strings.TrimPrefix(below, "internal/"), "/", ".")
}

// goTool runs the go command for the system of the guests, and returns what it prints.
func goTool(args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}
