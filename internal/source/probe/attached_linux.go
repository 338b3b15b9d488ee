package probe

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/member"
	"dropwatch/internal/point"
)

// Why programs are not attached to a function.
var (
	errAttach = errors.New("the function has a namesake, or an argument that is not an integer or a pointer")
	errNested = errors.New("before Linux 5.12 a program can interrupt itself there, and it takes long to attach one")
)

// attachable reports why programs are not attached to the function of the site.
func (s *site) attachable() error {
	if version, err := features.LinuxVersionCode(); err == nil && version < 5<<16|12<<8 {
		return errNested
	}
	if !s.target.alone || !s.function.InRegisters() {
		return errAttach
	}
	return nil
}

// loadAttached loads programs that are attached to the function of a site itself (fentry, fexit), which takes no probe:
// a call costs far less. What an event of a probe has, they write into the ring themselves: the record has all values
// of the site, and with rules the one of iptables that was found. The id is that of the records, and outputs have an event
// for each CPU.
func loadAttached(s *site, id uint64, out outputs, by *rules, types *btf.Cache) (k *programs, err error) {
	if err := s.attachable(); err != nil {
		return nil, err
	}
	if bpfprog.HandlesFaults() {
		if k, err := s.loadLed(id, out, by, types, s.function); err == nil {
			return k, nil
		}
	}
	return s.loadLed(id, out, by, types, nil)
}

// loadLed is loadAttached by programs that read as the types of a function lead them, nil: by helpers alone. To read without
// a helper costs a tenth, but the kernel refuses what it does not find in its types.
func (s *site) loadLed(id uint64, out outputs, by *rules, types *btf.Cache, leads *member.Function) (k *programs, err error) {
	k = &programs{record: s.wholeRecord(id), registers: registersOf(len(s.function.Args)), rules: by, types: leads}
	if by != nil {
		if k.shape, err = s.shape(); err != nil {
			return nil, err
		}
		k.record.addFound(&s.facts)
	}
	defer func() {
		if err != nil {
			k.Close()
		}
	}()
	kept := s.paired() && !s.late // a program at the return has the arguments, too
	if err := k.openOwnMaps(kept); err != nil {
		return k, bpfprog.Explain(err)
	}
	if kept {
		if k.call, err = s.loadAt(ebpf.AttachTraceFEntry, k.callCode(), nil, types); err != nil {
			return k, err
		}
	} else if by != nil {
		if k.call, err = by.learner(s, k.shape, types); err != nil {
			return k, err
		}
	}
	k.shown, err = s.loadAt(attachTypes[s.at], k.attachedCode(s, out), k.rules.finder(), types)
	return k, err
}

// Testers returns what can test the condition at each of the functions, in the order of Probed, and reports what is read
// there: [Open] with the Tester Any chooses that unless the kernel refuses to attach it. The process must be root.
func (t *Typed) Testers() []Tester {
	var out outputs
	defer out.Close()
	refused := out.open()
	all := make([]Tester, len(t.sites))
	for i, s := range t.sites {
		if all[i] = Filters; refused == nil {
			all[i] = testerOf(s, out, t.types.Cache())
		}
	}
	return all
}

// testerOf returns the first tester of a site whose programs can be loaded.
func testerOf(s *site, out outputs, types *btf.Cache) Tester {
	by := Attached
	k, err := loadAttached(s, firstRecord, out, nil, types)
	if err != nil {
		by = BPF
		k, err = loadPrograms(s, firstRecord, out.ring)
	}
	if err != nil {
		return Filters
	}
	_ = k.Close() // of what was never attached
	return by
}

// attachTypes are where in a function a program runs.
var attachTypes = map[point.At]ebpf.AttachType{point.Entry: ebpf.AttachTraceFEntry, point.Return: ebpf.AttachTraceFExit}

// openOwnMaps makes the maps of programs that are attached to a function, whose calls are kept or not.
func (k *programs) openOwnMaps(kept bool) (err error) {
	if kept {
		err = k.openMaps()
	} else {
		k.room, err = openPerCPU("room", uint32(k.record.size))
	}
	if err == nil {
		k.unwritten, err = openPerCPU("unwritten", 8)
	}
	return err
}

// openPerCPU makes a map with a value of so many bytes for each CPU.
func openPerCPU(name string, size uint32) (*ebpf.Map, error) {
	return ebpf.NewMap(&ebpf.MapSpec{Name: name, Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: size, MaxEntries: 1})
}

// loadAt loads a program for the function of the site, with what it calls.
func (s *site) loadAt(at ebpf.AttachType, c *coder, called asm.Instructions, types *btf.Cache) (*ebpf.Program, error) {
	if c.err != nil {
		return nil, c.err
	}
	spec := &ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{"point": {
		Type: ebpf.Tracing, AttachType: at, AttachTo: s.function.Name, License: license,
		Instructions: withCalled(c.Code, called),
	}}}
	loaded, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: types})
	if err != nil {
		return nil, bpfprog.Explain(err)
	}
	return loaded.Programs["point"], nil
}

// attachedCode tests the condition at the call or the return of the function, and writes a record where it is true.
func (k *programs) attachedCode(s *site, out outputs) *coder {
	c := k.begin()
	c.test(k, s.condition)
	if c.Place(whenTrue) {
		if k.calls == nil {
			c.newRecord(k)
		}
		k.record.fillReturn(c)
		c.find(k, &s.facts)
		c.Emit(asm.Mov.Reg(asm.R1, asm.R7), asm.Add.Imm(asm.R1, int32(k.record.comm.Offset)))
		c.Emit(asm.Mov.Imm(asm.R2, int32(k.record.comm.Size)), asm.FnGetCurrentComm.Call())
		c.write(out.ring, k.record.size)
		for _, full := range []unix.Errno{unix.ENOSPC, unix.EBUSY} { // others say that the CPU has no event, or that it is off
			c.Emit(asm.JEq.Imm(asm.R0, -int32(full), unpaired))
		}
		c.write(out.wakeup, recordStack)
		c.Emit(asm.Mov.Imm(asm.R0, 0), asm.Return())
	}
	c.finish(whenFalse, 0)
	if c.Place(unpaired) {
		c.addOne(k.unwritten)
	}
	c.finish(ended, 0)
	return c
}

// ended is the label of the end of a program.
const ended = "ended"

// newRecord fills the record of the CPU, to which R7 points then, with what is there at the call.
func (c *coder) newRecord(k *programs) {
	c.clear(asm.R10, readAt, 8)
	c.lookup(k.room, readAt)
	c.Emit(asm.JEq.Imm(asm.R0, 0, whenFalse), asm.Mov.Reg(asm.R7, asm.R0))
	c.Emit(asm.StoreImm(asm.R7, 0, int64(k.record.id), asm.Half))
	k.record.fill(c)
}

// addOne adds 1 to a counter of the CPU.
func (c *coder) addOne(m *ebpf.Map) {
	c.clear(asm.R10, readAt, 8)
	c.lookup(m, readAt)
	c.Emit(
		asm.JEq.Imm(asm.R0, 0, ended),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord),
	)
}

// attachAll attaches the programs, from now on until Close. The error wraps errTest.
func (k *programs) attachAll() error {
	for _, p := range []*ebpf.Program{k.call, k.shown} {
		if p == nil {
			continue
		}
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return fmt.Errorf("%w: attach to the function: %w", errTest, err)
		}
		k.attached = append(k.attached, l)
	}
	return nil
}

// unwrittenOn returns how many records of a CPU were not written.
func (k *programs) unwrittenOn(cpu int) (uint64, error) {
	var counts []uint64
	if err := k.unwritten.Lookup(uint32(0), &counts); err != nil {
		return 0, fmt.Errorf("read how many records BPF could not write: %w", err)
	}
	return counts[cpu], nil
}
