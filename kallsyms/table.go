package kallsyms

import (
	"fmt"
	"iter"
	"strings"
)

// A Symbol is the answer to a look-up: the function that an address lies in.
// Its strings share the table's memory.
type Symbol struct {
	Name   string // as the kernel has it; see Demangle
	Module string // "" for the kernel image; "bpf", "__builtin__ftrace" for code made at run time
	Start  uint64 // address of the symbol
	End    uint64 // first address that is not known to be the symbol's
	Offset uint64 // bytes from Start to the address looked up
}

// String returns the symbol as kernel logs write it: name+0x1f, followed by
// the module, if any, as in name+0x1f [mod].
func (s Symbol) String() string {
	if s.Module == "" {
		return fmt.Sprintf("%s+%#x", s.Name, s.Offset)
	}
	return fmt.Sprintf("%s+%#x [%s]", s.Name, s.Offset, s.Module)
}

// A Table holds the code symbols of one kernel at one moment. It does not
// change once made, so any number of goroutines may use it at the same time.
//
// It takes about 6 bytes for a symbol and the bytes of its name: 2.6 MB for
// the 122,000 symbols of a 6.18 kernel.
type Table struct {
	// The entries, in the order of their addresses. An entry reaches to the
	// next one. Its address is the upper bits of its block and its low.
	low    []uint16 // the lower 16 bits of its address
	name   []uint32 // where in names its name starts, or unknown
	blocks []block  // the last one ends the list: it is above all addresses
	images []image

	names string // every name is followed by a newline
}

// A block is the 64 KiB of addresses that share their upper bits.
type block struct {
	high  uint64 // address >> 16
	first uint32 // its first entry
}

// An image is the kernel, a module, or code made at run time. Each is a run of
// entries; an image in several pieces is several runs.
type image struct {
	name  string
	first uint32 // its first entry
}

// unknown is the name of an entry that no symbol covers: data, or a hole.
const unknown = 1<<32 - 1

// Lookup returns the symbol that pc lies in, or false if pc is in no function
// that the table knows: see the package's comment for where a function ends.
// It does not allocate. A nil Table knows nothing.
func (t *Table) Lookup(pc uint64) (s Symbol, ok bool) {
	if t == nil {
		return s, false
	}
	i, b := t.find(pc)
	if i < 0 || t.name[i] == unknown {
		return s, false
	}
	s.Name = t.nameOf(i)
	s.Module = t.module(i)
	s.Start = t.address(i, b)
	s.End = t.address(i+1, b) // there is one: the last entry is unknown
	s.Offset = pc - s.Start
	return s, true
}

// A Range is the addresses from Start (included) to End (not included).
type Range struct {
	Start, End uint64 // both 0 if there is none
}

// Function returns where the kernel image has functions of that name (several static ones
// may share it), and the range that holds all code of the image: code outside of it, of
// modules and BPF programs, can come and go. A nil Table returns neither.
func (t *Table) Function(name string) (at []Range, image Range) {
	for i, r := range t.functions() {
		if t.module(i) != "" {
			continue
		}
		if image.End == 0 {
			image.Start = r.Start
		}
		image.End = r.End
		if t.isNamed(i, name) {
			at = append(at, r)
		}
	}
	return at, image
}

// Everywhere returns where the kernel image and its modules have functions of that name. Those of
// modules can come and go. A nil Table has none.
func (t *Table) Everywhere(name string) (at []Range) {
	for i, r := range t.functions() {
		if t.isNamed(i, name) {
			at = append(at, r)
		}
	}
	return at
}

// Names yields the name of every function, those of modules included, in the order of
// their addresses. Several functions may share one. A nil Table has none.
func (t *Table) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range t.functions() {
			if !yield(t.nameOf(i)) {
				return
			}
		}
	}
}

// functions yields the entries that are not unknown, in the order of their addresses, and
// where they are. A nil Table has none.
func (t *Table) functions() iter.Seq2[int, Range] {
	return func(yield func(int, Range) bool) {
		if t == nil {
			return
		}
		for b := range len(t.blocks) - 1 {
			for i := int(t.blocks[b].first); i < int(t.blocks[b+1].first); i++ {
				if t.name[i] != unknown && !yield(i, Range{t.address(i, b), t.address(i+1, b)}) {
					return
				}
			}
		}
	}
}

// nameOf returns the name of an entry that is not unknown.
func (t *Table) nameOf(i int) string {
	name := t.names[t.name[i]:]
	return name[:strings.IndexByte(name, '\n')]
}

// isNamed is nameOf(i) == name, for all entries in turn: it does not look for the end of their names.
func (t *Table) isNamed(i int, name string) bool {
	rest, ok := strings.CutPrefix(t.names[t.name[i]:], name)
	return ok && strings.HasPrefix(rest, "\n")
}

// find returns the last entry at or below pc, and its block; or -1.
func (t *Table) find(pc uint64) (entry, blk int) {
	b := t.findBlock(pc >> 16)
	if b < 0 {
		return -1, 0
	}
	first, end := int(t.blocks[b].first), int(t.blocks[b+1].first)
	if t.blocks[b].high != pc>>16 {
		return end - 1, b
	}
	lo, hi, low := first, end, uint16(pc)
	for lo < hi {
		if m := int(uint(lo+hi) >> 1); t.low[m] <= low {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo == first { // pc is below all of this block
		b--
	}
	return lo - 1, b
}

// findBlock returns the last block at or below high, or -1.
func (t *Table) findBlock(high uint64) int {
	lo, hi := 0, len(t.blocks)
	for lo < hi {
		if m := int(uint(lo+hi) >> 1); t.blocks[m].high <= high {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo - 1
}

// address returns the address of entry i, which is in block b or is the first
// of the next.
func (t *Table) address(i, b int) uint64 {
	if i == int(t.blocks[b+1].first) {
		b++
	}
	return t.blocks[b].high<<16 | uint64(t.low[i])
}

// module returns the name of the image that entry i is in.
func (t *Table) module(i int) string {
	lo, hi := 1, len(t.images)
	for lo < hi {
		if m := int(uint(lo+hi) >> 1); int(t.images[m].first) <= i {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return t.images[lo-1].name
}
