package bpf

import (
	"bytes"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/stage/decode"
	"dropwatch/internal/stage/harmless"
	"dropwatch/internal/stage/resolve"
	"dropwatch/internal/vmtest/guest"
	"dropwatch/kallsyms"
)

// A watch is a Source that runs with the stages that recognise what lost nothing. Its
// ledger is of the drops in one namespace, or in none that is known.
type watch struct {
	*sourcetest.Running
	ledger event.Ledger
	why    map[string]uint64
}

func newWatch(t *testing.T, p *place, opts Options) *watch {
	t.Helper()
	var symbols kallsyms.Live
	if err := symbols.Load(); err != nil {
		t.Fatal(err)
	}
	w := &watch{why: make(map[string]uint64)}
	stages := []pipeline.Stage{
		resolve.Symbols(resolve.Options{Lookup: symbols.Lookup}), resolve.Fragments(symbols.Lookup), decode.Packets(), harmless.Stage(nil),
	}
	w.Running = sourcetest.Run(t, need(t, opts), func(e *event.Event) bool {
		for _, stage := range stages {
			stage(e)
		}
		if e.Netns.Inode != p.inode {
			return false
		}
		w.ledger.Add(e)
		w.why[e.Harmless] += e.Count
		return true
	})
	return w
}

// expect ends the watch, which is to have seen so many drops that lost nothing, and
// why, and so many that did.
func (w *watch) expect(t *testing.T, harmless uint64, why string, lost uint64) {
	t.Helper()
	w.Await(harmless + lost)
	kept := w.End()
	if w.ledger.Harmless != harmless || w.why[why] != harmless || w.ledger.Shown != lost {
		t.Errorf("%d lost nothing, %d lost a packet, by %v, want %d by %q and %d",
			w.ledger.Harmless, w.ledger.Shown, w.why, harmless, why, lost)
		for i := range kept {
			e := &kept[i]
			t.Logf("%d: %s %s, %s, %v", e.Count, e.Where.Symbol, e.Reason, e.Harmless, e.Packet.Traits)
		}
	}
}

// TestOrderlyClose: connections that are closed in order lose nothing, whether their
// FINs are reported individually or only counted.
func TestOrderlyClose(t *testing.T) {
	for _, opts := range []Options{{}, {Sample: 1}} {
		t.Run("", func(t *testing.T) {
			const connections = 50
			p := newPlace(t)
			w := newWatch(t, p, opts)
			for range connections {
				client, server := p.tcpPair(t)
				exchange(t, client, server)
				unix.Close(client)
				if n, err := unix.Read(server, make([]byte, 1)); n != 0 || err != nil {
					t.Fatal(n, err)
				}
				unix.Close(server)
			}
			w.expect(t, connections, harmless.OrderlyClose, 0)
		})
	}
}

// exchange sends a request and its answer.
func exchange(t *testing.T, client, server int) {
	t.Helper()
	b := make([]byte, 100)
	for _, way := range [][2]int{{client, server}, {server, client}} {
		if _, err := unix.Write(way[0], []byte("data")); err != nil {
			t.Fatal(err)
		}
		if n, err := unix.Read(way[1], b); n != 4 || err != nil {
			t.Fatal(n, err)
		}
	}
}

// TestUnreadDataIsLost: data for a connection that nobody has accepted when its
// listener is closed is lost, unlike the FIN behind it.
func TestUnreadDataIsLost(t *testing.T) {
	p := newPlace(t)
	w := newWatch(t, p, Options{Sample: DefaultSample})
	var listener, client int
	p.Do(func() (err error) {
		if listener, err = listen(); err != nil {
			return err
		}
		client, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		return err
	})
	name, err := unix.Getsockname(listener)
	if err == nil {
		err = unix.Connect(client, name)
	}
	if err == nil {
		_, err = unix.Write(client, []byte("nobody wants this"))
	}
	if err := errors.Join(err, unix.Shutdown(client, unix.SHUT_WR)); err != nil {
		t.Fatal(err)
	}
	unix.Close(listener)
	defer unix.Close(client)
	w.Await(1)
	w.End()
	if w.ledger.Shown == 0 {
		t.Errorf("%+v by %v, want a loss", w.ledger, w.why)
	}
}

// TestUnreadErrors closes a socket that has not read the ICMP errors in its queue.
func TestUnreadErrors(t *testing.T) {
	const errs = 5
	p := newPlace(t)
	w := newWatch(t, p, Options{Sample: 2})
	fd := p.socket(t)
	if err := errors.Join(unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_RECVERR, 1), unix.Connect(fd, closed)); err != nil {
		t.Fatal(err)
	}
	for range errs {
		for unix.Send(fd, []byte("nobody wants this"), 0) != nil { // it returns the error of the one before
		}
	}
	p.Await("the errors came", func() bool { return p.Counter("snmp", "Icmp", "InDestUnreachs") >= errs })
	unix.Close(fd)
	w.expect(t, errs, harmless.UnreadError, errs) // the datagrams themselves found no socket
}

// TestOwnBroadcast sends broadcasts that nobody here listens for.
func TestOwnBroadcast(t *testing.T) {
	const count = 4
	p := newPlace(t)
	p.wire(t)
	p.run(t, "ip addr add 10.0.0.1/24 brd + dev near")
	fd := p.socket(t)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1); err != nil {
		t.Fatal(err)
	}
	w := newWatch(t, p, Options{Sample: 2})
	for range count {
		if err := unix.Sendto(fd, []byte("anybody?"), 0, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{10, 0, 0, 255}}); err != nil {
			t.Fatal(err)
		}
	}
	w.Await(2 * count)
	w.End()
	// The wire's other end has no address: it refuses each.
	if w.why[harmless.OwnBroadcast] != count || w.ledger.Harmless != count || w.ledger.Shown != count {
		t.Errorf("%+v by %v, want %d of each", w.ledger, w.why, count)
	}
}

// TestUnreadCapture closes a packet socket that has not read its copies.
func TestUnreadCapture(t *testing.T) {
	const count = 6
	p := newPlace(t)
	var fd int
	p.Do(func() (err error) {
		const all = 3 << 8 // ETH_P_ALL, big endian
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all)
		return err
	})
	w := newWatch(t, p, Options{Sample: 2})
	sendTo(t, p.socket(t), closed, count)
	unix.Close(fd)
	w.Await(count)
	w.End()
	if w.why[harmless.UnreadCapture] < count || w.ledger.Shown != count {
		t.Errorf("%+v by %v, want %d copies and %d drops", w.ledger, w.why, count, count)
	}
}

// TestFragmentsOfWhatArrives: a datagram in fragments that is read loses nothing,
// although kernels before 6.2 report its fragments; also where symbols are not there.
func TestFragmentsOfWhatArrives(t *testing.T) {
	for _, fam := range families {
		t.Run(fam.name, func(t *testing.T) {
			const count = 5
			data := bytes.Repeat([]byte("a part of what somebody wants "), 150)
			p := newPlace(t)
			p.EnableIPv6()
			p.run(t, "ip link set lo mtu 1500")
			receiver, sender := p.socketOf(t, fam.number), p.socketOf(t, fam.number)
			if err := unix.Bind(receiver, fam.closed); err != nil {
				t.Fatal(err)
			}
			var ledger event.Ledger
			r := sourcetest.Run(t, need(t, Options{Sample: 2}), func(e *event.Event) bool {
				if e.Packet.Proto == fam.proto && (e.Netns.Inode == p.inode || e.Netns.Inode == 0) {
					ledger.Add(e)
				}
				return false
			})
			b := make([]byte, len(data))
			for range count {
				sendData(t, sender, data, fam.closed)
				if n, err := unix.Read(receiver, b); n != len(data) || err != nil {
					t.Fatal(n, err)
				}
			}
			r.End()
			if ledger.Shown != 0 || ledger.Fragments > 0 == guest.AtLeast(6, 2) {
				t.Errorf("%+v, want no drop", ledger)
			}
		})
	}
}

func sendData(t *testing.T, fd int, data []byte, to unix.Sockaddr) {
	t.Helper()
	if err := unix.Sendto(fd, data, 0, to); err != nil {
		t.Fatal(err)
	}
}
