package sourcetest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// clangVersion is of the one that made what is committed: another makes other bytes.
const clangVersion = "14.0.6"

// Generated compiles the BPF programs of the package in the current directory again, by the two
// lines of a file that begin with go:generate: what is committed under a name is made of them. It
// calls skip if the compiler is not there.
func Generated(t *testing.T, skip func(testing.TB, error), file, name string) {
	t.Helper()
	version, err := exec.Command("clang-14", "--version").Output()
	if err == nil && !bytes.Contains(version, []byte(clangVersion)) {
		err = fmt.Errorf("this clang is not %s: %s", clangVersion, version)
	}
	if err != nil {
		skip(t, err)
	}
	dir := t.TempDir()
	cmd := exec.Command("go", slices.Insert(generateCommand(t, file), 2, "-output-dir", dir)...)
	cmd.Env = append(os.Environ(), "GOPACKAGE="+strings.TrimSuffix(file, ".go"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, suffix := range []string{"_bpfel.go", "_bpfel.o", "_bpfeb.go", "_bpfeb.o"} {
		want, err := os.ReadFile(filepath.Join(dir, name+suffix))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s%s is not what %s.bpf.c gives: run go generate", name, suffix, name)
		}
	}
}

// generateCommand returns the arguments of the command that made them: tool bpf2go ...
func generateCommand(t *testing.T, file string) []string {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	line := func(begin string) []string {
		_, line, _ := strings.Cut(string(source), "//go:generate "+begin+" ")
		line, _, _ = strings.Cut(line, "\n")
		return strings.Fields(line)
	}
	return append(line("-command compile go"), line("compile")...)
}
