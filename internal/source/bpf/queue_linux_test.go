package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// tcpPair connects two sockets of the namespace by loopback.
func (p *place) tcpPair(t testing.TB) (client, server int) {
	t.Helper()
	var listener int
	p.Do(func() (err error) {
		if listener, err = listen(); err != nil {
			return err
		}
		if client, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		name, err := unix.Getsockname(listener)
		if err == nil {
			err = unix.Connect(client, name)
		}
		if err == nil {
			server, _, err = unix.Accept(listener)
		}
		return err
	})
	unix.Close(listener)
	return client, server
}

// listen opens a TCP socket at a free port of 127.0.0.1.
func listen() (fd int, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return fd, err
	}
	return fd, errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: closed.Addr}), unix.Listen(fd, 64))
}

// snmp reads a counter of the namespace: snmp(t, "Tcp", "OutSegs").
func (p *place) snmp(t testing.TB, group, name string) (n uint64) {
	t.Helper()
	p.Do(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/snmp")
		if err != nil {
			return err
		}
		var names []string
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if fields[0] != group+":" {
				continue
			}
			if names == nil {
				names = fields
				continue
			}
			for i := range fields {
				if names[i] == name {
					_, err := fmt.Sscan(fields[i], &n)
					return err
				}
			}
		}
		return fmt.Errorf("no counter %s of %s", name, group)
	})
	return n
}

// segments adds up the packets on the wire.
func segments(events []event.Event) (n uint64) {
	for i := range events {
		n += events[i].Segments
	}
	return n
}

// TestSegmentsOfUDP drops datagrams that one call sends many of: each is a segment.
func TestSegmentsOfUDP(t *testing.T) {
	const calls, each = 50, 10
	for _, form := range testedForms() {
		t.Run(form, func(t *testing.T) {
			p := newPlace(t)
			fd := p.socket(t)
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT, 100); err != nil {
				t.Fatal(err)
			}
			r := sourcetest.Run(t, needForm(t, form, Options{Sample: 3}), p.of)
			for range calls {
				if err := unix.Sendto(fd, make([]byte, each*100), 0, closed); err != nil && !errors.Is(err, unix.ECONNREFUSED) {
					t.Fatal(err)
				}
			}
			kept := r.End()
			packets, individual := sourcetest.Total(kept)
			want := uint64(calls)
			if !guest.AtLeast(5, 18) { // lo takes no segments of UDP together
				want = calls * each
			}
			if got := segments(kept); got != calls*each || packets != want || individual < 3 || individual == packets {
				t.Errorf("%s: %d segments of %d packets, %d alone, want %d of %d", form, got, packets, individual, calls*each, want)
			}
		})
	}
}

// TestSegmentsOfTCP drops what TCP sends, which counts the segments itself.
func TestSegmentsOfTCP(t *testing.T) {
	p := newPlace(t)
	client, server := p.tcpPair(t)
	defer unix.Close(server)
	port := localPort(t, server)
	const rules = "nft add table ip t; add chain ip t c { type filter hook output priority 0; }; add rule ip t c tcp dport %d drop"
	p.run(t, "ip link set lo mtu 1500", fmt.Sprintf(rules, port)) // lo takes packets of 64 KiB, each one segment of TCP
	r := sourcetest.Run(t, need(t, Options{Sample: 1}), func(e *event.Event) bool { return e.Netns.Inode == p.inode })
	before := p.snmp(t, "Tcp", "OutSegs")
	p.Do(func() error {
		_, err := unix.Write(client, make([]byte, 200_000))
		return err
	})
	abort(t, client)
	kept := r.End()
	want := p.snmp(t, "Tcp", "OutSegs") - before
	packets, _ := sourcetest.Total(kept)
	if got := segments(kept); got != want || packets >= want {
		t.Errorf("%d segments of %d packets, want %d of fewer", got, packets, want)
	}
}

// abort closes a TCP socket that sends nothing more, not even a reset.
func abort(t testing.TB, fd int) {
	t.Helper()
	const repair, on = 19, 1 // TCP_REPAIR, TCP_REPAIR_ON (include/uapi/linux/tcp.h)
	if err := errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, repair, on), unix.Close(fd)); err != nil {
		t.Fatal(err)
	}
}

// TestInterfaceOfTCP drops a segment that TCP has looked up the socket for, which
// takes the packet's reference to its interface away.
func TestInterfaceOfTCP(t *testing.T) {
	p := newPlace(t)
	client, server := p.tcpPair(t)
	defer unix.Close(client)
	defer unix.Close(server)
	selections := make(map[string]*selection)
	expressions := []string{"ifindex 1", "iface lo and not iface far", "tcp", "iface lo", "iface l*"}
	if vmtest.InGuest() { // which are slow
		expressions = expressions[:2]
	}
	for _, expression := range expressions {
		selections[expression] = newSelection(t, p, expression, Options{Sample: 2})
	}
	rejects := newSelection(t, p, "not iface lo", Options{Sample: 2})
	sendBehindWindow(t, p, localPort(t, client), localPort(t, server), 5)
	want := uint64(5)
	if !guest.AtLeast(5, 17) { // TCP frees it without an event
		want = 0
	}
	for expression, s := range selections {
		s.Await(want)
		kept := s.End()
		if got, _ := sourcetest.Total(kept); got != want {
			t.Errorf("%s: %d drops, want %d", expression, got, want)
		}
		for i := range kept {
			if e := &kept[i]; e.Port != (event.Port{IfIndex: 1, IfName: "lo"}) {
				t.Errorf("%s: port %+v of %+v", expression, e.Port, e)
			}
		}
	}
	if got, _ := sourcetest.Total(rejects.End()); got != 0 || rejects.Ledger.Undecided != 0 {
		t.Errorf("not iface lo: %d drops, %+v, want none", got, rejects.Ledger)
	}
}

// sendBehindWindow sends segments of a connection whose sequence numbers are not in
// its window, with a reset that makes the kernel answer nothing.
func sendBehindWindow(t *testing.T, p *place, from, to uint16, count int) {
	t.Helper()
	var fd int
	p.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		return err
	})
	defer unix.Close(fd)
	b := binary.BigEndian.AppendUint16(nil, from)
	b = binary.BigEndian.AppendUint16(b, to)
	b = binary.BigEndian.AppendUint32(b, 1) // of 4294967296: far from the window but for one try in thousands
	b = append(b, 0, 0, 0, 0, 5<<4, 4 /* RST */, 0, 0, 0, 0, 0, 0)
	sum := uint32(0)
	pseudo := bytes.Join([][]byte{closed.Addr[:], closed.Addr[:], {0, unix.IPPROTO_TCP, 0, byte(len(b))}, b}, nil)
	for i := 0; i < len(pseudo); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(pseudo[i:]))
	}
	binary.BigEndian.PutUint16(b[16:], ^uint16(sum+sum>>16))
	ip := append([]byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, unix.IPPROTO_TCP, 0, 0}, pseudo[:8]...) // the kernel fills the checksum in
	for range count {
		if err := unix.Sendto(fd, append(ip, b...), 0, &unix.SockaddrInet4{Addr: closed.Addr}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUnreadDatagrams: what a UDP socket has not read when it is closed has neither
// interface nor socket any more, only the index of the interface that it came in by.
// The namespace of that is not known.
func TestUnreadDatagrams(t *testing.T) {
	for _, fam := range families {
		t.Run(fam.name, func(t *testing.T) {
			p := newPlace(t)
			p.EnableIPv6()
			receiver, sender := p.socketOf(t, fam.number), p.socketOf(t, fam.number)
			if err := unix.Bind(receiver, fam.closed); err != nil {
				t.Fatal(err)
			}
			r := sourcetest.Run(t, need(t, Options{Sample: DefaultSample}), func(e *event.Event) bool {
				return e.Packet.Proto == fam.proto && bytes.Contains(e.Packet.Data, []byte("nobody wants this"))
			})
			sendTo(t, sender, fam.closed, 3)
			unix.Close(receiver)
			r.Await(3)
			kept := r.End()
			if got, _ := sourcetest.Total(kept); got != 3 {
				t.Fatalf("%d drops, want 3", got)
			}
			for i := range kept {
				if e := &kept[i]; e.Port != (event.Port{IfIndex: 1}) || e.Netns.Inode != 0 {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

// TestTag drops frames with a VLAN tag that the kernel takes out of their bytes.
func TestTag(t *testing.T) {
	p := newPlace(t)
	p.wire(t)
	p.run(t, "nft add table netdev t; add chain netdev t c { type filter hook ingress device far priority 0; policy drop; }")
	fd := p.packetSocket(t)
	frame := []byte{2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x81, 0, 0x60, 7, 8, 0}
	frame = append(frame, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2)
	r := sourcetest.Run(t, need(t, Options{Sample: DefaultSample}), func(e *event.Event) bool {
		return e.Netns.Inode == p.inode && e.Packet.Proto == 0x800 && e.Port.IfName == "far"
	})
	p.sendFrame(t, fd, "near", frame)
	r.Await(1)
	kept := r.End()
	if len(kept) != 1 {
		t.Fatalf("%d drops, want 1", len(kept))
	}
	want := event.VLAN{TPID: 0x8100, ID: 7, Priority: 3}
	if k := &kept[0].Packet; k.Tag != want || k.Type != event.PacketOtherHost || kept[0].Reason != since(5, 18, "NETFILTER_DROP") {
		t.Errorf("packet %+v, reason %s", k, kept[0].Reason)
	}
}

// sendFrame sends a frame by a packet socket. That the queue of the interface is full is no error.
func (p *place) sendFrame(t testing.TB, fd int, iface string, frame []byte) {
	t.Helper()
	p.Do(func() error {
		i, err := net.InterfaceByName(iface)
		if err != nil {
			return err
		}
		if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: i.Index}); err != unix.ENOBUFS {
			return err
		}
		return nil
	})
}

// TestToDevice: a frame for the interface's own address in a VLAN that has no device is
// distinguished from one for another address, reported individually or counted, and is
// explained.
func TestToDevice(t *testing.T) {
	const frames = 4
	own, other := []byte{2, 0, 0, 0, 0, 2}, []byte{2, 0, 0, 0, 0, 9}
	tagged, plain := []byte{0x81, 0, 0, 77, 8, 0}, []byte{8, 0}
	tests := map[string]struct {
		dst, typ []byte
		toDevice bool
		cause    string
	}{
		"own address in a VLAN":     {own, tagged, true, "came in a VLAN that no interface here has"},
		"another address":           {other, plain, false, "another host"},
		"another address in a VLAN": {other, tagged, false, "another host"},
	}
	for _, form := range testedForms() {
		for name, tt := range tests {
			t.Run(form+"/"+name, func(t *testing.T) {
				p := newPlace(t)
				p.Wire()
				fd := p.packetSocket(t)
				frame := slices.Concat(tt.dst, []byte{2, 0, 0, 0, 0, 1}, tt.typ,
					[]byte{0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1})
				r := sourcetest.Run(t, needForm(t, form, Options{Sample: 1}), func(e *event.Event) bool {
					return e.Netns.Inode == p.inode && e.Port.IfName == "far"
				})
				for range frames {
					p.sendFrame(t, fd, "near", frame)
				}
				r.Await(frames)
				kept := r.End()
				if n, individual := sourcetest.Total(kept); n != frames || individual == frames {
					t.Fatalf("%d drops, %d individually, want %d, not all individually", n, individual, frames)
				}
				for i := range kept {
					e := &kept[i]
					if e.Packet.Type != event.PacketOtherHost || e.Packet.Traits.Has(event.ToDevice) != tt.toDevice {
						t.Errorf("packet %+v, want the trait: %v", e.Packet, tt.toDevice)
					}
					e.Where.Frame = event.Frame{Lookup: event.Found, Symbol: "ip_rcv_core"} // for kernels without reasons
					if x, _ := knowledge.Of(e); !strings.Contains(x.Cause, tt.cause) {
						t.Errorf("%s: %q, want %q", e.Reason, x.Cause, tt.cause)
					}
				}
			})
		}
	}
}

// TestWithoutMACHeader: what the firewall refuses before it has a MAC header is
// reported, and what a closed port refuses is not.
func TestWithoutMACHeader(t *testing.T) {
	const count = 300
	for _, form := range testedForms() {
		t.Run(form, func(t *testing.T) {
			p := newPlace(t)
			p.refuse(t, "ip", 10)
			fd := p.socket(t)
			s := needForm(t, form, Options{Sample: 2, WithoutMACHeader: true})
			r := sourcetest.Run(t, s, func(e *event.Event) bool { return e.Netns.Inode == p.inode })
			p.send(t, count, 0)
			sendTo(t, fd, &unix.SockaddrInet4{Port: 10, Addr: closed.Addr}, count)
			kept := r.End()
			packets, individual := sourcetest.Total(kept)
			if packets != count || individual < 2 {
				t.Errorf("%s: %d drops, %d alone, want %d", form, packets, individual, count)
			}
			for i := range kept {
				if e := &kept[i]; e.Individual && e.Packet.Link != event.LinkRaw {
					t.Errorf("%s: packet %+v", form, e.Packet)
				}
			}
		})
	}
}

// TestHook: what Netfilter drops has a stack, although none was asked for.
func TestHook(t *testing.T) {
	p := newPlace(t)
	p.refuse(t, "ip", drops.Port)
	fd := p.socket(t)
	r := sourcetest.Run(t, need(t, Options{Sample: 1}), func(e *event.Event) bool { return e.Netns.Inode == p.inode && e.Individual })
	sendTo(t, fd, closed, 1)
	r.Await(1)
	kept := r.End()
	if len(kept) != 1 {
		t.Fatalf("%d drops, want 1", len(kept))
	}
	if e := &kept[0]; guest.AtLeast(5, 18) && (len(e.Stack) < 5 || e.Stack[0].PC != e.Where.PC) {
		t.Errorf("stack %+v of %+v", e.Stack, e)
	}
}

// TestSocketsWithoutCookie: a socket that nobody asked the cookie of has a number that
// is no address in the kernel, and stays the same, unless addresses are asked for.
func TestSocketsWithoutCookie(t *testing.T) {
	tests := map[string]struct {
		opts Options
		is   func(id uint64) bool
	}{
		"hidden":    {Options{}, func(id uint64) bool { return id>>63 == 0 && id >= 1<<52 }},
		"addresses": {Options{RawAddresses: true}, func(id uint64) bool { return id>>63 != 0 }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.opts.Sample, tt.opts.ByOwner = 1, true
			counts := dropsBySocket(t, tt.opts)
			if len(counts) != 2 {
				t.Errorf("drops by socket: %v, want 5 of each of two", counts)
			}
			for id := range counts {
				if !tt.is(id) {
					t.Errorf("socket %#x", id)
				}
			}
		})
	}
}

// dropsBySocket has two sockets that have no cookie send 5 datagrams each, which are dropped.
func dropsBySocket(t *testing.T, opts Options) map[uint64]uint64 {
	p := newPlace(t)
	p.refuse(t, "ip", drops.Port)
	r := sourcetest.Run(t, need(t, opts), func(e *event.Event) bool { return e.Netns.Inode == p.inode })
	for range 2 {
		sendTo(t, p.socket(t), closed, 5)
	}
	counts := make(map[uint64]uint64)
	for _, e := range r.End() {
		counts[e.Owner.Socket.Cookie] += e.Count
	}
	return counts
}
