package probe

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf/btf"

	"dropwatch/internal/event"
	"dropwatch/internal/member"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/point"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
	"dropwatch/kallsyms"
)

func TestMain(m *testing.M) { vmtest.Main(m) }

var _ pipeline.Source = (*Source)(nil)

// running are the types and symbols of the kernel that runs the tests.
var running = sync.OnceValue(func() Options {
	symbols := new(kallsyms.Live)
	if err := symbols.Load(); err != nil {
		panic(err)
	}
	return Options{Types: member.NewTypes(btf.NewCache()), Symbols: symbols}
})

// need opens a Source of points.
func need(t *testing.T, ringSize int, points ...point.Point) *Source {
	t.Helper()
	o := running()
	o.Points, o.RingSize = points, ringSize
	return open(t, o)
}

// open opens a Source, whose conditions BPF can test.
func open(t *testing.T, o Options) *Source {
	t.Helper()
	o.Filtered = func(err error) { t.Error(err) }
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// probesOf returns all probes that the kernel has.
func probesOf(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/sys/kernel/tracing/dynamic_events")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// run starts a source of points. At the end of the test no probe may be left.
func run(t *testing.T, ringSize int, points ...point.Point) *sourcetest.Running {
	t.Helper()
	before := probesOf(t)
	t.Cleanup(func() { // after that of the source
		if after := probesOf(t); after != before {
			t.Errorf("probes left:\n%s", after)
		}
	})
	return sourcetest.Run(t, need(t, ringSize, points...), func(e *event.Event) bool { return e.Kind == event.Point })
}

// argsOf returns the values of an event as text.
func argsOf(e *event.Event) string {
	var parts []string
	for _, a := range e.Args {
		text := a.Text
		if text == "" {
			text = strconv.FormatUint(a.Number, 10)
		}
		parts = append(parts, a.Name+"="+text)
	}
	return strings.Join(parts, " ")
}

var acceptQueue = point.Point{
	Name: "accept_queue", Stack: true,
	Form: point.Form{
		Functions: []string{"tcp_conn_request"}, When: "sk->sk_ack_backlog > sk->sk_max_ack_backlog",
		Args: []point.Arg{
			{Name: "len", Expr: "sk->sk_ack_backlog"}, {Name: "limit", Expr: "sk->sk_max_ack_backlog"}, {Name: "port", Expr: "sk->sk_num"},
			{Name: "young", Expr: "((struct inet_connection_sock *)sk)->icsk_accept_queue.young.counter"},
		},
	},
}

// TestGuestAcceptQueue fills the queue of a listener: the point has its length, its limit and the socket, and is
// not reached before the queue is full.
func TestGuestAcceptQueue(t *testing.T) {
	ns := drops.NewNamespace(t)
	listener := ns.Listen(syscall.SOCK_STREAM)
	ns.Do(func() error { return syscall.Listen(listener, 3) })
	r := run(t, 0, acceptQueue)
	for range 4 { // one more than the limit
		ns.Write(ns.Dial())
	}
	ns.Dial()
	r.Await(1)
	events := r.End()
	if len(events) == 0 {
		t.Fatal("no event")
	}
	e := &events[0]
	if got := argsOf(e); got != "len=4 limit=3 port=9 young=0" {
		t.Errorf("read %s", got)
	}
	s := e.Owner.Socket
	if s == nil || s.Local.String() != "127.0.0.1:9" || s.State != event.SocketListens || s.Protocol != protocolTCP || s.Inode == 0 ||
		s.Cookie == 0 {
		t.Errorf("socket %+v", s)
	}
	if e.Netns.Inode != ns.Inode() || e.Port.IfIndex != 1 || e.Packet.Proto != event.EtherIPv4 || e.Packet.Len < 20 ||
		e.Packet.Buffer == 0 {
		t.Errorf("namespace %d, port %+v, packet %+v", e.Netns.Inode, e.Port, e.Packet)
	}
	if e.Point != "accept_queue" || e.Task.Comm == "" || len(e.Stack) < 3 || e.Stack[0].PC != e.Where.PC {
		t.Errorf("point %s, task %+v, location %#x, stack %+v", e.Point, e.Task, e.Where.PC, e.Stack)
	}
	if sym, _ := running().Symbols.Lookup(e.Where.PC); sym.Name != "tcp_conn_request" || sym.Offset != 0 {
		t.Errorf("location %v", sym)
	}
}

var datagram = point.Point{
	Name: "datagram",
	Form: point.Form{
		Functions: []string{"udp_rcv"}, When: `skb->dev->name == "lo" && skb->len > 100`,
		Args: []point.Arg{
			{Name: "dev", Expr: "skb->dev->name"}, {Name: "len", Expr: "skb->len"}, {Name: "type", Expr: "skb->pkt_type"},
			{Name: "mac", Expr: "skb->dev->broadcast[0]:x"}, {Name: "proto", Expr: "skb->protocol"},
		},
	},
}

// TestGuestStrings compares and reads strings, bit fields and what is in network byte order.
func TestGuestStrings(t *testing.T) {
	ns := drops.NewNamespace(t)
	other := datagram
	other.Name, other.When = "other", `skb->dev->name == "eth0" || skb->len != 108`
	if p, err := Type(&datagram, running().Types, running().Symbols); err != nil || p.sites[0].filter(false) != `(v0 == "lo" && v1 > 100)` {
		t.Errorf("%+v, %v", p, err)
	}
	r := run(t, 0, datagram, other)
	ns.SendUDP(7)
	r.Await(7)
	events := r.End()
	if len(events) != 7 || r.Ledger.Points != (event.PointCounts{Shown: 7}) {
		t.Fatalf("%d events, %+v", len(events), r.Ledger.Points)
	}
	if got := argsOf(&events[0]); got != "dev=lo len=108 type=0 mac=0x0 proto=0x800" {
		t.Errorf("read %s", got)
	}
	if e := &events[0]; e.Port != (event.Port{IfIndex: 1, IfName: "lo"}) || e.Netns.Inode != ns.Inode() || e.Packet.Len != 128 {
		t.Errorf("port %+v, namespace %d, packet %+v", e.Port, e.Netns.Inode, e.Packet)
	}
}

// TestGuestReadUntil: the rings are read when that is asked for, and no more after the end.
func TestGuestReadUntil(t *testing.T) {
	s := need(t, 0, datagram)
	if s.ReadUntil().After(time.Now().Add(-time.Hour)) {
		t.Error("it was read before it ran")
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx, new(unreadCounter)) }()
	begun := time.Now()
	guest.Eventually(t, "it is read again", func() bool {
		s.Wake()
		return s.ReadUntil().After(begun)
	})
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if now := time.Now(); s.ReadUntil().Before(now) {
		t.Error("after the end it is not read until now")
	}
	s.Wake()
}

var reversePath = point.Point{
	Name: "reverse_path",
	Form: point.Form{
		Functions: []string{"fib_validate_source"}, At: point.Return, When: "$retval < 0 && src != 0",
		Args: []point.Arg{
			{Name: "src", Expr: "src:ip"}, {Name: "dst", Expr: "dst:ip"}, {Name: "dev", Expr: "dev->name"},
			{Name: "failed", Expr: "$retval < 0"},
		},
	},
}

// TestGuestReturn has packets fail the check of their source: the values are those of the call.
func TestGuestReturn(t *testing.T) {
	i := 0
	for drops.Scenarios[i].Name != "rp_filter" {
		i++
	}
	drop := drops.Scenarios[i].Prepare(t, 5)
	r := run(t, 0, reversePath)
	drop()
	r.Await(5)
	events := r.End()
	if len(events) != 5 || r.Ledger.Points != (event.PointCounts{Shown: 5}) {
		t.Fatalf("%d events, %+v", len(events), r.Ledger.Points)
	}
	if got := argsOf(&events[0]); got != "src=192.0.2.1 dst=10.0.0.1 dev=far failed=true" {
		t.Errorf("read %s", got)
	}
}

// TestGuestLoss floods a small ring: what is not shown is counted.
func TestGuestLoss(t *testing.T) {
	const count = 3000
	ns := drops.NewNamespace(t)
	call, back := point.Form{Functions: []string{"udp_rcv"}}, point.Form{Functions: []string{"udp_rcv"}, At: point.Return}
	for _, p := range []point.Point{{Name: "all", Form: call}, {Name: "back", Form: back}} {
		r, before := run(t, 1, p), ns.NoPorts()
		ns.SendUDP(count)
		ns.Await("all datagrams have come", func() bool { return ns.NoPorts()-before == count })
		r.End()
		if c := r.Ledger.Points; c.Shown == 0 || c.Lost == 0 || c.Shown+c.Lost != count {
			t.Errorf("%s: %+v, want %d in all", p.Name, c, count)
		}
	}
}

// TestGuestIPv6: addresses of 16 bytes, in a value and of the socket.
func TestGuestIPv6(t *testing.T) {
	ns := drops.NewNamespace(t)
	ns.EnableIPv6()
	sendmsg := point.Point{Name: "sent", Form: point.Form{
		Functions: []string{"udpv6_sendmsg"},
		Args: []point.Arg{
			{Name: "peer", Expr: "sk->sk_v6_daddr"}, {Name: "len", Expr: "len"}, {Name: "port", Expr: "sk->sk_dport"},
		},
	}}
	r := run(t, 0, sendmsg)
	ns.Do(func() error {
		fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer syscall.Close(fd)
		if err := syscall.Connect(fd, &syscall.SockaddrInet6{Port: 9, Addr: [16]byte{15: 1}}); err != nil {
			return err
		}
		_, err = syscall.Write(fd, make([]byte, 11))
		return err
	})
	r.Await(1)
	events := r.End()
	if len(events) != 1 || argsOf(&events[0]) != "peer=::1 len=11 port=9" {
		t.Fatalf("%d events: %+v", len(events), events)
	}
	e := &events[0]
	f, s := e.Packet.Flow, e.Owner.Socket
	if s == nil || s.Remote.String() != "[::1]:9" || s.Local.Port() == 0 || s.Protocol != syscall.IPPROTO_UDP {
		t.Fatalf("socket %+v", s)
	}
	if f == nil || f.Src != s.Local.Addr() || f.DstPort != 9 || f.Transport != event.UDP || e.Netns.Inode != ns.Inode() {
		t.Errorf("flow %+v, namespace %d", f, e.Netns.Inode)
	}
	if e.Task.PID != uint32(os.Getpid()) || e.Task.TID == 0 {
		t.Errorf("task %+v", e.Task)
	}
}

// TestGuestBuiltin: this kernel has each of the built-in points, or the error says which function or drop reason is missing.
// All others are open at once.
func TestGuestBuiltin(t *testing.T) {
	o, lacking := running(), 0
	o.Points = append(point.Builtin(), point.Point{
		Name: "refused", Form: point.Form{Functions: []string{"kprobe_ftrace_handler"}, At: point.Return, When: "$arg1 != 0"},
	})
	o.Lacking = func(p *point.Point, err error) {
		lacking++
		is := func(missing string) bool { return strings.Contains(err.Error(), missing) }
		if !is("this kernel has no function ") && !is("has no types (BTF)") && !is("this kernel no such constant of an enum") &&
			!(p.Name == "refused" && is("cannot be probed")) {
			t.Error(err)
		}
	}
	before := probesOf(t)
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(o.Points) - lacking; n < 20 || lacking == 0 {
		t.Errorf("%d points, %d lacking", n, lacking)
	}
	sourcetest.Run(t, s, func(e *event.Event) bool { return e.Kind == event.Point }).End()
	if after := probesOf(t); after != before {
		t.Errorf("probes left:\n%s", after)
	}
}
