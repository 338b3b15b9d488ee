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

// InitNetns is the name shown for the kernel's init_net, which has none of its own.
const InitNetns = "init"

// AppendTo appends the name for a person, escaped and quoted, or else the inode.
func (n *Netns) AppendTo(b []byte) []byte {
	if n.Name != "" {
		return append(b, Quote(n.Name)...)
	}
	return strconv.AppendUint(b, uint64(n.Inode), 10)
}

// Owner is who a dropped packet belonged to: the socket, and the process, unit,
// container and pod that have it, as far as that is known. It is not [Task], which
// is only what the CPU was running.
type Owner struct {
	Socket    *Socket   // that sent the packet or was to receive it; nil if not known
	Process   Process   // that has the socket open
	Cgroup    Cgroup    // of the socket, from when it was made, or else of the process
	Unit      string    // of systemd, as sshd.service; empty if not known
	Container Container // that the process is in
	Pod       Pod       // of Kubernetes, that the container is of

	// Pending: the host was still being read when the event had to go on, so that
	// what is empty here may exist. Otherwise what is empty was looked for and not
	// found, or the source gave nothing to look for.
	Pending bool
}

// AppendTo appends the owner for a person, escaped and quoted: the relation of the
// packet to it, its process or else its unit, and its pod or container, as in
// "to nginx/812 in shop/web-0". A packet that the owner sent is "from" it, and "of"
// it where the direction is not known. A ? follows what is not [Certain]. It appends
// nothing if none of these is known.
func (o *Owner) AppendTo(b []byte) []byte {
	before, guess := o.relation(), o.Socket == nil || o.Socket.Confidence != Certain
	switch {
	case o.Process.PID != 0:
		b, before, guess = o.Process.AppendTo(append(b, before...)), " in ", false
	case o.Unit != "":
		b, before, guess = appendGuess(append(append(b, before...), Quote(o.Unit)...), guess), " in ", false
	}
	if !o.hasBox() {
		return b
	}
	return appendGuess(o.appendBox(append(b, before...)), guess)
}

// AppendName appends the one name that stands for the owner in a table, escaped and
// quoted: its pod, or else its container, its unit, its process. A ? follows it if
// the owner [Owner.Guessed]. It appends nothing if none of these is known.
func (o *Owner) AppendName(b []byte) []byte {
	switch {
	case o.hasBox():
		return appendGuess(o.appendBox(b), o.Guessed())
	case o.Unit != "":
		return appendGuess(append(b, Quote(o.Unit)...), o.Guessed())
	case o.Process.PID != 0:
		return appendGuess(o.Process.appendName(b), o.Guessed())
	}
	return b
}

// Guessed reports whether the owner fits the packet without the kernel having named
// it: another may fit, too.
func (o *Owner) Guessed() bool {
	return o.Socket != nil && o.Socket.Confidence == Likely || o.Process.Confidence == Likely
}

// relation is how the packet relates to its owner, which only a socket shows.
func (o *Owner) relation() string {
	switch {
	case o.Socket == nil || o.Socket.Family == 0:
		return "of "
	case o.Socket.Receiver:
		return "to "
	}
	return "from "
}

// appendGuess appends the mark of what is only likely.
func appendGuess(b []byte, guessed bool) []byte {
	if guessed {
		b = append(b, '?')
	}
	return b
}

// shortID is how many digits of a container's ID are shown, as its runtime does.
const shortID = 12

// hasBox reports whether a pod or a container is known.
func (o *Owner) hasBox() bool {
	return o.Pod.Name != "" || o.Container.Name != "" || o.Container.ID != ""
}

// appendBox appends the pod, with its namespace, or the container.
func (o *Owner) appendBox(b []byte) []byte {
	switch p, c := &o.Pod, &o.Container; {
	case p.Name != "" && p.Namespace != "":
		return append(append(append(b, Quote(p.Namespace)...), '/'), Quote(p.Name)...)
	case p.Name != "":
		return append(b, Quote(p.Name)...)
	case c.Name != "":
		return append(b, Quote(c.Name)...)
	default:
		return append(b, Quote(c.ID[:min(len(c.ID), shortID)])...)
	}
}

// Confidence is how far a statement can be relied on.
type Confidence uint8

const (
	Unsure  Confidence = iota // nothing is stated
	Likely                    // it fits, and so may something else
	Certain                   // the kernel stated it
)

// confidenceNames are the names of confidences in JSON; Unsure has none.
var confidenceNames = [...]string{"", "likely", "certain"}

// String gives the word, nothing for Unsure.
func (c Confidence) String() string {
	if int(c) < len(confidenceNames) {
		return confidenceNames[c]
	}
	return "unknown"
}

// A Process has a socket open. It is Certain if the kernel named the socket and no
// other process has it open, and otherwise Likely.
type Process struct {
	PID        uint32 // in the PID namespace of dropwatch; 0 if not known
	Comm       string // name of its main thread; empty if not known
	Confidence Confidence
}

// AppendTo appends the process for a person, escaped and quoted: "nginx/812". A ?
// stands for a name that is not known, and follows a process that is not certain.
func (p *Process) AppendTo(b []byte) []byte {
	return appendGuess(p.appendName(b), p.Confidence != Certain)
}

// appendName appends name and PID, as nginx/812, with a name quoted that has other characters than most; ? for one that
// is not known.
func (p *Process) appendName(b []byte) []byte {
	if p.Comm == "" {
		b = append(b, '?')
	}
	b = append(append(b, Quote(p.Comm)...), '/')
	return strconv.AppendUint(b, uint64(p.PID), 10)
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
	// Cookie distinguishes sockets: it is what SO_COOKIE gives, or, as long as no
	// program has read that, the [SocketID] of the socket's address, or that address
	// if it was asked for. 0 if the socket was found by the packet's addresses.
	Cookie uint64

	// Inode is that of the socket's file, as in /proc/PID/fd and /proc/net/tcp; 0
	// if it has none: a half-open or a closing connection.
	Inode uint64

	Family        uint16         // AF_INET and so on; 0 if only Cookie is known
	Protocol      uint16         // IPPROTO_TCP and so on, as far as Family has them
	State         SocketState    // of TCP; others use some of it
	Local, Remote netip.AddrPort // of AF_INET and AF_INET6; unspecified if not bound or connected
	Receiver      bool           // the packet was for it, by the kernel (rx_sk) or by the addresses of both
	Confidence    Confidence     // Certain if the kernel named the socket
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
