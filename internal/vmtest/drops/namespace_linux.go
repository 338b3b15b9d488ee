package drops

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"dropwatch/internal/vmtest"
)

// A Namespace is a network namespace, on a thread of its own, until the end of the test. Of
// all test processes only one test has namespaces at a time, so that no test takes the
// drops of another for its own.
type Namespace struct {
	t        testing.TB
	requests chan func() error
	answers  chan error
	end      func()
	lacks    string // see Lacks
}

// NewNamespace makes a namespace in which lo is up and IPv6 is off, so that it has no
// traffic but the test's.
func NewNamespace(t testing.TB) *Namespace {
	t.Helper()
	vmtest.RequireRoot(t)
	lock(t)
	return newNamespace(t)
}

// Another makes a second namespace, with the same addresses, for the same test.
func (ns *Namespace) Another() *Namespace {
	ns.t.Helper()
	return newNamespace(ns.t)
}

// Of makes another namespace for a subtest of the test, which has its failures and its
// cleanups. Subtests that run at the same time may have one each.
func (ns *Namespace) Of(t testing.TB) *Namespace {
	t.Helper()
	return newNamespace(t)
}

// newNamespace makes a namespace without IPv6, whose own packets (neighbour discovery, MLD) would be dropped, too, with
// the loopback interface up. It fails the test without root.
func newNamespace(t testing.TB) *Namespace {
	t.Helper()
	ns := &Namespace{t: t, requests: make(chan func() error), answers: make(chan error)}
	ns.end = sync.OnceFunc(func() { close(ns.requests) })
	go onThread(func() {
		for f := range ns.requests {
			ns.answers <- f()
		}
	})
	t.Cleanup(ns.end)
	ns.Do(func() error {
		if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			return fmt.Errorf("a network namespace of the test's own: %w: run as root", err)
		}
		return nil
	})
	ns.Sysctl("ipv6/conf/all/disable_ipv6", "1")
	ns.Sysctl("ipv6/conf/default/disable_ipv6", "1")
	// Longer than TIME-WAIT, so that a closed TCP socket is a whole one until its peer closes, too,
	// however slow the machine is (tcp_close in net/ipv4/tcp.c).
	ns.Sysctl("ipv4/tcp_fin_timeout", "120")
	ns.Do(setLoopbackUp)
	return ns
}

// setLoopbackUp sets lo up, without starting a program: most tests need no more of their namespace.
func setLoopbackUp() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	request := struct { // struct ifreq
		name  [16]byte
		flags uint16
		_     [22]byte
	}{name: [16]byte{'l', 'o'}, flags: syscall.IFF_UP}
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return fmt.Errorf("set lo up: %w", errno)
	}
	return nil
}

// End ends the namespace before the end of the test, as soon as nothing else is in it. It is
// not to be used any more.
func (ns *Namespace) End() { ns.end() }

// onThread runs f on a thread that ends with it and its namespace. It is never the first
// of the process, whose namespaces /proc/self shows as those of the process.
func onThread(f func()) {
	runtime.LockOSThread() // for good
	if syscall.Gettid() != syscall.Getpid() {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		onThread(f)
	}()
	<-done
	runtime.UnlockOSThread()
}

// locked has the tests of this process that have the lock, by name.
var locked sync.Map

// lock waits until no other test has a namespace, or until little is left of the time of the tests: then the test fails. A
// test that has one already, or is part of one that has, would wait for itself: it fails.
func lock(t testing.TB) {
	t.Helper()
	for name := t.Name(); name != "."; name = path.Dir(name) {
		if _, own := locked.Load(name); own {
			t.Fatalf("%s has a network namespace already: make others with Another or Of", name)
		}
	}
	locked.Store(t.Name(), true)
	t.Cleanup(func() { locked.Delete(t.Name()) })
	f, err := os.OpenFile(filepath.Join(os.TempDir(), "dropwatch-drops.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	got, limit := make(chan error, 1), make(<-chan time.Time)
	fd := int(f.Fd())
	go func() { got <- syscall.Flock(fd, syscall.LOCK_EX) }()
	if d, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if end, ends := d.Deadline(); ends {
			limit = time.After(time.Until(end) - 10*time.Second)
		}
	}
	select {
	case err := <-got:
		if err != nil {
			t.Fatal(err)
		}
	case <-limit:
		t.Fatalf("tests of another process have network namespaces and lock %s: wait for their end", f.Name())
	}
}

// Inode returns the inode number of the namespace.
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

// Name names the namespace as ip(8) does, until the end of the test. A namespace that has
// neither a name nor a process is found by nobody.
func (ns *Namespace) Name(name string) {
	ns.t.Helper()
	file := filepath.Join("/run/netns", name)
	unmount := func() { // as often as it is mounted: ip(8) may have mounted the directory over itself meanwhile
		for syscall.Unmount(file, syscall.MNT_DETACH) == nil {
		}
	}
	unmount() // what a test that was killed has left
	ns.Do(func() error {
		return errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, nil, 0o444),
			syscall.Mount("/proc/thread-self/ns/net", file, "", syscall.MS_BIND, ""))
	})
	ns.t.Cleanup(func() {
		if unmount(); os.Remove(file) != nil {
			ns.t.Errorf("the name %s of a network namespace is left", file)
		}
	})
}

// NoPorts returns how many IPv4 datagrams found no socket in the namespace. Before Linux
// 6.5 it may lag, as ksoftirqd may still have datagrams that were sent.
func (ns *Namespace) NoPorts() int {
	ns.t.Helper()
	return ns.Counter("snmp", "Udp", "NoPorts")
}

// Counter returns a counter of the namespace: of a file below /proc/net, by its prefix and
// name there.
func (ns *Namespace) Counter(file, prefix, name string) (n int) {
	ns.t.Helper()
	ns.Do(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/" + file)
		if err != nil {
			return err
		}
		_, names, _ := strings.Cut("\n"+string(text), "\n"+prefix+": ")
		names, values, _ := strings.Cut(names, "\n"+prefix+": ")
		values, _, _ = strings.Cut(values, "\n")
		i := slices.Index(strings.Fields(names), name)
		if fields := strings.Fields(values); i >= 0 && i < len(fields) {
			n, err = strconv.Atoi(fields[i])
			return err
		}
		return fmt.Errorf("/proc/net/%s has no %s %s", file, prefix, name)
	})
	return n
}

// ReceiveDrops returns how many packets an interface of the namespace received and dropped, those that
// no protocol handles among them: rx_dropped.
func (ns *Namespace) ReceiveDrops(ifname string) (n int) {
	ns.t.Helper()
	ns.Do(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/dev")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); len(fields) > 4 && fields[0] == ifname+":" {
				n, err = strconv.Atoi(fields[4])
				return err
			}
		}
		return fmt.Errorf("/proc/net/dev has no %s", ifname)
	})
	return n
}

// Await waits until something holds, a minute at most.
func (ns *Namespace) Await(what string, holds func() bool) {
	ns.t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			ns.t.Fatalf("%s: not after a minute", what)
		}
	}
}

// EnableIPv6 enables IPv6 and gives lo the address ::1.
func (ns *Namespace) EnableIPv6() {
	ns.t.Helper()
	ns.Sysctl("ipv6/conf/lo/disable_ipv6", "0")
}

// Do runs f in the namespace. If f fails, so does the test.
func (ns *Namespace) Do(f func() error) {
	ns.t.Helper()
	ns.requests <- f
	if err := <-ns.answers; err != nil {
		ns.t.Fatal(err)
	}
}

// Cleanup calls f at the end of the test, which fails if f does.
func (ns *Namespace) Cleanup(f func() error) {
	ns.t.Cleanup(func() {
		if err := f(); err != nil {
			ns.t.Error(err)
		}
	})
}

// Run runs a program in the namespace, and returns what it printed.
func (ns *Namespace) Run(name string, args ...string) (out string) {
	ns.t.Helper()
	ns.Do(func() error {
		text, err := exec.Command(name, args...).CombinedOutput()
		if out = string(text); err != nil {
			return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
		}
		return nil
	})
	return out
}

// Batch runs commands of ip(8), each on a line, in the namespace.
func (ns *Namespace) Batch(commands string) {
	ns.t.Helper()
	ns.Do(func() error {
		cmd := exec.Command("ip", "-batch", "-")
		cmd.Stdin = strings.NewReader(commands)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("ip -batch: %w: %s", err, out)
		}
		return nil
	})
}

// Has reports whether a command succeeds in the namespace: one that asks for a part of the
// kernel, or a tool, that not every host has. Its words are between spaces: a shell of busybox
// would take tc and ip for its own. [Namespace.Lacks] then says which.
func (ns *Namespace) Has(command string) (ok bool) {
	ns.t.Helper()
	words := strings.Fields(command)
	ns.Do(func() error {
		text, err := exec.Command(words[0], words[1:]...).CombinedOutput()
		if ok = err == nil; !ok {
			ns.lacks = fmt.Sprintf("%s: %s", command, cmp.Or(strings.Join(strings.Fields(string(text)), " "), err.Error()))
		}
		return nil
	})
	return ok
}

// Lacks returns the last command that did not succeed, and what it said.
func (ns *Namespace) Lacks() string { return ns.lacks }

// Give starts a program that has a socket instead of this process, until the end of the
// test.
func (ns *Namespace) Give(fd int, name string, args ...string) {
	ns.t.Helper()
	copied, err := syscall.Dup(fd)
	if err != nil {
		ns.t.Fatal(err)
	}
	file := os.NewFile(uintptr(copied), "socket")
	defer file.Close()
	cmd := exec.Command(name, args...)
	cmd.ExtraFiles = []*os.File{file}
	if err := cmd.Start(); err != nil {
		ns.t.Fatal(err)
	}
	ns.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	ns.Do(func() error { return ns.Close(fd) })
}

// Sysctl sets a sysctl below net.
func (ns *Namespace) Sysctl(name, value string) {
	ns.t.Helper()
	ns.Do(func() error { return os.WriteFile("/proc/sys/net/"+name, []byte(value), 0) })
}

// HostSysctl sets a sysctl below net that the whole host has in common, until the end of the
// test. A shell sets it back, even if this process is killed.
func (ns *Namespace) HostSysctl(name, value string) {
	ns.t.Helper()
	file := "/proc/sys/net/" + name
	before, err := os.ReadFile(file)
	if err != nil {
		ns.t.Fatal(err)
	}
	restore := exec.Command("sh", "-c", "trap '' INT TERM HUP; cat; echo \"$1\" >\"$2\"", "sh", strings.TrimSpace(string(before)), file)
	running, err := restore.StdinPipe()
	if err == nil {
		err = restore.Start()
	}
	if err != nil {
		ns.t.Fatal(err)
	}
	ns.Cleanup(func() error { return errors.Join(running.Close(), restore.Wait()) })
	if err := os.WriteFile(file, []byte(value), 0); err != nil {
		ns.t.Fatal(err)
	}
}

// Wire makes a pair of interfaces: what is sent to "near" arrives at "far", which has the
// address 10.0.0.1/24 and forwards packets.
func (ns *Namespace) Wire() {
	ns.t.Helper()
	ns.Batch("link add near address " + NearMAC + " type veth peer name far address " + FarMAC + `
		addr add 10.0.0.1/24 dev far
		link set near up
		link set far up`)
	ns.awaitUp("near") // which was set up first
	ns.Sysctl("ipv4/ip_forward", "1")
}

// awaitUp waits until an end of a wire can send. Of the end that is set up before the other the
// kernel notices that a moment later, and drops what it sends until then (net/core/link_watch.c
// linkwatch_do_dev, which calls dev_activate after the state).
func (ns *Namespace) awaitUp(name string) {
	ns.t.Helper()
	ns.Await(name+" is up", func() bool { return strings.Contains(ns.Run("ip", "link", "show", name), " state UP ") })
}

// Peer makes a wire whose near end is in another namespace, with the address 10.0.0.2/24:
// another host.
func (ns *Namespace) Peer() *Namespace {
	ns.t.Helper()
	ns.Wire()
	peer := ns.Another()
	ns.MoveTo(peer, "near")
	peer.Batch("addr add 10.0.0.2/24 dev near\nlink set near up")
	ns.awaitUp("far")
	return peer
}

// MoveTo moves an interface to another namespace.
func (ns *Namespace) MoveTo(other *Namespace, ifname string) {
	ns.t.Helper()
	other.Do(func() error {
		there := fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), syscall.Gettid())
		ns.Run("ip", "link", "set", ifname, "netns", there)
		return nil
	})
}

// Arrive makes a datagram with size bytes of data, which must not be fragmented, come in
// over the wire from 10.0.0.2.
func (ns *Namespace) Arrive(dst string, size int) {
	ns.t.Helper()
	payload := append(UDPHeader(0), make([]byte, size)...)
	p := IPv4{Src: "10.0.0.2", Dst: dst, Flags: DontFragment, Protocol: syscall.IPPROTO_UDP, Payload: payload}
	ns.Inject("near", p.Frame(), 1)
}
