package member

import (
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// maxNesting bounds how deep types are nested when they are named or searched.
const maxNesting = 16

// cType returns the name of a type in C, as "const struct sock *" or "char [16]".
func cType(t btf.Type) string { return cTypeIn(t, 0) }

// cTypeIn is cType of what is nested so deep in another type.
func cTypeIn(t btf.Type, depth int) string {
	if depth > maxNesting {
		return "..."
	}
	switch t := t.(type) {
	case *btf.Pointer:
		if _, ok := btf.UnderlyingType(t.Target).(*btf.FuncProto); ok && t.Target.TypeName() == "" {
			return "function pointer"
		}
		target := cTypeIn(t.Target, depth+1)
		if strings.HasSuffix(target, "*") {
			return target + "*"
		}
		return target + " *"
	case *btf.Array:
		return cTypeIn(t.Type, depth+1) + " [" + strconv.FormatUint(uint64(t.Nelems), 10) + "]"
	case *btf.Const:
		return "const " + cTypeIn(t.Type, depth+1)
	case *btf.Volatile:
		return "volatile " + cTypeIn(t.Type, depth+1)
	case *btf.Restrict:
		return cTypeIn(t.Type, depth+1)
	case *btf.TypeTag:
		return cTypeIn(t.Type, depth+1)
	case *btf.FuncProto:
		return "function"
	case *btf.Void:
		return "void"
	case nil:
		return "nothing"
	}
	return strings.TrimSpace(keyword(t) + " " + t.TypeName())
}

// keyword returns what C writes before the name of a type.
func keyword(t btf.Type) string {
	switch t := t.(type) {
	case *btf.Struct:
		return "struct"
	case *btf.Union:
		return "union"
	case *btf.Enum:
		return "enum"
	case *btf.Fwd:
		return t.Kind.String()
	}
	return ""
}
