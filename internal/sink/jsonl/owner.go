package jsonl

import (
	"net/netip"

	"dropwatch/internal/event"
)

// appendNetns appends an object of a network namespace, unless it is not known.
func appendNetns(b []byte, n *event.Netns) []byte {
	if n.Inode == 0 {
		return b
	}
	b = begin(b, "netns", '{')
	b = appendNumber(b, "inode", uint64(n.Inode))
	b = appendIfAny(b, "name", n.Name)
	return end(b, '}')
}

// appendOwner appends an object for each part of the owner that is known.
func appendOwner(b []byte, o *event.Owner) []byte {
	if o.Socket != nil {
		b = appendSocket(b, o.Socket)
	}
	if o.Process.PID != 0 {
		b = appendProcess(b, &o.Process)
	}
	if o.Cgroup != (event.Cgroup{}) {
		b = appendCgroup(b, &o.Cgroup)
	}
	b = appendIfAny(b, "unit", o.Unit)
	if o.Container != (event.Container{}) {
		b = begin(b, "container", '{')
		b = appendIfAny(b, "id", o.Container.ID)
		b = appendIfAny(b, "runtime", o.Container.Runtime)
		b = end(appendIfAny(b, "name", o.Container.Name), '}')
	}
	if o.Pod != (event.Pod{}) {
		b = begin(b, "pod", '{')
		b = appendIfAny(b, "uid", o.Pod.UID)
		b = appendIfAny(b, "namespace", o.Pod.Namespace)
		b = end(appendIfAny(b, "name", o.Pod.Name), '}')
	}
	b = appendIfTrue(b, "owner_pending", o.Pending)
	return b
}

// appendSocket appends the socket. It leaves out an address that is not bound or not connected.
func appendSocket(b []byte, s *event.Socket) []byte {
	b = begin(b, "socket", '{')
	if s.Family != 0 {
		b = appendName(b, "family", families[:], s.Family)
	}
	if s.Family == inet || s.Family == inet6 {
		b = appendName(b, "protocol", protocols[:], s.Protocol)
	}
	if s.State != 0 {
		b = appendWord(b, "state", s.State.String())
	}
	b = appendEndpoint(b, "local", s.Local)
	b = appendEndpoint(b, "remote", s.Remote)
	if s.Cookie != 0 {
		b = appendAddress(b, "cookie", s.Cookie)
	}
	b = appendNonzero(b, "inode", s.Inode)
	b = appendIfTrue(b, "receiver", s.Receiver)
	return end(appendConfidence(b, s.Confidence), '}')
}

// Numbers of address families (include/linux/socket.h).
const (
	inet  = 2
	inet6 = 10
)

// families are the names of address families, as in ip(8) and ss(8).
var families = [...]string{1: "unix", inet: "inet", inet6: "inet6", 16: "netlink", 17: "packet", 29: "can", 40: "vsock", 44: "xdp"}

// protocols are the names of the protocols that sockets have (include/uapi/linux/in.h).
var protocols = [...]string{
	1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 33: "dccp", 58: "icmpv6", 132: "sctp", 136: "udplite", 255: "raw", 262: "mptcp",
}

// appendName appends the name of a number, or else the number.
func appendName(b []byte, key string, names []string, n uint16) []byte {
	if int(n) < len(names) && names[n] != "" {
		return appendWord(b, key, names[n])
	}
	return appendQuoted(b, key, uint64(n))
}

// appendEndpoint appends an address and port, unless both are unset.
func appendEndpoint(b []byte, key string, a netip.AddrPort) []byte {
	if !a.IsValid() || a.Addr().IsUnspecified() && a.Port() == 0 {
		return b
	}
	return append(a.AppendTo(append(appendKey(b, key), '"')), '"', ',')
}

func appendProcess(b []byte, p *event.Process) []byte {
	b = begin(b, "process", '{')
	b = appendNumber(b, "pid", uint64(p.PID))
	b = appendIfAny(b, "comm", p.Comm)
	return end(appendConfidence(b, p.Confidence), '}')
}

// appendConfidence appends likely or certain, or nothing.
func appendConfidence(b []byte, c event.Confidence) []byte {
	if c == event.Unsure {
		return b
	}
	return appendWord(b, "confidence", c.String())
}

func appendCgroup(b []byte, c *event.Cgroup) []byte {
	b = begin(b, "cgroup", '{')
	b = appendNonzero(b, "id", c.ID)
	b = appendIfAny(b, "path", c.Path)
	return end(b, '}')
}
