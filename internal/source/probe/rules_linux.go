package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/event"
	"dropwatch/internal/iptables"
)

// rules are the programs and functions that name rules of iptables, see rules.bpf.c: to learn which rules of a table drop,
// and to find the one that did.
type rules struct {
	spec     *ebpf.CollectionSpec
	renew    *ebpf.Collection     // of the program that forgets tables which are replaced
	attached link.Link            // of that
	maps     map[string]*ebpf.Map // of renew, which all share
}

// Names of rules.bpf.c.
const (
	learn  = "learn"
	find   = "find"
	renew  = "renew"
	rodata = ".rodata" // the constants of a program, its own
)

// errLoop is why rules cannot be looked through.
var errLoop = errors.New("that takes Linux 5.17")

// openRules begins to forget tables that are replaced.
func openRules(types *btf.Cache) (r *rules, err error) {
	spec, err := loadRules()
	if err != nil {
		return nil, err
	}
	r = &rules{spec: spec}
	if err = r.open(types); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// open loads the program that forgets tables, and attaches it. It fails on kernels without the functions of iptables, or
// before 5.5, which has no trampolines; then no rule is named.
func (r *rules) open(types *btf.Cache) (err error) {
	if r.renew, err = r.load(r.spec, renew, types); err != nil {
		return err
	}
	r.maps = maps.Clone(r.renew.Maps)
	delete(r.maps, rodata)
	r.attached, err = link.AttachTracing(link.TracingOptions{Program: r.renew.Programs[renew]})
	return bpfprog.Explain(err)
}

// load loads one of the programs of a specification.
func (r *rules) load(spec *ebpf.CollectionSpec, name string, types *btf.Cache) (*ebpf.Collection, error) {
	only := &ebpf.CollectionSpec{
		Maps: spec.Maps, Variables: spec.Variables, Programs: map[string]*ebpf.ProgramSpec{name: spec.Programs[name]},
	}
	c, err := ebpf.NewCollectionWithOptions(only, ebpf.CollectionOptions{Cache: types, MapReplacements: r.maps})
	return c, bpfprog.Explain(err)
}

// learner loads the program that learns the tables which the function of a site goes through.
func (r *rules) learner(s *site, shape rulesShape, types *btf.Cache) (*ebpf.Program, error) {
	at := s.facts[tableInfo].Loads[0]
	if at.Arg != 0 {
		return nil, errors.New("the table is another argument")
	}
	spec := r.spec.Copy()
	spec.Programs[learn].AttachTo = s.function.Name
	err := errors.Join(spec.Variables["layout"].Set(shape.word()), spec.Variables["private_at"].Set(uint32(at.Offsets[0])))
	if err != nil {
		return nil, err
	}
	c, err := r.load(spec, learn, types)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.DetachProgram(learn), nil
}

// Close forgets all tables.
func (r *rules) Close() (err error) {
	if r == nil {
		return nil
	}
	if r.attached != nil {
		err = r.attached.Close()
	}
	if r.renew != nil {
		r.renew.Close()
	}
	return err
}

// loadAttached loads the programs of a site, if possible those that name a rule of iptables.
func (s *Source) loadAttached(of *site) (*programs, error) {
	if of.family != nil {
		k, err := s.loadWithRules(of)
		if err == nil {
			return k, nil
		}
		s.noteUnnamed(of, err)
	}
	return loadAttached(of, s.nextRecord(), s.outputs, nil, s.types.Cache())
}

// loadWithRules is loadAttached for a site of iptables.
func (s *Source) loadWithRules(of *site) (k *programs, err error) {
	if version, err := features.LinuxVersionCode(); err == nil && version < 5<<16|17<<8 {
		return nil, errLoop
	}
	if err := of.attachable(); err != nil {
		return nil, err
	}
	if s.rules == nil {
		if s.rules, err = openRules(s.types.Cache()); err != nil {
			return nil, err
		}
	}
	return loadAttached(of, s.nextRecord(), s.outputs, s.rules, s.types.Cache())
}

// noteUnnamed says why rules of iptables are not named at a site, if it is one for them.
func (s *Source) noteUnnamed(of *site, err error) {
	if of.family != nil && s.unnamed != nil {
		s.unnamed(err)
	}
}

// finder returns the code of the function that finds a rule; none without rules.
func (r *rules) finder() (code asm.Instructions) {
	if r == nil {
		return nil
	}
	for _, i := range r.spec.Programs[find].Instructions {
		i = i.WithSource(nil) // the kernel wants the lines of all of a program, or of nothing
		if f := btf.FuncMetadata(&i); f != nil {
			static := *f
			static.Linkage = btf.StaticFunc
			i = btf.WithFuncMetadata(i, &static)
		}
		if m := r.maps[i.Reference()]; i.IsLoadFromMap() && m != nil {
			_ = i.AssociateMap(m) // which fails for another instruction alone
		}
		code = append(code, i)
	}
	return code
}

// withCalled returns a program with the code of what it calls, if there is any: then the kernel wants to know the type of
// the program, too.
func withCalled(program, called asm.Instructions) asm.Instructions {
	if called == nil {
		return program
	}
	all := slices.Concat(program, called)
	all[0] = btf.WithFuncMetadata(all[0], &btf.Func{Name: "point", Linkage: btf.StaticFunc, Type: &btf.FuncProto{
		Return: &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed},
		Params: []btf.FuncParam{{Name: "context", Type: &btf.Pointer{Target: new(btf.Void)}}},
	}})
	return all
}

// sizeofFound is how many bytes a record has for the rule that was found.
const sizeofFound = int(unsafe.Sizeof(rulesFound{}))

// fixedLayout is where rules.bpf.c takes members to be, which have been there in all kernels so far.
var fixedLayout = []struct {
	of, member string
	at         int64
}{
	{"xt_table_info", "size", 0}, {"xt_table_info", "hook_entry[0]", 12}, {"xt_table_info", "underflow[0]", 32},
	{"xt_table_info", "entries[0]", 64}, {"xt_target", "name[0]", 16},
}

// shape returns how the kernel lays out the rules of the site's function. It fails if that is not known.
func (s *site) shape() (shape rulesShape, err error) {
	for _, m := range fixedLayout {
		at, err := s.offsetOf(m.of, m.member)
		if err == nil && at != m.at {
			err = fmt.Errorf("%s of struct %s is at byte %d, not %d", m.member, m.of, at, m.at)
		}
		if err != nil {
			return shape, err
		}
	}
	pointers, err := s.offsetOf("bpf_array", "pptrs[0]")
	if err != nil {
		return shape, err
	}
	cpus, err := ebpf.PossibleCPU() // of one alone the counters are in the rules
	shape = rulesShape{Head: uint16(s.family.Head), Offsets: uint16(s.family.Offsets), Pointers: uint16(pointers)}
	if cpus == 1 {
		shape.Shared = 1
	}
	return shape, err
}

// offsetOf returns where a structure of the kernel has a member.
func (s *site) offsetOf(of, member string) (int64, error) {
	e, err := s.function.Compile(fmt.Sprintf("((struct %s *)%s)->%s", of, s.function.Args[0].Name, member))
	if err != nil {
		return 0, err
	}
	return e.Loads[0].Offsets[0], nil
}

// word is the shape as an argument of the functions.
func (s rulesShape) word() int64 {
	var b [8]byte
	for i, part := range []uint16{s.Head, s.Offsets, s.Pointers, s.Shared} {
		binary.NativeEndian.PutUint16(b[2*i:], part)
	}
	return int64(binary.NativeEndian.Uint64(b[:]))
}

// find writes which rule dropped the packet of a call into its record at R7.
func (c *coder) find(k *programs, x *facts) {
	if k.rules == nil {
		return
	}
	at, end := int16(k.record.found.Offset), c.NewLabel()
	c.clear(asm.R7, at, sizeofFound)
	c.address(x[bufferLen].Loads[0], end)
	c.read(asm.R10, readAt, 4)
	c.address(x[tableInfo].Loads[0], end)
	c.Emit(
		asm.LoadMem(asm.R1, asm.R7, int16(k.record.table.Offset), asm.DWord),
		asm.LoadImm(asm.R2, k.shape.word(), asm.DWord),
		asm.LoadMem(asm.R4, asm.R10, readAt, asm.Word),
		asm.Mov.Reg(asm.R5, asm.R7),
		asm.Add.Imm(asm.R5, int32(at)),
		asm.Call.Label(find),
	)
	c.Place(end)
	c.Emit(asm.Mov.Imm(asm.R0, 0))
}

// appendRule appends what a record has of the rule that dropped the packet, if it was found: its chain, its number, or that
// it is the policy, and its text.
func (s *site) appendRule(args []event.Arg, record []byte) []event.Arg {
	var f rulesFound
	if _, err := binary.Decode(record, binary.NativeEndian, &f); err != nil || f.Known == 0 {
		return args
	}
	chain := iptables.HookChain(f.Chain)
	if chain == "" {
		chain = unix.ByteSliceToString(unsafe.Slice((*byte)(unsafe.Pointer(&f.Name)), len(f.Name)))
	}
	args = append(args, event.Arg{Name: "chain", Text: chain})
	if f.Number == 0 {
		return append(args, event.Arg{Name: "rule", Text: "policy"}, event.Arg{Name: "text", Text: "-P " + chain + " DROP"})
	}
	args = append(args, event.Arg{Name: "rule", Number: uint64(f.Number)})
	matches, ok := s.family.KernelMatches(f.Entry[:min(f.Size, uint32(len(f.Entry)))], int(f.Size))
	if !ok {
		return args
	}
	rule := iptables.Rule{Matches: matches, Verdict: "DROP"}
	if f.Rejects != 0 {
		rule.Verdict = "REJECT"
	}
	return append(args, event.Arg{Name: "text", Text: rule.Text()})
}
