package event

import (
	"net/netip"
	"strconv"
)

// A Netns is a network namespace.
type Netns struct {
	Inode uint32 // of its file, as in /proc/PID/ns/net; 0 if not known
	Name  string // empty if it has none that is known
}

// InitNetns is our name of the kernel's init_net, which has none of its own.
const InitNetns = "init"

// AppendTo appends the name for a person, escaped, or else the inode.
func (n *Netns) AppendTo(b []byte) []byte {
	if n.Name != "" {
		return append(b, Escape(n.Name)...)
	}
	return strconv.AppendUint(b, uint64(n.Inode), 10)
}

// Owner says whose a dropped packet was, as far as it is known. That is not
// [Task], which may be anybody.
type Owner struct {
	Socket    *Socket // that the packet was sent from or was to be received by; nil if not known
	Process   Process // that has the socket
	Cgroup    Cgroup  // of the socket, from when it was made, or else of the process
	Unit      string  // of systemd, as sshd.service; empty if not known
	Container Container
	Pod       Pod
}

// AppendTo appends for a person, escaped, whose the packet was: "to nginx/812 in
// web", its process, or else its unit, and its pod or container. One that was sent
// is "from nginx/812", and "of" it if that is not known; a ? follows what is not
// certain. Where nothing of this is known, nothing is appended.
func (o *Owner) AppendTo(b []byte) []byte {
	before := o.relation()
	switch {
	case o.Process.PID != 0:
		b, before = o.Process.AppendTo(append(b, before...)), " in "
	case o.Unit != "":
		b, before = o.appendUnit(append(b, before...)), " in "
	}
	space, name := o.box()
	if name == "" {
		return b
	}
	b = append(b, before...)
	if space != "" {
		b = append(append(b, Escape(space)...), '/')
	}
	return append(b, Escape(name)...)
}

// relation is that of the packet to its owner, which only a socket tells.
func (o *Owner) relation() string {
	switch {
	case o.Socket == nil || o.Socket.Family == 0:
		return "of "
	case o.Socket.Receiver:
		return "to "
	}
	return "from "
}

func (o *Owner) appendUnit(b []byte) []byte {
	b = append(b, Escape(o.Unit)...)
	if o.Socket == nil || o.Socket.Confidence != Certain {
		b = append(b, '?')
	}
	return b
}

// shortID is how much of a container's ID stands for it, as its runtime shows it.
const shortID = 12

// box names the pod, with its namespace, or the container.
func (o *Owner) box() (space, name string) {
	switch p, c := &o.Pod, &o.Container; {
	case p.Name != "":
		return p.Namespace, p.Name
	case c.Name != "":
		return "", c.Name
	default:
		return "", c.ID[:min(len(c.ID), shortID)]
	}
}

// Confidence says how far a statement can be relied on.
type Confidence uint8

const (
	Unsure  Confidence = iota // nothing is stated
	Likely                    // it fits, and so may something else
	Certain                   // the kernel says so
)

var confidenceNames = [...]string{"", "likely", "certain"}

// String gives the word, nothing for Unsure.
func (c Confidence) String() string {
	if int(c) < len(confidenceNames) {
		return confidenceNames[c]
	}
	return "unknown"
}

// A Process is one that has a socket open, in our PID namespace. It is Certain if
// the kernel named the socket and no other process has it, and otherwise Likely.
type Process struct {
	PID        uint32 // 0 if not known
	Comm       string // name of its main thread; empty if not known
	Confidence Confidence
}

// AppendTo appends the process for a person, escaped: "nginx/812", with ? for a
// name that is not known, and with ? behind it unless it is certain.
func (p *Process) AppendTo(b []byte) []byte {
	if p.Comm == "" {
		b = append(b, '?')
	}
	b = append(append(b, Escape(p.Comm)...), '/')
	b = strconv.AppendUint(b, uint64(p.PID), 10)
	if p.Confidence != Certain {
		b = append(b, '?')
	}
	return b
}

// A Container is one of a container runtime.
type Container struct {
	ID      string // as the runtime has it; empty if it is none, or not known
	Runtime string // docker, containerd, cri-o, podman, lxc; empty if not known
	Name    string // as people call it; empty if not known
}

// A Pod is one of Kubernetes.
type Pod struct {
	UID             string // empty if it is none, or not known
	Namespace, Name string // empty if not known
}

// A Cgroup is a control group of version 2.
type Cgroup struct {
	ID   uint64 // inode number of its directory; 0 if not known
	Path string // from the root of the hierarchy, "/" itself; empty if not known
}

// A Socket is one of the kernel's struct sock (include/net/sock.h).
type Socket struct {
	// Cookie tells sockets apart: it is what SO_COOKIE gives, or the address
	// in the kernel of a socket whose cookie nobody has asked for yet.
	Cookie uint64

	// Inode is of the socket's file, as in /proc/PID/fd and /proc/net/tcp; 0
	// if it has none: a half-open or a dying connection.
	Inode uint64

	Family        uint16         // AF_INET and so on; 0 if only Cookie is known
	Protocol      uint16         // IPPROTO_TCP and so on, as far as Family has them
	State         SocketState    // of TCP; others use some of it
	Local, Remote netip.AddrPort // of AF_INET and AF_INET6; unspecified if not bound or connected
	Receiver      bool           // the packet was for it: the kernel says so (rx_sk), or its addresses do
	Confidence    Confidence     // Certain if it is the kernel that named the socket
}

// A SocketState is a state of include/net/tcp_states.h.
type SocketState uint8

// stateNames are those that ss(8) gives.
var stateNames = [...]string{
	"", "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait", "close",
	"close-wait", "last-ack", "listen", "closing", "new-syn-recv", "bound",
}

// SocketListens is the state of a socket that waits for connections.
const SocketListens SocketState = 10

// String gives the name as ss(8) has it, nothing for 0.
func (s SocketState) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}
