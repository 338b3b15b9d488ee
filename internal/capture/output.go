package capture

import (
	"time"

	"dropwatch/internal/pipeline"
	"dropwatch/internal/sink/elastic"
	"dropwatch/internal/sink/file"
	"dropwatch/internal/sink/pcapng"
	"dropwatch/internal/sink/peers"
	"dropwatch/internal/sink/syslog"
	"dropwatch/internal/sink/tcplog"
)

// An Output is one of the places where a run is shown or kept. It is a plain value:
// the file is opened when the run starts.
type Output struct {
	Format Format
	File   string // empty or -: standard output; lines are appended to a file, and other formats overwrite it
	Stderr bool   // standard error instead

	Overwrite bool // Recording: even a recording that exists; other formats overwrite all but recordings

	Counters time.Duration // Recording: also record the host's counters, at this interval; 0: not

	Hex     bool         // Lines, JSON, Elastic: write the bytes of packets
	Stack   bool         // Lines: print stack traces
	Explain bool         // Lines, JSON, Elastic: say why packets were dropped
	TCPLog  tcplog.Style // Lines, Elastic: only retransmissions, in the format of an older program
	Link    Link         // PacketFile: which link types it has
	Summary bool         // Classic: counts by address, also from a source without summaries

	Elastic elastic.Options // Elastic: the servers, and what they get

	Bytes int64 // Segments: that all may have; File is their directory

	Syslog syslog.Options // Syslog: where the log is

	Log file.Options // Lines, JSON in a file: when it is rotated

	Harmless bool // Lines, Table, Tables, Screen: also list drops that lost nothing

	By peers.By // Table, Tables of retransmissions: what rows are counted by

	Sink pipeline.Sink // Custom: is handed the events; it must not block
}

// A Format is the form in which an output shows drops.
type Format uint8

const (
	Lines       Format = iota // one line per drop
	Table                     // one table at the end, and the ledger
	Tables                    // a table each second
	JSON                      // one object per line
	JSONTables                // one object per second, with rows
	PacketFile                // pcapng
	Recording                 // what replay reads
	Alerts                    // pcap, with the netlink messages of the drop monitor as they came
	Classic                   // the lines of the C program's session, byte for byte
	Screen                    // live, on a terminal
	Traffic                   // a table of what each address sent to another, of capture files
	JSONTraffic               // the same, one object per line
	Flows                     // tables of the packets that are followed, and what became of them
	JSONFlows                 // the same, one object per line
	Elastic                   // documents for Elasticsearch or OpenSearch
	Segments                  // recordings in a directory, of which the oldest are removed
	Syslog                    // messages for the journal or syslog
	Custom                    // whatever Output.Sink makes of them
)

// Link is how packets of different link types share a packet file.
type Link = pcapng.Link

// LinkNames returns the values of a [Link], for help and completion.
func LinkNames() []string { return pcapng.LinkNames() }

// binary reports whether the format is not text, so a terminal must not get it.
func (f Format) binary() bool {
	return f == PacketFile || f == Recording || f == Alerts || f == Segments
}

// followsText reports whether the format is of tables, or rows of them, which may share a file with text.
func (f Format) followsText() bool {
	return f == Table || f == Traffic || f == JSONTraffic || f == Flows || f == JSONFlows
}

// hasFile reports whether the format is written to a file or a standard stream.
func (f Format) hasFile() bool { return f != Elastic && f != Syslog && f != Custom }

// kept returns which existing files it must not overwrite.
func (o *Output) kept() keep {
	switch {
	case o.isLog():
		return keepContents
	case o.Format != Recording:
		return keepRecordings
	case o.Overwrite:
		return keepOthers
	}
	return keepAll
}

// isLog reports whether it appends lines to a file.
func (o *Output) isLog() bool {
	return o.Format.hasFile() && !o.Format.binary() && !o.Stderr && !o.OnStdout()
}

// OnStdout reports whether it is written to standard output.
func (o *Output) OnStdout() bool {
	return o.Format.hasFile() && !o.Stderr && (o.File == "" || o.File == "-")
}

// HasFindings reports whether it has a place for events of kind Finding.
func (o Output) HasFindings() bool { return o.Format != PacketFile && o.TCPLog == tcplog.None }

// sameFile reports whether both are written to the same file, by name. Two names of
// one file are not recognized.
func (o *Output) sameFile(other Output) bool {
	return o.Format.hasFile() && other.Format.hasFile() && o.Stderr == other.Stderr &&
		(o.OnStdout() && other.OnStdout() || o.File == other.File)
}
