package acceptance

import (
	"embed"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"dropwatch/internal/vmtest/guest"
)

// oracleScripts are what the C program 1.5.5 was seen to say: the command
// line, then what it read, what it wrote and its exit status.
//
//go:embed testdata/oracle/*.txtar
var oracleScripts embed.FS

// TestGuestOracleScripts makes sure that the transcripts which dropwatch
// is held against are what the C program says, on every kernel.
func TestGuestOracleScripts(t *testing.T) {
	const dir = "testdata/oracle"
	files, err := oracleScripts.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(f.Name(), func(t *testing.T) {
			content, err := oracleScripts.ReadFile(path.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			guest.ResetMonitor(t)
			testScript(t, txtar.Parse(content))
		})
	}
}

// tailDropped is a count since the boot, to which other tests add.
var tailDropped = regexp.MustCompile(`Tail dropped: \d+\n`)

// testScript runs the program as the transcript's first line says, and
// compares what it does with the rest.
func testScript(t *testing.T, a *txtar.Archive) {
	t.Helper()
	want := make(map[string]string)
	for _, f := range a.Files {
		want[f.Name] = string(f.Data)
	}
	args := strings.Fields(string(a.Comment))
	r := guest.Run(t, want["stdin"], args[0], args[1:]...)
	got := map[string]string{
		"stdin":  want["stdin"],
		"stdout": tailDropped.ReplaceAllString(r.Stdout, "Tail dropped: 0\n"),
		"stderr": r.Stderr,
		"code":   strconv.Itoa(r.Code) + "\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unlike the transcript (-want +got):\n%s", diff)
	}
}
