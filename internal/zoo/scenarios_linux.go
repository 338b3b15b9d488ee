package zoo

import (
	"os/exec"
	"slices"
	"syscall"

	"dropwatch/internal/vmtest/drops"
)

// A Scenario loses packets for one cause.
type Scenario struct {
	Name string

	// Prepare makes what is needed in a namespace. The function that it returns loses n
	// packets there; it has done so, and the kernel has counted them, when it returns. It is nil
	// where the host lacks what the scenario needs, which ns.Lacks names, or does not bear it.
	Prepare func(ns *drops.Namespace, n int) (lose func())

	Want Want
}

// alone reports whether no other may lose packets at the same time: a limit of the whole
// host, which it lowers, would have that lose more, the peers of others lose the same, or drops of others leave it in doubt.
func (s *Scenario) alone() bool {
	return slices.Contains([]string{"conntrack table full", "neighbour table full", "IPv6 disabled",
		"TCP memory of the host exhausted", "backlog of a CPU full", "TCP SYNs lost beyond this host, sent again"}, s.Name)
}

// A Want is what diagnose must say. Fields that are not set may be anything.
type Want struct {
	IDs             []string // of the finding, one of these: it depends on the kernel; nil: there is none
	Harmless        bool     // the drops are known to lose nothing
	Class, Severity string   // as in JSON
	IfName          string   // exactly
	Times           uint64   // how many drops each lost packet is; 0 means 1
	Process         string   // the culprit
	Rule            string   // words of the rule of a firewall
	Confidence      string   // of the rule
	Apart           string   // what makes it another finding than others with the same ID, in whatever network namespaces
	Counter         string   // that rose with the drops
	Point           string   // what was read at a point, a part of the finding as JSON, where functions can be probed
	Raised          string   // counter of IfName that rose, and the one function that raised it: "rx_dropped enqueue_to_backlog"
	Setting         string   // whose value is shown
	Advice          string   // words of what is said of the setting
	Cause           string   // words of the sentence
	Says            string   // a part of the finding, as JSON
	Fix, NotFix     string   // words that the fix has, and has not: a trap
	Beside          *Want    // another finding that is made of the same packets
	Nowhere         []string // ID, one of these, of a finding whose namespace this kernel does not tell
	Elsewhere       []string // counters that may rise: of losses elsewhere, or of what follows from this one
}

// self is the process that runs the test.
const self = "zoo"

// Scenarios are all of them, from the sockets down to the wire.
var Scenarios = slices.Concat(udp, tcp, resent, firewall, xtables, tracking, routing, link, tunnels, queues, bridges, pressure, limits)

// same is a scenario of package drops.
func same(name string) func(*drops.Namespace, int) func() { return drops.Named(name).PrepareIn }

// freed is one of package drops that loses packets beside what it loses none of.
func freed(name string) func(*drops.Namespace, int) func() {
	i := slices.IndexFunc(drops.FreeScenarios, func(f drops.FreeScenario) bool { return f.Name == name })
	return drops.FreeScenarios[i].PrepareIn
}

// arrive has frames arrive from another host.
func arrive(frame []byte) func(*drops.Namespace, int) func() {
	return func(ns *drops.Namespace, n int) func() {
		peer := ns.Peer()
		return func() { peer.Inject("near", frame, n) }
	}
}

// arriveEach has n frames arrive from a peer, each as next makes it.
func arriveEach(peer *drops.Namespace, n int, next func(i int) []byte) {
	frames := make([][]byte, n)
	for i := range frames {
		frames[i] = next(i)
	}
	peer.InjectAll("near", frames...)
}

// knownPeer makes another host whose address is known, so that nobody asks for it.
func knownPeer(ns *drops.Namespace) (peer *drops.Namespace) {
	peer = ns.Peer()
	ns.Run("ip", "neigh", "add", "10.0.0.2", "lladdr", drops.NearMAC, "dev", "far", "nud", "permanent")
	return peer
}

// packet is a frame with a packet from the other host.
func packet(protocol byte, dst string, payload []byte) []byte {
	return drops.IPv4{Src: "10.0.0.2", Dst: dst, Protocol: protocol, Payload: payload}.Frame()
}

// datagram is one of UDP.
func datagram(dst string, payload []byte) []byte { return packet(syscall.IPPROTO_UDP, dst, payload) }

// loadModule loads a module, unless the kernel has it built in.
func loadModule(module string) { _ = exec.Command("modprobe", module).Run() }

// id makes the IDs of a finding.
func id(ids ...string) []string { return ids }

// noise is what is wanted of packets that nobody misses.
func noise(ifname string, ids ...string) Want {
	return Want{IDs: ids, Class: "local", Severity: "noise", IfName: ifname, Fix: "No action needed"}
}

// raised returns the Want with who raised a counter of the interface.
func (w Want) raised(counter string) Want {
	w.Raised = counter
	return w
}
