package event_test

import (
	"testing"

	"dropwatch/internal/event"
)

type name struct {
	symbol string
	offset uint64
	module string
	ok     bool
}

func TestName(t *testing.T) {
	found := event.Frame{Lookup: event.Found, Symbol: "icmp_rcv", Offset: 0x1a2, Module: "mod"}
	tests := map[string]struct {
		where event.Where
		want  name
	}{
		"nothing":            {event.Where{HasPC: true}, name{}},
		"of the table":       {event.Where{Frame: found}, name{"icmp_rcv", 0x1a2, "mod", true}},
		"the table is first": {event.Where{Frame: found, Kernel: "other+0x1/0x2"}, name{"icmp_rcv", 0x1a2, "mod", true}},
		"not in the table":   {event.Where{Frame: event.Frame{Lookup: event.NotFound}, Kernel: "f+0xff/0x100"}, name{"f", 0xff, "", true}},
		"of a module":        {event.Where{Kernel: "nft_do_chain+0x4f0/0x5c0 [nf_tables]"}, name{"nft_do_chain", 0x4f0, "nf_tables", true}},
		"a cut module": {
			event.Where{Kernel: "nf_hook_slow_of_a_name+0x4a/0xc0 [nf_ta"},
			name{"nf_hook_slow_of_a_name", 0x4a, "", true},
		},
		"a cut offset": {
			event.Where{Kernel: "a_function_with_a_long_name_so_be+0x1a"},
			name{"a_function_with_a_long_name_so_be", 0, "", true},
		},
		"a cut function": {event.Where{Kernel: "f"}, name{"f", 0, "", true}},
		"an address":     {event.Where{Kernel: "0xffffffffc0ffee00"}, name{}},
		"no function":    {event.Where{Kernel: "+0x1/0x2 [m]"}, name{}},
		"no number":      {event.Where{Kernel: "f+0xzz/0x2"}, name{"f", 0, "", true}},
	}
	for what, tt := range tests {
		t.Run(what, func(t *testing.T) {
			var got name
			got.symbol, got.offset, got.module, got.ok = tt.where.Name()
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestPlaceForAPerson(t *testing.T) {
	frame := event.Frame{PC: 0xffffffffc0ffee00, Lookup: event.Found, Symbol: "icmp_rcv", Offset: 0x1a2, Module: "mod"}
	tests := map[string]event.Where{
		"icmp_rcv+0x1a2 [mod]":       {Frame: frame, HasPC: true},
		"icmp_rcv+0x1a2":             {HasPC: true, Kernel: "icmp_rcv+0x1a2/0x400"},
		"icmp_rcv":                   {HasPC: true, Kernel: "icmp_rcv+0x1a"},
		"0xffffffffc0ffee00":         {Frame: event.Frame{PC: 0xffffffffc0ffee00}, HasPC: true, Kernel: "0xffffffffc0ffee00"},
		"(a device's own count)":     {HasPC: true},
		"f":                          {Frame: event.Frame{Lookup: event.Found, Symbol: "f"}, HasPC: true},
		"-":                          {},
		"ttl":                        {Trap: "ttl"},
		"blackhole_route (l3_drops)": {Trap: "blackhole_route", TrapGroup: "l3_drops"},
		`a\x1b+0x1 [b\x0a]`:          {HasPC: true, Kernel: "a\x1b+0x1/0x2 [b\n]"},
		`t\x0d (g\x07)`:              {Trap: "t\r", TrapGroup: "g\a"},
	}
	for want, w := range tests {
		if got := string(w.AppendTo(nil)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got, want := string(frame.AppendTo(nil)), "icmp_rcv+0x1a2 [mod]"; got != want {
		t.Errorf("frame %q, want %q", got, want)
	}
	frame.Lookup = event.NotFound
	if got, want := string(frame.AppendTo(nil)), "0xffffffffc0ffee00"; got != want {
		t.Errorf("frame %q, want %q", got, want)
	}
}

func TestPlaceDoesNotAllocate(t *testing.T) {
	w := event.Where{HasPC: true, Kernel: "nft_do_chain+0x4f0/0x5c0 [nf_tables]"}
	b := make([]byte, 0, 100)
	if n := testing.AllocsPerRun(100, func() { b = w.AppendTo(b[:0]) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func FuzzPlace(f *testing.F) {
	for _, seed := range []string{"", "f+0x1/0x2", "f+0x1/0x2 [m]", "+0x/ [", "0x12", "f [m] [n]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, kernel string) {
		w := event.Where{HasPC: true, Kernel: kernel}
		got := string(w.AppendTo(nil))
		if got == "" || event.Escape(got) != got {
			t.Errorf("%q of %q", got, kernel)
		}
	})
}

// TestFunctionOf: what follows the name of a function is cut off.
func TestFunctionOf(t *testing.T) {
	for symbol, want := range map[string]string{
		"icmp_rcv": "icmp_rcv", "icmp_rcv+0x1a/0x40": "icmp_rcv", "ip_rcv_finish_core.isra.0+0x1": "ip_rcv_finish_core",
		"vxlan_rcv [vxlan]": "vxlan_rcv", "": "",
	} {
		if got := event.FunctionOf(symbol); got != want {
			t.Errorf("%q: %q, want %q", symbol, got, want)
		}
	}
}
