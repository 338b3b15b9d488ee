package netlink_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/mdlayher/genetlink"

	"dropwatch/netlink"
)

const netlinkHeading = "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"

// A process is one in a made-up proc: its open files and its stat.
type process struct {
	comm, stat string
	fds        []string
}

// procTree makes a proc with net/netlink and some processes.
func procTree(t *testing.T, table string, processes map[int]process) string {
	t.Helper()
	root := t.TempDir()
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
	return root
}

// socketLine is a line of net/netlink.
func socketLine(protocol int, groups uint32, inode int) string {
	return fmt.Sprintf("00000000707c218e %-3d 4294963200 %08x 0        0        0     2        0        %-8d\n", protocol, groups, inode)
}

// statAt is the stat of a process that began ticks after the boot.
func statAt(comm string, ticks int) string {
	return fmt.Sprintf("1 (%s) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 %d 23 24\n", comm, ticks)
}

func TestPeers(t *testing.T) {
	table := netlinkHeading +
		socketLine(16, 1, 100) + // two of 7's
		socketLine(16, 0x8001, 101) +
		socketLine(16, 1, 102) + // 7's and 30's
		socketLine(16, 1, 103) + // nobody's whom we may see
		socketLine(16, 2, 104) + // another group
		socketLine(0, 1, 105) + // another protocol
		"short line\n"
	proc := procTree(t, table, map[int]process{
		7:  {"dropwatch", statAt("dropwatch", 12_345), []string{"/dev/null", "socket:[100]", "socket:[101]", "socket:[102]"}},
		20: {"other", statAt("other", 0), []string{"socket:[104]", "socket:[105]", "pipe:[100]", "socket:[1000]"}},
		30: {"a) S 1 (b\x1b", statAt("a) S 1 (b\x1b", 100), []string{"socket:[102]"}},
		40: {"", "", nil},
	})
	got, hidden, err := netlink.Peers(proc, 1)
	want := []netlink.Peer{
		{PID: 7, Command: "dropwatch", Started: time.Unix(1700000123, 0)},
		{PID: 30, Command: "a) S 1 (b\x1b", Started: time.Unix(1700000001, 0)},
	}
	byPID := cmpopts.SortSlices(func(a, b netlink.Peer) bool { return a.PID < b.PID })
	if diff := cmp.Diff(want, got, byPID); diff != "" || hidden != 1 || err != nil {
		t.Errorf("%d hidden, error %v (-want +got) %s", hidden, err, diff)
	}
}

// TestPeersStarted: a process that has gone, or a stat that nobody can read,
// leaves the time open.
func TestPeersStarted(t *testing.T) {
	for name, p := range map[string]process{
		"gone":    {"", "", []string{"socket:[1]"}},
		"empty":   {"x", "", []string{"socket:[1]"}},
		"short":   {"x", "1 (x) S 1 2 3", []string{"socket:[1]"}},
		"garbled": {"x", strings.Replace(statAt("x", 1), " 1 23 ", " one 23 ", 1), []string{"socket:[1]"}},
	} {
		proc := procTree(t, netlinkHeading+socketLine(16, 1, 1), map[int]process{5: p})
		want := []netlink.Peer{{PID: 5, Command: p.comm}}
		got, hidden, err := netlink.Peers(proc, 1)
		if diff := cmp.Diff(want, got); diff != "" || hidden != 0 || err != nil {
			t.Errorf("%s: %d hidden, error %v (-want +got) %s", name, hidden, err, diff)
		}
	}
}

func TestPeersNone(t *testing.T) {
	proc := procTree(t, netlinkHeading, nil)
	if got, hidden, err := netlink.Peers(proc, 32); got != nil || hidden != 0 || err != nil {
		t.Errorf("%v, %d hidden, error %v", got, hidden, err)
	}
}

func TestPeersErrors(t *testing.T) {
	garbled := procTree(t, netlinkHeading+strings.Replace(socketLine(16, 1, 1), "00000001", "g0000001", 1), nil)
	tests := map[string]struct {
		proc  string
		group uint32
		want  string
	}{
		"no proc":         {t.TempDir(), 1, "no such file"},
		"garbled groups":  {garbled, 1, `groups "g0000001" of a netlink socket`},
		"group 0":         {garbled, 0, "group 0 is none of 1 to 32"},
		"group beyond 32": {garbled, 33, "group 33 is none of 1 to 32"},
	}
	for name, tt := range tests {
		_, _, err := netlink.Peers(tt.proc, tt.group)
		if err == nil || !strings.HasPrefix(err.Error(), "find listeners: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
	}
}

// TestPeersLive finds this process among those of this machine, while a socket
// of its own is in the group, and not after.
func TestPeersLive(t *testing.T) {
	const notify = 16 // of the generic netlink controller
	conn, err := genetlink.Dial(nil)
	if err != nil {
		t.Skip("no generic netlink here: ", err)
	}
	defer conn.Close()
	if err := conn.JoinGroup(notify); err != nil {
		t.Fatal(err)
	}
	self := func() (found []netlink.Peer) {
		peers, _, err := netlink.Peers("/proc", notify)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range peers {
			if p.PID == os.Getpid() {
				found = append(found, p)
			}
		}
		return found
	}
	got := self()
	if len(got) != 1 {
		t.Fatalf("found %+v", got)
	}
	comm, _ := os.ReadFile("/proc/self/comm")
	if want := strings.TrimSpace(string(comm)); got[0].Command != want {
		t.Errorf("command %q, want %q", got[0].Command, want)
	}
	if age := time.Since(got[0].Started); age < -2*time.Second || age > time.Hour {
		t.Errorf("started %v ago", age)
	}
	if err := conn.LeaveGroup(notify); err != nil {
		t.Fatal(err)
	}
	if got := self(); len(got) != 0 {
		t.Errorf("left the group, but found %+v", got)
	}
}
