package correlate_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/source/correlate"
	"dropwatch/internal/source/retrans"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/stage/decode"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

func TestMain(m *testing.M) { vmtest.Main(m) }

func TestGuestFates(t *testing.T) { TestLive(t) }

// TestGuestNetem loses a part of all packets on lo, in both directions, by netem: what is sent again is what the
// kernel counts, in segments, and of each it is known whether it was lost here.
func TestGuestNetem(t *testing.T) {
	const size = 2 << 20
	ns := drops.NewNamespace(t)
	inode := ns.Inode()
	r := sourcetest.Run(t, open(t), func(e *event.Event) bool {
		return e.Kind == event.Retransmit && e.Netns.Inode == inode && e.Segment.Direction == event.Outgoing
	})
	time.Sleep(3500 * time.Millisecond)
	ns.Run("ip", "link", "set", "lo", "mtu", "1500")
	ns.Run("tc", "qdisc", "add", "dev", "lo", "root", "netem", "loss", "5%", "limit", "10000")
	var want uint64
	for end := time.Now().Add(time.Minute); want < 100 && time.Now().Before(end); {
		transfer(ns, size)
		want = uint64(ns.Counter("snmp", "Tcp", "RetransSegs"))
	}
	ns.Run("tc", "qdisc", "del", "dev", "lo", "root")
	time.Sleep(time.Second)
	var segments uint64
	fates := make(map[event.Fate]int)
	for _, e := range r.End() {
		segments += e.Segments
		fates[e.Segment.Fate]++
	}
	want = uint64(ns.Counter("snmp", "Tcp", "RetransSegs"))
	here := fates[event.LostHere]
	if segments != want || here == 0 || fates[event.FateUnstated] != 0 || here < fates[event.FateUnknown] {
		t.Errorf("%d segments, the kernel counts %d, fates %v", segments, want, fates)
	}
	t.Logf("%d segments, fates %v", segments, fates)
}

// transfer sends so many bytes over lo, and waits until they have arrived.
func transfer(ns *drops.Namespace, size int) {
	ns.Do(func() error {
		l, err := net.Listen("tcp", "127.0.0.1:9011")
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
		c, err := net.Dial("tcp", "127.0.0.1:9011")
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Write(make([]byte, size)); err != nil {
			return err
		}
		return <-read
	})
}

// open opens both sources, of all drops and of what TCP sends again.
func open(t *testing.T) *correlate.Source {
	t.Helper()
	vmtest.RequireRoot(t)
	span := condition.Span{Lo: uint64(event.TCP), Hi: uint64(event.TCP)}
	tcp := condition.NewTest(condition.Test{Field: condition.Transport, Spans: []condition.Span{span}})
	lost, err := bpf.Open(bpf.Options{Condition: tcp})
	if err != nil {
		t.Fatal(err)
	}
	again, err := retrans.Open(retrans.Options{})
	if err != nil {
		lost.Close()
		t.Fatal(err)
	}
	return &correlate.Source{TCP: again, Drops: lost, Stages: []pipeline.Stage{decode.Packets()}}
}

// TestLive: a segment that a firewall here dropped is known to be lost here; one whose acknowledgments were
// dropped was not. Three seconds pass before it is known that no segment was sent before the begin.
func TestLive(t *testing.T) {
	const port = "9010"
	ns := drops.NewNamespace(t)
	inode := ns.Inode()
	r := sourcetest.Run(t, open(t), func(e *event.Event) bool {
		return e.Kind == event.Retransmit && e.Netns.Inode == inode && e.Segment.Direction == event.Outgoing
	})
	var c net.Conn
	ns.Do(func() error {
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			return err
		}
		ns.Cleanup(l.Close)
		c, err = net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			ns.Cleanup(c.Close)
		}
		return err
	})
	time.Sleep(3500 * time.Millisecond)
	ns.Run("nft", "add table ip t; add chain ip t c { type filter hook input priority 0; }")
	sendThrough := func(rule string) {
		before := ns.Counter("snmp", "Tcp", "RetransSegs")
		ns.Run("nft", "add rule ip t c "+rule+" drop")
		ns.Do(func() error { _, err := c.Write(make([]byte, 300)); return err })
		ns.Await("it is sent again", func() bool { return ns.Counter("snmp", "Tcp", "RetransSegs") > before })
		ns.Run("nft", "flush chain ip t c")
		guest.Eventually(t, "it is acknowledged", func() bool { return acknowledged(ns) })
	}
	sendThrough("tcp dport " + port + " meta length > 100")
	first := uint64(ns.Counter("snmp", "Tcp", "RetransSegs"))
	r.Await(first)
	sendThrough("tcp sport " + port)
	r.Await(uint64(ns.Counter("snmp", "Tcp", "RetransSegs")))
	for i, e := range r.End() {
		s, want := e.Segment, event.LostHere
		if uint64(i) >= first {
			want = event.NotLostHere
		}
		reason := "NETFILTER_DROP"
		if want != event.LostHere || !guest.AtLeast(5, 17) {
			reason = ""
		}
		if s.Fate != want || e.Reason != reason || (e.Where.HasPC) != (want == event.LostHere) {
			t.Errorf("%d of %d: %v %q, reason %q, location %+v, want %v", i, first, s.Fate, s.Doubt, e.Reason, e.Where, want)
		}
	}
}

// acknowledged reports whether all that was sent to port 9010, which is 2332 in hexadecimal, has arrived: the
// queues of the connection (tx_queue:rx_queue) are empty.
func acknowledged(ns *drops.Namespace) bool {
	return strings.Contains(ns.Run("cat", "/proc/self/net/tcp"), " 0100007F:2332 01 00000000:00000000 ")
}
