package resolve_test

import (
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/stage/resolve"
)

func TestParts(t *testing.T) {
	found := func(symbol string) event.Where {
		return event.Where{HasPC: true, Frame: event.Frame{Lookup: event.Found, Symbol: symbol, Offset: 0x163}}
	}
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
		"marked by the source":       {event.Event{Where: found("udp_rcv"), Part: true}, true},
		"a drop without a reason":    {event.Event{Where: found("__udp4_lib_rcv"), Reason: "NOT_SPECIFIED"}, false},
		"another, of such a name":    {event.Event{Where: found("skb_release_data2")}, false},
		"shorter":                    {event.Event{Where: found("skb_release")}, false},
		"the head":                   {event.Event{Where: kernel("skb_release_head_state+0x1/0x2")}, false},
		"no place":                   {event.Event{}, false},
		"the found name is the last": {event.Event{Where: event.Where{Kernel: "skb_release_data+0x1/0x2", Frame: found("udp_rcv").Frame}}, false},

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
	stage := resolve.Parts()
	for name, tt := range tests {
		tt.e.Count = 1
		if !stage(&tt.e) {
			t.Errorf("%s: rejected", name)
		}
		if tt.e.Part != tt.want {
			t.Errorf("%s: part %t, want %t", name, tt.e.Part, tt.want)
		}
	}
}
