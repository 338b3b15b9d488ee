package event

// Facts is a set of what can be known about a drop. A source states which of
// them it lacks; a filter expression and an output state which they need.
type Facts uint32

// What not every source provides.
const (
	FactPacket      Facts = 1 << iota // Packet.Data
	FactProtocol                      // Packet.Proto
	FactLength                        // Packet.Len
	FactReason                        // Reason, from Linux 5.17
	FactInterface                     // Port
	FactStack                         // Stack
	FactTask                          // Task
	FactTrap                          // Where.Trap, of hardware drops
	FactCookie                        // Cookie
	FactNamespace                     // Netns
	FactOwner                         // Owner
	FactSegments                      // Segments
	FactArgs                          // Args
	FactLocation                      // Where.Symbol and those of Stack, which a stage finds
	FactHarmless                      // Harmless, which a stage finds
	FactSequence                      // sequence and acknowledgment numbers of what TCP did
	FactRetransType                   // Segment.Type of data that is sent again: FastRetransmit, TimeoutRetrans, TailLossProbe
	FactFate                          // Segment.Fate, and the drop that tells it
)
