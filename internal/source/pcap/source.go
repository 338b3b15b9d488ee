package pcap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/packet"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/retrans"
)

// A File is a capture file that is opened when the files before it are read.
type File struct {
	Name string                                       // for errors and events, escaped
	Open func(context.Context) (io.ReadCloser, error) // its error names the file
}

// Options say what is read, and how much of it is remembered.
type Options struct {
	Files    []File // read one after the other
	MaxFlows int    // connections to know at a time, at least 1

	// Counted says of an event whether what its sender sends to its receiver is counted; nil counts everything.
	// It is asked once for each direction of a connection and each kind of event, of which one suffices. The
	// event has no type, no header fields of TCP but the ports, and no length: they differ from segment to
	// segment.
	Counted func(*event.Event) bool
}

// Lacks has the facts that are not in a capture file.
const Lacks = event.FactProtocol | event.FactReason | event.FactInterface | event.FactStack | event.FactTask |
	event.FactTrap | event.FactCookie | event.FactNamespace | event.FactOwner | event.FactArgs | event.FactLocation | event.FactHarmless |
	event.FactFate

// A Source is a pipeline.Source of the events of TCP in capture files.
type Source struct {
	opts     Options
	analyzer *retrans.Analyzer // of all files: connections go on in the next one
	report   retrans.Report
	read     atomic.Int64                                // bytes of the files, as they are stored
	latest   time.Time                                   // of all packets
	decoders map[packet.CaptureLink]*packet.FrameDecoder // nil for what is not supported
	skipped  map[packet.CaptureLink]uint64               // packets of such link types, of one file

	record  record
	flow    event.Flow
	tcp     retrans.Segment
	segment event.Segment
	event   event.Event
}

// New returns a Source.
func New(o Options) *Source {
	s := &Source{
		opts: o, decoders: make(map[packet.CaptureLink]*packet.FrameDecoder), skipped: make(map[packet.CaptureLink]uint64),
	}
	s.analyzer = retrans.New(o.MaxFlows, s.counted())
	return s
}

// ofSegment are the header fields that differ from segment to segment.
const ofSegment = event.FieldSeq | event.FieldAck | event.FieldWindow | event.FieldTCPFlags | event.FieldWindowScale | event.FieldTCPLen |
	event.FieldFragmentID | event.FieldTotalLen

// kinds are those of the events of a Source.
var kinds = []event.Kind{event.Retransmit, event.Reset, event.TCPEvent}

// counted asks Options.Counted, as if the segment had been cut behind the ports.
func (s *Source) counted() func(*retrans.Segment) bool {
	if s.opts.Counted == nil {
		return nil
	}
	return func(seg *retrans.Segment) bool {
		flow := s.flow
		flow.Fields &^= ofSegment
		flow.Inner.Fields &^= ofSegment
		flow.Stop = event.Stop{Why: event.Truncated, Layer: event.TCP}
		return slices.ContainsFunc(kinds, func(k event.Kind) bool {
			e := *s.describe(seg, k, event.SegmentUnknown)
			e.Packet = event.Packet{Flow: &flow}
			return s.opts.Counted(&e)
		})
	}
}

// Run emits the events of one file after the other. The error says of each file that could not be read to
// its end why, and at which byte; everything else was emitted. It can be called once.
func (s *Source) Run(ctx context.Context, out pipeline.Output) error {
	err := s.files(ctx, out)
	if n := s.analyzer.Evicted(); n > 0 {
		out.Emit(&event.Event{Kind: event.Loss, Place: event.Evicted, Count: n, Time: s.latest})
	}
	out.Flush()
	return err
}

// files reads all files, also those behind one that cannot be read: the error names each of these. When ctx ends it
// stops, with the errors up to then.
func (s *Source) files(ctx context.Context, out pipeline.Output) error {
	var errs []error
	for _, f := range s.opts.Files {
		err := s.file(ctx, &f, out)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// file emits the events of one file. Its errors name it, as those of File.Open do.
func (s *Source) file(ctx context.Context, f *File, out pipeline.Output) error {
	if len(s.opts.Files) > 1 {
		s.segment.File = f.Name
	}
	from, err := f.Open(ctx)
	if err != nil {
		return err
	}
	defer from.Close()
	r, err := newReader(&meter{from, &s.read, out})
	if err == nil {
		defer r.close()
		err = errors.Join(s.packets(ctx, r, out), s.unsupported())
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Name, err)
	}
	s.report.Files++
	return nil
}

// A meter counts the bytes that are read. As a read may block, what was emitted is flushed before it.
type meter struct {
	io.Reader
	read *atomic.Int64
	out  pipeline.Output
}

// Read flushes, reads and counts.
func (m *meter) Read(b []byte) (int, error) {
	m.out.Flush()
	n, err := m.Reader.Read(b)
	m.read.Add(int64(n))
	return n, err
}

// packets emits the events of the packets of a file, until its end or that of ctx.
func (s *Source) packets(ctx context.Context, r *reader, out pipeline.Output) error {
	const batch = 1024 // packets without an event between two looks at ctx
	for s.segment.Frame = 1; ; s.segment.Frame++ {
		switch err := r.next(&s.record); err {
		case nil:
			if emitted := s.packet(out); (emitted || s.segment.Frame%batch == 0) && ctx.Err() != nil {
				return nil
			}
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// packet emits the events of the packet that was read, and reports whether there were any.
func (s *Source) packet(out pipeline.Output) (emitted bool) {
	r := &s.record
	s.count(r)
	decoder, known := s.decoders[r.link]
	if !known {
		decoder = packet.NewFrameDecoder(r.link)
		s.decoders[r.link] = decoder
	}
	if decoder == nil {
		s.skipped[r.link]++
		return false
	}
	decoder.Decode(r.data, &s.flow)
	var ok bool
	if s.tcp, ok = retrans.SegmentOf(&s.flow, r.wire); !ok {
		if s.flow.Transport == event.TCP || s.flow.Inner.Transport == event.TCP {
			s.report.Unanalyzed++
		}
		return false
	}
	seg := &s.tcp
	types, reset := s.analyzer.Add(seg, r.time), seg.TCPFlags&event.RST != 0
	if reset {
		out.Emit(s.describe(seg, event.Reset, event.SegmentUnknown))
	}
	for t := range types.All() {
		out.Emit(s.describe(seg, retrans.KindOf(t), t))
	}
	return reset || types != 0
}

// count counts a packet in the report, by its length on the wire. Files need not be in the order of time.
func (s *Source) count(r *record) {
	t := &s.report
	if t.Packets == 0 {
		t.From, s.latest = r.time, r.time
	}
	if r.time.After(s.latest) {
		s.latest = r.time
	}
	t.Packets++
	t.Bytes += uint64(r.wire)
}

// describe returns the event that a segment of the packet that was read is of some type. It is valid until
// the next call.
func (s *Source) describe(seg *retrans.Segment, k event.Kind, t event.SegmentType) *event.Event {
	s.segment.Type, s.segment.Len = t, seg.Len
	s.event = event.Event{
		Kind: k, Time: s.record.time, KernelTime: true, Count: 1, Segments: 1, Individual: true, Origin: event.Unstated,
		Packet:  event.Packet{Flow: &s.flow, Len: uint32(s.record.wire), HasLen: true},
		Segment: &s.segment,
	}
	return &s.event
}

// unsupported returns an error if packets of a file were not decoded as their link type is not known.
func (s *Source) unsupported() error {
	var errs []error
	for link, n := range s.skipped {
		errs = append(errs, fmt.Errorf("link type %d is %w: %s skipped", link, ErrUnsupported, event.Plural(n, "packet")))
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	clear(s.skipped)
	return errors.Join(errs...)
}

// Load enters the connections of an earlier run, which its Save has written, before Run; see
// [retrans.Analyzer.Load].
func (s *Source) Load(r io.Reader) error { return s.analyzer.Load(r) }

// Save writes the connections that are known after Run.
func (s *Source) Save(w io.Writer) error { return s.analyzer.Save(w) }

// Now returns the time of the latest packet. It must not be called while Run runs.
func (s *Source) Now() time.Time { return s.latest }

// Bytes returns how many bytes of the files were read. It may be called while Run runs.
func (s *Source) Bytes() int64 { return s.read.Load() }

// Report returns what was read. It must not be called while Run runs in another goroutine.
func (s *Source) Report() *retrans.Report {
	r := s.report
	r.Span, r.Traffic = s.latest.Sub(r.From), s.analyzer.Traffic()
	return &r
}
