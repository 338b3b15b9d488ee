package host_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
)

// TestListenersLive finds this process among those of this machine, while a socket
// of its own is in the group, and not after.
func TestListenersLive(t *testing.T) {
	const notify = 16 // of the generic netlink controller
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		vmtest.SkipOrFail(t, fmt.Errorf("generic netlink: %w", err))
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (notify - 1)}); err != nil {
		t.Fatal(err)
	}
	self := func() (found []host.Listener) {
		peers, _, err := host.New("/").GenericListeners(notify)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range peers {
			if p.PID == uint32(os.Getpid()) {
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
	if want := strings.TrimSpace(string(comm)); got[0].Comm != want {
		t.Errorf("command %q, want %q", got[0].Comm, want)
	}
	if age := time.Since(got[0].Started); age < -2*time.Second || age > time.Hour {
		t.Errorf("started %v ago", age)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_DROP_MEMBERSHIP, notify); err != nil {
		t.Fatal(err)
	}
	if got := self(); len(got) != 0 {
		t.Errorf("left the group, but found %+v", got)
	}
}
