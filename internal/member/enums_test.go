package member

import (
	"errors"
	"maps"
	"testing"

	"github.com/cilium/ebpf/btf"
)

// builtBTF has enums of each form, among other types.
func builtBTF(t *testing.T) []byte {
	t.Helper()
	number := &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	b, err := btf.NewBuilder([]btf.Type{
		number,
		&btf.Struct{Name: "s", Size: 8, Members: []btf.Member{{Name: "a", Type: number}, {Name: "b", Type: number, Offset: 32}}},
		&btf.Enum{Name: "plain", Size: 4, Values: []btf.EnumValue{{Name: "ONE", Value: 1}, {Name: "BIG", Value: 1 << 31}}},
		&btf.Func{Name: "f", Type: &btf.FuncProto{Return: number, Params: []btf.FuncParam{{Name: "p", Type: number}}}},
		&btf.Enum{Size: 4, Signed: true, Values: []btf.EnumValue{{Name: "MINUS", Value: ^uint64(0)}, {Name: "ONE", Value: 2}}},
		&btf.Enum{Name: "wide", Size: 8, Values: []btf.EnumValue{{Name: "WIDE", Value: 1 << 40}}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.Marshal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestRawEnums: a constant of two enums is known to be of both. What breaks off gives fewer constants, or an error.
func TestRawEnums(t *testing.T) {
	raw, got := builtBTF(t), make(constants)
	want := constants{
		"ONE": {2, intType, true}, "BIG": {1 << 31, Int{4, false}, false}, "MINUS": {^uint64(0), intType, false},
		"WIDE": {1 << 40, Int{8, false}, false},
	}
	if err := got.addRaw(raw); err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	for n := range raw {
		few := make(constants)
		if err := few.addRaw(raw[:n]); err != nil && !errors.Is(err, errBTF) || len(few) > len(want) {
			t.Errorf("%d bytes: %v, %v", n, few, err)
		}
	}
}
