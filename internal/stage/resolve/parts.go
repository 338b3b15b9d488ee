package resolve

import (
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// Parts is the stage that marks the further fragments of a reassembled packet.
// It goes by names, so it comes after Symbols.
//
// Such fragments hang on the first one (skb_shinfo(skb)->frag_list), and when
// skb_release_data frees the memory of that, it gives them to
// kfree_skb_list_reason, which reports each as a drop of its own. Nothing else
// passes there: whatever drops a packet calls a kfree_skb of its own, whose
// caller is the place, and which has reported the packet as a whole before its
// memory is released. If it has not, the packet was delivered, and its
// fragments are no drops either. So none that is hidden here was one. The
// reason does not matter: it is NOT_SPECIFIED, or that of the whole packet if
// this was itself in a list.
//
// Before Linux 6.3 the place is in kfree_skb_list_reason or kfree_skb_list,
// where real drops of queueing disciplines are, too: there only a stack tells.
func Parts() pipeline.Stage {
	return func(e *event.Event) bool {
		e.Part = e.Part || isPart(e)
		return true
	}
}

func isPart(e *event.Event) bool {
	const releases = "skb_release_data"
	place := e.Where.Kernel
	if e.Where.Lookup == event.Found {
		place = e.Where.Symbol
	}
	if names(place, releases) {
		return true
	}
	return (names(place, "kfree_skb_list_reason") || names(place, "kfree_skb_list")) &&
		len(e.Stack) > 1 && names(e.Stack[1].Symbol, releases)
}

// names says that a symbol, perhaps with an offset, is of a function, or of a
// copy that the compiler made of it: f, f+0x1/0x2, f.isra.0.
func names(symbol, function string) bool {
	rest, ok := strings.CutPrefix(symbol, function)
	return ok && (rest == "" || rest[0] == '+' || rest[0] == '.')
}
