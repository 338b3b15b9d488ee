package capture

import (
	"slices"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/point"
	"dropwatch/internal/stage/filter"
	"dropwatch/netlink"
)

// A Spec describes one run. It holds nothing that is open, so it can be copied,
// compared and written to a file. The zero value needs an Input.Source, an
// Input.Recording or Captures.
type Spec struct {
	Command   string         // the command line, for the header of a recording and for advice
	InSession bool           // standard input and output belong to a session
	Input     Input          // where drops come from
	Captures  []string       // capture files to read instead of Input, in this order; - is standard input
	MaxFlows  int            // with Captures: connections to know at a time
	Follow    bool           // with Captures: wait at the end of the last file for what is appended to it
	State     string         // with Captures: the file that carries connections from run to run; empty: none
	Filter    *filter.Filter // nil: all drops
	Detail    Detail         // what is looked up about them
	Duration  time.Duration  // 0: no limit
	Limit     uint64         // drops to show before the run ends; 0: no limit
	Outputs   []Output       // where they are shown or kept; none: only the ledger is counted

	// Findings reports what the output Custom finds in the events, for all outputs; nil: nothing. It runs as long as the source.
	Findings pipeline.Source

	Finder *Finder // nil: nothing is found in what a whole run shows

	// BeforeEnd is called when Duration is over, while drops are still caught; nil: nothing is.
	BeforeEnd func()

	// Child is a command that is run while drops are caught; nil for none. The run
	// ends when it exits, and terminates it when the run ends first.
	Child []string
}

// A Finder gets the events of a run beside its Outputs, of which there may be none, and finds something in all of them.
type Finder struct {
	pipeline.Sink // it must not block

	// Found returns what was found, for the outputs, as events of kind Finding. It is called once, when the End was
	// written to the Sink and no source runs any more, with the outcome as far as it is known: without the ledger, which
	// the End has.
	Found func(Outcome) []event.Event
}

// An Input says where drops come from.
type Input struct {
	Source       string          // auto, or the name of a Candidate
	MonitorFirst bool            // with auto: try the drop monitor before bpf
	NoFailover   bool            // with auto: end, as with a named source, when another program stops it
	Recording    string          // a file to replay instead; - is standard input
	Segments     string          // a directory to replay instead, which an output of the format Segments has written
	Last         time.Duration   // with Segments: leave out what is older, however the clock was set meanwhile; 0: nothing
	KeepHost     bool            // with Recording: keep what it has of the host, for the Outcome
	Since        time.Time       // of live drops: when a run ended that this one goes on for; zero: there was none
	Origins      netlink.Origins // 0: software
	Stack        bool            // record the stack trace of each drop
	SampledStack bool            // with bpf: record the stack traces of sampled drops
	Takeover     bool            // stop the monitoring of other programs without asking

	Mode    Mode
	Trunc   uint32  // bytes to keep of each packet; 0: what the outputs need
	Queue   *uint32 // packets that the drop monitor queues on each CPU; nil: unchanged
	Passive bool    // only listen to the drop monitor: start and configure nothing

	Retransmits bool // report what TCP sends again, instead of drops
	AndRetrans  bool // also report what TCP sends again, beside drops, where bpf can do so at once
	Resets      bool // also report the RSTs that TCP sends and receives; with AndRetrans both must be possible with bpf
	NoDrops     bool // with Retransmits: do not watch drops to say whether a segment was lost here

	Points     []point.Point // report these, too; alone, if Filter matches no drop
	IfPossible bool          // report Points beside drops, as far as this kernel can do so without a failure of the run

	// Asked has points to be reported as well, from when they are received, with IfPossible and if any of Points are
	// reported; nil: there are none.
	Asked <-chan []point.Point

	Follower *FlowFollower // with bpf: counts the packets of flows that it is asked for; nil: there is none

	Flows bool // with bpf: count the packets that match Filter, wherever they pass, beside the drops

	Sample       int  // with bpf: drops to report individually per kind, second and CPU; 0: all
	ByOwner      bool // with bpf: break the remaining counts down by owning socket
	RawAddresses bool // with bpf: sockets without a cookie are shown by their kernel addresses
	ReadBuffer   int  // receive buffer of the NET_DM socket in bytes; 0: the default
}

// A Mode is what the drop monitor reports (enum net_dm_alert_mode).
type Mode uint8

const (
	Packets      Mode = iota // one alert per packet
	Summaries                // counts by address, once a second
	AsConfigured             // whatever it is set to now; other sources report packets
)

// A Detail is how much is looked up about each drop. Less costs less CPU.
type Detail uint8

const (
	Everything  Detail = iota // symbols, interfaces, tasks, headers, owners
	SymbolsOnly               // what the C program shows
	Raw                       // nothing: drops are shown as the source reported them
)

// A SpecError is a Spec that cannot be run on any host: wrong usage, exit code 2.
type SpecError struct {
	Err     error  // what is wrong, and what to do
	Setting string // of a configuration, that is wrong: source, retrans, expression or output; empty: none of these
}

// Error is the text of the cause.
func (e *SpecError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *SpecError) Unwrap() error { return e.Err }

// ShowsCauses reports whether outputs show narrower causes, or the hook of a firewall, which come
// from stack traces: see [Input].SampledStack.
func (s *Spec) ShowsCauses() bool {
	return slices.ContainsFunc(s.Outputs, func(o Output) bool { return o.Format == Lines || o.Explain })
}

// withTCP reports whether what TCP did is wanted beside the drops.
func (in *Input) withTCP() bool { return in.AndRetrans && in.Resets }

// wantsDrops reports whether drops are to be reported: unless the expression is of points alone, and there are some, or
// may be in a recording.
func (s *Spec) wantsDrops() bool {
	if s.Input.IfPossible || len(s.Input.Points) == 0 && !s.Input.recorded() {
		return true
	}
	return s.Filter.CanMatchKind(event.Drop) || !s.Filter.CanMatchKind(event.Point)
}

// recorded reports whether drops are replayed.
func (in *Input) recorded() bool { return in.Recording != "" || in.Segments != "" }

// origins returns the wanted origins: software if none is set.
func (in *Input) origins() netlink.Origins {
	if in.Origins == 0 {
		return netlink.Software
	}
	return in.Origins
}

// commandLine is what to type to get the same run. For a session it is only how to
// start one.
func (s *Spec) commandLine() string {
	if s.InSession {
		return "dropwatch"
	}
	return s.Command
}

// has reports whether there is an output of that format.
func (s *Spec) has(f Format) bool {
	return slices.ContainsFunc(s.Outputs, func(o Output) bool { return o.Format == f })
}

// wantsPackets reports whether an output is useless without the bytes of packets.
func (s *Spec) wantsPackets() bool {
	return slices.ContainsFunc(s.Outputs, func(o Output) bool { return o.Hex || o.Format == PacketFile || o.Format == Alerts })
}

// keepsPackets reports whether an output keeps more of a packet than its headers.
// Otherwise headerBytes of each packet are enough.
func (s *Spec) keepsPackets() bool { return s.wantsPackets() || s.has(Recording) || s.has(Segments) }
