package owner

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
)

// child is the variable that makes the test program a process that lives until its
// input ends, and listens at the address that is the variable's value, if it is one.
const child = "DROPWATCH_TEST_OWNER"

func TestMain(m *testing.M) {
	mode := os.Getenv(child)
	if mode == "" {
		vmtest.Main(m)
	}
	var err error
	if at, none := netip.ParseAddrPort(mode); none == nil {
		err = listen(at)
	} else {
		_, err = fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin)
	}
	if err != nil {
		fmt.Println(err)
	}
}

func TestGuestAsHere(t *testing.T) {
	if sole() != event.Certain {
		t.Error("not all processes of this kernel are visible")
	}
	t.Run("sockets", TestHostKnowsOurSockets)
	t.Run("shared", TestHostKnowsASharedAndAClosedSocket)
	t.Run("namespaces", TestHostTellsNamespacesApart)
	t.Run("initial", TestHostNamesTheInitialNamespace)
	t.Run("container", TestHostKnowsAContainer)
}

// childUDP is where a child that listens does so, too.
var childUDP = netip.MustParseAddrPort("[::1]:7053")

// listen prints the inodes of the network namespace and of two sockets.
func listen(at netip.AddrPort) error {
	if err := loUp(); err != nil {
		return err
	}
	l, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return err
	}
	u, err := net.ListenUDP("udp6", net.UDPAddrFromAddrPort(childUDP))
	if err != nil {
		return err
	}
	netns, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		return err
	}
	fmt.Println(inodeOf(netns), inodeOfSocket(l), inodeOfSocket(u))
	// The sockets stay open until the process ends.
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, l.Close(), u.Close())
}

// loUp switches the loopback interface on.
func loUp() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	request := struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}{[16]byte{'l', 'o'}, syscall.IFF_UP, [22]byte{}}
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); e != 0 {
		return e
	}
	return nil
}

// inodeOf returns the inode number of a file.
func inodeOf(info fs.FileInfo) uint64 { return info.Sys().(*syscall.Stat_t).Ino }

// inodeOfSocket returns the number that the socket has in /proc/PID/fd.
func inodeOfSocket(s syscall.Conn) (inode uint64) {
	c, err := s.SyscallConn()
	if err == nil {
		c.Control(func(fd uintptr) {
			var st syscall.Stat_t
			if syscall.Fstat(int(fd), &st) == nil {
				inode = st.Ino
			}
		})
	}
	return inode
}

// start runs a child and returns its first line.
func start(t *testing.T, mode string, set func(*exec.Cmd)) (*os.Process, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), child+"="+mode)
	set(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("child: %q, %v", line, err)
	}
	return cmd.Process, strings.TrimSpace(line)
}

// sole is the confidence where one process has a socket: it may not be visible that
// no other has it, not even to root in a sandbox.
func sole() event.Confidence {
	h := newFinder(host.New("/"))
	for _, pid := range h.host.PIDs() {
		if err := h.host.Sockets(pid, func(uint64) {}); errors.Is(err, fs.ErrPermission) {
			return event.Likely
		}
	}
	return event.Certain
}

// self is what a process of the test program must be found as.
func self(t *testing.T, pid int, c event.Confidence) event.Process {
	t.Helper()
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	return event.Process{PID: uint32(pid), Comm: strings.TrimSpace(string(comm)), Confidence: c}
}

// within tries until process and cgroup are found, as the host may be slow to read.
func within(t *testing.T, stage func(*event.Event) bool, e *event.Event) {
	t.Helper()
	original := *e
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		*e = original
		stage(e)
		found := e.Owner.Process.PID != 0 && (e.Owner.Cgroup.ID == 0 || e.Owner.Cgroup.Path != "")
		if found || time.Now().After(deadline) {
			return
		}
	}
}

func TestHostKnowsOurSockets(t *testing.T) {
	tcp4, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp4.Close()
	conn, err := net.Dial("tcp4", tcp4.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	udp6, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp6.Close()
	netns, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	want := self(t, os.Getpid(), sole())
	likely := want
	likely.Confidence = event.Likely
	for name, s := range map[string]struct {
		socket              syscall.Conn
		protocol            uint8
		local, peer         net.Addr
		state               event.SocketState
		remoteIsUnconnected bool
	}{
		"listening": {
			tcp4.(*net.TCPListener), tcp, tcp4.Addr(), &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}, event.SocketListens, true,
		},
		"connected": {conn.(*net.TCPConn), tcp, conn.LocalAddr(), conn.RemoteAddr(), 1, false},
		"UDP, IPv6": {udp6.(*net.UDPConn), udp, udp6.LocalAddr(), &net.UDPAddr{IP: net.IPv6loopback, Port: 9}, 7, true},
	} {
		inode := inodeOfSocket(s.socket)
		e := known(inode)
		if within(t, Stage(host.New("/")), e); e.Owner.Process != want {
			t.Errorf("%s, named by the kernel: %+v, want %+v", name, e.Owner.Process, want)
		}
		near, far := netip.MustParseAddrPort(s.local.String()), netip.MustParseAddrPort(s.peer.String())
		e = &event.Event{Count: 1, Netns: event.Netns{Inode: uint32(inodeOf(netns))}}
		e.Packet.Flow = packetOf(far.Addr().String(), far.Port(), near.Addr().String(), near.Port(), s.protocol)
		if within(t, Stage(host.New("/")), e); e.Owner.Process != likely || e.Owner.Socket == nil {
			t.Errorf("%s, by its flow: %+v, want %+v", name, e.Owner.Process, likely)
			continue
		}
		got := e.Owner.Socket
		ends := got.Local == near && (got.Remote == far) != s.remoteIsUnconnected
		if got.Inode != inode || got.State != s.state || !got.Receiver || !ends {
			t.Errorf("%s, by its flow: %+v, want inode %d at %v", name, got, inode, near)
		}
	}
}

func TestHostKnowsASharedAndAClosedSocket(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	inode := inodeOfSocket(l.(*net.TCPListener))
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	holder, _ := start(t, "hold", func(c *exec.Cmd) { c.ExtraFiles = []*os.File{f} })
	f.Close()
	lowest := min(os.Getpid(), holder.Pid) // PIDs wrap around: the child's may be lower
	stage, want := Stage(host.New("/")), self(t, lowest, event.Likely)
	e := known(inode)
	if within(t, stage, e); e.Owner.Process != want {
		t.Errorf("shared by two: %+v, want %+v", e.Owner.Process, want)
	}
	l.Close()
	e = known(inode)
	e.Owner.Socket.Inode = 0
	if stage(e); e.Owner.Process != want {
		t.Errorf("closed: %+v, want %+v", e.Owner.Process, want)
	}
}

// TestHostTellsNamespacesApart has the same port open here and in another network
// namespace.
func TestHostTellsNamespacesApart(t *testing.T) {
	vmtest.RequireRoot(t)
	here, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	childTCP := netip.MustParseAddrPort(here.Addr().String())
	process, line := start(t, childTCP.String(), func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	})
	var netns, tcpInode, udpInode uint64
	if _, err := fmt.Sscan(line, &netns, &tcpInode, &udpInode); err != nil {
		t.Fatalf("child: %q: %v", line, err)
	}
	own, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	stage := Stage(host.New("/"))
	for name, tt := range map[string]struct {
		netns, inode uint64
		to           netip.AddrPort
		protocol     uint8
		pid          int
	}{
		"there":       {netns, tcpInode, childTCP, tcp, process.Pid},
		"there, IPv6": {netns, udpInode, childUDP, udp, process.Pid},
		"here":        {inodeOf(own), inodeOfSocket(here.(*net.TCPListener)), childTCP, tcp, os.Getpid()},
	} {
		e := &event.Event{Count: 1, Netns: event.Netns{Inode: uint32(tt.netns)}}
		e.Packet.Flow = packetOf(tt.to.Addr().String(), 9, tt.to.Addr().String(), tt.to.Port(), tt.protocol)
		within(t, stage, e)
		if s := e.Owner.Socket; s == nil || s.Inode != tt.inode || s.Local != tt.to || e.Owner.Process != self(t, tt.pid, event.Likely) {
			t.Errorf("%s: %+v of %+v, want inode %d of %d", name, s, e.Owner.Process, tt.inode, tt.pid)
		}
	}

	root := t.TempDir()
	blue := filepath.Join(root, "run/netns/blue")
	err = errors.Join(os.MkdirAll(filepath.Dir(blue), 0o755), os.WriteFile(blue, nil, 0o644),
		syscall.Mount(fmt.Sprintf("/proc/%d/ns/net", process.Pid), blue, "", syscall.MS_BIND, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(blue, syscall.MNT_DETACH)
	e := event.Event{Count: 1, Netns: event.Netns{Inode: uint32(netns)}}
	if fill(t, root, &e); e.Netns.Name != "blue" {
		t.Errorf("the name is %q, want blue", e.Netns.Name)
	}
}

func TestHostNamesTheInitialNamespace(t *testing.T) {
	vmtest.RequireRoot(t)
	if !host.New("/").SeesAllProcesses() {
		vmtest.SkipOrFail(t, errors.New("process 2 is kthreadd only in the initial PID namespace"))
	}
	var inode uint32
	link, err := os.Readlink("/proc/2/ns/net")
	if _, err2 := fmt.Sscanf(link, "net:[%d]", &inode); err != nil || err2 != nil {
		t.Fatal(link, err, err2)
	}
	e := event.Event{Count: 1, Netns: event.Netns{Inode: inode}}
	if fill(t, "/", &e); e.Netns.Name != event.InitNetns {
		t.Errorf("namespace %d is called %q", inode, e.Netns.Name)
	}
}

func TestHostKnowsAContainer(t *testing.T) {
	vmtest.RequireRoot(t)
	top := host.New("/").MountPoint("cgroup2")
	if top == "" {
		vmtest.SkipOrFail(t, errors.New("no cgroup hierarchy of version 2 is mounted"))
	}
	var random [32]byte
	rand.Read(random[:])
	container := hex.EncodeToString(random[:])
	dir := filepath.Join(top, "docker-"+container+".scope")
	if err := os.Mkdir(dir, 0o755); err != nil {
		vmtest.SkipOrFail(t, fmt.Errorf("a cgroup for the test: %w", err))
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	group, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	info, err := group.Stat()
	if err != nil {
		t.Fatal(err)
	}
	process, line := start(t, "127.0.0.1:7080", func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, UseCgroupFD: true, CgroupFD: int(group.Fd())}
	})
	var netns, inode uint64
	if _, err := fmt.Sscan(line, &netns, &inode); err != nil {
		t.Fatalf("child: %q: %v", line, err)
	}
	name := filepath.Base(dir)
	for id, where := range map[uint64]string{inodeOf(info): "by the cgroup", 0: "by the process"} {
		e := known(inode)
		e.Owner.Cgroup.ID = id
		within(t, Stage(host.New("/")), e)
		want := event.Owner{
			Socket: e.Owner.Socket, Process: self(t, process.Pid, sole()), Unit: name,
			Cgroup:    event.Cgroup{ID: id, Path: "/" + name},
			Container: event.Container{ID: container, Runtime: "docker"},
		}
		if e.Owner != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", where, e.Owner, want)
		}
	}
}

// BenchmarkScan reads what this host has, with 300 more processes.
func BenchmarkScan(b *testing.B) {
	for range 300 {
		cmd := exec.Command("sleep", "60")
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		defer func() {
			cmd.Process.Kill()
			cmd.Wait()
		}()
	}
	h := newFinder(host.New("/"))
	b.Run("holders", func(b *testing.B) {
		for b.Loop() {
			h.readHolders()
		}
	})
	b.Run("spaces", func(b *testing.B) {
		for b.Loop() {
			h.host.NetworkNamespaces()
		}
	})
	b.Run("groups", func(b *testing.B) {
		for b.Loop() {
			h.host.UnifiedCgroups()
		}
	})
	for protocol, name := range files {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				readTable(h.host, uint32(os.Getpid()), protocol)
			}
		})
	}
}
