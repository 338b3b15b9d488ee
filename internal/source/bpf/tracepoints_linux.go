package bpf

import (
	"errors"
	"fmt"
	"maps"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"dropwatch/internal/bpfprog"
)

// attachOthers attaches the programs of the other tracepoints that this kernel has, which
// say more about a drop just before skb:kfree_skb. Without one of them every drop is still
// reported, with less about it: so that a kernel refuses one is no error. The spec is that of the
// maps, and is changed.
func (s *Source) attachOthers(opts Options, spec *ebpf.CollectionSpec, kernel *btf.Spec, types *btf.Cache) {
	maps.DeleteFunc(spec.Programs, func(_ string, p *ebpf.ProgramSpec) bool {
		return p.Name == dropsProgDropBtf || p.Name == dropsProgDropRaw || !bpfprog.HasTracepoint(kernel, p.AttachTo, arguments[p.Name])
	})
	for name := range spec.Programs {
		s.refused = errors.Join(s.refused, s.attachOther(opts, spec, name, types))
	}
}

// arguments is how many arguments of its tracepoint a program needs, where older kernels have fewer.
var arguments = map[string]int{dropsProgUdpFull: 3}

// attachOther attaches one of the programs, with the maps of the main one.
func (s *Source) attachOther(opts Options, spec *ebpf.CollectionSpec, name string, types *btf.Cache) error {
	one := spec.Copy()
	maps.DeleteFunc(one.Programs, func(other string, _ *ebpf.ProgramSpec) bool { return other != name })
	code := &one.Programs[name].Instructions
	if opts.Condition != nil && bpfprog.UsesWanted(*code) {
		var err error
		if *code, err = bpfprog.ReplaceWanted(*code, opts.Condition); err != nil {
			return err
		}
	}
	program, err := ebpf.NewCollectionWithOptions(one, ebpf.CollectionOptions{Cache: types, MapReplacements: s.kernel.Maps})
	if err != nil {
		return err
	}
	defer program.Close() // the link keeps the program
	l, err := bpfprog.Attach(program.Programs[name], one.Programs[name].AttachTo)
	if err != nil {
		return fmt.Errorf("attach %s: %w", name, err)
	}
	s.others = append(s.others, l)
	return nil
}
