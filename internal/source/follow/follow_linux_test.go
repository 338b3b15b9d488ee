package follow

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/flows"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

func TestMain(m *testing.M) { vmtest.Main(m) }

// TestGenerated compiles follow.bpf.c again: what is committed is made of it.
func TestGenerated(t *testing.T) { sourcetest.Generated(t, vmtest.SkipOrFail, "follow.go", "follow") }

// need opens a Counter of what matches an expression, which ends with the test.
func need(t testing.TB, expression string) *Counter {
	t.Helper()
	vmtest.RequireRoot(t)
	f, err := filter.Parse(expression)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(Options{Condition: f.Kernel(filter.Resolver{})})
	if err != nil {
		vmtest.SkipOrFail(t, err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// table returns what was counted until now.
func table(t testing.TB, c *Counter) *flows.Table {
	t.Helper()
	r, err := c.Read()
	if err != nil || r.Skipped > 0 {
		t.Fatalf("%d skipped, error %v", r.Skipped, err)
	}
	all := flows.New()
	all.Read(r)
	return all
}

// numbers are those of a row that tests expect: all others are 0.
type numbers map[flows.What]uint64

// check compares what was counted at an interface. Deliveries are compared where they are known. It waits until the
// numbers are as wanted, as a packet may be on its way.
func check(t *testing.T, c *Counter, ns *drops.Namespace, ifname string, want numbers) {
	t.Helper()
	if c.refused != nil {
		t.Logf("%s: %s", ifname, c.Blind())
		delete(want, flows.Delivered)
	}
	inode := ns.Inode()
	var row flows.Row
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		row = flows.Row{}
		for _, r := range table(t, c).Rows() {
			if r.Netns == inode && r.IfName == ifname {
				row = r
			}
		}
		if matches(&row, want) {
			return
		}
	}
	t.Errorf("%s: %v, want %v", ifname, row.Packets, want)
}

// matches reports whether a row has the numbers.
func matches(r *flows.Row, want numbers) bool {
	for what, n := range r.Packets {
		if n != want[flows.What(what)] {
			return false
		}
	}
	return true
}

// udp sends datagrams, which a firewall may refuse.
func udp(t testing.TB, ns *drops.Namespace, to string, n int) {
	t.Helper()
	ns.Do(func() error {
		c, err := net.Dial("udp", to)
		if err != nil {
			return err
		}
		defer c.Close()
		for range n {
			if _, err := c.Write(make([]byte, 100)); err != nil && !strings.Contains(err.Error(), "operation not permitted") &&
				!strings.Contains(err.Error(), "connection refused") {
				return err
			}
		}
		return nil
	})
}

// listen has a socket that datagrams are delivered to.
func listen(ns *drops.Namespace, at string) {
	ns.Do(func() error {
		c, err := net.ListenPacket("udp", at)
		if err == nil {
			ns.Cleanup(c.Close)
		}
		return err
	})
}

// TestLoopback: what is sent over lo is received and delivered there, and what does not match is not counted. Closed
// ports are for a protocol to refuse.
func TestLoopback(t *testing.T) {
	const n = 100
	for _, tt := range []struct{ name, to, other, expression string }{
		{"IPv4", "127.0.0.1:9001", "127.0.0.1:9002", "udp dst port 9001"},
		{"IPv6", "[::1]:9001", "[::1]:9002", "ip6 host ::1 and udp dst port 9001"},
		{"either end", "127.0.0.1:9001", "127.0.0.1:9002", "host 127.0.0.1 and port 9001"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ns := drops.NewNamespace(t)
			ns.EnableIPv6()
			listen(ns, tt.to)
			listen(ns, tt.other)
			c := need(t, tt.expression+fmt.Sprintf(" and netns.inode %d", ns.Inode()))
			udp(t, ns, tt.to, n)
			udp(t, ns, tt.other, 7)
			check(t, c, ns, "lo", numbers{flows.SentOwn: n, flows.Received: n, flows.Delivered: n})
		})
	}
}

// A path is three hosts: what the first sends to the last is forwarded by the second.
type path struct{ client, router, server *drops.Namespace }

// newPath makes a path, with the interfaces c and s of the router.
func newPath(t *testing.T) path {
	t.Helper()
	p := path{router: drops.NewNamespace(t)}
	p.client, p.server = p.router.Another(), p.router.Another()
	p.router.Batch(`link add c type veth peer name near
		link add s type veth peer name far`)
	p.router.MoveTo(p.client, "near")
	p.router.MoveTo(p.server, "far")
	p.router.Batch("addr add 10.1.0.1/24 dev c\naddr add 10.2.0.1/24 dev s\nlink set c up\nlink set s up")
	p.client.Batch("addr add 10.1.0.2/24 dev near\nlink set near up\nroute add default via 10.1.0.1")
	p.server.Batch("addr add 10.2.0.2/24 dev far\nlink set far up\nroute add default via 10.2.0.1")
	p.router.Sysctl("ipv4/ip_forward", "1")
	for _, up := range []struct {
		ns     *drops.Namespace
		ifname string
	}{{p.router, "c"}, {p.router, "s"}, {p.client, "near"}, {p.server, "far"}} {
		up.ns.Await(up.ifname+" is up", func() bool { return strings.Contains(up.ns.Run("ip", "link", "show", up.ifname), " state UP ") })
	}
	p.meet()
	return p
}

// meet has all neighbours known: the client is refused by the server.
func (p *path) meet() {
	p.client.Await("the server answers", func() (refused bool) {
		p.client.Do(func() error {
			_, err := net.DialTimeout("tcp", "10.2.0.2:1", time.Second)
			refused = errors.Is(err, syscall.ECONNREFUSED)
			return nil
		})
		return refused
	})
}

// send counts datagrams that the client sends to a socket of the server.
func (p *path) send(t *testing.T, n int) *Counter {
	t.Helper()
	p.server.Do(func() error {
		l, err := net.ListenPacket("udp", "10.2.0.2:9001")
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return err
	})
	c := need(t, "udp dst port 9001 and net 10.2.0.0/24")
	udp(t, p.client, "10.2.0.2:9001", n)
	return c
}

// TestForwarded follows datagrams through a router.
func TestForwarded(t *testing.T) {
	const n = 100
	p := newPath(t)
	c := p.send(t, n)
	check(t, c, p.client, "near", numbers{flows.SentOwn: n})
	check(t, c, p.router, "c", numbers{flows.Received: n, flows.Forwarded: n})
	check(t, c, p.router, "s", numbers{flows.SentOn: n})
	check(t, c, p.server, "far", numbers{flows.Received: n, flows.Delivered: n})
}

// TestNotForwarded: what a firewall, a queue or the routes drop was received and not sent.
func TestNotForwarded(t *testing.T) {
	const n = 50
	p := newPath(t)
	for _, tt := range []struct {
		name, make, undo string // commands, with their words between spaces
		queued           uint64
	}{
		{
			"firewall", "nft add table ip t; add chain ip t c { type filter hook forward priority 0; policy drop; }",
			"nft delete table ip t", 0,
		},
		{"no route", "ip route add unreachable 10.2.0.2", "ip route del unreachable 10.2.0.2", 0},
		{"qdisc", "tc qdisc add dev s root blackhole", "tc qdisc del dev s root", n},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run := func(command string) { words := strings.Fields(command); p.router.Run(words[0], words[1:]...) }
			run(tt.make)
			defer run(tt.undo)
			c := p.send(t, n)
			check(t, c, p.router, "c", numbers{flows.Received: n})
			check(t, c, p.router, "s", numbers{flows.QueuedOn: tt.queued})
			check(t, c, p.server, "far", numbers{})
		})
	}
}

// TestWaiting: what is in a queueing discipline waits there, until it is sent.
func TestWaiting(t *testing.T) {
	const n = 20
	p := newPath(t)
	p.router.Run("tc", "qdisc", "add", "dev", "s", "root", "tbf", "rate", "8bit", "burst", "160", "limit", "100000") // one packet
	p.client.Run("tc", "qdisc", "add", "dev", "near", "root", "tbf", "rate", "1gbit", "burst", "100000", "limit", "100000")
	c := p.send(t, n)
	check(t, c, p.client, "near", numbers{flows.SentOwn: n})
	check(t, c, p.router, "c", numbers{flows.Received: n, flows.Forwarded: 1})
	check(t, c, p.router, "s", numbers{flows.SentOn: 1, flows.QueuedOn: n - 1})
	check(t, c, p.server, "far", numbers{flows.Received: 1, flows.Delivered: 1})
	var text string
	for _, a := range table(t, c).Accounts(c.refused != nil, new(event.Ledger)) {
		if a.Netns == p.router.Inode() {
			text = a.Text()
		}
	}
	if want := "of 20 packets received on c, 1 forwarded; 19 still in the queue of s; no drop seen"; text != want {
		t.Errorf("%q, want %q", text, want)
	}
	p.router.Run("tc", "qdisc", "change", "dev", "s", "root", "tbf", "rate", "1gbit", "burst", "100000", "limit", "100000")
	udp(t, p.client, "10.2.0.2:9001", 1) // which has the others sent
	check(t, c, p.router, "s", numbers{flows.SentOn: n + 1})
	check(t, c, p.server, "far", numbers{flows.Received: n + 1, flows.Delivered: n + 1})
}

// TestBridge: what a bridge takes from its port is received at both, and forwarded once.
func TestBridge(t *testing.T) {
	const n = 50
	p := newPath(t)
	p.router.Batch(`addr del 10.1.0.1/24 dev c
		link add br0 type bridge
		link set c master br0
		addr add 10.1.0.1/24 dev br0
		link set br0 up`)
	p.client.Run("ip", "neigh", "flush", "all")
	p.meet()
	c := p.send(t, n)
	check(t, c, p.router, "c", numbers{flows.Received: n})
	check(t, c, p.router, "br0", numbers{flows.HandedUp: n, flows.Forwarded: n})
	check(t, c, p.router, "s", numbers{flows.SentOn: n})
}

// TestUndecided: a tag in the data hides the ports.
func TestUndecided(t *testing.T) {
	const n = 30
	ns := drops.NewNamespace(t)
	ns.Wire()
	c := need(t, fmt.Sprintf("udp dst port 9001 and netns.inode %d", ns.Inode()))
	frame := drops.Ethernet(drops.FarMAC, 0x8100, append([]byte{0, 5, 8, 0}, drops.IPv4{Src: "10.0.0.2", Dst: "10.0.0.1",
		Protocol: syscall.IPPROTO_UDP, Payload: drops.UDPHeader(0)}.Frame()[14:]...))
	ns.Inject("near", frame, n)
	check(t, c, ns, "near", numbers{flows.Undecided: n})
}

// TestSegments: of what is not split yet, and joined again, the segments are counted, and both ends agree.
func TestSegments(t *testing.T) {
	const size = 4 << 20
	p := newPath(t)
	c := need(t, "tcp dst port 9003 and net 10.2.0.0/24")
	transfer(p, size)
	rows := make(map[string]flows.Row)
	for _, r := range table(t, c).Rows() {
		rows[r.IfName] = r
	}
	near, in, out, far := rows["near"], rows["c"], rows["s"], rows["far"]
	sent := near.Packets[flows.SentOwn]
	if sent < size/1448 || near.Buffers[flows.SentOwn] >= sent {
		t.Errorf("%d segments in %d buffers sent, of %d bytes", sent, near.Buffers[flows.SentOwn], size)
	}
	if in.Packets[flows.Received] != sent || in.Packets[flows.Forwarded] != sent || out.Packets[flows.SentOn] != sent ||
		far.Packets[flows.Received] != sent || c.refused == nil && far.Packets[flows.Delivered] != sent {
		t.Errorf("sent %d, router %v and %v, server %v", sent, in.Packets, out.Packets, far.Packets)
	}
}

// transfer sends so many bytes over TCP, and waits until they have arrived and the connection is closed.
func transfer(p path, size int) {
	var l net.Listener
	p.server.Do(func() (err error) { l, err = net.Listen("tcp", "10.2.0.2:9003"); return err })
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = io.Copy(io.Discard, c)
			c.Close()
		}
		done <- err
	}()
	p.client.Do(func() error {
		c, err := net.Dial("tcp", "10.2.0.2:9003")
		if err != nil {
			return err
		}
		if _, err := c.Write(make([]byte, size)); err != nil {
			return err
		}
		if err := c.Close(); err != nil {
			return err
		}
		return <-done
	})
	p.client.Await("the connection is closed", func() bool {
		for line := range strings.Lines(p.client.Run("cat", "/proc/self/net/tcp")) {
			const closing = "06" // TCP_TIME_WAIT: all that is sent has arrived
			if words := strings.Fields(line); strings.HasSuffix(words[2], fmt.Sprintf(":%04X", 9003)) && words[3] != closing {
				return false
			}
		}
		return true
	})
}

// TestLargest has the kernel check the largest conditions, which are part of each program.
func TestLargest(t *testing.T) {
	vmtest.RequireRoot(t)
	var spans []condition.Span
	var nets []netip.Prefix
	for i := range condition.MaxSize - 1 {
		spans = append(spans, condition.Span{Lo: uint64(3 * i), Hi: uint64(3*i + 1)})
		nets = append(nets, netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 14: byte(i)}), 120))
	}
	for _, test := range []condition.Test{{Field: condition.DstPort, Spans: spans}, {Field: condition.Src, Nets: nets}} {
		c, err := Open(Options{Condition: condition.NewTest(test)})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if _, err := Open(Options{Condition: condition.Or(condition.Has(condition.Src), condition.NewTest(condition.Test{
		Field: condition.DstPort, Spans: spans,
	}))}); err == nil || !strings.Contains(err.Error(), "the most is 256") {
		t.Errorf("too large: error %v", err)
	}
}

// TestStop: what passes after Stop is not counted.
func TestStop(t *testing.T) {
	ns := drops.NewNamespace(t)
	listen(ns, "127.0.0.1:9001")
	c := need(t, fmt.Sprintf("udp dst port 9001 and netns.inode %d", ns.Inode()))
	udp(t, ns, "127.0.0.1:9001", 5)
	check(t, c, ns, "lo", numbers{flows.SentOwn: 5, flows.Received: 5, flows.Delivered: 5})
	counted := time.Now()
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if !c.Covers(counted) || c.Covers(counted.Add(-time.Minute)) || c.Covers(time.Now().Add(time.Second)) {
		t.Error("it covers another time than that from Start to Stop")
	}
	udp(t, ns, "127.0.0.1:9001", 5)
	check(t, c, ns, "lo", numbers{flows.SentOwn: 5, flows.Received: 5, flows.Delivered: 5})
}

// TestClosed: a sink that a failed run has left reads in vain, from its own goroutine.
func TestClosed(t *testing.T) {
	c := need(t, "udp")
	done := make(chan error)
	go func() {
		for {
			if _, err := c.Read(); err != nil {
				done <- err
				return
			}
		}
	}()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

// TestWhat: the programs and package flows have the same numbers.
func TestWhat(t *testing.T) {
	if followWhat(flows.Undecided) != followWhatUNDECIDED_HERE || followWhat(flows.QueuedOn) != followWhatQUEUED_ON ||
		followWhat(flows.Forwarded) != followWhatFORWARDED {
		t.Error("enum what has other values in Go")
	}
}
