package event

import (
	"strconv"
	"strings"
)

// Name gives the function that dropped the packet, the offset in bytes into it
// and its module, empty for the kernel proper: as the symbol table has them, or
// else the kernel. It is not ok if neither knows the address. The kernel cuts
// its own name short ([Where.CutShort]), so that the end of the symbol may be missing,
// or the offset, which is 0 then, or the module, which is empty then.
func (w *Where) Name() (symbol string, offset uint64, module string, ok bool) {
	if w.Lookup == Found {
		return w.Symbol, w.Offset, w.Module, true
	}
	return parseName(w.Kernel)
}

// maxKernelName is the length of the longest name that NET_DM sends, which cuts longer
// ones (NET_DM_MAX_SYMBOL_LEN, net/core/drop_monitor.c).
const maxKernelName = 39

// CutShort reports whether the end of the kernel's own name may be missing, so that
// only the symbol table has all of it.
func (w *Where) CutShort() bool { return len(w.Kernel) >= maxKernelName }

// parseName reads what %pS of the kernel's printk writes: "function+0x1a/0x40
// [module]", or an address that it does not know.
func parseName(s string) (symbol string, offset uint64, module string, ok bool) {
	s, module, _ = strings.Cut(s, " [")
	symbol, digits, _ := strings.Cut(s, "+0x")
	if symbol == "" || strings.HasPrefix(symbol, "0x") {
		return "", 0, "", false
	}
	if digits, _, whole := strings.Cut(digits, "/"); whole {
		offset, _ = strconv.ParseUint(digits, 16, 64)
	}
	if module, ok = strings.CutSuffix(module, "]"); !ok {
		module = "" // none, or only the beginning of its name
	}
	return symbol, offset, module, true
}

// FunctionOf returns the function that a symbol is of: without what follows its name, as an offset, a
// module, and the suffix of a copy that the compiler made, which is called f.isra.0 or f.part.1.
func FunctionOf(symbol string) string {
	if end := strings.IndexAny(symbol, ".+ "); end > 0 {
		return symbol[:end]
	}
	return symbol
}

// ownCount is the place 0 of a summary: a device counted packets that it dropped
// by itself, in rx_dropped (net/core/drop_monitor.c trace_napi_poll_hit).
const ownCount = "(a device's own count)"

// AppendTo appends the place for a person, escaped: "icmp_rcv+0x1a2 [module]",
// its address if it has no name, the trap and its group for a hardware drop, or
// "-" if it is not known.
func (w *Where) AppendTo(b []byte) []byte {
	if symbol, offset, module, ok := w.Name(); ok {
		return appendName(b, symbol, offset, module)
	}
	switch {
	case w.HasPC && w.PC == 0:
		return append(b, ownCount...)
	case w.HasPC:
		return appendAddress(b, w.PC)
	case w.Trap == "":
		return append(b, '-')
	}
	b = append(b, Escape(w.Trap)...)
	if w.TrapGroup == "" {
		return b
	}
	b = append(b, " ("...)
	b = append(b, Escape(w.TrapGroup)...)
	return append(b, ')')
}

// AppendTo appends the frame for a person, escaped: "icmp_rcv+0x1a2 [module]",
// or its address if it has no name.
func (f *Frame) AppendTo(b []byte) []byte {
	if f.Lookup == Found {
		return appendName(b, f.Symbol, f.Offset, f.Module)
	}
	return appendAddress(b, f.PC)
}

// appendName appends a location as symbol+0x1a2 [module], escaped. An offset of 0 and the module of the kernel proper
// are left out.
func appendName(b []byte, symbol string, offset uint64, module string) []byte {
	b = append(b, Escape(symbol)...)
	if offset != 0 {
		b = append(b, "+0x"...)
		b = strconv.AppendUint(b, offset, 16)
	}
	if module == "" {
		return b
	}
	b = append(b, " ["...)
	b = append(b, Escape(module)...)
	return append(b, ']')
}

// appendAddress appends an address as 0xffffffff81a2b3c4.
func appendAddress(b []byte, pc uint64) []byte {
	return strconv.AppendUint(append(b, "0x"...), pc, 16)
}
