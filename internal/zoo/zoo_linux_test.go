package zoo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"

	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// packets is how many each scenario loses.
const packets = 7

func TestMain(m *testing.M) {
	vmtest.Main(m)
}

// TestZoo makes each loss on this kernel, and prints the table. A scenario that is wrong while
// others lose packets too, or on a machine that is busy, is made once more, alone.
func TestZoo(t *testing.T) {
	vmtest.RequireRoot(t)
	runAll(t, build(t), false)
}

// TestGuestZoo does so on another kernel.
func TestGuestZoo(t *testing.T) {
	runAll(t, guest.Dropwatch, os.Getenv("DROPWATCH_ZOO") == "1")
}

// runAll runs all rounds. The whole table has what source netdm and the C dropwatch show, too,
// which takes minutes, and is not needed to test the program.
func runAll(t *testing.T, program string, whole bool) {
	ns := drops.NewNamespace(t)
	results := make(map[string]*result)
	for _, r := range withOthers(rounds(wanted()), whole) {
		r.run(t, program, ns)
		for _, c := range r.cases {
			r.compare(t, c)
			if results[c.Name] = c; c.disturbed {
				newRound(c).run(t, program, ns)
				c.outcome += ", alone"
			}
		}
	}
	if whole {
		watchByC(t, ns, results)
	}
	t.Log("\n" + table(results))
}

// table has a line for each scenario that was run.
func table(results map[string]*result) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SCENARIO\tFINDING\tCLASS\tSEVERITY\tALSO SAID BY\tRESULT\tC DROPWATCH")
	for _, s := range Scenarios {
		if c := results[s.Name]; c.outcome != "" {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, c.found.ID, c.found.Class, c.found.Severity, c.other, c.outcome, c.byC)
		}
	}
	w.Flush()
	return text.String()
}

// build builds the program.
func build(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dropwatch")
	cmd := exec.Command("go", "build", "-o", file, "dropwatch/cmd/dropwatch")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}
