package bpf

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"dropwatch/internal/bpfprog"
)

// Open loads the program and attaches it: packets are counted from now on. The
// error wraps one of this package's where that applies, and says what to do.
func Open(opts Options) (*Source, error) {
	return openWith(opts, btf.NewCache())
}

// openWith is Open with types of the kernel that may have been read before.
func openWith(opts Options, types *btf.Cache) (*Source, error) {
	s := &Source{forms: []string{dropsProgDropBtf, dropsProgDropRaw}}
	if err := s.open(opts, types); err != nil {
		s.Close()
		return nil, fmt.Errorf("trace skb:kfree_skb with BPF: %w", bpfprog.Explain(err))
	}
	return s, nil
}

func (s *Source) open(opts Options, types *btf.Cache) (err error) {
	go types.Kernel() // which takes as long as what follows does before it has to wait for them
	spec, err := loadDrops()
	if err == nil {
		err = s.configure(spec, opts)
	}
	if err != nil {
		return err
	}
	loading := s.load(opts, spec, types)
	kernel, err := types.Kernel()
	if err != nil {
		return bpfprog.NoBTF(err)
	}
	if loading != nil {
		return loading
	}
	names, err := newReasons(kernel)
	if err != nil {
		return err
	}
	s.decoder, s.conditional = newDecoder(opts, names), opts.Condition != nil
	if s.ring, err = bpfprog.NewRing(s.kernel.Maps[dropsMapRing], "drops"); err != nil {
		return err
	}
	if s.waiter, err = bpfprog.NewWaiter(s.kernel.Maps[dropsMapRing].FD()); err != nil {
		return err
	}
	if s.table, err = newTable(s.kernel); err != nil || opts.WithoutMACHeader {
		return err
	}
	s.attachOthers(opts, spec, kernel, types)
	return nil
}

// load loads the program in the first form that the kernel accepts: one reads
// kernel memory directly, the other through a helper.
func (s *Source) load(opts Options, spec *ebpf.CollectionSpec, types *btf.Cache) (err error) {
	bpfprog.RaiseMemlock()
	for _, form := range s.forms {
		err2 := s.loadAs(form, opts, spec.Copy(), types)
		if err2 == nil {
			return nil
		}
		err = cmp.Or(err, err2)
	}
	return err
}

// loadAs loads one of the programs of spec, which it changes.
func (s *Source) loadAs(program string, opts Options, spec *ebpf.CollectionSpec, types *btf.Cache) error {
	maps.DeleteFunc(spec.Programs, func(name string, _ *ebpf.ProgramSpec) bool { return name != program })
	if opts.Condition != nil {
		code := &spec.Programs[program].Instructions
		var err error
		if *code, err = bpfprog.ReplaceWanted(*code, opts.Condition); err != nil {
			return err
		}
	}
	kernel, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: types})
	if err != nil {
		return err
	}
	s.from = time.Now()
	if s.link, err = bpfprog.Attach(kernel.Programs[program], spec.Programs[program].AttachTo); err != nil {
		kernel.Close()
		return err
	}
	s.until = time.Now()
	s.kernel = kernel
	return nil
}

// configure sets sizes and options.
func (s *Source) configure(spec *ebpf.CollectionSpec, opts Options) error {
	stack, snaplen := opts.stackSize(), opts.snaplen()
	ring := opts.ringSize(recordLen + stack + snaplen)
	spec.Maps[dropsMapRing].MaxEntries = uint32(ring)
	spec.Maps[dropsMapCounts].MaxEntries = uint32(opts.kinds())
	spec.Maps[dropsMapCounts2].MaxEntries = uint32(opts.kinds())
	var tested bpfprog.Fact
	if opts.Condition != nil {
		tested = bpfprog.FactsOf(opts.Condition)
	}
	return errors.Join(
		spec.Variables[dropsVarSample].Set(uint32(min(max(opts.Sample, 0), math.MaxUint32))),
		spec.Variables[dropsVarSnaplen].Set(uint32(snaplen)),
		spec.Variables[dropsVarStackSize].Set(uint32(stack)),
		spec.Variables[dropsVarHookSize].Set(uint32(max(stack, hookFrames*8))),
		spec.Variables[dropsVarWakeupLevel].Set(uint32(ring/4)),
		spec.Variables[dropsVarByOwner].Set(flag(opts.ByOwner)),
		spec.Variables[dropsVarFaultsHandled].Set(flag(bpfprog.HandlesFaults())),
		spec.Variables[dropsVarConditional].Set(flag(opts.Condition != nil)),
		spec.Variables[dropsVarTested].Set(uint32(tested)),
		spec.Variables[dropsVarWithoutMacHeader].Set(flag(opts.WithoutMACHeader)),
	)
}

// flag is a boolean as the program has it.
func flag(on bool) uint8 {
	if on {
		return 1
	}
	return 0
}

// stackSize is how many bytes of addresses the program records of each stack trace.
func (o *Options) stackSize() int {
	if o.Stack {
		return maxFrames * 8
	}
	return 0
}

// snaplen is how many bytes of each packet the program records.
func (o *Options) snaplen() int {
	if o.Trunc <= 0 {
		return defaultTrunc
	}
	return min(o.Trunc, maxTrunc)
}

// kinds is how many keys each table of counts has room for. It bounds the memory of the kernel: at most a million keys.
func (o *Options) kinds() int {
	if o.Kinds <= 0 {
		return defaultKinds
	}
	return min(o.Kinds, 1<<20)
}

// ringSize gives the power of two that BPF requires, with room for a few records of
// a size.
func (o *Options) ringSize(record int) int {
	size := o.RingSize
	if size <= 0 {
		size = min(max(minRing, ringRecords*record), maxRing)
	}
	size = min(max(size, 8*record, os.Getpagesize()), 1<<30)
	return 1 << bits.Len(uint(size-1))
}
