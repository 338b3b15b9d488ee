package retrans

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/stage/owner"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// subflows is the port of MPTCP: not that of the tests of other connections with perf, which does not report
// the network namespace.
var subflows = port + 20_000

// needMPTCP ends a test on a kernel without MPTCP.
func needMPTCP(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/proc/sys/net/mptcp/enabled"); err != nil {
		vmtest.SkipOrFail(t, fmt.Errorf("this kernel has no MPTCP: %w", err))
	}
}

// An mptcp is a transfer that is over: what its two subflows sent from, and the inode of the sender's socket.
type mptcp struct {
	subflows [2]netip.Addr
	inode    uint64
}

// transferMPTCP sends to a port by MPTCP, over two subflows, a megabyte at a time while more returns true, 64 at
// most. It waits until all has arrived.
func transferMPTCP(t *testing.T, ns *drops.Namespace, port int, more func() bool) (m mptcp) {
	t.Helper()
	m.subflows = [2]netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")}
	ns.Sysctl("mptcp/enabled", "1")
	ns.Run("ip", "mptcp", "limits", "set", "subflow", "2", "add_addr_accepted", "2")
	ns.Run("ip", "mptcp", "endpoint", "add", "127.0.0.2", "dev", "lo", "subflow")
	c, read := dialMPTCP(ns, port)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if multipath, err := c.MultipathTCP(); err != nil || !multipath {
		t.Fatalf("the connection is not one of MPTCP: %v", err)
	}
	var err error
	m.inode, err = inodeOf(c)
	must(errors.Join(err, c.SetDeadline(time.Now().Add(time.Minute))))
	_, err = c.Write([]byte{0})
	must(err)
	ns.Await("the second subflow is there", func() bool { return ns.Counter("netstat", "MPTcpExt", "MPJoinAckRx") > 0 })
	for i := 0; i < 64 && more(); i++ {
		_, err := c.Write(make([]byte, 1<<20))
		must(err)
	}
	must(c.CloseWrite())
	must(<-read)
	ns.Await("each subflow has an acknowledgment of all that it sent", func() bool { return !sending(ns) })
	return m
}

// sending reports whether a connection of TCP has sent what is not acknowledged yet: its tx_queue is not empty.
func sending(ns *drops.Namespace) bool {
	for line := range strings.Lines(ns.Run("cat", "/proc/self/net/tcp")) {
		if f := strings.Fields(line); strings.Contains(f[4], ":") && !strings.HasPrefix(f[4], "00000000:") {
			return true
		}
	}
	return false
}

// dialMPTCP connects to a listener that reads until the end of what is sent, which read tells. The connection is
// open until the test ends, so that its owner can be looked up.
func dialMPTCP(ns *drops.Namespace, port int) (c *net.TCPConn, read <-chan error) {
	done := make(chan error, 1)
	ns.Do(func() error {
		var lc net.ListenConfig
		lc.SetMultipathTCP(true)
		l, err := lc.Listen(context.Background(), "tcp", fmt.Sprint("127.0.0.1:", port))
		if err != nil {
			return err
		}
		ns.Cleanup(l.Close)
		go func() {
			c, err := l.Accept()
			if err == nil {
				_, err = io.Copy(io.Discard, c)
				c.Close()
			}
			done <- err
		}()
		var d net.Dialer
		d.SetMultipathTCP(true)
		dialed, err := d.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		ns.Cleanup(dialed.Close)
		c = dialed.(*net.TCPConn)
		return nil
	})
	return c, done
}

// inodeOf returns the inode of a socket.
func inodeOf(c *net.TCPConn) (inode uint64, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var stat syscall.Stat_t
	err = errors.Join(raw.Control(func(fd uintptr) { err = syscall.Fstat(int(fd), &stat) }), err)
	return stat.Ino, err
}

// TestMPTCP: what the subflows of a connection send again is what the kernel counts. The socket that is reported
// is a subflow's, which no process has open; the kernel gives it the inode of the connection's, by which the
// process is found.
func TestMPTCP(t *testing.T) {
	needMPTCP(t)
	ns := lossy(t, subflows)
	inode := ns.Inode()
	stage := owner.Stage(host.New("/"))
	bySubflow := make(map[netip.Addr]int)
	var segments uint64
	var fromSecond atomic.Bool
	r := sourcetest.Run(t, need(t, Options{}), func(e *event.Event) bool {
		here := e.Kind == event.Retransmit && e.Netns.Inode == inode
		if here && e.Packet.Flow.Src == netip.MustParseAddr("127.0.0.2") {
			fromSecond.Store(true)
		}
		return here
	})
	m := transferMPTCP(t, ns, subflows, func() bool { return !fromSecond.Load() })
	for _, e := range endCounted(ns, r, 0) {
		segments += e.Segments
		bySubflow[e.Packet.Flow.Src]++
		ns.Await("the process of a subflow was looked up", func() bool { stage(&e); return !e.Owner.Pending })
		s := e.Owner.Socket
		if s == nil || s.Inode != m.inode || s.Protocol != syscall.IPPROTO_TCP || s.Confidence != event.Certain {
			t.Errorf("socket %+v, want inode %d", s, m.inode)
		}
		if p := e.Owner.Process; p.PID != uint32(os.Getpid()) {
			t.Errorf("process %+v, pending %v", p, e.Owner.Pending)
		}
	}
	want := resentIn(ns)
	if segments != want || want == 0 || r.Ledger.TCP.Lost != 0 {
		t.Errorf("%d segments, the kernel counts %d, ledger %+v", segments, want, r.Ledger.TCP)
	}
	for _, from := range m.subflows {
		if bySubflow[from] == 0 {
			t.Errorf("subflow from %v retransmitted nothing: %v", from, bySubflow)
		}
	}
	t.Logf("%d segments, events by subflow %v", segments, bySubflow)
}

// TestTraceMPTCP: perf reports the subflows, too.
func TestTraceMPTCP(t *testing.T) {
	needMPTCP(t)
	ns := withoutGSO(t, subflows)
	r := sourcetest.Run(t, needTrace(t, Options{}), func(e *event.Event) bool {
		return int(e.Packet.Flow.DstPort) == subflows || int(e.Packet.Flow.SrcPort) == subflows
	})
	left := 2
	transferMPTCP(t, ns, subflows, func() bool { left--; return left >= 0 })
	r.End()
	checkSum(t, ns, r)
}
