package counters_test

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// inNamespace runs commands in a namespace, each a line.
func inNamespace(t *testing.T, ns *drops.Namespace, commands string) {
	t.Helper()
	for line := range strings.Lines(commands) {
		run(t, ns, line, "")
	}
}

// run runs a command in a namespace with some text as its input.
func run(t testing.TB, ns *drops.Namespace, command, input string) {
	t.Helper()
	ns.Do(func() error {
		cmd := exec.Command("sh", "-c", command)
		cmd.Stdin = strings.NewReader(input)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", command, err, out)
		}
		return nil
	})
}

// changes runs drop in a namespace between two snapshots of some groups, and returns
// what changed, by "interface object ID".
func changes(t *testing.T, ns *drops.Namespace, drop func(), groups ...counters.Group) map[string]counters.Change {
	t.Helper()
	r := counters.Reader{Host: host.New("/"), Groups: groups}
	var s [2]*counters.Snapshot
	ns.Do(func() error { s[0] = snapshot(t, &r); return nil })
	drop()
	ns.Do(func() error { s[1] = snapshot(t, &r); return nil })
	found := make(map[string]counters.Change)
	for _, c := range counters.Compare(s[0], s[1]) {
		found[strings.Join(strings.Fields(c.IfName+" "+c.Object+" "+c.ID()), " ")] = c
	}
	return found
}

func TestInterfaceAndQdisc(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	inNamespace(t, ns, "tc qdisc add dev lo root handle 1: tbf rate 8kbit burst 1600 limit 6000\n"+
		"tc qdisc add dev lo parent 1: handle 2: pfifo limit 3\n")
	got := changes(t, ns, func() {
		inNamespace(t, ns, "bash -c 'for i in {1..20}; do printf %0900d 0 >/dev/udp/127.0.0.1/9; done'\n")
	}, counters.Interface, counters.Qdisc)
	root, child := got["lo tbf 1: qdisc.dropped"], got["lo pfifo 2: parent 1:0 qdisc.dropped"]
	if root.Delta == 0 || root.Delta != child.Delta || root.Part || !child.Part {
		t.Errorf("the root dropped %+v, its child %+v: want the same number, of which the child's is a part", root, child)
	}
	if root.About != "rate 8Kbit burst 1600b limit 6000b" || child.About != "limit 3p" {
		t.Errorf("the limits are %q and %q", root.About, child.About)
	}
	inNamespace(t, ns, "tc qdisc change dev lo root handle 1: tbf "+root.About) // as tc takes them
	passed, waiting := got["lo interface.tx_packets"].Delta, got["lo tbf 1: qdisc.qlen"].Value
	if all := passed + root.Delta + waiting; passed == 0 || all < 20 || all > 20+passed {
		t.Errorf("%d packets passed, %d were dropped, %d wait: want 20 in all, and an ICMP error for some that passed",
			passed, root.Delta, waiting)
	}
	if q := got["lo tbf 1: qdisc.qlen"]; !q.Gauge {
		t.Errorf("the length of a queue is no gauge: %+v", q)
	}
}

// TestClasses: a class that drops has the rate that it is limited to, as tc takes it.
func TestClasses(t *testing.T) {
	vmtest.RequireRoot(t)
	testClass(t, "htb", "rate 8Kbit ceil 16Kbit")
}

// TestGuestClasses: one of hfsc has its curves, which not every host has.
func TestGuestClasses(t *testing.T) {
	testClass(t, "hfsc", "ls m1 0bit d 0us m2 8Kbit ul m1 16Kbit d 10us m2 8Kbit")
}

// testClass is of one kind. The shell of guests has a tc of its own.
func testClass(t *testing.T, kind, limits string) {
	ns := drops.NewNamespace(t)
	inNamespace(t, ns, "/usr/sbin/tc qdisc add dev lo root handle 1: "+kind+" default 10\n"+
		"/usr/sbin/tc class add dev lo parent 1: classid 1:10 "+kind+" "+limits+"\n"+
		"/usr/sbin/tc qdisc add dev lo parent 1:10 handle 2: pfifo limit 3\n")
	got := changes(t, ns, func() { ns.SendUDP(30) }, counters.Qdisc)
	root, class := got["lo "+kind+" 1: qdisc.dropped"], got["lo class "+kind+" 1:10 parent 1:0 qdisc.dropped"]
	if class.Delta == 0 || root.Delta != class.Delta || root.Part || !class.Part {
		t.Errorf("the root dropped %+v, its class %+v: want the same number, of which the class's is a part", root, class)
	}
	if class.About != limits {
		t.Errorf("the limits are %q, want %q", class.About, limits)
	}
	inNamespace(t, ns, "/usr/sbin/tc class change dev lo parent 1:0 classid 1:10 "+kind+" "+class.About+"\n") // as tc takes them
}

// TestSockets: a socket that is never read drops what its buffer cannot hold, and one
// that never accepts has a full queue.
func TestSockets(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	var deaf net.PacketConn
	var listener net.Listener
	ns.Do(func() (err error) {
		if deaf, err = net.ListenPacket("udp4", "127.0.0.1:7001"); err != nil {
			return err
		}
		listener, err = net.Listen("tcp4", "127.0.0.1:7002")
		return errors.Join(err, deaf.(*net.UDPConn).SetReadBuffer(4096))
	})
	defer deaf.Close()
	defer listener.Close()
	got := changes(t, ns, func() {
		inNamespace(t, ns, "bash -c 'for i in {1..40}; do printf %0900d 0 >/dev/udp/127.0.0.1/7001; done'\n"+
			"bash -c 'exec 3<>/dev/tcp/127.0.0.1/7002'\n")
	}, counters.Socket, counters.Protocol)
	var lost, queued, full uint64
	for name, c := range got {
		switch {
		case strings.HasPrefix(name, "udp 127.0.0.1:7001 ") && c.Name == "drops":
			lost = c.Delta
		case strings.HasPrefix(name, "udp 127.0.0.1:7001 ") && c.Name == "receive_buffer":
			full = c.Value * 100 / c.Limit
		case strings.HasPrefix(name, "tcp 127.0.0.1:7002 ") && c.Name == "accept_queue":
			queued = c.Value
		}
	}
	if want := got["UdpRcvbufErrors"].Delta; lost == 0 || lost != want || full < 50 {
		t.Errorf("%d datagrams lost, the buffer is full to %d %%: want %d lost, and more than half full", lost, full, want)
	}
	if queued != 1 {
		t.Errorf("%d connections wait, want 1", queued)
	}
}

// TestDriversOfANamespace: statistics of drivers are those of the namespace, whether it is
// read from inside or from outside, and devices without any do no harm.
func TestDriversOfANamespace(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	keepFound(t, ns)
	inNamespace(t, ns, "ip link add index 701 name a type veth peer index 702 name b\n"+
		"ip link add br0 type bridge\nip tuntap add tap mode tap\n")
	here, groups := ns.Inode(), []counters.Group{counters.Driver}
	outside := counters.Reader{
		Host: host.New("/"), Groups: groups, Netns: func(inode uint32, _ host.Netns) bool { return inode == here },
	}
	inside := counters.Reader{Host: host.New("/"), Groups: groups}
	var s [2]*counters.Snapshot
	ns.Do(func() error { s[0] = snapshot(t, &inside); return nil })
	s[1] = snapshot(t, &outside)
	for i := range s {
		found := make(map[string]counters.Counter)
		for _, c := range s[i].Counters {
			found[c.IfName+" "+c.ID()] = c
		}
		a, b := found["a driver.peer_ifindex"], found["b driver.peer_ifindex"]
		if a.Value != 702 || b.Value != 701 || a.About != "veth" {
			t.Errorf("reader %d: the peers are %d and %d, want 702 and 701: %+v", i, a.Value, b.Value, a)
		}
		if c, ok := found["a driver.rx_queue_0_drops"]; !ok || c.Value != 0 {
			t.Errorf("reader %d: no drops of veth: %+v", i, found)
		}
		for name := range found {
			if name[0] != 'a' && name[0] != 'b' {
				t.Errorf("reader %d: %s", i, name)
			}
		}
	}
}

// TestStatesOfInterfaces: an interface whose other end is down has no carrier, and a port
// that spanning tree examines, for its first 15 seconds, is blocked.
func TestStatesOfInterfaces(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	inNamespace(t, ns, "ip link add name a type veth peer name b\nip link set dev a up\n"+
		"ip link add name br0 type bridge stp_state 1\nip link add name p type veth peer name q\nip link set dev p master br0\n"+
		"ip link set dev q up\nip link set dev p up\nip link set dev br0 up\n")
	r := counters.Reader{Host: host.New("/"), Groups: []counters.Group{counters.Interface}}
	states := func() map[string]string {
		found := make(map[string]string)
		ns.Do(func() error {
			for _, c := range snapshot(t, &r).Counters {
				if c.Gauge {
					found[c.IfName+" "+c.Name] = c.About
				}
			}
			return nil
		})
		return found
	}
	var got map[string]string
	ns.Await("the port listens", func() bool { // the kernel learns in the background that there is a carrier
		got = states()
		return got["p bridge_port_blocked"] == "listening"
	})
	if len(got) != 2 || got["a no_carrier"] != "lowerlayerdown" || got["p bridge_port_blocked"] != "listening" {
		t.Errorf("states: %q", got)
	}
}
