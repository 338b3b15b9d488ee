package member

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"testing"

	"github.com/cilium/ebpf/btf"
)

// The types of a small kernel, as those of Linux are for little-endian hosts with 64 bits.
var (
	charT   = &btf.Int{Name: "char", Size: 1}
	ucharT  = &btf.Int{Name: "unsigned char", Size: 1}
	scharT  = &btf.Int{Name: "signed char", Size: 1, Encoding: btf.Signed}
	shortT  = &btf.Int{Name: "short", Size: 2, Encoding: btf.Signed}
	ushortT = &btf.Int{Name: "unsigned short", Size: 2}
	intT    = &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	uintT   = &btf.Int{Name: "unsigned int", Size: 4}
	longT   = &btf.Int{Name: "long int", Size: 8, Encoding: btf.Signed}
	ulongT  = &btf.Int{Name: "long unsigned int", Size: 8}
	boolT   = &btf.Int{Name: "_Bool", Size: 1, Encoding: btf.Bool}
	hugeT   = &btf.Int{Name: "__int128", Size: 16, Encoding: btf.Signed}
	u8T     = &btf.Typedef{Name: "u8", Type: ucharT}
	u16T    = &btf.Typedef{Name: "u16", Type: ushortT}
	u32T    = &btf.Typedef{Name: "u32", Type: uintT}
	u64T    = &btf.Typedef{Name: "u64", Type: ulongT}
	be16T   = &btf.Typedef{Name: "__be16", Type: &btf.Typedef{Name: "__u16", Type: ushortT}}
	be32T   = &btf.Typedef{Name: "__be32", Type: &btf.Typedef{Name: "__u32", Type: uintT}}
	in6T    = &btf.Struct{Name: "in6_addr", Size: 16, Members: members(
		0, "in6_u", &btf.Union{Size: 16, Members: members(0, "u6", array(u8T, 16))},
	)}
	inT     = &btf.Struct{Name: "in_addr", Size: 4, Members: members(0, "s_addr", be32T)}
	statT   = &btf.Struct{Name: "stat", Size: 16, Members: members(0, "a", u64T, 8, "b", longT)}
	deviceT = &btf.Struct{Name: "net_device", Size: 24, Members: members(0, "name", array(charT, 16),
		16, "ifindex", intT, 20, "mtu", uintT)}
	kindT = &btf.Enum{Name: "kind", Size: 4, Signed: true, Values: []btf.EnumValue{
		{Name: "KIND_NONE", Value: ^uint64(0)}, {Name: "KIND_A", Value: 1}, {Name: "KIND_B", Value: 2}, {Name: "KIND_B_TOO", Value: 2},
	}}
	statesT = &btf.Enum{Size: 4, Values: []btf.EnumValue{{Name: "TCP_ESTABLISHED", Value: 1}, {Name: "TCP_LISTEN", Value: 10}}}
	atomicT = &btf.Typedef{Name: "atomic_t", Type: &btf.Struct{Size: 4, Members: members(0, "counter", intT)}}
	refT    = &btf.Typedef{Name: "refcount_t", Type: &btf.Struct{Name: "refcount_struct", Size: 4, Members: members(0, "refs", atomicT)}}
	wideT   = &btf.Enum{Name: "wide", Size: 8, Values: []btf.EnumValue{{Name: "WIDE", Value: 1 << 40}, {Name: "UINT", Value: 1<<32 - 1}}}
	callT   = &btf.FuncProto{Return: intT, Params: []btf.FuncParam{{Type: intT}}}
	extT    = &btf.Struct{Name: "ext_conn", Size: 16, Members: members(0, "use", intT, 8, "status", ulongT)}
	commonT = &btf.Struct{Name: "sock_common", Size: 32, Members: members(
		0, "skc_daddr", be32T, 4, "skc_dport", be16T, 6, "skc_num", u16T, 8, "skc_family", ushortT,
		10, "skc_state", &btf.Volatile{Type: ucharT}, 16, "skc_v6_daddr", in6T,
	)}
	sockT = sock()
)

// members makes members of triples: offset in bytes, name, type.
func members(triples ...any) (all []btf.Member) {
	for i := 0; i < len(triples); i += 3 {
		all = append(all, btf.Member{Name: triples[i+1].(string), Type: triples[i+2].(btf.Type), Offset: btf.Bits(triples[i].(int)) * 8})
	}
	return all
}

func array(t btf.Type, n uint32) btf.Type { return &btf.Array{Index: uintT, Type: t, Nelems: n} }
func pointer(t btf.Type) btf.Type         { return &btf.Pointer{Target: t} }

// sock is a struct with everything that members can be.
func sock() *btf.Struct {
	s := &btf.Struct{Name: "sock", Size: 272}
	inner := &btf.Struct{Size: 4, Members: members(0, "lo", u16T, 2, "hi", u16T)}
	s.Members = members(
		0, "__sk_common", commonT, 32, "sk_ack_backlog", u32T, 36, "sk_max_ack_backlog", &btf.Const{Type: u32T},
		40, "", &btf.Union{Size: 4, Members: members(0, "sk_rcvbuf", intT, 0, "", inner)},
		44, "sk_tiny", scharT, 56, "sk_dev", pointer(&btf.Const{Type: deviceT}), 64, "sk_ready", pointer(callT),
		72, "sk_stats", array(statT, 4), 136, "sk_name", array(charT, 8), 144, "sk_next", pointer(pointer(s)),
		152, "sk_kind", kindT, 156, "sk_flag", boolT, 160, "sk_text", pointer(&btf.Const{Type: charT}), 168, "sk_word", longT,
		176, "sk_mac", array(u8T, 6), 182, "sk_small", shortT, 184, "sk_ext", pointer(&btf.Fwd{Name: "ext_conn"}),
		192, "sk_any", pointer(&btf.Void{}), 200, "sk_addr", inT, 204, "sk_gone", pointer(&btf.Fwd{Name: "gone"}), 208, "sk_huge", hugeT,
		224, "sk_nfct", ulongT, 232, "sk_grid", array(array(u16T, 3), 2), 244, "sk_tail", array(u32T, 0), 244, "sk_protocol", be16T,
		248, "sk_user", pointer(&btf.TypeTag{Value: "user", Type: statT}),
		264, "sk_refcnt", refT, 272, "sk_flex", array(charT, 0),
		256, "sk_cpu", pointer(&btf.Const{Type: &btf.TypeTag{Value: "percpu", Type: intT}}),
	)
	for _, b := range []struct {
		name   string
		t      btf.Type
		at, of btf.Bits
	}{
		{"sk_three", uintT, 384, 3}, {"sk_five", intT, 387, 5}, {"sk_forty", u64T, 392, 40}, {"sk_byte", uintT, 432, 8},
		{"sk_bit", boolT, 447, 1},
	} {
		s.Members = append(s.Members, btf.Member{Name: b.name, Type: b.t, Offset: b.at, BitfieldSize: b.of})
	}
	return s
}

func function(name string, ret btf.Type, params ...btf.FuncParam) *btf.Func {
	return &btf.Func{Name: name, Type: &btf.FuncProto{Return: ret, Params: params}}
}

func param(name string, t btf.Type) btf.FuncParam { return btf.FuncParam{Name: name, Type: t} }

// fixtureTypes are those of the small kernel, which has the modules ext and other.
func fixtureTypes(t testing.TB) *Types {
	sk := param("sk", pointer(sockT))
	kernel := specOf(t,
		function("demo", intT, sk, param("n", intT), param("name", pointer(charT)), param("port", u16T), param("dev", pointer(deviceT)),
			param("c", scharT), param("big", u64T), param("", intT), param("in6", pointer(&btf.Const{Type: in6T})), param("word", longT),
			param("u", uintT), param("s", shortT)),
		function("nothing", &btf.Void{}),
		function("print", intT, param("format", pointer(charT)), param("", &btf.Void{})),
		function("listen", pointer(sockT), sk), function("by_value", intT, param("pair", statT), sk),
		function("small", intT, param("addr", inT), sk),
		function("twice", intT, sk), function("twice", intT, param("dev", pointer(deviceT))), function("same", intT, sk),
		function("same", intT, sk), function("copy", intT, sk), statesT, wideT, u8T, u64T, charT, boolT, hugeT,
		&btf.Enum{Name: "one", Size: 4, Values: []btf.EnumValue{{Name: "AMBIGUOUS", Value: 1}}},
		&btf.Enum{Name: "two", Size: 4, Values: []btf.EnumValue{{Name: "AMBIGUOUS", Value: 2}}},
		&btf.Struct{Name: "dup", Size: 4, Members: members(0, "a", intT)},
		&btf.Struct{Name: "dup", Size: 8, Members: members(0, "a", longT)},
	)
	modules := map[string]*btf.Spec{
		"ext": specOf(t, function("ext_in", intT, param("ct", pointer(extT))), function("both", intT),
			&btf.Enum{Name: "ext", Size: 4, Values: []btf.EnumValue{{Name: "EXT_ON", Value: 7}}}),
		"other": specOf(t, function("both", intT)),
	}
	module := func(name string) (*btf.Spec, error) {
		if s := modules[name]; s != nil {
			return s, nil
		}
		return nil, fs.ErrNotExist
	}
	return &Types{
		kernel:  func() (*btf.Spec, error) { return kernel, nil },
		module:  module,
		modules: func() ([]string, error) { return []string{"ext", "gone", "other"}, nil },
		peek:    func(name string, _ *btf.Spec) (*btf.Spec, error) { return module(name) },
	}
}

// specOf makes the BTF of types, and reads it.
func specOf(t testing.TB, types ...btf.Type) *btf.Spec {
	t.Helper()
	b, err := btf.NewBuilder(types, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.Marshal(nil, &btf.MarshalOptions{Order: binary.NativeEndian})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// demo is a function of the small kernel with arguments of many types.
func demo(t testing.TB) *Function {
	t.Helper()
	f, err := fixtureTypes(t).Function("demo")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func compiled(t *testing.T, f *Function, text string) *Expr {
	t.Helper()
	e, err := f.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
