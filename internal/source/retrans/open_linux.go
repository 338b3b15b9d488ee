package retrans

import (
	"cmp"
	"fmt"
	"maps"
	"math/bits"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"dropwatch/internal/bpfprog"
)

// defaultRing is Options.RingSize if that is 0.
const defaultRing = 4 << 20

// Open loads and attaches the programs: what TCP does is recorded from now on. The caller calls
// Run or Close. The error wraps one of those of package bpfprog where that applies, and says what to do.
func Open(opts Options) (*Source, error) {
	s := &Source{forms: []string{retransProgRetransmitBtf, retransProgRetransmitRaw}}
	if err := s.open(opts); err != nil {
		s.Close()
		return nil, fmt.Errorf("trace TCP retransmissions with BPF: %w", bpfprog.Explain(err))
	}
	return s, nil
}

// open loads and attaches the programs, those of resets only if they are wanted. On an error the caller must call Close.
func (s *Source) open(opts Options) error {
	spec, err := loadRetrans()
	if err != nil {
		return err
	}
	types := btf.NewCache()
	kernel, err := types.Kernel()
	if err != nil {
		return bpfprog.NoBTF(err)
	}
	if s.decoder, err = newDecoder(opts, kernel); err != nil {
		return err
	}
	if !opts.Resets {
		maps.DeleteFunc(spec.Programs, func(name string, _ *ebpf.ProgramSpec) bool {
			return name == retransProgSendReset || name == retransProgReceiveReset
		})
	}
	if err := configure(spec, opts); err != nil {
		return err
	}
	bpfprog.RaiseMemlock()
	if spec, err = s.load(spec, types); err != nil {
		return err
	}
	if err := s.openRing(); err != nil {
		return err
	}
	s.from = time.Now()
	err = s.attach(spec)
	s.until = time.Now()
	return err
}

// load loads the programs, with that of retransmissions in the first form that the kernel accepts: one reads kernel
// memory directly, the other through a helper. It returns what it has loaded.
func (s *Source) load(all *ebpf.CollectionSpec, types *btf.Cache) (spec *ebpf.CollectionSpec, err error) {
	for _, form := range s.forms {
		spec = all.Copy()
		maps.DeleteFunc(spec.Programs, func(name string, p *ebpf.ProgramSpec) bool {
			return name != form && p.AttachTo == all.Programs[form].AttachTo
		})
		kernel, err2 := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: types})
		if err2 == nil {
			s.kernel = kernel
			return spec, nil
		}
		err = cmp.Or(err, err2)
	}
	return nil, err
}

// configure sets sizes.
func configure(spec *ebpf.CollectionSpec, opts Options) error {
	size := opts.RingSize
	if size <= 0 {
		size = defaultRing
	}
	size = 1 << bits.Len(uint(max(size, os.Getpagesize())-1))
	spec.Maps[retransMapRing].MaxEntries = uint32(size)
	return spec.Variables[retransVarWakeupLevel].Set(uint32(size / 4))
}

// openRing opens the ring and what waits for it.
func (s *Source) openRing() (err error) {
	if s.ring, err = bpfprog.NewRing(s.kernel.Maps[retransMapRing], "TCP events"); err != nil {
		return err
	}
	s.waiter, err = bpfprog.NewWaiter(s.kernel.Maps[retransMapRing].FD())
	return err
}

// attach attaches each program to its tracepoint.
func (s *Source) attach(spec *ebpf.CollectionSpec) error {
	for name, p := range s.kernel.Programs {
		to := spec.Programs[name].AttachTo
		l, err := bpfprog.Attach(p, to)
		if err != nil {
			return fmt.Errorf("attach to tcp:%s: %w", to, err)
		}
		s.links = append(s.links, l)
	}
	return nil
}
