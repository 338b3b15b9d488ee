package bpf

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"os"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"
)

// Open loads the program and attaches it: drops are counted from now on. The
// error wraps one of this package's if it is one of those cases.
func Open(opts Options) (*Source, error) {
	s := &Source{forms: []string{dropsProgDropBtf, dropsProgDropRaw}}
	if err := s.open(opts); err != nil {
		s.Close()
		return nil, fmt.Errorf("trace skb:kfree_skb with BPF: %w", explain(err))
	}
	return s, nil
}

func (s *Source) open(opts Options) (err error) {
	types := btf.NewCache()
	kernel, err := types.Kernel()
	if err != nil {
		return noBTF(err)
	}
	names, err := newReasons(kernel)
	if err != nil {
		return err
	}
	s.decoder, s.tested = newDecoder(opts, names), opts.Condition != nil
	if err := s.load(opts, types); err != nil {
		return err
	}
	if s.ring, err = ringbuf.NewReader(s.kernel.Maps[dropsMapRing]); err != nil {
		return err
	}
	if s.waiter, err = newWaiter(s.kernel.Maps[dropsMapRing].FD()); err != nil {
		return err
	}
	s.table, err = newTable(s.kernel)
	return err
}

func noBTF(err error) error {
	why := ErrNoBTF
	if !errors.Is(err, ebpf.ErrNotSupported) { // which says it again
		why = fmt.Errorf("%w: %w", ErrNoBTF, err)
	}
	return fmt.Errorf("%w: boot one built with CONFIG_DEBUG_INFO_BTF, or take another source", why)
}

// load loads the program in the first form that the kernel takes: one reads its
// memory directly, the other asks it for copies.
func (s *Source) load(opts Options, types *btf.Cache) (err error) {
	for _, form := range s.forms {
		err2 := s.loadAs(form, opts, types)
		if errors.Is(err2, unix.EPERM) && raiseMemlock() == nil {
			err2 = s.loadAs(form, opts, types)
		}
		if err2 == nil {
			return nil
		}
		err = cmp.Or(err, err2)
	}
	return err
}

func (s *Source) loadAs(program string, opts Options, types *btf.Cache) error {
	spec, err := loadDrops()
	if err != nil {
		return err
	}
	for name := range spec.Programs {
		if name != program {
			delete(spec.Programs, name)
		}
	}
	if err := configure(spec, opts); err != nil {
		return err
	}
	if opts.Condition != nil {
		code := &spec.Programs[program].Instructions
		if *code, err = replaceWanted(*code, opts.Condition); err != nil {
			return err
		}
	}
	kernel, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: types})
	if err != nil {
		return err
	}
	if s.link, err = attach(kernel.Programs[program]); err != nil {
		kernel.Close()
		return err
	}
	s.kernel = kernel
	return nil
}

func attach(program *ebpf.Program) (link.Link, error) {
	if program.Type() == ebpf.Tracing {
		return link.AttachTracing(link.TracingOptions{Program: program, AttachType: ebpf.AttachTraceRawTp})
	}
	return link.AttachRawTracepoint(link.RawTracepointOptions{Name: "kfree_skb", Program: program})
}

// configure sets sizes and options.
func configure(spec *ebpf.CollectionSpec, opts Options) error {
	stack, snaplen := opts.stackSize(), opts.snaplen()
	ring := opts.ringSize(int(unsafe.Sizeof(dropsRecord{})) + stack + snaplen)
	spec.Maps[dropsMapRing].MaxEntries = uint32(ring)
	spec.Maps[dropsMapCounts].MaxEntries = uint32(opts.kinds())
	spec.Maps[dropsMapCounts2].MaxEntries = uint32(opts.kinds())
	var asked dropsFact
	if opts.Condition != nil {
		asked = factsOf(opts.Condition)
	}
	return errors.Join(
		spec.Variables[dropsVarSample].Set(uint32(min(max(opts.Sample, 0), math.MaxUint32))),
		spec.Variables[dropsVarSnaplen].Set(uint32(snaplen)),
		spec.Variables[dropsVarStackSize].Set(uint32(stack)),
		spec.Variables[dropsVarRoom].Set(uint32(stack+snaplen)),
		spec.Variables[dropsVarMark].Set(uint32(ring/4)),
		spec.Variables[dropsVarByOwner].Set(flag(opts.ByOwner)),
		spec.Variables[dropsVarConditional].Set(flag(opts.Condition != nil)),
		spec.Variables[dropsVarAsked].Set(uint32(asked)),
	)
}

func flag(on bool) uint8 {
	if on {
		return 1
	}
	return 0
}

func (o *Options) stackSize() int {
	if o.Stack {
		return maxFrames * 8
	}
	return 0
}

func (o *Options) snaplen() int {
	if o.Trunc <= 0 {
		return defaultTrunc
	}
	return min(o.Trunc, maxTrunc)
}

func (o *Options) kinds() int {
	if o.Kinds <= 0 {
		return defaultKinds
	}
	return min(o.Kinds, 1<<20)
}

// ringSize is RingSize as BPF wants it, with room for some records of a size.
func (o *Options) ringSize(record int) int {
	size := o.RingSize
	if size <= 0 {
		size = min(max(minRing, ringRecords*record), maxRing)
	}
	size = min(max(size, 8*record, os.Getpagesize()), 1<<30)
	return 1 << bits.Len(uint(size-1))
}

// raiseMemlock lifts the limit that Linux before 5.11 counts maps against.
func raiseMemlock() error {
	return unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY})
}

// explain says what to do about what the kernel refuses.
func explain(err error) error {
	var refused *ebpf.VerifierError
	switch {
	case errors.Is(err, ErrNoBTF):
		return err
	case locked("confidentiality"):
		return fmt.Errorf("%w (%w): boot it without lockdown=confidentiality, or take another source", ErrLockdown, err)
	case errors.Is(err, unix.EPERM): // where it came from tells nothing
		return fmt.Errorf("%w (%w): run as root or with CAP_BPF and CAP_PERFMON, before Linux 5.11 also with CAP_SYS_RESOURCE", ErrPermission, unix.EPERM)
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EINVAL), errors.Is(err, ebpf.ErrNotSupported), errors.As(err, &refused):
		return fmt.Errorf("%w (%w): it takes Linux 5.8 with CONFIG_BPF_SYSCALL, or take another source", ErrUnsupported, err)
	}
	return err
}

// locked tells whether the kernel is locked down to a level
// (security/lockdown/lockdown.c): "none integrity [confidentiality]".
func locked(level string) bool {
	text, err := os.ReadFile("/sys/kernel/security/lockdown")
	return err == nil && strings.Contains(string(text), "["+level+"]")
}
