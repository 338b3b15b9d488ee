package resolve_test

import (
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/stage/resolve"
	"dropwatch/kallsyms"
)

func TestFragments(t *testing.T) {
	found := func(symbol string) event.Where {
		return event.Where{HasPC: true, Frame: event.Frame{Lookup: event.Found, Symbol: symbol, Offset: 0x163}}
	}
	raw := func(pc uint64) event.Where { return event.Where{HasPC: true, Frame: event.Frame{PC: pc}} }
	kernel := func(name string) event.Where { return event.Where{HasPC: true, Kernel: name} }
	stack := func(symbols ...string) (s []event.Frame) {
		for _, symbol := range symbols {
			s = append(s, event.Frame{Lookup: event.Found, Symbol: symbol})
		}
		return s
	}
	tests := map[string]struct {
		e    event.Event
		want bool
	}{
		"the symbol table's name":    {event.Event{Where: found("skb_release_data")}, true},
		"the kernel's name":          {event.Event{Where: kernel("skb_release_data+0x163/0x1d0")}, true},
		"a copy with less arguments": {event.Event{Where: found("skb_release_data.isra.0")}, true},
		"a copy for a constant":      {event.Event{Where: kernel("skb_release_data.constprop.0+0x1/0x2")}, true},
		"without a reason":           {event.Event{Where: found("skb_release_data"), Reason: ""}, true},
		"the whole packet's reason":  {event.Event{Where: found("skb_release_data"), Reason: "QDISC_DROP"}, true},
		"marked by the source":       {event.Event{Where: found("udp_rcv"), Fragment: true}, true},
		"a drop without a reason":    {event.Event{Where: found("__udp4_lib_rcv"), Reason: "NOT_SPECIFIED"}, false},
		"another, of such a name":    {event.Event{Where: found("skb_release_data2")}, false},
		"shorter":                    {event.Event{Where: found("skb_release")}, false},
		"the head":                   {event.Event{Where: kernel("skb_release_head_state+0x1/0x2")}, false},
		"no location":                {event.Event{}, false},
		"without names":              {event.Event{Where: raw(1)}, true},
		"nor is it one":              {event.Event{Where: raw(3)}, false},
		"an unknown address":         {event.Event{Where: raw(4)}, false},
		"an address that has none": {event.Event{
			Where: event.Where{HasPC: true, Frame: event.Frame{PC: 1, Lookup: event.NotFound}},
		}, false},
		"without names, before 5.17":   {event.Event{Where: raw(2), Stack: []event.Frame{{PC: 2}, {PC: 1}}}, true},
		"a queue's drop without names": {event.Event{Where: raw(2), Stack: []event.Frame{{PC: 2}, {PC: 3}}}, false},
		"a loss":                       {event.Event{Kind: event.Loss, Where: raw(1)}, false},
		"the found name is the last": {event.Event{
			Where: event.Where{Kernel: "skb_release_data+0x1/0x2", Frame: found("udp_rcv").Frame},
		}, false},

		"before 6.3": {event.Event{
			Where: found("kfree_skb_list_reason"), Stack: stack("kfree_skb_list_reason", "skb_release_data", "kfree_skb_reason"),
		}, true},
		"before 5.17": {event.Event{
			Where: found("kfree_skb_list"), Stack: stack("kfree_skb_list", "skb_release_data.isra.0"),
		}, true},
		"a queueing discipline's drop": {event.Event{
			Where: found("kfree_skb_list"), Stack: stack("kfree_skb_list", "__dev_queue_xmit", "skb_release_data"),
		}, false},
		"perhaps such a one": {event.Event{Where: found("kfree_skb_list")}, false},
		"a stack that ends":  {event.Event{Where: found("kfree_skb_list"), Stack: stack("kfree_skb_list")}, false},
		"a drop that comes from there": {event.Event{
			Where: found("sock_wfree"), Stack: stack("sock_wfree", "skb_release_data"),
		}, false},
	}
	stage := resolve.Fragments(func(pc uint64) (kallsyms.Symbol, bool) {
		name, ok := map[uint64]string{1: "skb_release_data", 2: "kfree_skb_list", 3: "udp_rcv"}[pc]
		return kallsyms.Symbol{Name: name}, ok
	})
	for name, tt := range tests {
		tt.e.Count = 1
		if !stage(&tt.e) {
			t.Errorf("%s: rejected", name)
		}
		if tt.e.Fragment != tt.want {
			t.Errorf("%s: fragment %t, want %t", name, tt.e.Fragment, tt.want)
		}
	}
}
