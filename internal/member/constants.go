package member

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf/btf"
)

// A constant is one of an enum, or several of the same name.
type constant struct {
	number uint64 // extended to 64 bits according to typ
	typ    Int
	twice  bool // with different values
}

// macroValues are macros of the kernel's headers, which BTF lacks as they are no constants of enums. The
// numbers of errors are those of all architectures that dropwatch is built for.
var macroValues = map[string]uint64{
	"NULL": 0, "false": 0, "true": 1,
	"NF_DROP": 0, "NF_ACCEPT": 1, "NF_STOLEN": 2, "NF_QUEUE": 3, "NF_REPEAT": 4,
	"NET_RX_SUCCESS": 0, "NET_RX_DROP": 1, "NET_XMIT_SUCCESS": 0, "NET_XMIT_DROP": 1, "NET_XMIT_CN": 2,
	"AF_UNSPEC": 0, "AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17,
	"ETH_P_IP": 0x800, "ETH_P_ARP": 0x806, "ETH_P_8021Q": 0x8100, "ETH_P_IPV6": 0x86dd,
	"PACKET_HOST": 0, "PACKET_BROADCAST": 1, "PACKET_MULTICAST": 2, "PACKET_OTHERHOST": 3, "PACKET_OUTGOING": 4,
	"EPERM": 1, "ENOENT": 2, "ENOBUFS": 105, "ENOMEM": 12, "EACCES": 13, "EINVAL": 22, "EAGAIN": 11, "EBUSY": 16, "EEXIST": 17,
	"ENODEV": 19, "EMSGSIZE": 90, "ENETDOWN": 100, "ENETUNREACH": 101, "ECONNREFUSED": 111, "EHOSTUNREACH": 113, "EXDEV": 18,
}

// constant returns a constant by its name: a macro, or that of an enum of the kernel or of spec.
func (t *Types) constant(spec *btf.Spec, name string) (o operand, ok bool, err error) {
	if n, ok := macroValues[name]; ok {
		return number64(n, intType), true, nil
	}
	kernel, err := t.specOf("")
	if err != nil {
		return o, false, err
	}
	c, ok := t.valuesOf(kernel)[name]
	if !ok && spec != kernel {
		c, ok = enumValues(spec)[name]
	}
	if c.twice {
		return o, false, fmt.Errorf("%s: enums of this kernel have different values for it: use the number", name)
	}
	return number64(c.number, c.typ), ok, nil
}

// constants returns the names of all constants.
func (t *Types) constants(spec *btf.Spec) []string {
	names := slices.Collect(maps.Keys(macroValues))
	if kernel, err := t.specOf(""); err == nil {
		names = slices.AppendSeq(names, maps.Keys(t.valuesOf(kernel)))
		if spec != kernel {
			names = slices.AppendSeq(names, maps.Keys(enumValues(spec)))
		}
	}
	slices.Sort(names)
	return names
}

// valuesOf returns the constants of the kernel, which it keeps.
func (t *Types) valuesOf(kernel *btf.Spec) constants {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.values != nil {
		return t.values
	}
	if t.enums != nil {
		if values, err := t.enums(); err == nil {
			t.values = values
			return values
		}
	}
	t.values = enumValues(kernel)
	return t.values
}

// constantType is the type of a constant of an enum: int, if it holds the value.
func constantType(n uint64, signed bool) Int {
	switch {
	case normal(n, intType) == n:
		return intType
	case n>>32 == 0:
		return Int{4, false}
	}
	return Int{8, signed}
}
