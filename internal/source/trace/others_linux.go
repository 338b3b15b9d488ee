package trace

import (
	"errors"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/perf"
	"dropwatch/internal/pipeline"
)

// An otherPerf is another tracepoint on a CPU. It has a ring in common with the drops.
type otherPerf struct {
	*perf.Event
	of      *other
	samples uint64 // that were read from the ring
	packets uint64 // of those with frames, that were of packets
	own     uint64 // that were drops of their own
}

// readOthers returns the other tracepoints that this kernel has.
func readOthers(t *perf.Tracefs) (all []other, err error) {
	for _, tp := range tracepoints {
		f, err := t.Format(tp.event)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if o, ok := newOther(tp, f); ok {
			all = append(all, o)
		}
	}
	return all, nil
}

// openOthers opens the other tracepoints on a CPU, in the group of the drops, and has the frames
// among them wake the reader. A kernel that refuses one costs no drop of a packet: that is
// no error.
func (s *Source) openOthers(c *cpu, attr unix.PerfEventAttr) {
	for i := range s.others {
		o := &s.others[i]
		attr.Config = o.ID
		p, err := openOther(o, attr, c.N, c.Lead.FD, c.Samples)
		if err == nil && o.frames {
			err = s.openWaker(c, o)
		}
		s.refused = errors.Join(s.refused, err)
		if p != nil {
			c.others = append(c.others, otherPerf{Event: p, of: o})
		}
	}
}

// openWaker makes a hit of a tracepoint wake the reader as a drop does.
func (s *Source) openWaker(c *cpu, o *other) error {
	attr := perf.Attr(o.ID)
	perf.Sampling(&attr, 1)
	attr.Bits &^= unix.PerfBitDisabled
	p, err := openOther(o, attr, c.N, c.Wakeup.FD, c.Wakeup)
	if p != nil {
		c.wakers = append(c.wakers, p)
	}
	return err
}

// openOther opens a tracepoint in a group, with its filter and the ring of another.
func openOther(o *other, attr unix.PerfEventAttr, cpu, group int, to *perf.Event) (*perf.Event, error) {
	p, err := perf.Open(o.event, attr, cpu, group)
	if err != nil {
		return nil, err
	}
	if err = p.Filter(o.filter); err == nil {
		err = p.Output(to)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// indexOf returns the index in s.others of the event of a number, or -1.
func (s *Source) indexOf(number uint64) int {
	if number == s.decoder.layout.id {
		return -1
	}
	return slices.IndexFunc(s.others, func(o other) bool { return o.ID == number })
}

// other keeps what a hit of another tracepoint says of the packet that follows, or emits the
// frames that it lost.
func (s *Source) other(c *cpu, out pipeline.Output, i int, smp *perf.Sample) {
	o := &s.others[i]
	at := slices.IndexFunc(c.others, func(p otherPerf) bool { return p.of == o })
	c.others[at].samples++
	if len(smp.Raw) < o.size {
		if o.frames {
			pipeline.Lose(out, event.Undecoded, 1)
		}
		return
	}
	next := c.spare()
	*next = saying{sample: *smp, args: next.args[:0], by: at}
	if !o.read(&hit{other: o, raw: smp.Raw, redirect: &c.redirect}, next) {
		return
	}
	s.release(c, out)
	s.decoder.stamp(smp, uint32(c.N), &next.frames)
	if c.last = next; o.frames && !next.packed {
		s.release(c, out)
	}
}

// spare returns room for a saying beside the last.
func (c *cpu) spare() *saying {
	if c.last == &c.sayings[0] {
		return &c.sayings[1]
	}
	return &c.sayings[0]
}

// join adds to the drop of a sample what was said of its packet, if the last saying is of that.
// If not, frames that it is of are emitted.
func (s *Source) join(c *cpu, out pipeline.Output, smp *perf.Sample) {
	said := c.last
	if said == nil {
		return
	}
	if !s.fits(said, smp) {
		s.release(c, out)
		return
	}
	c.last = nil
	c.others[said.by].packets++
	s.event.Args, s.event.Port.IfIndex = said.args, said.ifindex
	if said.reason != "" {
		s.event.Reason = said.reason
	}
}

// fits reports whether a saying is of the packet in s.event, of a sample.
func (s *Source) fits(said *saying, smp *perf.Sample) bool {
	e := &s.event
	switch {
	case said.sample.TID != smp.TID, smp.Time-said.sample.Time > atOnce:
		return false
	case said.packet != 0:
		return said.packet == s.decoder.layout.skb.Load(smp.Raw)
	case said.packed:
		return (!e.HasReason() || e.Reason == said.of) && (s.opts.FreesFrames == nil || s.opts.FreesFrames(e.Where.PC))
	case !s.decoder.layout.reasons.has(said.of): // the drop between, if a filter rejected it, is not known
		return s.opts.Filter == ""
	}
	return e.Reason == said.of
}

// release emits the frames that the last saying is of, as no packet of theirs was freed, and
// forgets what was said of a packet. It reports whether there were frames.
func (s *Source) release(c *cpu, out pipeline.Output) bool {
	said := c.last
	c.last = nil
	if said == nil || said.frames.Count == 0 {
		return false
	}
	c.others[said.by].own++
	out.Emit(&said.frames)
	return true
}

// ofPackets reports whether a hit of which only the saying or only what follows is known was most likely
// of a packet: most before were.
func (o *otherPerf) ofPackets() bool { return o.packets > o.own }

// lose forgets the last saying, as records were lost after it. Frames are emitted unless they were of a
// packet, which then is among the lost. It reports whether there were frames.
func (s *Source) lose(c *cpu, out pipeline.Output) bool {
	if said := c.last; said != nil && said.packed && c.others[said.by].ofPackets() {
		c.last = nil
	}
	return s.release(c, out)
}

// settle is release when no record follows: either nothing happened since, or what did was lost.
func (s *Source) settle(c *cpu, out pipeline.Output) bool {
	if c.last == nil {
		return false
	}
	if hits, err := c.hits(); err == nil && hits > c.samples+c.reported {
		return s.lose(c, out)
	}
	return s.release(c, out)
}

// framesLost returns how many hits of frames were lost, without those of packets, which are counted
// as such.
func (c *cpu) framesLost() (n uint64, err error) {
	for i := range c.others {
		o := &c.others[i]
		if !o.of.frames || o.ofPackets() {
			continue
		}
		hits, err := o.Hits()
		if err != nil {
			return n, err
		}
		n += less(hits, o.samples)
	}
	return n, nil
}
