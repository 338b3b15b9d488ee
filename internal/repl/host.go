package repl

import (
	"context"
	"errors"

	"dropwatch/internal/event"
)

// ErrNoMonitor says that this kernel has no drop monitor, so that drops come from another
// source. A [Host] wraps it with the reason.
var ErrNoMonitor = errors.New("drop monitor not available")

// A Host does what the commands ask for. Errors say what to do. Methods with a ctx
// may wait for a person to confirm, and return when ctx ends.
type Host interface {
	// SetPacketMode sets the alert mode: packet, or else summary.
	SetPacketMode(ctx context.Context, packet bool) error
	// SetTrunc sets how many bytes of a packet the drop monitor reports; 0: all.
	// Without a drop monitor it does nothing: other sources get Settings.Trunc.
	SetTrunc(ctx context.Context, bytes uint32) error
	// SetQueue sets the length of the kernel's queue of each CPU. Without a drop
	// monitor the error is [ErrNoMonitor].
	SetQueue(ctx context.Context, packets uint32) error
	// Config, Stats and Status describe the drop monitor. Without one the error is
	// [ErrNoMonitor], and of the results only Config.Mode is valid.
	Config() (Config, error)
	Stats() (Stats, error)
	Status() Status
	// Capture starts monitoring, calls started, and shows drops until ctx, a SIGINT
	// or the limit ends it. When it returns, monitoring is off. If started was not
	// called, the run did not start and the Report is empty.
	Capture(ctx context.Context, s Settings, started func()) (Report, error)
	// CheckFilter returns an error if an expression is not valid, or can match no drop of
	// this kernel.
	CheckFilter(expression string) error
	// Stop stops the monitoring that other programs have started. Without a drop
	// monitor the error is [ErrNoMonitor].
	Stop(ctx context.Context) error
}

// Settings are those that `set` keeps in the session; the other ones are set in the
// kernel at once.
type Settings struct {
	AlertLimit uint64 // drops to show; 0: no limit
	Software   bool   // the next start watches drops of software
	Hardware   bool   // and those of devices
	ReadBuffer int    // bytes; 0: the default
	Trunc      uint32 // bytes of a packet for sources other than the drop monitor, and for verbs; 0: what they need
	Takeover   bool   // stop the monitoring of other programs without asking
	Source     string // one of Language.Sources; empty: auto, but start ends when another program stops the monitor
	Filter     string // only drops that match this expression; empty: all

	Points []string // that are reported beside the drops: names and files
}

// A Report is the result of a run.
type Report struct {
	event.Ledger
	TraceOnly string // lines on what packet mode could not show, if anything
	Limited   bool   // the run ended at alertlimit
}

// Config is the configuration of the kernel's drop monitor.
type Config struct {
	Mode         string // "Summary" or "Packet"
	Trunc, Queue uint32 // bytes of a packet, packets for each CPU
}

// Stats counts the packets for which the kernel's queues had no room, since the
// module was loaded.
type Stats struct{ Software, Hardware uint64 }

// Status is what is known about the host's drop monitor. Each error belongs to the
// field before it.
type Status struct {
	Monitoring string // "on, in use by ..."
	Config     Config // of the kernel, not what is set for the next start
	ConfigErr  error
	Stats      Stats
	StatsErr   error
}
