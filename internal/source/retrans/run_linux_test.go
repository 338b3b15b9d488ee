package retrans

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

func TestMain(m *testing.M) { vmtest.Main(m) }

// TestGenerated compiles retrans.bpf.c again: what is committed is made of it.
func TestGenerated(t *testing.T) { sourcetest.Generated(t, vmtest.SkipOrFail, "retrans.go", "retrans") }

// need opens a source, which ends with the test.
func need(t *testing.T, opts Options) *Source {
	t.Helper()
	return needForm(t, opts, forms...)
}

// forms are those of the program of retransmissions. All kernels of the tests accept both.
var forms = []string{retransProgRetransmitBtf, retransProgRetransmitRaw}

// needForm opens a source with one of them.
func needForm(t *testing.T, opts Options, forms ...string) *Source {
	t.Helper()
	vmtest.RequireRoot(t)
	s := &Source{forms: forms}
	t.Cleanup(func() { s.Close() })
	if err := s.open(opts); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestForms: the first form that the kernel accepts is used, and the error is that of the first.
func TestForms(t *testing.T) {
	s := needForm(t, Options{Resets: true}, retransProgRetransmitRaw, retransProgRetransmitBtf)
	if s.kernel.Programs[retransProgRetransmitRaw] == nil || len(s.kernel.Programs) != 4 || len(s.links) != 4 {
		t.Errorf("programs %v, %d links", s.kernel.Programs, len(s.links))
	}
	if opened, err := Open(Options{}); err != nil || opened.kernel.Programs[retransProgRetransmitBtf] == nil {
		t.Errorf("not in the first form: %v", err)
	} else {
		opened.Close()
	}
}

// lossy makes a namespace whose firewall drops every tenth packet of data to a port.
func lossy(t *testing.T, port int) *drops.Namespace {
	t.Helper()
	ns := drops.NewNamespace(t)
	ns.EnableIPv6()
	ns.Run("ip", "link", "set", "lo", "mtu", "1500") // so that what is sent is GSO
	ns.Run("nft", "add table inet t; add chain inet t c { type filter hook input priority 0; }; add rule inet t c "+
		fmt.Sprintf("tcp dport %d meta length 100-65535 numgen inc mod 10 == 5 drop", port))
	return ns
}

// transfer sends so many bytes to a port of an address, and waits until they have arrived.
func transfer(ns *drops.Namespace, address string, port, size int) (client netip.AddrPort) {
	ns.Do(func() error {
		to := net.JoinHostPort(address, fmt.Sprint(port))
		l, err := net.Listen("tcp", to)
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
		c, err := net.Dial("tcp", to)
		if err != nil {
			return err
		}
		defer c.Close()
		client = c.LocalAddr().(*net.TCPAddr).AddrPort()
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		if _, err := c.Write(make([]byte, size)); err != nil {
			return err
		}
		return <-read
	})
	return client
}

// TestSegments: what is reported is what the kernel counts, for IPv4 and IPv6, with GSO, in both forms.
func TestSegments(t *testing.T) {
	const port, size = 9009, 4 << 20
	for i, address := range []string{"127.0.0.1", "::1", "127.0.0.1", "::1"} {
		form := forms[i/2]
		t.Run(form+" "+address, func(t *testing.T) {
			ns := lossy(t, port)
			inode := ns.Inode()
			r := sourcetest.Run(t, needForm(t, Options{}, form), func(e *event.Event) bool { return e.Netns.Inode == inode })
			client := transfer(ns, address, port, size)
			kept := endCounted(ns, r, 0)
			segments, bytes := segmentsOf(kept), uint64(0)
			for i := range kept {
				bytes += uint64(kept[i].Segment.Len)
				checkData(t, &kept[i], client, port)
			}
			want := resentIn(ns)
			if segments != want || want == 0 || uint64(len(kept)) > want {
				t.Errorf("%d segments in %d events, the kernel counts %d", segments, len(kept), want)
			}
			if uint64(len(kept)) == segments {
				t.Errorf("each of %d events is of one segment: no GSO", segments)
			}
			if bytes > segments*1500 || bytes < segments*500 || r.Ledger.TCP.Lost != 0 || r.Ledger.TCP.Retransmits < segments {
				t.Errorf("%d bytes in %d segments, ledger %+v", bytes, segments, r.Ledger)
			}
			t.Logf("%d events, %d segments, %d bytes", len(kept), segments, bytes)
		})
	}
}

// segmentsOf adds up the segments of events.
func segmentsOf(events []event.Event) (n uint64) {
	for i := range events {
		n += events[i].Segments
	}
	return n
}

// endCounted ends a run when it has reported all segments that the kernel counts as sent again in a namespace, where
// nothing is sent any more, as events or as lost, but for those that are not reported. It returns the events.
func endCounted(ns *drops.Namespace, r *sourcetest.Running, unreported uint64) []event.Event {
	counted := resentIn(ns)
	r.AwaitEnough(func(kept []event.Event, ledger *event.Ledger) bool {
		return segmentsOf(kept)+ledger.TCP.Lost+unreported >= counted
	})
	return r.End()
}

// resentIn returns how many segments the kernel has counted as sent again in a namespace.
func resentIn(ns *drops.Namespace) uint64 { return uint64(ns.Counter("snmp", "Tcp", "RetransSegs")) }

// checkData checks a retransmission of data from the client.
func checkData(t *testing.T, e *event.Event, client netip.AddrPort, port uint16) {
	t.Helper()
	f, s := e.Packet.Flow, e.Segment
	const all = event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort | event.FieldSeq | event.FieldAck |
		event.FieldTCPFlags
	switch {
	case e.Kind != event.Retransmit, !e.Individual, e.Count != 1, !e.KernelTime:
		t.Errorf("event %+v", e)
	case !f.Has(all), netip.AddrPortFrom(f.Src, f.SrcPort) != client, f.Dst != client.Addr(), f.DstPort != port, f.TCPFlags&event.ACK == 0:
		t.Errorf("flow %+v, want from %v to port %d", f.Headers, client, port)
	case s.Direction != event.Outgoing, s.State != 1, s.CongestionState == event.CongestionUnknown, s.Len == 0:
		t.Errorf("segment %+v", s)
	case s.Type != event.FastRetransmit && s.Type != event.TimeoutRetrans && s.Type != event.TailLossProbe:
		t.Errorf("type %v in state %v", s.Type, s.CongestionState)
	case e.Owner.Socket == nil, e.Owner.Socket.Inode == 0, e.Owner.Socket.Confidence != event.Certain:
		t.Errorf("socket %+v", e.Owner.Socket)
	case e.Port.IfName != "lo", s.RTT == 0, s.Sent == 0:
		t.Errorf("port %+v, segment %+v", e.Port, s)
	}
}

// rule adds a rule to the firewall of a namespace.
func rule(ns *drops.Namespace, hook, match string) {
	ns.Run("nft", "add table inet r; add chain inet r "+hook+" { type filter hook "+hook+" priority 0; }; add rule inet r "+hook+" "+
		match+" drop")
}

// A retry is a reason to send again.
type retry struct {
	hook, drops string // a rule of the firewall
	connected   bool   // the rule is added when the connection is there
	types       []event.SegmentType
	fails       bool // then this host cannot send it
}

// port and closed are ports that no other process connects to meanwhile: what perf reports has no network
// namespace. Nobody listens on closed.
var (
	port   = 10_000 + os.Getpid()%10_000
	closed = port + 10_000
)

var (
	toPort   = fmt.Sprint("tcp dport ", port)
	fromPort = fmt.Sprint("tcp sport ", port)
)

var retries = map[string]retry{
	"SYN":     {"input", toPort + " tcp flags & (syn|ack) == syn", false, []event.SegmentType{event.SYNRetransmit}, false},
	"SYN/ACK": {"input", fromPort + " tcp flags & (syn|ack) == (syn|ack)", false, synack, false},
	"timers":  {"input", toPort + " meta length > 150", true, []event.SegmentType{event.TailLossProbe, event.TimeoutRetrans}, false},
	"output":  {"input", toPort + " meta length > 150", true, []event.SegmentType{event.TimeoutRetrans}, true},
}

var synack = []event.SegmentType{event.SYNRetransmit, event.SYNACKRetransmit}

// TestTypes: why a segment was sent again is as the test made it.
func TestTypes(t *testing.T) {
	for name, tt := range retries {
		t.Run(name, func(t *testing.T) {
			ns := drops.NewNamespace(t)
			inode := ns.Inode()
			r := sourcetest.Run(t, need(t, Options{}), func(e *event.Event) bool { return e.Netns.Inode == inode })
			tt.provoke(ns)
			endCounted(ns, r, unreportedIn(ns, tt.fails))
			compare(t, ns, r, tt.types, tt.fails)
		})
	}
}

// provoke makes TCP send again, until what it sends arrives: then nothing is sent any more.
func (tt *retry) provoke(ns *drops.Namespace) {
	if !tt.connected {
		rule(ns, tt.hook, tt.drops)
	}
	c := begin(ns, !tt.connected)
	if tt.connected {
		rule(ns, tt.hook, tt.drops)
		ns.Do(func() error { _, err := c.Write(make([]byte, 200)); return err })
	}
	ns.Await("it is sent again", func() bool { return resentIn(ns) >= uint64(len(tt.types)) })
	if tt.fails {
		rule(ns, "output", tt.drops)
		ns.Await("it cannot be sent", func() bool { return ns.Counter("netstat", "TcpExt", "TCPRetransFail") > 0 })
	}
	ns.Run("nft", "flush table inet r")
	ns.Await("it arrives", func() bool { return ns.Counter("snmp", "Tcp", "CurrEstab") == 2 && !sending(ns) })
}

// begin listens on a port and begins a connection to it, which is there when begin returns unless later.
func begin(ns *drops.Namespace, later bool) (c net.Conn) {
	address := fmt.Sprint("127.0.0.1:", port)
	ns.Do(func() error {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		ns.Cleanup(l.Close)
		if later {
			fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			ns.Cleanup(func() error { return syscall.Close(fd) })
			err = syscall.Connect(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port})
			if errors.Is(err, syscall.EINPROGRESS) {
				err = nil
			}
			return err
		}
		c, err = net.Dial("tcp", address)
		if err == nil {
			ns.Cleanup(func() error { c.Close(); return nil }) // it may be closed already
		}
		return err
	})
	return c
}

// unreportedIn returns how many segments the kernel has counted in a namespace but does not report, as this host could
// not send them, if that is so.
func unreportedIn(ns *drops.Namespace, fails bool) uint64 {
	if !fails || guest.AtLeast(6, 17) {
		return 0
	}
	return uint64(ns.Counter("netstat", "TcpExt", "TCPRetransFail"))
}

// compare compares what a run reported and lost with what the kernel counts, and with the types that are wanted. What is
// lost may be of any type, and of another connection of this host.
func compare(t *testing.T, ns *drops.Namespace, r *sourcetest.Running, types []event.SegmentType, fails bool) {
	t.Helper()
	var segments uint64
	seen := make(map[event.SegmentType]bool)
	failed := 0
	for i := range r.Kept {
		e := &r.Kept[i]
		segments += max(e.Segments, 1)
		seen[e.Segment.Type] = true
		if last := len(e.Args) - 1; last >= 0 && e.Args[last].Name == "error" {
			failed++
		}
	}
	counted, unreported, lost := resentIn(ns), unreportedIn(ns, fails), r.Ledger.TCP.Lost
	if known := segments + unreported; known > counted || known+lost < counted {
		t.Errorf("%d segments, %d that are not reported and %d lost, the kernel counts %d", segments, unreported, lost, counted)
	}
	if lost > 0 {
		return
	}
	for _, kind := range types {
		if !seen[kind] && !(fails && unreported > 0) {
			t.Errorf("types %v, want %v among them", seen, kind)
		}
	}
	if (failed > 0) != (fails && unreported == 0) {
		t.Errorf("%d failed: %+v", failed, r.Kept)
	}
}

// TestResets: of a RST that was sent, and of one that was received, from both ends on one host.
func TestResets(t *testing.T) {
	ns := drops.NewNamespace(t)
	inode := ns.Inode()
	ofTest := func(e *event.Event) bool { return e.Netns.Inode == inode && e.Kind == event.Reset }
	r := sourcetest.Run(t, need(t, Options{Resets: true}), ofTest)
	want := reset(ns)
	r.Await(uint64(len(want)))
	var got []string
	for _, e := range r.End() {
		f := e.Packet.Flow
		got = append(got, fmt.Sprintf("%v %s %d", e.Segment.Direction, e.Reason, min(f.SrcPort, f.DstPort)))
		answer := int(f.SrcPort) == closed && e.Segment.Direction == event.Outgoing
		if answer && (!f.Has(event.FieldSeq|event.FieldAck) || f.Seq != 0 || f.Ack == 0 || f.TCPFlags != event.RST|event.ACK) {
			t.Errorf("the answer has %+v", f.Headers)
		}
		if (e.Owner.Socket == nil) != answer {
			t.Errorf("%s: socket %+v", got[len(got)-1], e.Owner.Socket)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// reset aborts a connection and refuses another. It returns what is to be reported, sorted: direction, reason
// and port.
func reset(ns *drops.Namespace) (want []string) {
	c := begin(ns, false)
	ns.Do(func() error {
		if err := c.(*net.TCPConn).SetLinger(0); err != nil {
			return err
		}
		return c.Close() // with a RST
	})
	ns.Do(func() error {
		if _, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", closed)); !errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("dial a closed port: %w", err)
		}
		return nil
	})
	reason := ""
	if guest.AtLeast(6, 10) { // those that no socket sends are reported
		reason, want = "TCP_STATE", []string{fmt.Sprint("out NO_SOCKET ", closed)}
	}
	want = append(want, fmt.Sprintf("out %s %d", reason, port), fmt.Sprint("in  ", port), fmt.Sprint("in  ", closed))
	slices.Sort(want)
	return want
}

// TestFullRing: what finds no room in the ring is counted, in segments too.
func TestFullRing(t *testing.T) {
	const port, size = 9009, 4 << 20
	ns := lossy(t, port)
	inode := ns.Inode()
	s := need(t, Options{RingSize: 1})
	for range 20 { // no reader yet: a page has room for some 16 records
		transfer(ns, "127.0.0.1", port, size)
	}
	var segments, lost uint64
	r := sourcetest.RunWith(t, s, &sourcetest.Running{
		Keep: func(e *event.Event) bool { return e.Netns.Inode == inode },
		Then: func(e *event.Event) {
			if e.Kind == event.Loss {
				lost += e.Segments
			}
		},
	})
	for _, e := range r.End() {
		segments += e.Segments
	}
	want := resentIn(ns)
	if segments+lost < want || lost == 0 || r.Ledger.TCP.Lost != lost {
		t.Errorf("%d segments shown, %d lost, of %d", segments, lost, want)
	}
}
