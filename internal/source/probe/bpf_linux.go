package probe

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/perf"
)

// firstRecord is the number of the first record of calls. The kernel gives those of its events from 1 on.
const firstRecord = 0xffff

// errTest is why BPF cannot test a condition.
var errTest = errors.New("test the condition by BPF")

// withTester has add make the events of a site for the tester. If that may be either, and BPF cannot test the condition,
// Options.Filtered is called, what was made is forgotten, and add makes them for filters.
func (s *Source) withTester(of *site, add func(of *site, byBPF bool) error) error {
	points, loaded := len(s.points), len(s.loaded)
	err := add(of, s.tester != Filters)
	if s.tester != Either || !errors.Is(err, errTest) {
		return err
	}
	if s.filtered != nil {
		s.filtered(fmt.Errorf("point %s: %w", of.name, err))
	}
	return errors.Join(s.forget(points, loaded), add(of, false))
}

// programsOf loads the programs of a site; nil if it needs none. The error wraps errTest.
func (s *Source) programsOf(of *site) (k *programs, err error) {
	if of.condition == nil && of.record(0) == nil {
		return nil, nil
	}
	if err = s.openOutputs(of); err == nil {
		k, err = loadPrograms(of, firstRecord-uint64(s.made), s.output)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTest, err)
	}
	s.loaded = append(s.loaded, k)
	return k, nil
}

// openOutputs makes the map of the events that write records, if a site needs it.
func (s *Source) openOutputs(of *site) (err error) {
	bpfprog.RaiseMemlock()
	if s.output == nil && of.record(0) != nil {
		s.output, err = ebpf.NewMap(&ebpf.MapSpec{Name: "output", Type: ebpf.PerfEventArray})
	}
	return bpfprog.Explain(err)
}

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
		k.attached = append(k.attached, by)
		err = by.Test(e.program.FD())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errTest, err)
	}
	return nil
}

// openOutput opens the event by which calls are written into a ring on a CPU, in its group; nil if none are.
func (s *Source) openOutput(cpu int, lead *perf.Event) (*perf.Event, error) {
	if s.output == nil {
		return nil, nil
	}
	attr := perf.OutputAttr()
	perf.Sampling(&attr, 0)
	attr.Sample_type = perf.SampleType
	if s.stacks {
		attr.Sample_type |= unix.PERF_SAMPLE_CALLCHAIN
		attr.Bits |= unix.PerfBitExcludeCallchainKernel
	}
	attr.Bits &^= unix.PerfBitDisabled
	e, err := perf.Open("bpf-output", attr, cpu, lead.FD)
	if err == nil {
		err = e.Output(lead)
	}
	if err == nil {
		err = s.output.Put(uint32(cpu), uint32(e.FD))
	}
	return e, err
}
