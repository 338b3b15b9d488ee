package follow

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"

	"dropwatch/internal/bpfprog"
)

// A Counter counts from Start to Stop. Start and Stop must be called one at a time, and before Close.
type Counter struct {
	mu        sync.Mutex       // Read and Close hold it
	kernel    *ebpf.Collection // programs at tracepoints, and all maps; nil: it is closed
	functions *ebpf.Collection // programs at functions; nil: the kernel did not take them
	refused   error            // why it did not
	links     []link.Link
	cpus      int
	keys      []followKey // memory of Read
	values    []followTally

	from, until atomic.Int64 // when counting began and ended, in nanoseconds of Unix time; 0: it did not
}

// Open loads and attaches the programs, which count from Start on. The caller calls Close. The error wraps one of
// those of package bpfprog where that applies, and says what to do.
func Open(opts Options) (*Counter, error) {
	c := new(Counter)
	if err := c.open(opts); err != nil {
		c.Close()
		return nil, fmt.Errorf("count packets with BPF: %w", bpfprog.Explain(err))
	}
	return c, nil
}

func (c *Counter) open(opts Options) error {
	spec, err := loadFollow()
	if err != nil {
		return err
	}
	if err := setCondition(spec, opts); err != nil {
		return err
	}
	types := btf.NewCache()
	if _, err := types.Kernel(); err != nil {
		return bpfprog.NoBTF(err)
	}
	bpfprog.RaiseMemlock()
	if c.kernel, err = load(spec, ebpf.AttachTraceRawTp, ebpf.CollectionOptions{Cache: types}); err != nil {
		return err
	}
	if c.refused = c.openFunctions(spec, types); c.refused != nil {
		c.detach() // deliveries of one version of IP alone would pass for all
	}
	if err := c.attach(c.kernel); err != nil {
		return err
	}
	if c.cpus, err = ebpf.PossibleCPU(); err != nil {
		return err
	}
	c.keys, c.values = make([]followKey, batch), make([]followTally, batch*c.cpus)
	return nil
}

// openFunctions loads and attaches the programs at functions.
func (c *Counter) openFunctions(spec *ebpf.CollectionSpec, types *btf.Cache) (err error) {
	opts := ebpf.CollectionOptions{Cache: types, MapReplacements: c.kernel.Maps}
	if c.functions, err = load(spec, ebpf.AttachTraceFEntry, opts); err != nil {
		return err
	}
	return c.attach(c.functions)
}

// setCondition puts the condition into all programs.
func setCondition(spec *ebpf.CollectionSpec, opts Options) (err error) {
	if opts.Condition == nil {
		return nil
	}
	for _, p := range spec.Programs {
		if p.Instructions, err = bpfprog.ReplaceWanted(p.Instructions, opts.Condition); err != nil {
			return err
		}
	}
	return nil
}

// load loads the programs that attach in one way.
func load(spec *ebpf.CollectionSpec, how ebpf.AttachType, opts ebpf.CollectionOptions) (*ebpf.Collection, error) {
	some := spec.Copy()
	maps.DeleteFunc(some.Programs, func(_ string, p *ebpf.ProgramSpec) bool { return p.AttachType != how })
	return ebpf.NewCollectionWithOptions(some, opts)
}

// attach attaches all programs.
func (c *Counter) attach(programs *ebpf.Collection) error {
	for name, p := range programs.Programs {
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return fmt.Errorf("attach %s: %w", name, err)
		}
		c.links = append(c.links, l)
	}
	return nil
}

// Blind says why it is not known how many packets were delivered; it is empty if that is known.
func (c *Counter) Blind() string {
	if c.refused == nil {
		return ""
	}
	err := c.refused
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return fmt.Sprintf("how many were delivered is not known, as this kernel lets no BPF program attach to a function (fentry): %v", err)
}

// Start begins counting, at all points at the same moment.
func (c *Counter) Start() error {
	c.from.Store(time.Now().UnixNano())
	if err := c.kernel.Variables[followVarCounting].Set(uint32(1)); err != nil {
		return fmt.Errorf("start counting packets: %w", err)
	}
	return nil
}

// Stop ends counting, at all points at the same moment. What was counted can still be read.
func (c *Counter) Stop() error {
	if err := c.kernel.Variables[followVarCounting].Set(uint32(0)); err != nil {
		return fmt.Errorf("stop counting packets: %w", err)
	}
	bpfprog.WaitForProgram()
	c.until.Store(time.Now().UnixNano())
	return nil
}

// Covers reports whether packets were counted at that time.
func (c *Counter) Covers(t time.Time) bool {
	at, from, until := t.UnixNano(), c.from.Load(), c.until.Load()
	return from != 0 && at >= from && (until == 0 || at <= until)
}

// Close detaches the programs and releases everything. It waits for a Read.
func (c *Counter) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.detach()
	for _, k := range []*ebpf.Collection{c.functions, c.kernel} {
		if k != nil {
			k.Close()
		}
	}
	c.functions, c.kernel = nil, nil
	return err
}

// detach detaches all programs that are attached.
func (c *Counter) detach() (err error) {
	for _, l := range c.links {
		err = errors.Join(err, l.Close())
	}
	c.links = nil
	return err
}

// programs returns all that are attached.
func (c *Counter) programs() []*ebpf.Program {
	all := slices.Collect(maps.Values(c.kernel.Programs))
	if c.functions != nil {
		all = slices.AppendSeq(all, maps.Values(c.functions.Programs))
	}
	return all
}
