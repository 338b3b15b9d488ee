package clock

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/vmtest"
)

func TestMain(m *testing.M) { vmtest.Main(m) }

// TestTimeNamespace: the kernel's clock is that of the host also where CLOCK_MONOTONIC is not.
func TestTimeNamespace(t *testing.T) {
	const variable = "PRINT_WALL_AHEAD"
	if os.Getenv(variable) != "" {
		base, err := Now()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("ahead=%d", base.Time(0).UnixNano())
		return
	}
	vmtest.RequireRoot(t)
	if _, err := os.Stat("/proc/self/ns/time"); err != nil {
		vmtest.SkipOrFail(t, fmt.Errorf("time namespaces (Linux 5.6): %w", err))
	}
	want, err := Now()
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
	if d := got - want.Time(0).UnixNano(); d < -1e9 || d > 1e9 {
		t.Errorf("in a time namespace the clock is %d ns off", d)
	}
}

// TestGuestClockIsSet: times are of the wall clock as it was set when they were made, and how far apart they are does not
// depend on that.
func TestGuestClockIsSet(t *testing.T) {
	var times [2]time.Time
	for i := range times {
		base, err := Now()
		if err != nil {
			t.Fatal(err)
		}
		times[i] = base.Time(uint64(i) * 1e9)
		set := unix.NsecToTimespec(time.Now().Add(time.Hour).UnixNano())
		if err := unix.ClockSettime(unix.CLOCK_REALTIME, &set); err != nil {
			t.Fatal(err)
		}
	}
	passed, wall := times[1].Sub(times[0]), times[1].Round(0).Sub(times[0].Round(0))
	if (passed-time.Second).Abs() > time.Millisecond || (wall-time.Hour-time.Second).Abs() > 10*time.Second {
		t.Errorf("%v passed, and %v by the wall clock", passed, wall)
	}
}
