package event

import "net/netip"

// A Netns is a network namespace.
type Netns struct {
	Inode uint32 // of its file, as in /proc/PID/ns/net; 0 if not known
	Name  string // empty if it has none that is known
}

// Owner says whose a dropped packet was, as far as it is known. That is not
// [Task], which may be anybody.
type Owner struct {
	Socket *Socket // that the packet was sent from or was to be received by; nil if not known
	Cgroup Cgroup  // of the socket, from when it was made
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
	Receiver      bool           // the kernel says that the packet was for it (rx_sk)
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
