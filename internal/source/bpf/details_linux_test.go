package bpf

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/vmtest/guest"
)

// arg returns an argument of a drop.
func arg(e *event.Event, name string) (a event.Arg, ok bool) {
	i := slices.IndexFunc(e.Args, func(a event.Arg) bool { return a.Name == name })
	if i < 0 {
		return event.Arg{}, false
	}
	return e.Args[i], true
}

// TestOthersLoad: the kernel takes the program of each tracepoint that it has.
func TestOthersLoad(t *testing.T) {
	if s := need(t, Options{}); s.refused != nil || len(s.others) < 7 {
		t.Errorf("%d programs of other tracepoints, want 7 or more: %+v", len(s.others), s.refused)
	}
}

// TestFullBuffer: what a full receive buffer drops has the bytes in it and their limit, and what
// the same CPU drops next for another reason has not.
func TestFullBuffer(t *testing.T) {
	const times = 20
	for _, form := range testedForms() {
		for name, protocol := range map[string]int{"UDP": unix.IPPROTO_UDP, "ICMP": unix.IPPROTO_ICMP} {
			t.Run(form+"/"+name, func(t *testing.T) {
				p := newPlace(t)
				receiver, sender := p.receiver(t, protocol)
				limit, err := unix.GetsockoptInt(receiver, unix.SOL_SOCKET, unix.SO_RCVBUF)
				if err != nil {
					t.Fatal(err)
				}
				full := since(5, 18, "SOCKET_RCVBUFF")
				r := sourcetest.Run(t, needForm(t, form, Options{Sample: DefaultSample}), func(e *event.Event) bool {
					return e.Netns.Inode == p.inode
				})
				for range times {
					fill(t, receiver, sender, protocol)
					sendTo(t, sender, &unix.SockaddrInet4{Port: 10, Addr: closed.Addr}, 1)
				}
				r.Await(times + 1)
				n := 0
				for _, e := range r.End() {
					rmem, has := arg(&e, "rmem")
					rcvbuf, _ := arg(&e, "rcvbuf")
					if has {
						n++
					}
					if has && e.Reason != full || has && (rcvbuf.Number != uint64(limit) || rmem.Number < 1000) {
						t.Errorf("%s with %+v, want a limit of %d bytes", e.Reason, e.Args, limit)
					}
				}
				if told := protocol == unix.IPPROTO_ICMP || guest.AtLeast(6, 10); n > times || (n > 0) != told {
					t.Errorf("%d drops have what is in the buffer", n)
				}
			})
		}
	}
}

// fill sends a datagram to a receiver, or has it send a request, whose answer comes back.
func fill(t *testing.T, receiver, sender, protocol int) {
	t.Helper()
	if protocol == unix.IPPROTO_UDP {
		sendTo(t, sender, closed, 1)
		return
	}
	request := append([]byte{8, 0, 0, 0, 0, 0, 0, 1}, make([]byte, 64)...)
	if err := unix.Sendto(receiver, request, 0, &unix.SockaddrInet4{Addr: closed.Addr}); err != nil {
		t.Fatal(err)
	}
}

// receiver opens a socket that has little room and is not read, and one that sends to it.
func (p *place) receiver(t *testing.T, protocol int) (receiver, sender int) {
	t.Helper()
	sender = p.socket(t)
	p.run(t, "sysctl -w net.ipv4.ping_group_range=0\t0")
	p.Do(func() (err error) {
		receiver, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, protocol)
		return err
	})
	t.Cleanup(func() { unix.Close(receiver) })
	if err := errors.Join(unix.SetsockoptInt(receiver, unix.SOL_SOCKET, unix.SO_RCVBUF, 0), unix.Bind(receiver, closed)); err != nil {
		t.Fatal(err)
	}
	return receiver, sender
}

// TestGuestMemory: what is dropped because UDP may use no more memory has how much it uses,
// and its limits, which are of the whole host.
func TestGuestMemory(t *testing.T) {
	const sysctl, limits = "/proc/sys/net/ipv4/udp_mem", "0 0 1"
	before, err := os.ReadFile(sysctl)
	if err == nil {
		err = os.WriteFile(sysctl, []byte(limits), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.WriteFile(sysctl, before, 0) })
	p := newPlace(t)
	receiver, sender := p.receiver(t, unix.IPPROTO_UDP)
	if err := unix.SetsockoptInt(receiver, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20); err != nil {
		t.Fatal(err)
	}
	r := sourcetest.Run(t, need(t, Options{}), func(e *event.Event) bool {
		_, has := arg(e, "limits")
		return has
	})
	sendTo(t, sender, closed, 5000) // a CPU may use some 1 MiB before that is counted
	r.Await(1)
	kept := r.End()
	if len(kept) == 0 {
		t.Fatal("no drop has the limits of memory")
	}
	for i := range kept {
		e := &kept[i]
		protocol, _ := arg(e, "protocol")
		l, _ := arg(e, "limits")
		allocated, has := arg(e, "allocated")
		if _, rmem := arg(e, "rmem"); protocol.Text != "UDP" || l.Text != limits || !has || allocated.Number == 0 || !rmem {
			t.Errorf("%s: %+v", e.Reason, e.Args)
		}
	}
}

// TestSelectedByArgs: an expression on what is in a receive buffer is decided for each drop whole.
func TestSelectedByArgs(t *testing.T) {
	const times = 20
	p := newPlace(t)
	receiver, sender := p.receiver(t, unix.IPPROTO_ICMP)
	all := newSelection(t, p, "ip", Options{Sample: 1})
	full := newSelection(t, p, "args.rmem > 1000", Options{Sample: 1})
	small := newSelection(t, p, "args.rmem < 1000", Options{Sample: 1})
	for range times {
		fill(t, receiver, sender, unix.IPPROTO_ICMP)
	}
	full.Await(times / 2)
	sourcetest.AwaitIdle(all.Running, full.Running, small.Running)
	drops, _ := sourcetest.Total(all.End())
	n, individual := sourcetest.Total(full.End())
	if n < times/2 || n > drops || individual != n || full.Ledger.TotalLost() != 0 {
		t.Errorf("%d of %d drops, %d individually", n, drops, individual)
	}
	if n, _ := sourcetest.Total(small.End()); n != 0 {
		t.Errorf("%d drops with little in the buffer", n)
	}
}

// TestSelectedByFamily: a reason stands for the finer ones of its family, before and after other
// tracepoints gave those.
func TestSelectedByFamily(t *testing.T) {
	const frames = 40
	p := newPlace(t)
	p.Wire()
	p.run(t, "tc qdisc add dev near root handle 7: tbf rate 8kbit burst 1600 limit 1600")
	fd := p.packetSocket(t)
	family := newSelection(t, p, "iface near and reason QDISC_DROP", Options{Sample: 1})
	finer := newSelection(t, p, "iface near and reason {QDISC_DROP_GENERIC, QDISC_DROP_OVERLIMIT}", Options{Sample: 1})
	others := newSelection(t, p, "iface near and reason != QDISC_DROP", Options{Sample: 1})
	frame := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0}, make([]byte, 1000)...)
	for range frames {
		p.sendFrame(t, fd, "near", frame)
	}
	sourcetest.AwaitIdle(family.Running, finer.Running, others.Running)
	n, _ := sourcetest.Total(family.End())
	ofFiner, _ := sourcetest.Total(finer.End())
	ofOthers, _ := sourcetest.Total(others.End())
	least := uint64(frames / 2)
	if !guest.AtLeast(5, 17) { // there are no reasons
		least = 0
	}
	if n < least || ofOthers != 0 || (ofFiner == n) != (guest.AtLeast(7, 2) || least == 0) {
		t.Errorf("%d drops, %d with a finer reason, %d others, want at least %d", n, ofFiner, ofOthers, least)
	}
}

// TestQdisc: a queueing discipline whose queue is full has the reason of its own, counted or
// not, and its kind and handle, where the kernel says them.
func TestQdisc(t *testing.T) {
	const frames = 40
	for _, form := range testedForms() {
		t.Run(form, func(t *testing.T) {
			p := newPlace(t)
			p.Wire()
			p.run(t, "tc qdisc add dev near root handle 7: tbf rate 8kbit burst 1600 limit 1600")
			fd := p.packetSocket(t)
			frame := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0}, make([]byte, 1000)...)
			r := sourcetest.Run(t, needForm(t, form, Options{Sample: 1}), func(e *event.Event) bool {
				return e.Netns.Inode == p.inode && e.Port.IfName == "near"
			})
			for range frames {
				p.sendFrame(t, fd, "near", frame)
			}
			r.Await(frames / 2)
			named := guest.AtLeast(7, 2)
			kept := r.End()
			if n, individual := sourcetest.Total(kept); n < frames/2 || individual == n {
				t.Errorf("%d drops, %d individually, want %d, not all individually", n, individual, frames/2)
			}
			for i := range kept {
				e := &kept[i]
				qdisc, has := arg(e, "qdisc")
				handle, _ := arg(e, "handle")
				if named != strings.HasPrefix(e.Reason, "QDISC_DROP_") || has != (named && e.Individual) ||
					has && (qdisc.Text == "" || handle.Text == "") {
					t.Errorf("%s with %+v", e.Reason, e.Args)
				}
			}
		})
	}
}
