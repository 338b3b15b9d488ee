package correlate_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/source/correlate"
	"dropwatch/internal/source/retrans"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/stage/resolve"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
	"dropwatch/kallsyms"
)

func TestGuestJoined(t *testing.T) { TestJoined(t) }

// openJoined opens both sources, with names of functions, resets and rules.
func openJoined(t *testing.T) *correlate.Source {
	t.Helper()
	s := open(t)
	s.TCP.Close()
	again, err := retrans.Open(retrans.Options{Resets: true})
	if err != nil {
		s.Drops.Close()
		t.Fatal(err)
	}
	var table kallsyms.Live
	if err := table.Load(); err != nil {
		t.Fatal(err)
	}
	rules := diagnose.NewRules(host.New("/"))
	s.TCP, s.Resets = again, true
	s.Stages = append(s.Stages, resolve.Symbols(resolve.Options{Lookup: table.Lookup}))
	s.Rule = func(drop *event.Event) (rule, confidence string) {
		of := rules.Of(drop)
		return of.Text, string(of.Confidence)
	}
	return s
}

// TestJoined: a segment that another network namespace of this host drops has that, and the rule that drops it; a RST has
// the drop of the packet that it answers.
func TestJoined(t *testing.T) {
	near := drops.NewNamespace(t)
	far := near.Another()
	near.Name("dropwatch-near")
	far.Name("dropwatch-far")
	near.EnableIPv6()
	connect(near, far)
	inode := near.Inode()
	r := sourcetest.Run(t, openJoined(t), func(e *event.Event) bool {
		return e.Netns.Inode == inode && e.Segment.Direction == event.Outgoing
	})
	handle := loseFar(t, near, far)
	r.Await(1)
	abort(near)
	var want []string
	if guest.AtLeast(6, 10) { // before, what no socket sends is not reported
		refused(t, near, "127.0.0.1:9")
		refused(t, near, "[::1]:9")
		want = []string{"tcp_v4_rcv NO_SOCKET", "tcp_v6_rcv NO_SOCKET"}
	}
	var resets []string
	again := 0
	for _, e := range r.End() {
		of := &e.Segment.Drop
		if e.Kind == event.Reset {
			symbol, _, _, _ := e.Where.Name()
			resets = append(resets, symbol+" "+of.Reason)
			continue
		}
		again++
		rule := ""
		if guest.AtLeast(5, 17) { // before, the hook is not known: the program records a stack by the reason
			rule = fmt.Sprintf("nftables inet fw in handle %s (tcp dport 9010 counter", handle)
		}
		if e.Segment.Fate != event.LostHere || of.Netns.Inode != far.Inode() || of.Port.IfName != "far0" ||
			!strings.HasPrefix(of.Rule, rule) && again == 1 {
			t.Errorf("%v %q, drop %+v, want rule %s", e.Segment.Fate, e.Segment.Doubt, *of, rule)
		}
	}
	if again == 0 || len(resets) == 0 || !strings.HasPrefix(resets[0], "tcp_v4_do_rcv ") || !slices.Equal(resets[1:], want) {
		t.Errorf("%d segments again, resets by drops %q, want %q after the first", again, resets, want)
	}
	t.Logf("resets by drops %q", resets)
}

// connect joins two namespaces by a cable.
func connect(near, far *drops.Namespace) {
	near.Batch("link add near0 type veth peer name far0 netns dropwatch-far\n" +
		"addr add 192.0.2.1/24 dev near0\nlink set near0 up\n")
	far.Batch("addr add 192.0.2.2/24 dev far0\nlink set far0 up\n")
}

// loseFar has a rule of the far namespace drop a segment of the near one until that was sent again. It returns the handle
// of the rule.
func loseFar(t *testing.T, near, far *drops.Namespace) (handle string) {
	t.Helper()
	var listener net.Listener
	far.Do(func() (err error) { listener, err = net.Listen("tcp", "192.0.2.2:9010"); return err })
	far.Cleanup(listener.Close)
	var c net.Conn
	near.Do(func() (err error) { c, err = net.Dial("tcp", "192.0.2.2:9010"); return err })
	near.Cleanup(c.Close)
	far.Run("nft", "add table inet fw; add chain inet fw in { type filter hook input priority 0; }")
	far.Run("nft", "add rule inet fw in tcp dport 9010 counter drop")
	_, after, _ := strings.Cut(far.Run("nft", "-a", "list chain inet fw in"), "drop # handle ")
	handle, _, _ = strings.Cut(after, "\n")
	again := func() bool { return near.Counter("snmp", "Tcp", "RetransSegs") >= 2 }
	near.Do(func() error { _, err := c.Write(make([]byte, 300)); return err })
	near.Await("it is sent again twice", again)
	return handle
}

// abort sends to a socket that was closed after it had read all, so that it answers with a RST.
func abort(ns *drops.Namespace) {
	ns.Do(func() error {
		l, err := net.Listen("tcp", "127.0.0.1:9011")
		if err != nil {
			return err
		}
		defer l.Close()
		c, err := net.Dial("tcp", "127.0.0.1:9011")
		if err != nil {
			return err
		}
		defer c.Close()
		closed, err := l.Accept()
		if err != nil {
			return err
		}
		closed.Close()
		_, err = c.Write([]byte("late"))
		return err
	})
	ns.Await("a RST is sent", func() bool { return ns.Counter("netstat", "TcpExt", "TCPAbortOnData") > 0 })
}

// refused connects to where nothing listens.
func refused(t *testing.T, ns *drops.Namespace, to string) {
	t.Helper()
	ns.Do(func() error {
		c, err := net.DialTimeout("tcp", to, 10*time.Second)
		if err == nil {
			c.Close()
			t.Errorf("connected to %s", to)
		}
		return nil
	})
}
