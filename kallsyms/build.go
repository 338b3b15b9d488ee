package kallsyms

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// A record is one symbol of the input. Where several have the same address, the one with
// the lowest name wins: codeEnd, then code in the order of the file, then everything else.
type record struct {
	address uint64
	name    uint32 // where in builder.names, or codeEnd, or unknown
	image   uint32 // index in builder.images
}

// codeEnd is the name of a record that ends an image's code. No name starts
// at 0.
const codeEnd = 0

// A builder collects symbols in any order and makes a table of them.
type builder struct {
	records []record
	ordered int    // so many of the records, from the first, are in order
	names   []byte // a newline, then names, each followed by a newline
	last    int    // where the name added last starts
	images  []string
	index   map[string]uint32 // of images
}

// newBuilder returns a builder without symbols, whose image 0 is the kernel.
func newBuilder() builder {
	return builder{
		names:  []byte{'\n'},
		images: []string{""},
		index:  make(map[string]uint32),
	}
}

// add adds one line of the input. An image of 0 is the kernel itself.
func (b *builder) add(address uint64, kind byte, name []byte, image uint32) {
	n := len(b.records)
	if n == b.ordered && (n == 0 || b.records[n-1].address <= address) {
		b.ordered++
	}
	if n == 4096 { // this is no excerpt: grow once for all of a common kernel
		b.records = append(make([]record, 0, 1<<17), b.records...)
		b.names = append(make([]byte, 0, 2<<20), b.names...)
	}
	b.records = append(b.records, record{address, b.addName(kind, name, image), image})
}

// addName returns the name of a record: unknown for what is not code, and otherwise a
// number above those of all code before, so that of several names for an address the first
// wins.
func (b *builder) addName(kind byte, name []byte, image uint32) uint32 {
	switch kind {
	case 't', 'T', 'w', 'W':
	default:
		return unknown
	}
	if image == 0 && (string(name) == "_etext" || string(name) == "_einittext") {
		return codeEnd
	}
	// __pfx_f, the padding before f, and f share their bytes.
	if n := len(b.names) - 1; len(name) < n-b.last && bytes.HasSuffix(b.names[b.last:n], name) {
		b.last = n - len(name)
		return uint32(b.last)
	}
	b.last = len(b.names)
	b.names = append(append(b.names, name...), '\n')
	return uint32(b.last)
}

// imageIndex returns the index of the image of that name.
func (b *builder) imageIndex(name []byte) uint32 {
	i, ok := b.index[string(name)]
	if !ok {
		i = uint32(len(b.images))
		b.images = append(b.images, string(name))
		b.index[b.images[i]] = i
	}
	return i
}

// table makes the table of all records.
func (b *builder) table() *Table {
	n := len(b.records) + 1
	t := &Table{names: string(b.names), low: make([]uint16, 0, n), name: make([]uint32, 0, n)}
	last := record{name: unknown}
	for rest := b.sorted(); len(rest) > 0; {
		var r record
		r, rest = first(rest)
		if end := holeAfter(last.address); isCode(last) && end < r.address && !b.reaches(last, r) {
			t.add(end, unknown, "")
		}
		if isCode(r) {
			t.add(r.address, r.name, b.images[r.image])
		} else {
			t.add(r.address, unknown, "")
		}
		last = r
	}
	if isCode(last) {
		t.add(holeAfter(last.address), unknown, "")
	}
	t.blocks = append(t.blocks, block{1 << 48, uint32(len(t.low))})
	t.low, t.name = slices.Clone(t.low), slices.Clone(t.name)
	return t
}

// sorted returns the records by address. Those of the kernel image come first
// and in order, so it is the modules' that are sorted and merged in: below on
// some machines, above on others.
func (b *builder) sorted() []record {
	head, tail := b.records[:b.ordered], b.records[b.ordered:]
	if len(tail) == 0 {
		return head
	}
	slices.SortFunc(tail, func(x, y record) int { return cmp.Compare(x.address, y.address) })
	merged := make([]record, 0, len(b.records))
	for _, r := range tail {
		for len(head) > 0 && head[0].address <= r.address {
			merged, head = append(merged, head[0]), head[1:]
		}
		merged = append(merged, r)
	}
	return append(merged, head...)
}

func isCode(r record) bool { return r.name != codeEnd && r.name != unknown }

// first returns the record that wins among those of the first address, and the records of
// all other addresses.
func first(records []record) (record, []record) {
	r, i := records[0], 1
	for ; i < len(records) && records[i].address == r.address; i++ {
		if records[i].name < r.name {
			r = records[i]
		}
	}
	return r, records[i:]
}

// reaches reports whether the code of r ends where next begins: next is code of the same
// image, and no farther away than the longest function is long.
func (b *builder) reaches(r, next record) bool {
	const maxFunction = 256 << 10 // bytes; the longest of a 6.18 kernel has 20 KB, holes in its text 1 MB
	return next.name != unknown && next.image == r.image && next.address-r.address <= maxFunction &&
		!madeAtRunTime(b.images[r.image])
}

// madeAtRunTime reports whether an image is a name for code that comes and goes
// symbol by symbol: BPF programs, and what kernel/trace/ftrace.c and
// kernel/kprobes.c make.
func madeAtRunTime(image string) bool {
	return image == "bpf" || strings.HasPrefix(image, "__builtin__")
}

// holeAfter returns where code at address ends if the next symbol does not say: with the
// page after its own.
func holeAfter(address uint64) uint64 {
	const page = 4096
	if end := address&^(page-1) + 2*page; end > address {
		return end
	}
	return 1<<64 - 1
}

// add appends an entry. Its address is above all others.
func (t *Table) add(address uint64, name uint32, module string) {
	n := len(t.name)
	if name == unknown && (n == 0 || t.name[n-1] == unknown) {
		return // the entry below is unknown too: this one would add nothing
	}
	if b := len(t.blocks); b == 0 || t.blocks[b-1].high != address>>16 {
		t.blocks = append(t.blocks, block{address >> 16, uint32(n)})
	}
	if m := len(t.images); name != unknown && (m == 0 || t.images[m-1].name != module) {
		t.images = append(t.images, image{module, uint32(n)})
	}
	t.low = append(t.low, uint16(address))
	t.name = append(t.name, name)
}
