package diagnose

import (
	"fmt"
	"slices"

	"dropwatch/internal/conntrack"
	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// A Listener is a socket that accepts packets to the port of a finding, now.
type Listener struct {
	counters.Listener
	Process event.Process // zero if none is known

	Accepts    bool // also to the address, and of the sender
	OutsideVRF bool // it would, but the packets arrived in a VRF
}

// A protocol is one of transport, by the name that package counters has for it.
type protocol struct {
	name     string
	evidence knowledge.Evidence
}

// protocols are those of transport whose sockets accept packets to a port, by their number.
var protocols = map[uint8]protocol{6: {"tcp", knowledge.TCP}, 17: {"udp", knowledge.UDP}}

// readListeners narrows findings of packets that no socket accepted, by the sockets that accept
// some to that port now, in the network namespace of the finding. It asks for the flow with the
// most drops. Segments of connections that were open have a cause of their own.
func (d *Diagnosis) readListeners(h *Host) {
	for i := range d.Findings {
		f := &d.Findings[i]
		first, protocol := f.refused()
		if first == nil {
			continue
		}
		accepts, apart := false, h.isApart(f.Netns, f.IfName, protocol.name)
		for _, l := range h.listeners(f.Netns.Inode, protocol.name, first.Dst.Port()) {
			one := Listener{Listener: l, Process: h.ownerOf(l.Inode).Process}
			takes := l.Accepts(first.Dst, f.IfName) && l.AcceptsFrom(first.Src)
			one.OutsideVRF = takes && apart && l.IfName == ""
			one.Accepts = takes && !one.OutsideVRF
			accepts = accepts || one.Accepts
			f.Listeners = append(f.Listeners, one)
		}
		f.narrowByListeners(protocol.evidence, accepts)
	}
}

// refused returns the first packet of the flow with the most drops, and its protocol, of a finding of
// packets that no socket accepts; nil of others, and where the sockets to ask for are not known.
func (f *Finding) refused() (*conntrack.Tuple, protocol) {
	first, p := f.largest()
	if first == nil || !f.mayBe(knowledge.Listens|p.evidence) {
		return nil, protocol{}
	}
	return first, p
}

// largest returns the first packet of the flow with the most drops, and its protocol; nil where its
// network namespace or its ports are not known.
func (f *Finding) largest() (*conntrack.Tuple, protocol) {
	if len(f.Flows) == 0 || len(f.Namespaces) > 0 || f.Netns.Inode == 0 {
		return nil, protocol{}
	}
	first := &f.Flows[0].first
	p, ok := protocols[first.Protocol]
	if !ok {
		return nil, protocol{}
	}
	return first, p
}

// ofConnection is the evidence of segments that are of a connection, and not to open one.
const ofConnection = knowledge.Midstream | knowledge.Untracked | knowledge.Reset | knowledge.Answer

// narrowByListeners gives the finding its cause: there are sockets for its port, of which one accepts
// packets to its address, or none does.
func (f *Finding) narrowByListeners(protocol knowledge.Evidence, accepts bool) {
	c := f.Meaning.Case
	narrower := c != nil && (len(c.Via) > 0 || c.If&ofConnection != 0)
	if len(f.Listeners) == 0 || narrower {
		return
	}
	to := f.Flows[0].first.Dst
	evidence := knowledge.Elsewhere
	switch {
	case accepts:
		evidence = knowledge.Listens
	case slices.ContainsFunc(f.Listeners, func(l Listener) bool { return l.Remote.IsValid() && l.Listener.Accepts(to, f.IfName) }):
		evidence = knowledge.OtherPeer
	case slices.ContainsFunc(f.Listeners, func(l Listener) bool { return l.Listener.Accepts(to, "") }):
		evidence = knowledge.OnDevice
	case slices.ContainsFunc(f.Listeners, func(l Listener) bool { return l.onlyIPv6() && to.Addr().Unmap().Is4() }):
		evidence = knowledge.OnlyIPv6
	case !slices.ContainsFunc(f.Listeners, func(l Listener) bool { return !l.Local.Addr().Unmap().IsLoopback() }):
		evidence = knowledge.OnLoopback
	}
	f.Meaning = f.Meaning.With(evidence|protocol, f.event())
	if f.is(knowledge.OnLoopback|knowledge.TCP) && f.Flows[0].Flags == "[S]" && f.Flows[0].Count > 1 { // somebody tries again and again
		f.Meaning.Severity = knowledge.Harm
	}
}

// onlyIPv6 reports whether the socket accepts packets to all addresses, but not those of IPv4.
func (l *Listener) onlyIPv6() bool { return l.V6Only && l.Local.Addr().IsUnspecified() }

// listeners are the sockets that accept packets to a port in a network namespace, nothing if
// that cannot be found out.
func (h *Host) listeners(netns uint32, protocol string, port uint16) []counters.Listener {
	return ask(h, fmt.Sprintf("listeners %d %s %d", netns, protocol, port), func() (all []counters.Listener) {
		_ = h.within(netns, func() (err error) {
			all, err = counters.Listeners(protocol, port)
			return err
		})
		return all
	})
}

// isApart reports whether packets that arrive by an interface come to no socket that has none: they are of a VRF, and the
// setting that would let them is 0 (include/net/inet_sock.h inet_sk_bound_dev_eq). Where that is not known, they may come.
func (h *Host) isApart(n event.Netns, ifname, protocol string) bool {
	if ifname == "" {
		return false
	}
	inVRF := ask(h, fmt.Sprintf("VRF %d %s", n.Inode, ifname), func() (in bool) {
		_ = h.within(n.Inode, func() (err error) {
			in, err = counters.InVRF(ifname)
			return err
		})
		return in
	})
	if !inVRF {
		return false
	}
	all := h.readSettings(n, []string{"net.ipv4." + protocol + "_l3mdev_accept"}, "")
	return len(all) == 1 && all[0].Value == "0"
}

// listening says of each socket that accepts packets to the port whether it does to the address:
// "tcp 127.0.0.1:9100 listens (python3/123), but not on 10.9.2.2".
func (f *Finding) listening() (lines []string) {
	for i := range f.Listeners {
		l := &f.Listeners[i]
		line := fmt.Sprintf("%s %s listens", f.Flows[0].Flow.Protocol, event.Escape(l.String()))
		if l.Remote.IsValid() {
			line = fmt.Sprintf("%s %s is connected to %v", f.Flows[0].Flow.Protocol, event.Escape(l.String()), l.Remote)
		}
		if process := l.Process.AppendTo(nil); len(process) > 0 {
			line += fmt.Sprintf(" (%s)", process)
		}
		switch {
		case l.Accepts, l.Remote.IsValid():
		case l.OutsideVRF:
			line += ", but not in the VRF"
		case l.IfName != "":
			line += ", but not on this interface"
		case l.onlyIPv6():
			line += ", but for IPv6 only"
		default:
			line += fmt.Sprintf(", but not on %v", f.Flows[0].Flow.Dst.Addr())
		}
		lines = append(lines, line)
	}
	return lines
}
