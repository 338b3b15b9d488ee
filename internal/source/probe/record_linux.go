package probe

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cilium/ebpf/asm"

	"dropwatch/internal/member"
	"dropwatch/internal/perf"
	"dropwatch/internal/point"
)

// A record is what BPF keeps of a call until it returns, and then writes into the ring before the event of the
// return: as perf has an event of a probe, it begins with its number.
type record struct {
	layout
	chunks []chunk // what is copied, in as few pieces as possible, as each costs as much
	end    int     // bytes of it all

	pointers map[string]int // where it has those that others are read behind, by pathOf

	head, network perf.Field // by which the headers are found
	table         perf.Field // by which a rule of iptables is found
}

// A chunk is copied from one object of the kernel's memory, or is an argument.
type chunk struct {
	first member.Load // of the values in it that with the lowest address
	parts []part      // the values that are read from it
	from  int64       // its offset from the object
	size  int         // in bytes
	at    int         // in the record
}

// Of a chunk.
const (
	maxChunk = 256 // bytes
	maxGap   = 128 // bytes between values of one: to copy them costs less than another chunk
)

// recordStack is where a record has the stack address: 0 if nobody waits for the return.
const recordStack = 8

// newRecord returns the layout of the values of a call, some of the loads of a site, and with arguments of the arguments that
// these begin with. The id is that of its event.
func newRecord(id uint64, loads []member.Load, some []int, arguments bool) *record {
	r := &record{
		layout: layout{id: id, stack: perf.Field{Offset: recordStack, Size: 8}}, end: recordStack + 8, pointers: make(map[string]int),
	}
	var all []part
	for _, i := range some {
		all = append(append(all, pointersTo(loads[i], arguments)...), part{loads[i], i})
	}
	slices.SortFunc(all, func(a, b part) int { return compareLoads(a.Load, b.Load) })
	for _, p := range all {
		r.add(p)
	}
	r.size = r.end
	return r
}

// A part is the value of a load, or a pointer on the way to one.
type part struct {
	member.Load
	load int // its index in those of the site; noLoad: a pointer
}

// noLoad is the index of a part that is a pointer on the way to a value.
const noLoad = -1

// pointersTo returns the pointers that are followed to the value of a load, the argument among them or not: each is copied
// once, for all values behind it.
func pointersTo(l member.Load, argument bool) (all []part) {
	first := 1
	if argument {
		first = 0
	}
	for n := first; n < len(l.Offsets); n++ {
		all = append(all, part{member.Load{Arg: l.Arg, Offsets: l.Offsets[:n], Size: 8}, noLoad})
	}
	return all
}

// maxHeaders is how many bytes of a packet are copied: those of IPv6 with options, and of TCP.
const maxHeaders = 128

// record returns the layout of what BPF reads of a site at its call: its values, if they are not fetched then, and what
// it takes to have the headers of a packet. It is nil if there is neither.
func (s *site) record(id uint64) *record {
	var some []int
	if s.paired() {
		some = s.ofReturn(false)
	} else if s.at == point.Entry && s.facts.hasHeaders() {
		some = append(some, s.facts[bufferAddress].loads...)
	}
	if len(some) == 0 {
		return nil
	}
	for i := s.fetched; i < len(s.loads); i++ {
		some = append(some, i)
	}
	r := newRecord(id, s.loads, some, s.late)
	if s.facts.hasHeaders() {
		r.addHeaders(&s.facts)
	}
	return r
}

// maxComm is how long the name of a thread is (TASK_COMM_LEN).
const maxComm = 16

// wholeRecord returns the layout of all that an event of the site has.
func (s *site) wholeRecord(id uint64) *record {
	all := make([]int, len(s.loads))
	for i := range all {
		all[i] = i
	}
	r := newRecord(id, s.loads, all, false)
	r.comm = r.extend(maxComm)
	if s.facts.hasHeaders() {
		r.addHeaders(&s.facts)
	}
	return r
}

// addHeaders gives the headers of a packet their place.
func (r *record) addHeaders(x *facts) {
	r.head, r.network = r.field(x[bufferHead]), r.field(x[bufferNetwork])
	r.headers = r.extend(maxHeaders)
}

// addFound gives a rule of iptables its place.
func (r *record) addFound(x *facts) {
	r.table = r.field(x[tableInfo])
	r.found = r.extend(sizeofFound)
}

// extend returns a field of so many bytes, a multiple of 8, behind all others.
func (r *record) extend(size int) perf.Field {
	f := perf.Field{Offset: r.end, Size: size}
	r.end += size
	r.size = r.end
	return f
}

// field returns where a value is that is one of the loads.
func (r *record) field(f *formula) perf.Field {
	i := slices.IndexFunc(r.loads, func(l loadField) bool { return l.load == f.loads[0] })
	return r.loads[i].Field
}

// compareLoads orders loads by their objects, pointers before what is behind them, and those of one by address.
func compareLoads(a, b member.Load) int {
	return cmp.Or(cmp.Compare(len(a.Offsets), len(b.Offsets)), cmp.Compare(objectOf(a), objectOf(b)), cmp.Compare(lastOf(a), lastOf(b)))
}

// objectOf names what a load is read of. A string and an argument are alone.
func objectOf(l member.Load) string {
	if l.String || len(l.Offsets) == 0 {
		return fetchOf(l)
	}
	return pathOf(l.Arg, l.Offsets[:len(l.Offsets)-1])
}

// pathOf names what is reached from an argument by following pointers.
func pathOf(arg int, offsets []int64) string { return fmt.Sprint(arg, offsets) }

// lastOf is the offset from its object, 0 of an argument.
func lastOf(l member.Load) int64 {
	if len(l.Offsets) == 0 {
		return 0
	}
	return l.Offsets[len(l.Offsets)-1]
}

// sizeOf returns how many bytes the value of a load has in a record.
func sizeOf(l member.Load) int {
	switch {
	case l.String:
		return max(l.Array, 4) + 1 // with a NUL: 4 bytes are a reference to a string, see perf.Field
	case l.Array > 0:
		return l.Array
	}
	return l.Size
}

// add gives a part, which is not before the last one, its place.
func (r *record) add(p part) {
	l := p.Load
	size, from := sizeOf(l), lastOf(l)
	if c := r.last(); c != nil && c.joins(l) {
		c.size, c.parts = max(c.size, int(from-c.from)+size), append(c.parts, p)
	} else {
		r.chunks = append(r.chunks, chunk{first: l, parts: []part{p}, from: from, size: size, at: r.end + int(from&7)})
	}
	c := r.last()
	r.end = (c.at + c.size + 7) &^ 7
	if len(l.Offsets) == 0 {
		r.end = c.at + 8 // the whole register is kept
	}
	at := perf.Field{Offset: c.at + int(from-c.from), Size: size}
	if p.load == noLoad {
		r.pointers[pathOf(l.Arg, l.Offsets)] = at.Offset
		return
	}
	r.loads = append(r.loads, loadField{load: p.load, Field: at, shift: l.BitOffset})
}

// joins reports whether a load, which is not before the others, is to be copied with them.
func (k *chunk) joins(l member.Load) bool {
	begin := int(lastOf(l) - k.from)
	return objectOf(k.first) == objectOf(l) && begin <= k.size+maxGap && begin+sizeOf(l) <= maxChunk
}

// last returns the last chunk, nil if there is none.
func (r *record) last() *chunk {
	if len(r.chunks) == 0 {
		return nil
	}
	return &r.chunks[len(r.chunks)-1]
}

// fill copies everything into the record, at R7, but what the function returns.
func (r *record) fill(c *coder) {
	r.fillArguments(c)
	r.fillBehind(c)
}

// fillArguments copies the arguments.
func (r *record) fillArguments(c *coder) {
	r.fillChunks(c, func(l member.Load) bool { return l.Arg != member.ReturnValue && len(l.Offsets) == 0 })
}

// fillReturn copies what the function has returned.
func (r *record) fillReturn(c *coder) {
	r.fillChunks(c, func(l member.Load) bool { return l.Arg == member.ReturnValue })
}

// fillBehind copies what the arguments point to.
func (r *record) fillBehind(c *coder) {
	r.fillChunks(c, func(l member.Load) bool { return l.Arg != member.ReturnValue && len(l.Offsets) > 0 })
	if r.headers.Size == 0 {
		return
	}
	c.Emit(
		asm.LoadMem(asm.R3, asm.R7, int16(r.head.Offset), asm.DWord),
		asm.LoadMem(asm.R1, asm.R7, int16(r.network.Offset), sizes[r.network.Size]),
		asm.Add.Reg(asm.R3, asm.R1),
	)
	c.read(asm.R7, int16(r.headers.Offset), r.headers.Size)
}

// fillChunks copies some of the chunks.
func (r *record) fillChunks(c *coder, which func(first member.Load) bool) {
	for _, k := range r.chunks {
		if !which(k.first) {
			continue
		}
		if len(k.first.Offsets) == 0 {
			c.argument(k.first)
			c.Emit(asm.StoreMem(asm.R7, int16(k.at), asm.R3, asm.DWord))
			continue
		}
		if k.isLed(c.types) {
			k.load(c)
			continue
		}
		null, end := c.NewLabel(), c.NewLabel()
		r.address(c, k.first, null)
		if k.first.String {
			c.readText(asm.R7, int16(k.at), k.size)
		} else {
			c.read(asm.R7, int16(k.at), k.size)
		}
		c.Emit(asm.Ja.Label(end))
		c.Place(null)
		c.clear(asm.R7, int16(k.at&^7), k.at&7+k.size)
		c.Place(end)
		c.Emit(asm.Mov.Imm(asm.R0, 0))
	}
}

// isLed reports whether the types of a function lead to all of a chunk.
func (k *chunk) isLed(f *member.Function) bool {
	return f != nil && !slices.ContainsFunc(k.parts, func(p part) bool { return !f.Leads(p.Load) })
}

// load copies the values of a chunk that are led to.
func (k *chunk) load(c *coder) {
	c.object(k.first)
	for _, p := range k.parts {
		from := lastOf(p.Load)
		at := int16(k.at + int(from-k.from))
		for n, size := 0, max(p.Size, p.Array); n < size; {
			piece := 8
			for piece > size-n {
				piece /= 2
			}
			c.Emit(asm.LoadMem(asm.R1, asm.R3, int16(from)+int16(n), sizes[piece]), asm.StoreMem(asm.R7, at+int16(n), asm.R1, sizes[piece]))
			n += piece
		}
		if p.String {
			c.Emit(asm.StoreImm(asm.R7, at+int16(p.Array), 0, asm.Byte))
		}
	}
}

// address puts the address of a load into R3, and jumps to null if the pointer to what has it is that.
func (r *record) address(c *coder, l member.Load, null string) {
	before := l.Offsets[:len(l.Offsets)-1]
	if len(before) == 0 {
		c.argument(l)
	} else {
		c.Emit(asm.LoadMem(asm.R3, asm.R7, int16(r.pointers[pathOf(l.Arg, before)]), asm.DWord))
	}
	c.Emit(asm.JEq.Imm(asm.R3, 0, null), asm.Add.Imm(asm.R3, int32(lastOf(l))))
}

// kept reads the values of a condition from a record at R7, but what the function returned where it is.
type kept struct {
	direct
	fields map[int]perf.Field // by the index of the condition's loads
}

// newKept returns a reader of a condition's loads.
func newKept(r *record, f *formula) kept {
	k := kept{fields: make(map[int]perf.Field)}
	for _, field := range r.loads {
		if i := slices.Index(f.loads, field.load); i >= 0 && f.Loads[i].Arg != member.ReturnValue {
			k.fields[i] = field.Field
		}
	}
	return k
}

// number implements reader.
func (k kept) number(c *coder, load int) {
	field, ok := k.fields[load]
	if !ok {
		k.direct.number(c, load)
		return
	}
	c.Emit(asm.LoadMem(asm.R0, asm.R7, int16(field.Offset), sizes[field.Size]))
	c.bits(c.loads[load])
}

// text implements reader.
func (k kept) text(c *coder, load, size int) (base asm.Register, at int16) {
	field, ok := k.fields[load]
	if !ok {
		return k.direct.text(c, load, size)
	}
	return asm.R7, int16(field.Offset)
}
