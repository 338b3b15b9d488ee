package knowledge

// A Layer is a part of the network stack, by the numbers of the OSI model.
type Layer uint8

const (
	AnyLayer  Layer = 0 // it may happen in any
	Hardware  Layer = 1 // devices, drivers, their rings
	Link      Layer = 2 // frames, bridges, queueing disciplines
	Network   Layer = 3 // IP, routes, neighbours, firewalls
	Transport Layer = 4 // TCP, UDP, sockets
)

// Layers are all layers, from the wire up.
var Layers = []Layer{AnyLayer, Hardware, Link, Network, Transport}

// String returns the name: "hardware".
func (l Layer) String() string {
	switch l {
	case Hardware:
		return "hardware"
	case Link:
		return "link"
	case Network:
		return "network"
	case Transport:
		return "transport"
	}
	return "any layer"
}

// A Kind says what an Entry is about.
type Kind uint8

const (
	Reason   Kind = iota // of a drop, as the kernel names it
	Function             // of the kernel, for drops without a reason
	Trap                 // of a device, for hardware drops (devlink)
	Counter              // of the kernel or a driver, by the ID that package counters gives it
)

// String returns the name in small letters.
func (k Kind) String() string {
	switch k {
	case Reason:
		return "reason"
	case Function:
		return "function"
	case Trap:
		return "trap"
	case Counter:
		return "counter"
	}
	return "unknown"
}

// A Class is what kind of discard a drop is, by the model of the IETF's draft
// "An Information Model for Packet Discard Reporting". Each drop is of exactly one.
type Class uint8

// The classes. The zero value is not set.
const (
	Policy   Class = iota + 1 // a rule or a limit that somebody set asked for it
	Error                     // the packet, or what it needs, is wrong: checksum, header, route, neighbour
	NoBuffer                  // a queue, a buffer or a table was full
	Local                     // it was for this host, which did not want it: no socket, closed, not needed
)

// String returns the name as JSON has it.
func (c Class) String() string {
	switch c {
	case Policy:
		return "policy"
	case Error:
		return "error"
	case NoBuffer:
		return "no_buffer"
	case Local:
		return "local"
	}
	return "unknown"
}

// Loses says whether a packet is lost when a counter rises.
type Loses uint8

// The answers. The zero value is not set.
const (
	Never     Loses = iota + 1 // it counts work, delay or what is resent or retried
	Sometimes                  // a packet, or a copy, or only an attempt; other counters tell
	Always                     // each is a packet that was lost
)

// String returns the answer to "is a packet lost?".
func (l Loses) String() string {
	switch l {
	case Never:
		return "no"
	case Sometimes:
		return "maybe"
	case Always:
		return "yes"
	}
	return "unknown"
}

// A Unit is what a counter counts.
type Unit uint8

// The units. The zero value is not set.
const (
	SKBs     Unit = iota + 1 // socket buffers: a GSO packet counts once
	Segments                 // packets on the wire: a GSO packet counts as its segments
	Octets                   // bytes
	Calls                    // anything else: attempts, timeouts, connections
)

// String returns the plural.
func (u Unit) String() string {
	switch u {
	case SKBs:
		return "skbs"
	case Segments:
		return "segments"
	case Octets:
		return "bytes"
	case Calls:
		return "events"
	}
	return "unknown"
}

// A Severity says whether such a drop matters. The zero value is not set.
type Severity uint8

const (
	Noise Severity = iota + 1 // nothing that anybody needs is lost
	Maybe                     // it depends on what was wanted
	Harm                      // traffic is lost that should not be
)

// String returns the name in small letters.
func (s Severity) String() string {
	switch s {
	case Noise:
		return "noise"
	case Maybe:
		return "maybe"
	case Harm:
		return "harm"
	}
	return "unknown"
}
