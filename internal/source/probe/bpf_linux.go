package probe

import (
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/perf"
)

// firstRecord is the number of the first record of calls. The kernel gives those of its events from 1 on.
const firstRecord = 0xffff

// programsOf returns the programs of a site; nil if it needs none, or where filters of events are to be used.
func (s *Source) programsOf(of *site) (*programs, error) {
	if s.tester == Filters || of.condition == nil && of.record(0) == nil {
		return nil, nil
	}
	err := s.openOutputs(of)
	if err == nil {
		var k *programs
		if k, err = loadPrograms(of, firstRecord-uint64(s.made), s.output); err == nil {
			s.loaded = append(s.loaded, k)
			return k, nil
		}
	}
	err = fmt.Errorf("test the condition by BPF: %w", err)
	if s.tester == BPF {
		return nil, err
	}
	if s.filtered != nil {
		s.filtered(fmt.Errorf("point %s: %w", of.name, err))
	}
	return nil, nil
}

// openOutputs makes the map of the events that write records, if a site needs it.
func (s *Source) openOutputs(of *site) (err error) {
	bpfprog.RaiseMemlock()
	if s.output == nil && of.record(0) != nil {
		s.output, err = ebpf.NewMap(&ebpf.MapSpec{Name: "output", Type: ebpf.PerfEventArray})
	}
	return bpfprog.Explain(err)
}

// test has a program test an event on all CPUs, from now on. It does so until Close, also if the CPU of the event by
// which it is attached goes.
func (s *Source) test(e *pointEvent, program *ebpf.Program) error {
	e.program = program
	online, err := perf.ThisHost.Online()
	if err != nil {
		return err
	}
	attached, err := perf.Open(e.event, perf.Attr(e.perfID), online[0], -1)
	if err != nil {
		return err
	}
	s.testing = append(s.testing, attached)
	return attached.Test(program.FD())
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
