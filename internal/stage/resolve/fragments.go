package resolve

import (
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/kallsyms"
)

// Fragments returns the stage that marks the further fragments of a reassembled packet, by
// the names of functions. It comes after Symbols, and looks up addresses that Symbols left
// without a name, because names are not to be shown (-l none).
//
// Such fragments hang on the first one (skb_shinfo(skb)->frag_list), and when
// skb_release_data frees the memory of that one, it passes them to kfree_skb_list_reason,
// which reports each as a drop. A real drop never has this location: its location is the
// caller of kfree_skb, which has reported the whole packet before its memory is freed. If no
// such report came, the packet was delivered, and its fragments are not drops either. The
// reason says nothing: it is NOT_SPECIFIED, or that of the whole packet if this was in a list.
//
// Before Linux 6.3 the location is in kfree_skb_list_reason or kfree_skb_list,
// which real drops of queueing disciplines have too: only the stack trace distinguishes them.
func Fragments(lookup func(pc uint64) (kallsyms.Symbol, bool)) pipeline.Stage {
	function := func(f *event.Frame) string {
		switch {
		case f.Lookup == event.Found:
			return f.Symbol
		case f.Lookup == event.NotTried && f.PC != 0:
			s, _ := lookup(f.PC)
			return s.Name
		}
		return ""
	}
	return func(e *event.Event) bool {
		e.Fragment = e.Fragment || e.Kind == event.Drop && isFragment(e, function)
		return true
	}
}

// isFragment reports whether the location of a drop, whose name function returns, is one of
// those.
func isFragment(e *event.Event, function func(*event.Frame) string) bool {
	const release = "skb_release_data"
	at := e.Where.Kernel
	if at == "" || e.Where.Lookup == event.Found {
		at = function(&e.Where.Frame)
	}
	if isOf(at, release) {
		return true
	}
	return (isOf(at, "kfree_skb_list_reason") || isOf(at, "kfree_skb_list")) &&
		len(e.Stack) > 1 && isOf(function(&e.Stack[1]), release)
}

// isOf reports whether a symbol, perhaps with an offset, is that of a function, or of
// a copy that the compiler made of it: f, f+0x1/0x2, f.isra.0.
func isOf(symbol, function string) bool {
	rest, ok := strings.CutPrefix(symbol, function)
	return ok && (rest == "" || rest[0] == '+' || rest[0] == '.')
}
