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

	head, network perf.Field // by which the headers are found
}

// A chunk is copied from one object of the kernel's memory, or is an argument.
type chunk struct {
	first member.Load // of the values in it that with the lowest address
	from  int64       // its offset from the object
	size  int
	at    int // in the record
}

// Of a chunk.
const (
	maxChunk = 256 // bytes
	maxGap   = 64  // bytes between values of one
)

// recordStack is where a record has the stack address: 0 if nobody waits for the return.
const recordStack = 8

// newRecord returns the layout of the values of a call, some of the loads of a site. The id is that of its event.
func newRecord(id uint64, loads []member.Load, some []int) *record {
	r := &record{layout: layout{id: id, stack: perf.Field{Offset: recordStack, Size: 8}}, end: recordStack + 8}
	for _, i := range slices.SortedFunc(slices.Values(some), func(a, b int) int { return compareLoads(loads[a], loads[b]) }) {
		r.add(i, loads[i])
	}
	r.size = r.end
	return r
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
	r := newRecord(id, s.loads, some)
	if s.facts.hasHeaders() {
		r.head, r.network = r.field(s.facts[bufferHead]), r.field(s.facts[bufferNetwork])
		r.headers = perf.Field{Offset: r.end, Size: maxHeaders}
		r.end += maxHeaders
		r.size = r.end
	}
	return r
}

// field returns where a value is that is one of the loads.
func (r *record) field(f *formula) perf.Field {
	i := slices.IndexFunc(r.loads, func(l loadField) bool { return l.load == f.loads[0] })
	return r.loads[i].Field
}

// compareLoads orders loads by their objects, and those of one by address.
func compareLoads(a, b member.Load) int {
	return cmp.Or(cmp.Compare(objectOf(a), objectOf(b)), cmp.Compare(lastOf(a), lastOf(b)))
}

// objectOf names what a load is read of. A string and an argument are alone.
func objectOf(l member.Load) string {
	if l.String || len(l.Offsets) == 0 {
		return fetchOf(l)
	}
	return fmt.Sprint(l.Arg, l.Offsets[:len(l.Offsets)-1])
}

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

// add gives a load, which is not before the last one, its place.
func (r *record) add(index int, l member.Load) {
	size, from := sizeOf(l), lastOf(l)
	if c := r.last(); c != nil && c.joins(l) {
		c.size = max(c.size, int(from-c.from)+size)
	} else {
		r.chunks = append(r.chunks, chunk{first: l, from: from, size: size, at: r.end + int(from&7)})
	}
	c := r.last()
	r.end = (c.at + c.size + 7) &^ 7
	if len(l.Offsets) == 0 {
		r.end = c.at + 8 // the whole register is kept
	}
	at := perf.Field{Offset: c.at + int(from-c.from), Size: size}
	r.loads = append(r.loads, loadField{load: index, Field: at, shift: l.BitOffset})
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

// fill copies everything into the record, at R7.
func (r *record) fill(c *coder) {
	r.fillChunks(c)
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

// fillChunks copies the values.
func (r *record) fillChunks(c *coder) {
	for _, k := range r.chunks {
		if len(k.first.Offsets) == 0 {
			c.argument(k.first)
			c.Emit(asm.StoreMem(asm.R7, int16(k.at), asm.R3, asm.DWord))
			continue
		}
		null, end := c.NewLabel(), c.NewLabel()
		c.address(k.first, null)
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

// kept reads the values of a condition from a record at R7, but what the function returned where it is.
type kept struct {
	direct
	fields map[int]perf.Field // by the index of the condition's loads
}

// newKept returns a reader of a condition's loads.
func newKept(r *record, f *formula) kept {
	k := kept{fields: make(map[int]perf.Field)}
	for _, field := range r.loads {
		if i := slices.Index(f.loads, field.load); i >= 0 {
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
