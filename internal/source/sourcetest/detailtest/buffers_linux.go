package detailtest

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// A Receiver is a socket with little room that is not read.
type Receiver struct {
	ns       *drops.Namespace
	protocol int
	sender   int // a socket that sends to it

	FD int
}

var loopback = [4]byte{127, 0, 0, 1}

// NewReceiver opens a receiver of a protocol, IPPROTO_UDP or IPPROTO_ICMP.
func NewReceiver(t *testing.T, ns *drops.Namespace, protocol int) *Receiver {
	t.Helper()
	r := &Receiver{ns: ns, protocol: protocol, FD: -1, sender: -1}
	ns.Sysctl("ipv4/ping_group_range", "0\t0")
	ns.Do(func() (err error) {
		r.FD, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, protocol)
		if err == nil {
			r.sender, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		}
		return err
	})
	t.Cleanup(func() { unix.Close(r.FD); unix.Close(r.sender) })
	to := &unix.SockaddrInet4{Port: drops.Port, Addr: loopback}
	if err := errors.Join(unix.SetsockoptInt(r.FD, unix.SOL_SOCKET, unix.SO_RCVBUF, 0), unix.Bind(r.FD, to)); err != nil {
		t.Fatal(err)
	}
	return r
}

// Fill sends datagrams to it, or has it send requests, whose answers come back.
func (r *Receiver) Fill(t *testing.T, count int) {
	t.Helper()
	if r.protocol == unix.IPPROTO_UDP {
		r.send(t, drops.Port, count)
		return
	}
	request := append([]byte{8, 0, 0, 0, 0, 0, 0, 1}, make([]byte, 64)...)
	for range count {
		if err := unix.Sendto(r.FD, request, 0, &unix.SockaddrInet4{Addr: loopback}); err != nil {
			t.Fatal(err)
		}
	}
}

// Queued reads what it has, and returns how many messages that were.
func (r *Receiver) Queued(t *testing.T) (n int) {
	t.Helper()
	for b := make([]byte, 256); ; n++ {
		if _, _, err := unix.Recvfrom(r.FD, b, unix.MSG_DONTWAIT); err != nil {
			return n
		}
	}
}

// send sends datagrams to a port.
func (r *Receiver) send(t *testing.T, port, count int) {
	t.Helper()
	for range count {
		err := unix.Sendto(r.sender, []byte("nobody wants this"), 0, &unix.SockaddrInet4{Port: port, Addr: loopback})
		if err != nil && !errors.Is(err, unix.ECONNREFUSED) {
			t.Fatal(err)
		}
	}
}

// FullBuffer tests that what a full receive buffer drops has the bytes in it and their limit, and what the
// same CPU drops next for another reason has not. For UDP only a source that reads sockets knows.
func FullBuffer(t *testing.T, s Subject) {
	const times, closedPort = 20, 10
	for name, protocol := range map[string]int{"UDP": unix.IPPROTO_UDP, "ICMP": unix.IPPROTO_ICMP} {
		t.Run(name, func(t *testing.T) {
			ns := drops.NewNamespace(t)
			receiver := NewReceiver(t, ns, protocol)
			limit, err := unix.GetsockoptInt(receiver.FD, unix.SOL_SOCKET, unix.SO_RCVBUF)
			if err != nil {
				t.Fatal(err)
			}
			full := Since(5, 18, "SOCKET_RCVBUFF")
			r := sourcetest.Run(t, s.Open(t), s.Of(ns, "", ""))
			for range times {
				receiver.Fill(t, 1)
				receiver.send(t, closedPort, 1)
			}
			r.Await(times + 1)
			n := 0
			for _, e := range r.End() {
				rmem, has := Arg(&e, "rmem")
				rcvbuf, _ := Arg(&e, "rcvbuf")
				if has {
					n++
				}
				if has && (e.Reason != full || rcvbuf.Number != uint64(limit) || rmem.Number < 1000) {
					t.Errorf("%s with %+v, want a limit of %d bytes", e.Reason, e.Args, limit)
				}
			}
			if told := protocol == unix.IPPROTO_ICMP || s.Sockets && guest.AtLeast(6, 10); n > times || (n > 0) != told {
				t.Errorf("%d drops have what is in the buffer", n)
			}
		})
	}
}

// Memory tests that what is dropped because UDP may use no more memory has how much it uses, and its
// limits, which are of the whole host.
func Memory(t *testing.T, s Subject) {
	const limits = "0 0 1"
	ns := drops.NewNamespace(t)
	ns.HostSysctl("ipv4/udp_mem", limits)
	receiver := NewReceiver(t, ns, unix.IPPROTO_UDP)
	if err := unix.SetsockoptInt(receiver.FD, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20); err != nil {
		t.Fatal(err)
	}
	r := sourcetest.Run(t, s.Open(t), func(e *event.Event) bool {
		_, has := Arg(e, "limits")
		return has
	})
	receiver.Fill(t, 5000) // a CPU may use some 1 MiB before that is counted
	r.Await(1)
	kept := r.End()
	if len(kept) == 0 {
		t.Fatal("no drop has the limits of memory")
	}
	for i := range kept {
		e := &kept[i]
		protocol, _ := Arg(e, "protocol")
		l, _ := Arg(e, "limits")
		allocated, has := Arg(e, "allocated")
		_, rmem := Arg(e, "rmem")
		if protocol.Text != "UDP" || l.Text != limits || !has || allocated.Number == 0 || !rmem || e.Reason != Since(5, 18, "PROTO_MEM") {
			t.Errorf("%s: %+v", e.Reason, e.Args)
		}
	}
}

// Qdisc tests that a queueing discipline whose queue is full has the reason of its own, counted or not, and its
// kind and handle, where the kernel says them.
func Qdisc(t *testing.T, s Subject) {
	const frames = 40
	ns := drops.NewNamespace(t)
	ns.Wire()
	ns.Run("tc", strings.Fields("qdisc add dev near root handle 7: tbf rate 8kbit burst 1600 limit 1600")...)
	r := sourcetest.Run(t, s.Open(t), s.Of(ns, "near", "QDISC_DROP"))
	Burst(t, ns, "near", Frame(1000), frames)
	r.Await(frames / 2)
	kept := r.End()
	if n, individual := sourcetest.Total(kept); n < frames/2 || (individual < n) != s.Counts {
		t.Errorf("%d drops, %d individually, want at least %d", n, individual, frames/2)
	}
	named := guest.AtLeast(7, 2)
	for i := range kept {
		e := &kept[i]
		qdisc, has := Arg(e, "qdisc")
		handle, _ := Arg(e, "handle")
		parent, _ := Arg(e, "parent")
		if named != strings.HasPrefix(e.Reason, "QDISC_DROP_") || has != (named && e.Individual) || named && e.Port.IfIndex == 0 ||
			has && (qdisc.Text == "" || !strings.HasSuffix(handle.Text, ":") || parent.Text == "") {
			t.Errorf("%s with %+v", e.Reason, e.Args)
		}
	}
}
