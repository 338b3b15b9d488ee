package capture

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"dropwatch/internal/host"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/point"
	"dropwatch/internal/session"
	"dropwatch/internal/sink/file"
	"dropwatch/internal/sink/jsonl"
	"dropwatch/internal/sink/table"
	"dropwatch/internal/stage/filter"
)

// A run is one Spec being run. Once the pipeline runs, its goroutine owns the
// fields that have no lock of their own.
type run struct {
	*Runner
	spec     *Spec          // which does not change
	logs     []*file.Writer // files that rotate, to be closed
	accounts []account      // of the outputs but tables
	closers  []io.Closer    // of outputs without a file
	files    []outFile      // by the index of the output in spec.Outputs
	source   *openedSource
	reported []string           // the names of the points that are reported
	points   Tracer             // of points, beside source; nil: none are reported, or source reports them
	steps    []filter.Step      // what adds facts to a drop, with the facts it adds
	stages   []pipeline.Stage   // steps with the parts of the filter between them, for drops
	atPoints []pipeline.Stage   // the same for points; it is the same for every source of drops
	rule     pipeline.Stage     // names rules of nftables; nil: that is not wanted
	outputs  *pipeline.Fanout   // in the order of their accounts
	sink     pipeline.Sink      // outputs, with what is before them
	screen   *screen            // nil: no live view
	outcome  Outcome            // filled while it runs; valid at the end
	stop     context.CancelFunc // ends the pipeline; set by flow
	status   *status            // nil: no status line
	counted  *hostRecorder      // nil: no recording has counters
	used     []string           // candidates that another program stopped
	next     *openedSource      // opened by handOver, until source is replaced by it; else nil
	checking sync.WaitGroup     // until check has returned
	release  func()             // frees the memory of the start; nil before it
	over     <-chan struct{}    // closed when the pipeline has to end; set by flow
	elapsed  atomic.Bool        // Spec.Duration is over
	working  atomic.Int64       // outputs that did not fail, without those that have only a table

	// Closed when servers, then outputs that block, and then tables are no longer waited for.
	abortRemote, abort, abortTables chan struct{}
	found                           chan struct{} // closed when Spec.Finder has found what it can; nil: there is none
	closed                          chan struct{} // closed when all is

	traceOnly table.Tally // drops that a session counts and does not show
}

// recorded returns when the recording that is replayed began; zero for live drops.
func (r *run) recorded() time.Time {
	if r.source.recording == nil {
		return time.Time{}
	}
	return r.source.recording.Header().Started
}

// identity returns that of the host that the events are of: of a recording, the host where it was made.
// Capture files do not name theirs.
func (r *run) identity() host.Identity {
	switch recording := r.source.recording; {
	case recording != nil:
		h := recording.Header()
		return h.Identity()
	case r.source.captures != nil:
		return host.Identity{}
	}
	return r.Host.Identity()
}

// jsonOptions returns those of the JSON lines of an output.
func (r *run) jsonOptions(o *Output) jsonl.Options {
	return jsonl.Options{Host: r.identity().Name, Bytes: o.Hex, Explain: o.Explain}
}

// header returns the header of a recording of this run, as begun now.
func (r *run) header() session.Header {
	h := session.HostHeader(r.identity())
	h.Program, h.Command = "dropwatch "+r.Version, r.spec.Command
	h.Source, h.Started = r.source.name, time.Now()
	h.Settings = r.spec.settings()
	return h
}

// settings returns what a reader of a recording needs to know about how it was
// made, beyond the command line: a session is configured by commands.
func (s *Spec) settings() map[string]string {
	mode := map[Mode]string{Packets: "packet", Summaries: "summary", AsConfigured: "as configured"}
	sample := "all"
	if s.Input.Sample > 0 {
		sample = strconv.Itoa(s.Input.Sample)
	}
	return map[string]string{
		"mode": mode[s.Input.Mode], "origin": OriginNames(s.Input.Origins), "stack": strconv.FormatBool(s.Input.Stack),
		"trunc": fmt.Sprint(s.Input.Trunc), "sample": sample, "filter": s.Filter.String(),
	}
}

// point returns the point of a name: of this run, or else a built-in one.
func (r *run) point(name string) (point.Point, bool) {
	all := r.spec.Input.Points
	if i := slices.IndexFunc(all, func(p point.Point) bool { return p.Name == name }); i >= 0 {
		return all[i], true
	}
	return point.Lookup(name)
}
