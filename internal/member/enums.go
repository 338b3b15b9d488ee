package member

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf/btf"
)

// btfMagic begins BTF, in the byte order of its machine (include/uapi/linux/btf.h).
const btfMagic = 0xeb9f

// A btfHeader is the beginning of BTF. Offsets are from its end, in bytes.
type btfHeader struct {
	Magic            uint16
	Version, Flags   uint8
	Length           uint32 // of the header
	TypesAt, TypesOf uint32 // where the types are, and how long
	NamesAt, NamesOf uint32 // their names, each of which ends with a NUL
}

// Sizes in BTF, in bytes, and kinds of types.
const (
	btfTypeSize = 12
	btfEnum     = 6
	btfEnum64   = 19
)

// btfTails are the bytes that follow a type of a kind: some, and some for each of its members.
var btfTails = [...]struct{ fixed, each int }{
	1: {4, 0}, {}, {12, 0}, {0, 12}, {0, 12}, btfEnum: {0, 8}, {}, {}, {}, {}, {}, {}, {0, 8}, {4, 0}, {0, 12}, {}, {4, 0}, {},
	btfEnum64: {0, 12},
}

// errBTF says that the enums cannot be read in the short way: the caller reads all types instead.
var errBTF = errors.New("not the BTF that is known")

// kernelEnums returns the constants of all enums of the running kernel, in a tenth of the time that it takes to read all its
// types. It fails if the kernel has no BTF in its own file, or of a version with kinds of types that are not known.
func kernelEnums() (constants, error) {
	raw, err := os.ReadFile(folder + "/vmlinux")
	if err != nil {
		return nil, err
	}
	values := make(constants)
	return values, values.addRaw(raw)
}

// addRaw adds the constants of all enums in BTF.
func (c constants) addRaw(raw []byte) error {
	var h btfHeader
	n, err := binary.Decode(raw, binary.NativeEndian, &h)
	if err != nil || h.Magic != btfMagic || int(h.Length) < n || len(raw) < int(h.Length) {
		return errBTF
	}
	types, names := part(raw[h.Length:], h.TypesAt, h.TypesOf), part(raw[h.Length:], h.NamesAt, h.NamesOf)
	for len(types) >= btfTypeSize {
		info := binary.NativeEndian.Uint32(types[4:])
		kind, members := info>>24&0x1f, int(info&0xffff)
		if kind == 0 || int(kind) >= len(btfTails) {
			return fmt.Errorf("%w: it has types of kind %d", errBTF, kind)
		}
		tail := btfTails[kind]
		size := btfTypeSize + tail.fixed + members*tail.each
		if size > len(types) {
			return errBTF
		}
		if kind == btfEnum || kind == btfEnum64 {
			c.addMembers(types[btfTypeSize:size], tail.each, info>>31 == 1, names)
		}
		types = types[size:]
	}
	return nil
}

// addMembers adds the constants of an enum: each has a name, by where it is in names, and a number.
func (c constants) addMembers(raw []byte, each int, signed bool, names []byte) {
	for ; len(raw) >= each; raw = raw[each:] {
		at := binary.NativeEndian.Uint32(raw)
		value := uint64(binary.NativeEndian.Uint32(raw[4:]))
		switch {
		case each == 12:
			value |= uint64(binary.NativeEndian.Uint32(raw[8:])) << 32
		case signed:
			value = uint64(int32(value))
		}
		name, _, _ := bytes.Cut(names[min(int(at), len(names)):], []byte{0})
		c.add(string(name), value, signed)
	}
}

// part returns so many bytes of raw from an offset, or fewer if it ends before.
func part(raw []byte, at, n uint32) []byte {
	raw = raw[min(int(at), len(raw)):]
	return raw[:min(int(n), len(raw))]
}

// constants are those of enums, by name.
type constants map[string]constant

// add adds one, which another enum may have, too.
func (c constants) add(name string, value uint64, signed bool) {
	added := constant{number: value, typ: constantType(value, signed)}
	before, known := c[name]
	added.twice = known && (before.twice || before.number != added.number)
	c[name] = added
}

// enumValues returns the constants of all enums that spec itself has.
func enumValues(spec *btf.Spec) constants {
	values := make(constants)
	each(spec, func(t btf.Type) {
		if e, ok := t.(*btf.Enum); ok {
			for _, v := range e.Values {
				values.add(v.Name, v.Value, e.Signed)
			}
		}
	})
	return values
}
