package drops

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A Namespace is a network namespace on a thread of its own, which ends with
// the test. Only one test has any at a time, of all test processes, so that the
// drops in them are not taken for those of another.
type Namespace struct {
	t        testing.TB
	requests chan func() error
	answers  chan error
}

// NewNamespace makes a namespace in which lo is up and IPv6 is off, so that
// nobody speaks who was not told to.
func NewNamespace(t testing.TB) *Namespace {
	t.Helper()
	lock(t)
	return newNamespace(t)
}

// Another makes a second namespace, with the same addresses, for the same test.
func (ns *Namespace) Another() *Namespace {
	ns.t.Helper()
	return newNamespace(ns.t)
}

func newNamespace(t testing.TB) *Namespace {
	t.Helper()
	ns := &Namespace{t: t, requests: make(chan func() error), answers: make(chan error)}
	go func() {
		runtime.LockOSThread() // for good: the thread ends with its namespace
		for f := range ns.requests {
			ns.answers <- f()
		}
	}()
	t.Cleanup(func() { close(ns.requests) })
	ns.Do(func() error {
		if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			return fmt.Errorf("a network namespace of the test's own: %w: run as root", err)
		}
		return nil
	})
	ns.sysctl("ipv6/conf/all/disable_ipv6", "1")
	ns.sysctl("ipv6/conf/default/disable_ipv6", "1")
	ns.run("ip", "link", "set", "lo", "up")
	return ns
}

// lock waits for all other namespaces to end.
func lock(t testing.TB) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(os.TempDir(), "dropwatch-drops.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
}

// Inode is that of the namespace.
func (ns *Namespace) Inode() (inode uint32) {
	ns.t.Helper()
	ns.Do(func() error {
		var st syscall.Stat_t
		err := syscall.Stat("/proc/thread-self/ns/net", &st)
		inode = uint32(st.Ino)
		return err
	})
	return inode
}

// NoPorts is how many datagrams of IPv4 found no socket there: before Linux 6.5
// ksoftirqd may still have some when they are sent.
func (ns *Namespace) NoPorts() (n int) {
	ns.t.Helper()
	ns.Do(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/snmp")
		if err != nil {
			return err
		}
		_, counts, _ := strings.Cut(string(text), "\nUdp: InDatagrams NoPorts ")
		_, counts, _ = strings.Cut(counts, "\nUdp: ")
		_, err = fmt.Sscan(counts, new(int), &n)
		return err
	})
	return n
}

// EnableIPv6 gives lo ::1.
func (ns *Namespace) EnableIPv6() {
	ns.t.Helper()
	ns.sysctl("ipv6/conf/lo/disable_ipv6", "0")
}

// Do runs f in the namespace. Its error ends the test.
func (ns *Namespace) Do(f func() error) {
	ns.t.Helper()
	ns.requests <- f
	if err := <-ns.answers; err != nil {
		ns.t.Fatal(err)
	}
}

// run runs a program in the namespace.
func (ns *Namespace) run(name string, args ...string) {
	ns.t.Helper()
	ns.Do(func() error {
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
		}
		return nil
	})
}

// sysctl sets one of net's.
func (ns *Namespace) sysctl(name, value string) {
	ns.t.Helper()
	ns.Do(func() error { return os.WriteFile("/proc/sys/net/"+name, []byte(value), 0) })
}

// wire makes a pair of interfaces, of which what is sent into "near" arrives at
// "far". That has the address 10.0.0.1/24, and forwards.
func (ns *Namespace) wire() {
	ns.t.Helper()
	ns.run("ip", "link", "add", "near", "address", nearMAC, "type", "veth", "peer", "name", "far", "address", farMAC)
	ns.run("ip", "addr", "add", "10.0.0.1/24", "dev", "far")
	ns.run("ip", "link", "set", "near", "up")
	ns.run("ip", "link", "set", "far", "up")
	ns.sysctl("ipv4/ip_forward", "1")
}
