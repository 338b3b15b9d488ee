package retrans

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/stage/owner"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// needMPTCP ends a test on a kernel without MPTCP, as Debian's 5.10.
func needMPTCP(t *testing.T) {
	t.Helper()
	if !guest.AtLeast(5, 15) {
		t.Skip("this kernel has no MPTCP")
	}
	if _, err := os.Stat("/proc/sys/net/mptcp/enabled"); err != nil {
		vmtest.SkipOrFail(t, fmt.Errorf("this kernel has no MPTCP: %w", err))
	}
}

// An mptcp is a transfer that is over: what its two subflows sent from, and the inode of the sender's socket.
type mptcp struct {
	subflows [2]netip.Addr
	inode    uint64
}

// transferMPTCP sends so many bytes by MPTCP to a port, over two subflows, and waits until they have arrived.
func transferMPTCP(t *testing.T, ns *drops.Namespace, port, size int) (m mptcp) {
	t.Helper()
	m.subflows = [2]netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")}
	ns.Sysctl("mptcp/enabled", "1")
	ns.Run("ip", "mptcp", "limits", "set", "subflow", "2", "add_addr_accepted", "2")
	ns.Run("ip", "mptcp", "endpoint", "add", "127.0.0.2", "dev", "lo", "subflow")
	ns.Do(func() error {
		var lc net.ListenConfig
		lc.SetMultipathTCP(true)
		l, err := lc.Listen(context.Background(), "tcp", fmt.Sprint("127.0.0.1:", port))
		if err != nil {
			return err
		}
		defer l.Close()
		read := make(chan error, 1)
		go func() {
			c, err := l.Accept()
			if err == nil {
				_, err = io.CopyN(io.Discard, c, int64(size))
				c.Close()
			}
			read <- err
		}()
		var d net.Dialer
		d.SetMultipathTCP(true)
		c, err := d.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		ns.Cleanup(c.Close) // until its owner was looked up
		if multipath, err := c.(*net.TCPConn).MultipathTCP(); err != nil || !multipath {
			return fmt.Errorf("the connection is not one of MPTCP: %w", errors.Join(err, errors.ErrUnsupported))
		}
		if m.inode, err = inodeOf(c.(*net.TCPConn)); err != nil {
			return err
		}
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		if _, err := c.Write(make([]byte, size)); err != nil {
			return err
		}
		return <-read
	})
	return m
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
	ns := lossy(t, port)
	inode := ns.Inode()
	stage := owner.Stage(host.New("/"))
	bySubflow := make(map[netip.Addr]int)
	var segments uint64
	r := sourcetest.Run(t, need(t, Options{}), func(e *event.Event) bool { return e.Kind == event.Retransmit && e.Netns.Inode == inode })
	m := transferMPTCP(t, ns, port, 8<<20)
	for _, e := range r.End() {
		segments += e.Segments
		bySubflow[e.Packet.Flow.Src]++
		stage(&e)
		s := e.Owner.Socket
		if s == nil || s.Inode != m.inode || s.Protocol != syscall.IPPROTO_TCP || s.Confidence != event.Certain {
			t.Errorf("socket %+v, want inode %d", s, m.inode)
		}
		if p := e.Owner.Process; p.PID != uint32(os.Getpid()) {
			t.Errorf("process %+v, pending %v", p, e.Owner.Pending)
		}
	}
	want := uint64(ns.Counter("snmp", "Tcp", "RetransSegs"))
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

// TestTraceMPTCP: perf reports the subflows, too. The port is one of its own, as connections of TestMPTCP may still
// send again.
func TestTraceMPTCP(t *testing.T) {
	needMPTCP(t)
	ns := withoutGSO(t, closed)
	r := sourcetest.Run(t, needTrace(t, Options{}), func(e *event.Event) bool { return int(e.Packet.Flow.DstPort) == closed })
	transferMPTCP(t, ns, closed, 2<<20)
	r.End()
	checkSum(t, ns, r)
}
