package member

import (
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// membersOf returns the members of a struct or union.
func membersOf(t btf.Type) (members []btf.Member, ok bool) {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		return t.Members, true
	case *btf.Union:
		return t.Members, true
	}
	return nil, false
}

// find returns a member by its name, with its offset from the beginning of all members: one
// of an anonymous struct or union is found, too, as in C.
func find(members []btf.Member, name string) (m btf.Member, ok bool) {
	return findIn(members, name, 0)
}

// findIn is find in members that are nested so deep.
func findIn(members []btf.Member, name string, depth int) (m btf.Member, ok bool) {
	for _, m := range members {
		if m.Name == name {
			return m, true
		}
		within, ok := membersOf(m.Type)
		if m.Name != "" || !ok || depth > maxNesting {
			continue
		}
		if inner, ok := findIn(within, name, depth+1); ok {
			inner.Offset += m.Offset
			return inner, true
		}
	}
	return m, false
}

// marker begins the names of members without a size, which only say what lies between them.
const marker = "__cacheline_group_"

// namesOf returns the names that find finds, in their order.
func namesOf(members []btf.Member) []string { return namesIn(members, 0) }

// namesIn is namesOf members that are nested so deep.
func namesIn(members []btf.Member, depth int) (names []string) {
	for _, m := range members {
		if strings.HasPrefix(m.Name, marker) {
			continue
		}
		if m.Name != "" {
			names = append(names, m.Name)
		} else if within, ok := membersOf(m.Type); ok && depth <= maxNesting {
			names = append(names, namesIn(within, depth+1)...)
		}
	}
	return names
}

// instead says which members there are instead of one that is not: that of a member, or those that
// are spelled nearly so.
func instead(name string, members []btf.Member) string {
	if path := deeper(members, name, 0); path != "" {
		return "it has " + path
	}
	return near(name, namesOf(members))
}

// maxDeeper bounds in how many members of members a name is looked for.
const maxDeeper = 3

// deeper returns the path to a member of members, by its name. It is empty if there is none.
func deeper(members []btf.Member, name string, depth int) string {
	if depth > maxDeeper {
		return ""
	}
	for _, m := range members {
		within, _ := membersOf(m.Type)
		path := name
		if _, ok := find(within, name); !ok {
			path = deeper(within, name, depth+1)
		}
		if path != "" && m.Name != "" {
			path = m.Name + "." + path
		}
		if path != "" {
			return path
		}
	}
	return ""
}

// A macro of the kernel is a short name for members of another struct: sk_state is
// __sk_common.skc_state. Those of the headers named here follow a rule.
type macro struct {
	of, prefix string   // members of struct of whose names begin so
	path       []string // are those of this member of a member
	instead    string   // by this prefix
}

// macros are names that C code writes for members which lie in another struct, and that BTF does not have: sk_state of a
// struct sock is its __sk_common.skc_state. A path that BTF has itself goes first.
var macros = []macro{
	{"sock", "sk_", []string{"__sk_common"}, "skc_"},                               // include/net/sock.h
	{"inet_sock", "inet_", []string{"sk", "__sk_common"}, "skc_"},                  // include/net/inet_sock.h
	{"inet_request_sock", "ir_", []string{"req", "__req_common"}, "skc_"},          // the same
	{"request_sock", "rsk_", []string{"__req_common"}, "skc_"},                     // include/net/request_sock.h
	{"inet_timewait_sock", "tw_", []string{"__tw_common"}, "skc_"},                 // include/net/inet_timewait_sock.h
	{"inet_request_sock", "ir_rmt_", []string{"req", "__req_common"}, "skc_d"},     // ir_rmt_addr, ir_rmt_port
	{"inet_request_sock", "ir_loc_", []string{"req", "__req_common"}, "skc_rcv_s"}, // ir_loc_addr
}

// expand returns the members for which a name is one of the kernel's macros.
func expand(t btf.Type, name string) (m btf.Member, ok bool) {
	for _, macro := range macros {
		rest, ok := strings.CutPrefix(name, macro.prefix)
		if !ok || btf.UnderlyingType(t).TypeName() != macro.of {
			continue
		}
		if m, ok := follow(t, slices.Concat(macro.path, []string{macro.instead + rest})); ok {
			return m, true
		}
	}
	return m, false
}

// follow returns the member of a member.
func follow(t btf.Type, path []string) (m btf.Member, ok bool) {
	var offset btf.Bits
	for _, name := range path {
		members, _ := membersOf(t)
		if m, ok = find(members, name); !ok {
			return m, false
		}
		offset, t = offset+m.Offset, m.Type
	}
	m.Offset = offset
	return m, true
}

// bitField returns the integer that has all bits of a bit field, by its offset and size in
// bytes, and how far the bits are shifted in it. BTF counts the offset in bits as the compiler
// allocates them: from the lowest bit on little-endian hosts, from the highest on others.
func bitField(offset, width int64, bigEndian bool) (start int64, size, shift int, ok bool) {
	for size := int64(1); size <= 8; size *= 2 {
		start := offset / 8 / size * size
		first := offset - start*8
		if first+width > size*8 {
			continue
		}
		if bigEndian {
			first = size*8 - first - width
		}
		return start, int(size), int(first), true
	}
	return 0, 0, 0, false
}
