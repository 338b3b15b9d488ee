package probe

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/member"
	"dropwatch/internal/perf"
	"dropwatch/internal/point"
)

// A Source is a pipeline.Source: the points that are reached on the whole host from Open to the end of Run.
type Source struct {
	ringSize int                       // bytes, of each CPU
	probes   *perf.Probes              // that Close removes from the kernel
	made     int                       // probes, also of points that are not possible
	sites    int                       // of all points, as each has a name of its own in the kernel
	points   []*pointEvent             // by the number that events have
	byID     map[uint64]int            // the index in points of the number of an event
	number   perf.Field                // where an event has that
	stacks   bool                      // samples have call chains
	tracing  tracing                   // of nf_tables
	rules    *rules                    // of iptables; nil: no point needs them, or they are not possible
	reader   *perf.Reader[*cpu]        // of the rings of all CPUs
	until    time.Time                 // see Began
	complete atomic.Pointer[time.Time] // see ReadUntil

	tester   Tester        // of Options
	filtered func(error)   // of Options
	unnamed  func(error)   // likewise
	types    *member.Types // of Options
	outputs  outputs       // of programs that write to the rings themselves
	loaded   []*programs   // that Close detaches

	decoder decoder
	event   event.Event // the one that is emitted, over and over
	pairs   *pairs      // calls of the returns that are shown
	waiting []returned  // returns whose call may be in a ring that was read before
	begun   time.Time   // when the rings were last read
	ended   atomic.Bool // Run has to return
}

// A pointEvent is the event of the call or of the return of a site.
type pointEvent struct {
	*site
	index    int // of the site
	atReturn bool
	shown    bool          // it makes an event of kind Point; the others are calls whose return does
	event    string        // its name in tracefs
	perfID   uint64        // of the event
	layout   layout        // where a sample has its values
	filter   string        // of the kernel's event filters; empty: all samples
	kept     bool          // BPF keeps the call, and writes it if its return is of interest
	before   *record       // BPF writes one with headers before each sample; nil: it does not
	program  *ebpf.Program // tests the condition; nil: the filter does
	writer   *programs     // are attached to the function, and write all of the samples; nil: perf has an event of a probe

	lost   uint64 // of a call: samples that found no room
	single uint64 // of a return: those without a call
}

// Open makes the probes of all points and enables them, so that events are recorded from now on. The caller calls
// Run or Close. The error says which point cannot be had, and why.
func Open(opts Options) (*Source, error) {
	s := &Source{ringSize: cmp.Or(opts.RingSize, defaultRing), byID: make(map[uint64]int), pairs: newPairs(), tester: opts.Tester,
		filtered: opts.Filtered, unnamed: opts.Unnamed, types: opts.Types}
	err := s.open(&opts)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open makes the probes and the rings. A point that is not possible is handed to Options.Lacking, and what was made of
// it is removed; only without that it is an error. On an error the caller must call Close.
func (s *Source) open(opts *Options) (err error) {
	if s.probes, err = perf.OpenProbes(); err != nil {
		return err
	}
	for i := range opts.Points {
		p := &opts.Points[i]
		points, loaded := len(s.points), len(s.loaded)
		err := s.addPoint(p, opts)
		if err != nil && opts.Lacking == nil {
			return err
		}
		if err != nil {
			opts.Lacking(p, errors.Join(err, s.forget(points, loaded)))
		}
	}
	if len(s.points) == 0 {
		return errors.New("open probes: no point is given that is possible on this kernel")
	}
	return s.openCPUs()
}

// addPoint makes the events of a point.
func (s *Source) addPoint(p *point.Point, opts *Options) error {
	if err := p.Check(); err != nil {
		return err
	}
	t, err := Type(p, opts.Types, opts.Symbols)
	if err != nil {
		return fmt.Errorf("point %s: %w", p.Name, err)
	}
	for _, of := range t.sites {
		err := s.tracing.enableFor(of)
		if err == nil {
			err = s.withTester(of, s.addSite)
		}
		if err != nil {
			return fmt.Errorf("point %s: %w", p.Name, err)
		}
		s.stacks = s.stacks || of.stack
		s.sites++
	}
	return nil
}

// addSite makes the events of a site: of its call, its return, or both. The error wraps errTest if BPF cannot test them.
func (s *Source) addSite(of *site, by Tester) (err error) {
	if by == Attached {
		return s.addAttached(of)
	}
	var k *programs
	if by == BPF {
		if k, err = s.programsOf(of); err != nil {
			return err
		}
	}
	if of.at == point.Entry || of.paired() {
		err = s.addProbe(of, false, k)
	}
	if err == nil && of.at == point.Return {
		err = s.addProbe(of, true, k)
	}
	return err
}

// maxAttached is to how many functions programs are attached: at the end the kernel takes 0.1 to 0.2 s for each.
const maxAttached = 8

// addAttached makes the event of a site to whose function programs are attached. The error wraps errTest.
func (s *Source) addAttached(of *site) error {
	if s.attached() == maxAttached {
		err := fmt.Errorf("%w: programs are attached to %d functions, which is enough", errTest, maxAttached)
		s.noteUnnamed(of, err)
		return err
	}
	err := s.outputs.open()
	if err != nil {
		return fmt.Errorf("%w: %w", errTest, err)
	}
	k, err := s.loadAttached(of)
	if err != nil {
		return fmt.Errorf("%w: %w", errTest, err)
	}
	s.made++
	s.loaded = append(s.loaded, k)
	s.number = perf.Field{Size: 2}
	s.byID[k.record.id] = len(s.points)
	s.points = append(s.points, &pointEvent{
		site: of, index: s.sites, atReturn: of.at == point.Return, shown: true, layout: k.record.layout, program: k.shown, writer: k,
	})
	return k.attachAll()
}

// attached returns to how many functions programs are attached.
func (s *Source) attached() (n int) {
	for _, p := range s.points {
		if p.writer != nil {
			n++
		}
	}
	return n
}

// forget removes all but the first so many events and sets of programs, which test no longer. The probes of these
// events are there until Close, off.
func (s *Source) forget(points, loaded int) (err error) {
	for _, k := range s.loaded[loaded:] {
		err = errors.Join(err, k.Close())
	}
	s.points, s.loaded = s.points[:points], s.loaded[:loaded]
	return err
}

// addProbe makes the event of the call or the return of a site, which programs test unless they are nil.
func (s *Source) addProbe(of *site, atReturn bool, k *programs) error {
	e := &pointEvent{site: of, index: s.sites, atReturn: atReturn, shown: of.shown(atReturn)}
	e.kept = k != nil && !e.shown
	p, loads := of.probe(atReturn)
	p.Name = fmt.Sprintf("p%d_%s", s.made, p.Name)
	s.made++
	if e.kept {
		p.Fetch = nil
	}
	name, f, err := s.probes.Add(p)
	if err != nil {
		return err
	}
	e.event, e.perfID, s.number = name, f.ID, eventField(f)
	if k != nil && !of.paired() {
		e.before = k.record
	}
	if e.kept {
		e.layout = k.record.layout
	} else if e.layout, err = newLayout(f, loads); err != nil {
		return err
	}
	s.byID[e.layout.id] = len(s.points)
	if e.before != nil {
		s.byID[e.before.id] = len(s.points)
	}
	s.points = append(s.points, e)
	if k == nil {
		e.filter = of.filter(atReturn)
		return nil
	}
	return k.attach(e)
}

// openCPUs opens and enables the events on all CPUs.
func (s *Source) openCPUs() (err error) {
	if s.reader, err = perf.NewReader(perf.ThisHost, s.openCPU); err != nil {
		return err
	}
	online, err := perf.ThisHost.Online()
	if err == nil {
		err = s.reader.OpenCPUs(online)
	}
	s.until = time.Now()
	return err
}

// A cpu has the events that are open on one CPU, by the indexes of Source.points.
type cpu struct {
	perf.CPU
	hits    []*perf.Event // in the group of the ring
	wakers  []*perf.Event // in that of the wakeup
	samples []uint64      // that were read of each
	records []uint64      // of BPF, that were read before those
	headers [][]byte      // the last of these, until its sample is read
	earlier []uint64      // samples that BPF could not write before the CPU was opened
	lost    uint64        // events of kind Point that were reported as lost
	missing uint64        // samples that, by records in the ring, found no room
}

// newCPU returns a CPU of which no event is open.
func newCPU(n, points int) *cpu {
	return &cpu{
		CPU: perf.CPU{N: n}, samples: make([]uint64, points), records: make([]uint64, points), headers: make([][]byte, points),
		earlier: make([]uint64, points),
	}
}

// openCPU opens the events on a CPU, disabled.
func (s *Source) openCPU(n int) (c *cpu, err error) {
	c = newCPU(n, len(s.points))
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	size := max(os.Getpagesize(), 1<<bits.Len(uint(s.ringSize-1)))
	if c.Lead, err = s.openRing(n, size, size/4); err != nil {
		return c, err
	}
	c.Samples = c.Lead
	if c.hits, err = s.openGroup(n, c.Lead, size/4, func(*pointEvent) bool { return true }); err != nil {
		return c, err
	}
	if c.Wakeup, err = s.openRing(n, os.Getpagesize(), 1); err != nil {
		return c, err
	}
	if c.wakers, err = s.openGroup(n, c.Wakeup, 1, func(p *pointEvent) bool { return p.shown }); err != nil {
		return c, err
	}
	for i, p := range s.points {
		if p.writer == nil {
			continue
		}
		if c.earlier[i], err = p.writer.unwrittenOn(n); err != nil {
			return c, err
		}
	}
	return c, s.outputs.put(n, c.Lead, c.Wakeup)
}

// openRing opens the event on a CPU that leads a group, and whose ring all of it write into: BPF writes by it. It wakes
// its reader when so many bytes are unread. What was opened before an error is returned, too.
func (s *Source) openRing(cpu, size, watermark int) (*perf.Event, error) {
	attr := perf.OutputAttr()
	chains := slices.ContainsFunc(s.points, func(p *pointEvent) bool { return p.writer != nil && p.stack })
	s.sampling(&attr, watermark, chains)
	e, err := perf.Open("bpf-output", attr, cpu, -1)
	if err != nil {
		return nil, err
	}
	return e, e.Map(size)
}

// openGroup opens some events on a CPU in the group of another, by their indexes: nil are those that BPF writes, and those
// that are not wanted. What was opened before an error is returned, too.
func (s *Source) openGroup(cpu int, lead *perf.Event, watermark int, which func(*pointEvent) bool) (group []*perf.Event, err error) {
	for _, p := range s.points {
		var e *perf.Event
		if p.writer == nil && which(p) {
			if e, err = s.openMember(cpu, lead, p, watermark); err != nil {
				return append(group, e), err
			}
		}
		group = append(group, e)
	}
	return group, nil
}

// openMember opens an event on a CPU in the group of another. What was opened before an error is returned, too.
func (s *Source) openMember(cpu int, lead *perf.Event, p *pointEvent, watermark int) (*perf.Event, error) {
	attr := perf.Attr(p.perfID)
	s.sampling(&attr, watermark, p.stack && p.shown)
	attr.Bits &^= unix.PerfBitDisabled // the leader enables all
	e, err := perf.Open(p.event, attr, cpu, lead.FD)
	if err != nil {
		return nil, err
	}
	if err := e.Filter(p.filter); err != nil { // the whole condition is evaluated here, too, only at a greater cost
		p.filter = ""
	}
	return e, e.Output(lead)
}

// sampling sets that an event has samples, and wakes its reader when so many bytes are unread. All samples have a call
// chain if one has; it is empty where it is not wanted, as in the ring of a wakeup.
func (s *Source) sampling(attr *unix.PerfEventAttr, watermark int, chain bool) {
	perf.Sampling(attr, watermark)
	attr.Sample_type = perf.SampleType
	if s.stacks {
		attr.Sample_type |= unix.PERF_SAMPLE_CALLCHAIN
	}
	if !chain || watermark == 1 {
		attr.Bits |= unix.PerfBitExcludeCallchainKernel
	}
}

// Close closes the events.
func (c *cpu) Close() {
	for _, e := range append(append(c.hits, c.wakers...), c.Lead, c.Wakeup) {
		e.Close()
	}
	c.hits, c.wakers, c.Lead, c.Wakeup = nil, nil, nil, nil
}

// Began returns two times between which the source began to report events, on one CPU after the other.
func (s *Source) Began() (from, until time.Time) { return s.reader.Began(), s.until }

// ReadUntil returns a time before which, but for what happened in the last 50 ms before it, all events were emitted. After
// Run it is the time now. It may be called at any time.
func (s *Source) ReadUntil() time.Time {
	if s.ended.Load() {
		return time.Now()
	}
	if at := s.complete.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// Wake makes Run read the rings, so that ReadUntil advances. It may be called at any time, and does nothing after Run.
func (s *Source) Wake() { s.reader.Wake() }

// Close removes the probes. Run does so itself; Close must not be called while it runs.
func (s *Source) Close() error {
	s.reader.Close()
	return errors.Join(s.forget(0, 0), s.rules.Close(), s.outputs.Close(), s.probes.Close(), s.tracing.Close())
}
