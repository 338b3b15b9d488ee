package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dropwatch/internal/host"
)

const listenersHeading = "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"

// A fakeProcess is one in a made-up proc: its open files and its stat.
type fakeProcess struct {
	comm, stat string
	fds        []string
}

// procTree makes a proc with net/netlink and some processes.
func procTree(t *testing.T, table string, processes map[int]fakeProcess) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "proc")
	write := func(name, text string) {
		t.Helper()
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("net/netlink", table)
	write("stat", "cpu  1 2 3\nctxt 5\nbtime 1700000000\nprocesses 9\n")
	write("sys/kernel/x", "no process")
	for pid, p := range processes {
		dir := fmt.Sprint(pid)
		if p.comm != "" {
			write(dir+"/comm", p.comm+"\n")
			write(dir+"/stat", p.stat)
		}
		if err := os.MkdirAll(filepath.Join(root, dir, "fd"), 0o755); err != nil {
			t.Fatal(err)
		}
		for i, target := range p.fds {
			if err := os.Symlink(target, filepath.Join(root, dir, "fd", fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	return filepath.Dir(root)
}

// socketLine is a line of net/netlink.
func socketLine(protocol int, groups uint32, inode int) string {
	return fmt.Sprintf("00000000707c218e %-3d 4294963200 %08x 0        0        0     2        0        %-8d\n", protocol, groups, inode)
}

// statAt is the stat of a process that began ticks after the boot.
func statAt(comm string, ticks int) string {
	return fmt.Sprintf("1 (%s) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 %d 23 24\n", comm, ticks)
}

func TestListeners(t *testing.T) {
	table := listenersHeading +
		socketLine(16, 1, 100) + // two of 7's
		socketLine(16, 0x8001, 101) +
		socketLine(16, 1, 102) + // 7's and 30's
		socketLine(16, 1, 103) + // of a process that is not visible
		socketLine(16, 2, 104) + // another group
		socketLine(0, 1, 105) + // another protocol
		"short line\n"
	root := procTree(t, table, map[int]fakeProcess{
		7:  {"dropwatch", statAt("dropwatch", 12_345), []string{"/dev/null", "socket:[100]", "socket:[101]", "socket:[102]"}},
		20: {"other", statAt("other", 0), []string{"socket:[104]", "socket:[105]", "pipe:[100]", "socket:[1000]"}},
		30: {"a) S 1 (b\x1b", statAt("a) S 1 (b\x1b", 100), []string{"socket:[102]"}},
		40: {"", "", nil},
	})
	got, hidden, err := host.New(root).GenericListeners(1)
	want := []host.Listener{
		{PID: 7, Comm: "dropwatch", Started: time.Unix(1700000123, 0)},
		{PID: 30, Comm: "a) S 1 (b\x1b", Started: time.Unix(1700000001, 0)},
	}
	if diff := cmp.Diff(want, got); diff != "" || hidden != 1 || err != nil {
		t.Errorf("%d hidden, error %v (-want +got) %s", hidden, err, diff)
	}
}

// TestListenersStarted: a process that ended, or a stat that nobody can read,
// leaves the time open.
func TestListenersStarted(t *testing.T) {
	for name, p := range map[string]fakeProcess{
		"gone":    {"", "", []string{"socket:[1]"}},
		"empty":   {"x", "", []string{"socket:[1]"}},
		"short":   {"x", "1 (x) S 1 2 3", []string{"socket:[1]"}},
		"garbled": {"x", strings.Replace(statAt("x", 1), " 1 23 ", " one 23 ", 1), []string{"socket:[1]"}},
	} {
		root := procTree(t, listenersHeading+socketLine(16, 1, 1), map[int]fakeProcess{5: p})
		want := []host.Listener{{PID: 5, Comm: p.comm}}
		got, hidden, err := host.New(root).GenericListeners(1)
		if diff := cmp.Diff(want, got); diff != "" || hidden != 0 || err != nil {
			t.Errorf("%s: %d hidden, error %v (-want +got) %s", name, hidden, err, diff)
		}
	}
}

func TestListenersNone(t *testing.T) {
	root := procTree(t, listenersHeading, nil)
	if got, hidden, err := host.New(root).GenericListeners(32); got != nil || hidden != 0 || err != nil {
		t.Errorf("%v, %d hidden, error %v", got, hidden, err)
	}
}

func TestListenersErrors(t *testing.T) {
	garbled := procTree(t, listenersHeading+strings.Replace(socketLine(16, 1, 1), "00000001", "g0000001", 1), nil)
	tests := map[string]struct {
		root  string
		group uint32
		want  string
	}{
		"no proc":         {t.TempDir(), 1, "no such file"},
		"garbled groups":  {garbled, 1, `groups "g0000001" of a netlink socket`},
		"group 0":         {garbled, 0, "invalid multicast group 0: give 1 to 32"},
		"group beyond 32": {garbled, 33, "invalid multicast group 33: give 1 to 32"},
	}
	for name, tt := range tests {
		_, _, err := host.New(tt.root).GenericListeners(tt.group)
		if err == nil || !strings.HasPrefix(err.Error(), "find listeners: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
	}
}
