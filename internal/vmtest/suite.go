package vmtest

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	bootTimeout   = 40 * time.Minute // of all that runs in one guest
	binaryTimeout = 12 * time.Minute // of one test binary, so that a hang of it does not lose the others
	suiteMemory   = 1024             // MiB: the test binaries are in memory twice while the guest boots
)

// A Suite runs the TestGuest functions of all packages of a module in guests: a few of each
// kernel, as [boots] says, and as many at a time as there are slots. Every test becomes a
// subtest KERNEL/PACKAGE/TEST, and runs only if the flag -test.run selects it.
type Suite struct {
	// Module is the path of the module, in whose tree the tests run.
	Module string
	// Programs are the packages to build, by the path of the program in the guest.
	Programs map[string]string
	// Flags are for building the programs and the tests. With those of an earlier build nothing is compiled again.
	Flags []string
	// Seconds is about how long a test of a package takes in a guest, for packages whose tests take longer than one
	// second. The longest guests begin first, so that none is left alone at the end.
	Seconds map[string]int
	// Env are the names of variables of the environment that tests in guests have, too.
	Env []string
	// Counted has the clocks of the guests, each with one CPU, count instructions: see [Guest].
	Counted bool
	// Checks are functions that check on the host what a test has left in /out, if it passed,
	// by PACKAGE/TEST. They get the directory.
	Checks map[string]func(t *testing.T, out string)
}

// A testRun is one run of a test binary.
type testRun struct {
	name   string   // of the subtest
	binary string   // path in the guest
	tests  []string // that it runs
}

// Run builds the test binaries and the programs, then boots each kernel.
func (s Suite) Run(t *testing.T) {
	kernels := RequireKernels(t)
	packages, err := guestPackages(s.Module)
	if err != nil {
		t.Fatal(err)
	}
	files, runs, err := s.build(t.TempDir(), packages)
	if err != nil {
		t.Fatal(err)
	}
	isKernel := regexp.MustCompile(selected()[1])
	kernels = slices.DeleteFunc(kernels, func(k Kernel) bool { return !isKernel.MatchString(k.Name) })
	guests := s.boots(kernels, runs)
	var tests sync.WaitGroup
	for _, k := range kernels { // without t.Parallel, which would let as many kernels begin as there are CPUs
		others := func(b boot) bool { return b.kernel != k }
		tests.Go(func() { s.runAll(t, k, files, slices.DeleteFunc(slices.Clone(guests), others)) })
	}
	tests.Wait()
}

// runAll runs the guests of k, each when its turn has come. If -test.skip leaves out k, none of them has one.
func (s Suite) runAll(t *testing.T, k Kernel, files map[string]string, guests []boot) {
	t.Run(k.Name, func(t *testing.T) {
		var running sync.WaitGroup
		for _, b := range guests {
			running.Go(func() { s.runOn(t, files, b) })
		}
		running.Wait()
	})
	for _, b := range guests {
		b.began()
	}
}

// build builds the programs and the selected test binaries in dir. It returns the files for the guest,
// and the runs in their order.
func (s Suite) build(dir string, packages []guestPackage) (files map[string]string, runs []testRun, err error) {
	files = make(map[string]string)
	for guest, pkg := range s.Programs {
		files[guest] = filepath.Join(dir, filepath.Base(guest))
		if _, err := goTool(slices.Concat([]string{"build"}, s.Flags, []string{"-o", files[guest], pkg})...); err != nil {
			return nil, nil, err
		}
	}
	runs = plan(packages, selected())
	tests := slices.Concat([]string{"test", "-c"}, s.Flags, []string{"-o", dir + "/"})
	for _, p := range packages {
		binary := p.binary()
		if slices.ContainsFunc(runs, func(r testRun) bool { return r.binary == binary }) {
			files[binary] = filepath.Join(dir, path.Base(p.path)+".test")
			tests = append(tests, p.path)
		}
	}
	_, err = goTool(tests...)
	return files, runs, err
}

// testDir is the directory of the test binaries in a guest.
const testDir = "/tests/"

// binary returns the path of the package's test binary in a guest.
func (p guestPackage) binary() string {
	return testDir + p.name() + "/guest.test"
}

// selected returns the elements of the pattern of -test.run: for the suite, kernels, packages and tests.
func selected() []string { return elements(flag.Lookup("test.run").Value.String()) }

// elements returns the elements of a pattern, at least four.
func elements(pattern string) []string { return append(strings.Split(pattern, "/"), "", "", "") }

// plan returns the runs of the tests that a pattern selects: one for each package, and then one for each
// package that has tests to be run last.
func plan(packages []guestPackage, elements []string) (runs []testRun) {
	isPackage, isTest := regexp.MustCompile(elements[2]), regexp.MustCompile(elements[3])
	for _, last := range []bool{false, true} {
		for _, p := range packages {
			r := testRun{name: p.name(), binary: p.binary()}
			if last {
				r.name += ".last"
			}
			for _, name := range p.tests {
				if isTest.MatchString(name) && strings.HasPrefix(name, lastPrefix) == last {
					r.tests = append(r.tests, name)
				}
			}
			if len(r.tests) > 0 && isPackage.MatchString(r.name) {
				runs = append(runs, r)
			}
		}
	}
	return runs
}

// command returns the shell commands that run the binaries, each in a directory of its own, and kill what
// a binary has left running.
func command(runs []testRun) string {
	var b strings.Builder
	for _, r := range runs {
		fmt.Fprintf(&b, "echo '%s%s'; cd %s; %s -test.v -test.timeout %v -test.run '^(%s)$'; echo; echo \"%s$?\"; kill -9 -1\n",
			beginMark, r.name, filepath.Dir(r.binary), r.binary, binaryTimeout, strings.Join(r.tests, "|"), endMark)
	}
	return b.String()
}

// needed returns the files without the test binaries of other runs, as unpacking them takes time.
func needed(files map[string]string, runs []testRun) map[string]string {
	files = maps.Clone(files)
	maps.DeleteFunc(files, func(name, _ string) bool {
		isRun := func(r testRun) bool { return r.binary == name }
		return strings.HasPrefix(name, testDir) && !slices.ContainsFunc(runs, isRun)
	})
	return files
}

// exports returns the shell commands that set the variables which are set here.
func exports(names []string) string {
	var b strings.Builder
	for _, name := range names {
		if value, ok := os.LookupEnv(name); ok {
			fmt.Fprintf(&b, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
		}
	}
	return b.String()
}

// runOn boots a guest, once it is its turn and there is a slot, and follows the runs in it.
func (s Suite) runOn(t *testing.T, files map[string]string, b boot) {
	<-b.turn
	release, err := acquireSlot(t.Context())
	b.began()
	if err != nil {
		t.Error(err)
		return
	}
	defer release()
	ctx, cancel := context.WithTimeoutCause(t.Context(), bootTimeout, fmt.Errorf("not done after %v", bootTimeout))
	defer cancel()
	output, write := io.Pipe()
	g := Guest{
		Kernel: b.kernel, Command: exports(s.Env) + command(b.runs), Files: needed(files, b.runs), Memory: suiteMemory,
		Output: write, Out: t.TempDir(),
	}
	if s.Counted {
		g.Counted, g.CPUs = true, 1
	}
	done := make(chan error)
	go func() {
		_, err := g.Run(ctx) // the exit status of each binary is in the output
		write.Close()
		done <- err
	}()
	follow(output).binaries(t, b.runs)
	if err := <-done; err != nil {
		t.Error(err)
		return
	}
	s.check(t, g.Out, b.runs)
}

// check runs the checks of the tests that ran.
func (s Suite) check(t *testing.T, out string, runs []testRun) {
	for _, r := range runs {
		for _, name := range r.tests {
			if check := s.Checks[r.name+"/"+name]; check != nil && !t.Failed() {
				check(t, out)
			}
		}
	}
}
