package member

import (
	"slices"

	"github.com/cilium/ebpf/btf"
)

// Leads reports whether a BPF program that is attached to the function can read a Load by its types alone, without a helper:
// each pointer on the way is one to a struct or union, and has no tag as one to memory of a process or of each CPU; the value is
// of no more bytes than what is there. What the types do not have, as behind a cast, does not lead on, nor does a bit field, a
// string that is not an array, or what the function returned.
func (f *Function) Leads(l Load) bool {
	if l.Arg == ReturnValue || l.Arg >= len(f.proto.Params) || l.BitSize > 0 || len(l.Offsets) == 0 {
		return false
	}
	t := f.proto.Params[l.Arg].Type
	last := len(l.Offsets) - 1
	for i, offset := range l.Offsets {
		p, ok := btf.UnderlyingType(t).(*btf.Pointer)
		if !ok || offset < 0 || offset > maxDisplacement || isTagged(p.Target) {
			return false
		}
		size := max(int64(l.Size), int64(l.Array))
		if i < last {
			size = 8
		}
		if _, ok = membersOf(p.Target); !ok {
			return false
		}
		if t, ok = scalarAt(p.Target, offset, size); !ok {
			return false
		}
	}
	return true
}

// maxDisplacement is the greatest offset that an instruction of BPF has.
const maxDisplacement = 1<<15 - 1

// isTagged reports whether what a pointer points to has a tag, behind other modifiers.
func isTagged(t btf.Type) bool {
	for {
		switch m := t.(type) {
		case *btf.TypeTag:
			return true
		case *btf.Const:
			t = m.Type
		case *btf.Volatile:
			t = m.Type
		default:
			return false
		}
	}
}

// scalarAt returns the integer, enum or pointer at an offset of a struct, as the kernel's verifier finds it: of members that
// overlap the first. Ok is false if so many bytes are not there, or are several.
func scalarAt(t btf.Type, offset, size int64) (found btf.Type, ok bool) {
	var room int64 // to the end of an array of scalars, of which several may be read at once
	for range maxNesting {
		t = btf.UnderlyingType(t)
		switch s := t.(type) {
		case *btf.Struct, *btf.Union:
			members, _ := membersOf(t)
			i := slices.IndexFunc(members, func(m btf.Member) bool { return covers(m, offset) })
			if i < 0 {
				return nil, false
			}
			t, offset = members[i].Type, offset-int64(members[i].Offset.Bytes())
			room = sizeof(t) - offset
		case *btf.Array:
			each := sizeof(s.Type)
			if each == 0 {
				return nil, false
			}
			t, offset = s.Type, offset%each
		case *btf.Pointer:
			return t, offset == 0 && size == 8
		case *btf.Int, *btf.Enum:
			return t, size <= room
		default:
			return nil, false
		}
	}
	return nil, false
}

// covers reports whether a member, which is no bit field, has a byte.
func covers(m btf.Member, offset int64) bool {
	begin := int64(m.Offset.Bytes())
	return m.BitfieldSize == 0 && begin <= offset && offset < begin+sizeof(m.Type)
}

// sizeof is 0 of what has no size.
func sizeof(t btf.Type) int64 {
	n, err := btf.Sizeof(t)
	if err != nil {
		return 0
	}
	return int64(n)
}
