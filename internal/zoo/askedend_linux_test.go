package zoo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// TestGuestAskedEnds: diagnose ends by a signal while points are on that drops have asked for. An interrupt leaves nothing
// behind; after a kill probes that are left are off, there is no program, and the next run removes them.
func TestGuestAskedEnds(t *testing.T) {
	if !guest.AtLeast(6, 12) && guest.AtLeast(6, 1) || guest.AtLeast(7, 0) {
		return // the oldest kernel and 6.12 are enough
	}
	const point = "rp_filter"
	i := slices.IndexFunc(Scenarios, func(s Scenario) bool { return s.Name == "rp_filter" })
	lose := (&result{Scenario: &Scenarios[i], netns: "ends"}).prepare(drops.NewNamespace(t))
	programs := bpfPrograms(t)
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		r := start(t, guest.Dropwatch, "auto")
		guest.Eventually(t, "the point is reached", func() bool {
			lose()
			return areHit(hits(t), point)
		})
		r.awaitAttached(t)
		lose()
		said := r.signal(t, signal)
		guest.Eventually(t, "no program is left", func() bool { return bpfPrograms(t) == programs })
		left := hits(t)
		if lose(); left != hits(t) {
			t.Errorf("%v: probes are on:\n%s", signal, left)
		}
		if isKill := signal == syscall.SIGKILL; isKill != (left != "") || isKill == strings.Contains(said, `"name":"`+point+`"`) {
			t.Errorf("%v: left:\n%s\nsaid:\n%s", signal, left, said)
		}
	}
}

// awaitAttached waits until it has opened no program and no event for half a second: functions are probed one after the
// other, and what happens meanwhile is not reported.
func (r *run) awaitAttached(t *testing.T) {
	t.Helper()
	const polls = 25 // of guest.Eventually
	opened, same := 0, 0
	guest.Eventually(t, "all points are on", func() bool {
		names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", r.cmd.Process.Pid))
		n := len(slices.DeleteFunc(names, func(name string) bool {
			target, _ := os.Readlink(name)
			return !strings.HasPrefix(target, "anon_inode:")
		}))
		if same++; n != opened {
			opened, same = n, 0
		}
		return same >= polls
	})
}

// signal ends it by a signal, and returns what it says.
func (r *run) signal(t *testing.T, s syscall.Signal) string {
	t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	r.stdin.Close()
	for r.messages.Scan() {
	}
	if err := r.cmd.Wait(); (err != nil) != (s == syscall.SIGKILL) {
		t.Errorf("after %v: %v", s, err)
	}
	return r.stdout.String()
}

// hits are all probes of the kernel, how often each was hit and how often missed.
func hits(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/sys/kernel/tracing/kprobe_profile")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// bpfPrograms counts the BPF programs of the kernel.
func bpfPrograms(t *testing.T) (n int) {
	t.Helper()
	const getNextID = 11      // BPF_PROG_GET_NEXT_ID
	attr := []uint32{0, 0, 0} // the ID from which to go on, the next one, flags
	for {
		_, err := bpf(getNextID, attr...)
		switch {
		case errors.Is(err, syscall.ENOENT):
			return n
		case err != nil:
			t.Fatal(err)
		}
		n++
		attr[0] = attr[1]
	}
}
