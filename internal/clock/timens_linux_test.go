package clock

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"dropwatch/internal/vmtest"
)

// TestTimeNamespace: the kernel's clock is that of the host also where CLOCK_MONOTONIC is not.
func TestTimeNamespace(t *testing.T) {
	const variable = "PRINT_WALL_AHEAD"
	if os.Getenv(variable) != "" {
		ahead, err := WallAhead()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("ahead=%d", ahead)
		return
	}
	vmtest.RequireRoot(t)
	if _, err := os.Stat("/proc/self/ns/time"); err != nil {
		vmtest.SkipOrFail(t, fmt.Errorf("time namespaces (Linux 5.6): %w", err))
	}
	want, err := WallAhead()
	if err != nil {
		t.Fatal(err)
	}
	inside := exec.Command("unshare", "--time", "--fork", "--monotonic", "100000", os.Args[0], "-test.run=^TestTimeNamespace$", "-test.v")
	inside.Env = append(os.Environ(), variable+"=1")
	out, err := inside.CombinedOutput()
	_, text, _ := strings.Cut(string(out), "ahead=")
	text, _, _ = strings.Cut(text, "\n")
	got, err2 := strconv.ParseInt(text, 10, 64)
	if err != nil || err2 != nil {
		t.Fatalf("%v, %v: %s", err, err2, out)
	}
	if d := got - want; d < -1e9 || d > 1e9 {
		t.Errorf("in a time namespace the clock is %d ns off", d)
	}
}
