package capture

import (
	"time"

	"dropwatch/internal/pipeline"
	"dropwatch/internal/session"
	"dropwatch/internal/source/netdm"
	"dropwatch/internal/source/pair"
	"dropwatch/internal/source/pcap"
	"dropwatch/internal/stage/filter"
)

// An openedSource is a source that is open. It must be run or closed.
type openedSource struct {
	pipeline.Source
	candidate string       // the name of its candidate; empty for a recording
	name      string       // as the user sees it, with what runs beside it
	limits    []string     // lines on what it provides of the wanted only in part
	pair      *pair.Source // the source itself, if it is netdm with trace beside it; else nil

	// arrange places the parts of the filter among the steps: each as early as what it
	// needs is known. A part that the kernel has tested already is left out.
	arrange func([]filter.Step) []pipeline.Stage

	counter      FlowCounter      // of the packets that are followed; nil: none are
	trunc        uint32           // bytes of each packet to keep after the filter; 0: all
	individually int              // drops per kind and second to show individually; 0: all
	configurable bool             // it reports drops in the mode that the drop monitor is set to
	recording    recording        // that is replayed; nil: there is none
	captures     *pcap.Source     // the capture files that are read; nil: there are none
	progress     func() string    // how much of the files was read; nil: a status line counts drops
	now          func() time.Time // the time that the recording or the files have reached; nil: drops are live
	why          string           // why the sources before it cannot be used
	close        func()           // for a source that was not run
	restore      func()           // restores the configuration; nil: nothing was changed
}

// A recording is what of recorded drops is known besides them.
type recording interface {
	Header() session.Header // of the first file, if there are several
}

// replaceable reports whether another source may take over during a run: not for a
// source that the user named or a Spec that rules it out, and not where the output
// needs the drop monitor.
func (s *openedSource) replaceable(spec *Spec) bool {
	return s.now == nil && spec.Input.Source == "auto" && !spec.Input.NoFailover && !spec.has(Alerts) && s.counter == nil
}

// tracerSource returns a source under the name that the user sees. It owns t.
func tracerSource(name string, t Tracer) *openedSource {
	return &openedSource{Source: t, name: name, close: func() { t.Close() }}
}

// netdmSource returns a run of the drop monitor, which it owns, as a source; or err.
func netdmSource(run *netdm.Run, err error) (*openedSource, error) {
	if err != nil {
		return nil, err
	}
	return &openedSource{Source: run, name: "netdm", configurable: true, close: func() { run.Close() }}, nil
}
