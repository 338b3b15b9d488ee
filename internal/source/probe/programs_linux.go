package probe

import (
	"errors"
	"math"
	"runtime"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/member"
	"dropwatch/internal/perf"
)

// programs test the condition of a site in the kernel, before it has an event. At the return of a function they need
// what it was called with: that is kept for each call, and written where the condition is true. They run at the probes
// of the site, and return 0 where the event is of no interest, or are attached to its function: see loadAttached.
type programs struct {
	call, shown *ebpf.Program    // at the call that is kept, and at the event of the point; nil: it has none
	record      *record          // of a call; nil: none is kept, or written
	late        bool             // of a call only the arguments are kept: at the return the rest is read through them
	calls       *ebpf.Map        // records by stack address, of the calls that are under way
	blank       *ebpf.Map        // one that is empty
	registers   registers        // of the call
	types       *member.Function // of coder
	probed      []*perf.Event    // by which they test

	attached  []link.Link // to the function
	room      *ebpf.Map   // for a record on each CPU, where no calls are kept
	unwritten *ebpf.Map   // by CPU, how many records found no room in a ring, or had no call
	rules     *rules      // of the source, that name the rule of iptables; nil: they do not
	shape     rulesShape  // with rules
}

// loadPrograms loads those of a site that has a condition or whose returns are paired. The id is that of records of
// calls, and output has an event for each CPU.
func loadPrograms(s *site, id uint64, output *ebpf.Map) (k *programs, err error) {
	regs, ok := architectures[runtime.GOARCH]
	if !ok {
		return nil, errRegisters
	}
	k = &programs{record: s.record(id), late: s.late, registers: regs}
	defer func() {
		if err != nil {
			k.Close()
		}
	}()
	if s.paired() {
		if err := k.openMaps(); err != nil {
			return k, bpfprog.Explain(err)
		}
		if k.call, err = load(k.callCode()); err != nil {
			return k, err
		}
	}
	k.shown, err = load(k.shownCode(s, output))
	return k, err
}

// load loads a program that runs at a probe.
func load(c *coder) (*ebpf.Program, error) {
	if c.err != nil {
		return nil, c.err
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.Kprobe, Instructions: c.Code, License: license})
	return p, bpfprog.Explain(err)
}

// license is that of all programs.
const license = "Dual MIT/GPL"

// callsPerCPU is how many calls are kept for each CPU, and a multiple of what it takes from a map at once. The kernel
// waits for the return of fewer.
const callsPerCPU = 512

// openMaps makes the maps of calls. The one of those that are under way forgets the oldest.
func (k *programs) openMaps() (err error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return err
	}
	size := uint32(k.record.size)
	k.calls, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "calls", Type: ebpf.LRUHash, KeySize: 8, ValueSize: size, MaxEntries: uint32(callsPerCPU * cpus),
	})
	if err != nil {
		return err
	}
	k.blank, err = ebpf.NewMap(&ebpf.MapSpec{Name: "blank", Type: ebpf.Array, KeySize: 4, ValueSize: size, MaxEntries: 1})
	return err
}

// begin returns the beginning of a program, which reads values where they are.
func (k *programs) begin() *coder {
	c := &coder{reader: direct{}, registers: k.registers, types: k.types}
	c.Emit(asm.Mov.Reg(asm.R6, asm.R1))
	return c
}

// callCode keeps a call. Its event is never of interest.
func (k *programs) callCode() *coder {
	c := k.begin()
	c.stackKey(false)
	c.lookup(k.calls, keyAt)
	c.Emit(asm.JNE.Imm(asm.R0, 0, "found"))
	c.clear(asm.R10, readAt, 8)
	c.lookup(k.blank, readAt)
	c.Emit(asm.JEq.Imm(asm.R0, 0, whenFalse), asm.Mov.Reg(asm.R3, asm.R0))
	c.key(k.calls, keyAt)
	c.Emit(asm.Mov.Imm(asm.R4, 0), asm.FnMapUpdateElem.Call())
	c.lookup(k.calls, keyAt)
	c.Emit(asm.JEq.Imm(asm.R0, 0, whenFalse))
	c.Place("found")
	c.Emit(asm.Mov.Reg(asm.R7, asm.R0), asm.StoreImm(asm.R7, 0, int64(k.record.id), asm.Half))
	if k.late {
		k.record.fillArguments(c)
	} else {
		k.record.fill(c)
	}
	c.Emit(asm.LoadMem(asm.R1, asm.R10, keyAt, asm.DWord), asm.StoreMem(asm.R7, recordStack, asm.R1, asm.DWord))
	c.finish(whenFalse, 0)
	return c
}

// shownCode tests the condition at the event of the point.
func (k *programs) shownCode(s *site, output *ebpf.Map) *coder {
	c := k.begin()
	c.test(k, s.condition)
	if c.Place(whenTrue) {
		c.report(k, output)
		c.Emit(asm.Mov.Imm(asm.R0, 1), asm.Return())
	}
	c.finish(whenFalse, 0)
	c.finish(unpaired, 1)
	return c
}

// test jumps to whenTrue or to whenFalse, as the condition is. R7 points to the record of a call if calls are kept.
func (c *coder) test(k *programs, condition *formula) {
	if k.calls != nil {
		c.findCall(k.calls)
		if k.late {
			c.arguments = k.record
		}
	}
	if condition == nil {
		c.Emit(asm.Ja.Label(whenTrue))
		return
	}
	if k.calls != nil && !k.late {
		c.reader = newKept(k.record, condition)
	}
	c.loads = condition.Loads
	c.condition(condition.Root)
}

// unpaired is the label for a return without a call, which is reported to be counted.
const unpaired = "unpaired"

// finish places a label, if it is used, for the end of the program with a result.
func (c *coder) finish(label string, result int32) {
	if c.Place(label) {
		c.Emit(asm.Mov.Imm(asm.R0, result), asm.Return())
	}
}

// findCall lets R7 point to the record of the call that returns, and forgets that.
func (c *coder) findCall(calls *ebpf.Map) {
	c.stackKey(true)
	c.lookup(calls, keyAt)
	c.Emit(
		asm.JEq.Imm(asm.R0, 0, unpaired),
		asm.Mov.Reg(asm.R7, asm.R0),
		asm.LoadMem(asm.R1, asm.R7, recordStack, asm.DWord),
		asm.LoadMem(asm.R2, asm.R10, keyAt, asm.DWord),
		asm.JNE.Reg(asm.R1, asm.R2, unpaired),
	)
	c.clear(asm.R7, recordStack, 8)
}

// report writes a record into the ring of the CPU: that at R7, with the stack address as a call has it, or one that is
// filled on the stack.
func (c *coder) report(k *programs, output *ebpf.Map) {
	switch {
	case k.record == nil:
	case k.calls == nil:
		c.Emit(asm.Mov.Reg(asm.R7, asm.R10), asm.Add.Imm(asm.R7, lastAt))
		c.clear(asm.R7, 0, k.record.size)
		c.Emit(asm.StoreImm(asm.R7, 0, int64(k.record.id), asm.Half))
		k.record.fill(c)
		c.write(output, k.record.size)
	default:
		if k.late {
			k.record.fillBehind(c)
		}
		c.Emit(
			asm.LoadMem(asm.R1, asm.R10, keyAt, asm.DWord),
			asm.Sub.Imm(asm.R1, int32(c.registers.returnAddress)),
			asm.StoreMem(asm.R7, recordStack, asm.R1, asm.DWord),
		)
		c.write(output, k.record.size)
		c.clear(asm.R7, recordStack, 8)
	}
}

// write writes so many bytes at R7 into the ring of the CPU.
func (c *coder) write(output *ebpf.Map, size int) {
	c.Emit(
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.LoadMapPtr(asm.R2, output.FD()),
		asm.LoadImm(asm.R3, math.MaxUint32, asm.DWord), // BPF_F_CURRENT_CPU
		asm.Mov.Reg(asm.R4, asm.R7),
		asm.Mov.Imm(asm.R5, int32(size)),
		asm.FnPerfEventOutput.Call(),
	)
}

// key lets R1 and R2 be a map and a key that is on the stack.
func (c *coder) key(m *ebpf.Map, at int16) {
	c.Emit(asm.LoadMapPtr(asm.R1, m.FD()), asm.Mov.Reg(asm.R2, asm.R10), asm.Add.Imm(asm.R2, int32(at)))
}

// lookup puts the address of a value of a map into R0.
func (c *coder) lookup(m *ebpf.Map, at int16) {
	c.key(m, at)
	c.Emit(asm.FnMapLookupElem.Call())
}

// at returns the program at the event of the call or of what is shown; nil if there is none.
func (k *programs) at(shown bool) *ebpf.Program {
	switch {
	case k == nil:
		return nil
	case shown:
		return k.shown
	}
	return k.call
}

// Close detaches the programs and closes them.
func (k *programs) Close() error {
	if k == nil {
		return nil
	}
	for _, e := range k.probed {
		e.Close()
	}
	var errs []error
	for _, l := range k.attached {
		errs = append(errs, l.Close())
	}
	k.probed, k.attached = nil, nil
	for _, m := range []*ebpf.Map{k.calls, k.blank, k.room, k.unwritten} {
		errs = append(errs, m.Close())
	}
	return errors.Join(append(errs, k.call.Close(), k.shown.Close())...)
}
