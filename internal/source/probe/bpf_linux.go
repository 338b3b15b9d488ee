package probe

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/perf"
)

// firstRecord is the number of the first record of calls. The kernel gives those of its events from 1 on.
const firstRecord = 0xffff

// errTest is why BPF cannot test a condition.
var errTest = errors.New("test the condition by BPF")

// withTester has add make the events of a site for the tester. If that may be any, and one cannot test the condition,
// what was made is forgotten, and add makes them for the next. Options.Filtered is called before the last, with why BPF
// cannot.
func (s *Source) withTester(of *site, add func(of *site, by Tester) error) error {
	if s.tester != Any {
		return add(of, s.tester)
	}
	points, loaded := len(s.points), len(s.loaded)
	for _, by := range []Tester{Attached, BPF} {
		err := add(of, by)
		if !errors.Is(err, errTest) {
			return err
		}
		if by == BPF && s.filtered != nil {
			s.filtered(fmt.Errorf("point %s: %w", of.name, err))
		}
		if err := s.forget(points, loaded); err != nil {
			return err
		}
	}
	return add(of, Filters)
}

// programsOf loads the programs of a site; nil if it needs none. The error wraps errTest.
func (s *Source) programsOf(of *site) (k *programs, err error) {
	if of.condition == nil && of.record(0) == nil {
		return nil, nil
	}
	if err = s.outputs.open(); err == nil {
		k, err = loadPrograms(of, s.nextRecord(), s.outputs.ring)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTest, err)
	}
	s.loaded = append(s.loaded, k)
	return k, nil
}

// nextRecord returns the number of the records of the programs that are made next.
func (s *Source) nextRecord() uint64 { return firstRecord - uint64(s.made) }

// outputs are the events of each CPU through which BPF writes: into the ring, and to wake the reader. They are nil until
// a program needs them.
type outputs struct{ ring, wakeup *ebpf.Map }

// open makes the maps, if that was not done before.
func (o *outputs) open() (err error) {
	bpfprog.RaiseMemlock()
	for _, m := range []**ebpf.Map{&o.ring, &o.wakeup} {
		if *m == nil && err == nil {
			*m, err = ebpf.NewMap(&ebpf.MapSpec{Name: "output", Type: ebpf.PerfEventArray})
		}
	}
	return bpfprog.Explain(err)
}

// put gives BPF the events of a CPU.
func (o *outputs) put(cpu int, ring, wakeup *perf.Event) error {
	if o.wakeup == nil {
		return nil
	}
	return errors.Join(o.ring.Put(uint32(cpu), uint32(ring.FD)), o.wakeup.Put(uint32(cpu), uint32(wakeup.FD)))
}

// Close closes the maps.
func (o *outputs) Close() error { return errors.Join(o.ring.Close(), o.wakeup.Close()) }

// attach has a program test an event on all CPUs, from now on. It does so until Close, also if the CPU of the event by
// which it is attached goes. The error wraps errTest.
func (k *programs) attach(e *pointEvent) (err error) {
	e.program = k.at(e.shown)
	online, err := perf.ThisHost.Online()
	if err != nil {
		return err
	}
	by, err := perf.Open(e.event, perf.Attr(e.perfID), online[0], -1)
	if err == nil {
		k.probed = append(k.probed, by)
		err = by.Test(e.program.FD())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errTest, err)
	}
	return nil
}
