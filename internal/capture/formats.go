package capture

import (
	"io"
	"os"
	"strings"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/session"
	"dropwatch/internal/sink/dwdump"
	"dropwatch/internal/sink/follow"
	"dropwatch/internal/sink/jsonl"
	"dropwatch/internal/sink/line"
	"dropwatch/internal/sink/pcapng"
	"dropwatch/internal/sink/peers"
	"dropwatch/internal/sink/sampled"
	"dropwatch/internal/sink/segments"
	"dropwatch/internal/sink/table"
	"dropwatch/internal/sink/tcplog"
	"dropwatch/internal/sink/text"
	"dropwatch/internal/sink/top"
	"dropwatch/internal/sink/traffic"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/stage/owner"
	"dropwatch/internal/term"
)

// formats has, by Format, how an output is created. Open gets the file that was
// reserved for it; the source is open by then.
var formats = [...]struct {
	// direct: the sink is called by the pipeline itself, without a queue. Screen
	// and Classic never block for long, and Alerts needs the kernel's messages,
	// which are overwritten after the call.
	direct bool
	open   func(*run, Output, outFile) (pipeline.Sink, error)
}{
	Lines:       {open: (*run).openLines},
	Table:       {open: (*run).openTable},
	Tables:      {open: (*run).openTables},
	JSON:        {open: (*run).openJSON},
	JSONTables:  {open: (*run).openJSONTables},
	PacketFile:  {open: (*run).openPacketFile},
	Recording:   {open: (*run).openRecorder},
	Segments:    {open: (*run).openSegments},
	Alerts:      {direct: true, open: (*run).openAlerts},
	Classic:     {direct: true, open: (*run).openClassic},
	Screen:      {direct: true, open: (*run).openScreen},
	Traffic:     {open: (*run).openTraffic},
	JSONTraffic: {open: (*run).openJSONTraffic},
	Flows:       {open: (*run).openFlows},
	JSONFlows:   {open: (*run).openJSONFlows},
	Elastic:     {open: (*run).openElastic},
	Syslog:      {open: (*run).openSyslog},
	Custom:      {direct: true, open: func(_ *run, o Output, _ outFile) (pipeline.Sink, error) { return o.Sink, nil }},
}

// openLines prints a line for each event. On a terminal, many at once are folded; the lines of older programs never are.
func (r *run) openLines(o Output, f outFile) (pipeline.Sink, error) {
	if o.TCPLog != tcplog.None {
		return tcplog.New(f, o.TCPLog), nil
	}
	l := line.New(f, line.Options{
		Color: Colored(f.File), Stack: o.Stack, Hex: o.Hex, Explain: o.Explain, Harmless: o.Harmless, Width: term.Width(f.File),
	})
	if term.IsTerminal(f.File) {
		return sampled.Fold(l), nil // nobody can read a thousand lines a second
	}
	return l, nil
}

// openTable prints one table, at the end.
func (r *run) openTable(o Output, f outFile) (pipeline.Sink, error) { return r.table(o, f, 0), nil }

// openTables prints a table every second.
func (r *run) openTables(o Output, f outFile) (pipeline.Sink, error) {
	return r.table(o, f, time.Second), nil
}

// table returns the sink of tables for a file: see tableTo.
func (r *run) table(o Output, f outFile, every time.Duration) pipeline.Sink {
	return r.tableTo(f, o, f.File, every)
}

// tableTo returns the sink of tables: of drops, or of what TCP sends again. They are written to w in
// the colors and the width of f.
func (r *run) tableTo(w io.Writer, o Output, f *os.File, every time.Duration) pipeline.Sink {
	if r.spec.Input.Retransmits {
		opts := r.peerOptions(o, every)
		opts.Color, opts.Width = Colored(f), func() int { return term.Width(f) }
		return peers.New(w, opts)
	}
	return table.New(w, r.tableOptions(o, f, every))
}

// tableOptions returns those of tables of drops. The width is asked for at each table, as terminals are resized.
func (r *run) tableOptions(o Output, f *os.File, every time.Duration) table.Options {
	width := func() int { return term.Width(f) }
	return table.Options{
		Every: every, Begin: r.recorded(), Color: Colored(f), Width: width, Harmless: o.Harmless,
		Point: r.point, OnlyPoints: !r.spec.wantsDrops(),
	}
}

// openJSON writes an object for each event.
func (r *run) openJSON(o Output, f outFile) (pipeline.Sink, error) {
	return jsonl.New(f, r.jsonOptions(&o)), nil
}

// openJSONTables writes an object for each second with drops.
func (r *run) openJSONTables(o Output, f outFile) (pipeline.Sink, error) {
	return jsonl.NewSummary(f, r.jsonOptions(&o), time.Second, r.recorded()), nil
}

// openPacketFile writes pcapng, with the host and its kernel in the section header.
func (r *run) openPacketFile(o Output, f outFile) (pipeline.Sink, error) {
	h := r.identity()
	return pcapng.New(f, pcapng.Options{
		Name: f.name, App: "dropwatch " + r.Version, Host: h.Name, Kernel: h.Release, Link: o.Link,
	})
}

// openRecorder writes a recording, with the host's counters if the output has them.
func (r *run) openRecorder(o Output, f outFile) (pipeline.Sink, error) {
	h := r.header()
	h.Counters = o.Counters > 0
	w, err := session.NewWriter(f, f.name, h)
	if err != nil || !h.Counters {
		return w, err
	}
	r.counted = &hostRecorder{
		reader: AllCounters(r.Host), ask: DiagnosedHost(r.Host), interval: o.Counters, to: w,
		failed: func() {
			if r.working.Load() == 1 { // otherwise the next drop has the error
				r.stop()
			}
		},
	}
	return r.counted, r.counted.begin()
}

// openSegments writes recordings to a directory.
func (r *run) openSegments(o Output, _ outFile) (pipeline.Sink, error) {
	return segments.New(segments.Options{Dir: o.File, Bytes: o.Bytes, Header: r.header(), Notify: r.Notices.Text}), nil
}

// openAlerts writes the netlink messages as they came. The file begins with the
// kernel's description of the NET_DM family, without which Wireshark cannot tell
// which family they belong to.
func (r *run) openAlerts(_ Output, f outFile) (pipeline.Sink, error) {
	s, err := r.Monitor.Session()
	if err != nil {
		return nil, err
	}
	family, err := s.FamilyMessage()
	if err != nil {
		return nil, err
	}
	return dwdump.New(f, f.name, family, time.Now())
}

// openClassic prints drops as the C program does. In summary mode it also adds up
// the drops of a source that has no summary mode. Points, which that program does not have, get lines.
func (r *run) openClassic(o Output, f outFile) (pipeline.Sink, error) {
	var shown pipeline.Sink = text.New(f)
	if o.Summary {
		shown = newByAddress(shown, func() bool { return r.source.configurable })
	}
	if len(r.spec.Input.Points) > 0 {
		shown = pipeline.Tee{shown, onlyPoints{line.New(f, line.Options{Color: Colored(f.File), Width: term.Width(f.File)})}}
	}
	return shown, nil
}

// onlyPoints passes events of points to a sink, and no others.
type onlyPoints struct{ pipeline.Sink }

// Write passes an event on if it is of a point.
func (s onlyPoints) Write(e *event.Event) error {
	if e.Kind != event.Point {
		return nil
	}
	return s.Sink.Write(e)
}

// openTraffic prints a table at the end.
func (r *run) openTraffic(_ Output, f outFile) (pipeline.Sink, error) {
	return traffic.New(f, r.source.captures.Report, traffic.Options{Bold: Colored(f.File)}), nil
}

// openJSONTraffic prints the same as JSON. In a file that has JSON, too, it goes before that output, whose
// last line is the end.
func (r *run) openJSONTraffic(_ Output, f outFile) (pipeline.Sink, error) {
	return jsonl.NewTraffic(f, r.source.captures.Report), nil
}

// openFlows prints a table each second, and at the end what became of the packets.
func (r *run) openFlows(_ Output, f outFile) (pipeline.Sink, error) {
	return follow.New(f, r.source.counter, &follow.Text{
		Blind: r.source.counter.Blind() != "", Netns: owner.NetnsNames(r.Host), Bold: Colored(f.File),
		Width: func() int { return term.Width(f.File) },
	}), nil
}

// openJSONFlows prints the same as JSON. In a file that has JSON, too, it goes before that output, whose last line is
// the end.
func (r *run) openJSONFlows(o Output, f outFile) (pipeline.Sink, error) {
	blind := r.source.counter.Blind() != ""
	return follow.New(f, r.source.counter, jsonl.NewFollow(r.jsonOptions(&o), blind, owner.NetnsNames(r.Host))), nil
}

// openScreen creates the live view. The table that is printed after it collects the
// same events.
func (r *run) openScreen(o Output, f outFile) (pipeline.Sink, error) {
	s := &screen{ofTCP: r.spec.Input.Retransmits, header: r.header}
	s.shown = top.New(r.screenOptions(s, o, f.File))
	r.screen = s
	return pipeline.Tee{s.shown, r.tableTo(&s.table, o, f.File, 0)}, nil
}

// screenOptions returns those of the live view. Drops are diagnosed live only: this host is not
// the one of a recording.
func (r *run) screenOptions(s *screen, o Output, f *os.File) top.Options {
	opts := top.Options{
		Source: r.source.name, Host: r.identity().Name, Expression: r.spec.Filter.String(),
		Color: Colored(f), ASCII: !utf8Locale(), Harmless: o.Harmless, Begin: r.recorded(),
		File: event.Escape(r.spec.Input.Recording), Retransmits: r.spec.Input.Retransmits, Points: !r.spec.wantsDrops(),
		Status: s.status, Diagnose: r.diagnose, Format: formatLine, Save: s.save,
	}
	check := func(f *filter.Filter) (warning string, err error) {
		if warning = strings.Join(r.missingNames(f), "\n"); r.spec.Input.Retransmits {
			return warning, nil // a RST has other reasons than drops
		}
		return warning, r.CheckReasons(f)
	}
	if r.source.recording != nil {
		opts.Diagnose = nil
		check = func(f *filter.Filter) (string, error) { return "", checkRecorded(f) }
	} else {
		opts.Warning = strings.Join(r.missingNames(r.spec.Filter), "\n")
	}
	opts.Parse = func(text string) (top.Filter, error) { return parseScreenFilter(text, check) }
	return opts
}

// Colored reports whether output to a file is to be colored: on a terminal, unless
// NO_COLOR is set (https://no-color.org) or the terminal is dumb.
func Colored(f *os.File) bool {
	return term.IsTerminal(f) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
