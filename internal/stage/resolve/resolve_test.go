package resolve_test

import (
	"slices"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/stage/resolve"
	"dropwatch/kallsyms"
)

// table is a look-up of one function, in a module, at 0x1000 to 0x1fff.
type table struct {
	name    string
	lookups []uint64
}

func (t *table) lookup(pc uint64) (kallsyms.Symbol, bool) {
	t.lookups = append(t.lookups, pc)
	if pc < 0x1000 || pc > 0x1fff {
		return kallsyms.Symbol{}, false
	}
	return kallsyms.Symbol{Name: t.name, Module: "mod", Start: 0x1000, End: 0x2000, Offset: pc - 0x1000}, true
}

func TestSymbols(t *testing.T) {
	const mangled, readable = "_ZN3foo3barEv", "foo::bar()"
	at := func(pc uint64) event.Where { return event.Where{Frame: event.Frame{PC: pc}, HasPC: true} }
	named := event.Where{Frame: event.Frame{PC: 0x1234}, HasPC: true, Kernel: "icmp_rcv+0x234/0x400"}
	cut := event.Where{Frame: event.Frame{PC: 0x1234}, HasPC: true, Kernel: "br_handle_frame_finish+0x234/0x400 [bri"}
	found := func(w event.Where, symbol string) event.Where {
		w.Lookup, w.Symbol, w.Offset, w.Module = event.Found, symbol, 0x234, "mod"
		return w
	}
	notFound := func(w event.Where) event.Where {
		w.Lookup = event.NotFound
		return w
	}
	tests := map[string]struct {
		opts        resolve.Options
		name        string
		where, want event.Where
		lookups     int
	}{
		"an address":                      {where: at(0x1234), name: "icmp_rcv", want: found(at(0x1234), "icmp_rcv"), lookups: 1},
		"an unknown address":              {where: at(0x5000), want: notFound(at(0x5000)), lookups: 1},
		"address 0 is looked up too":      {where: at(0), want: notFound(at(0)), lookups: 1},
		"no address":                      {where: event.Where{Trap: "ttl"}, want: event.Where{Trap: "ttl"}},
		"the kernel's own name is enough": {where: named, want: named},
		"unless it was cut short": {
			where: cut, name: "br_handle_frame_finish",
			want: found(cut, "br_handle_frame_finish"), lookups: 1,
		},
		"a name cut short, without table": {
			where: event.Where{HasPC: true, Kernel: cut.Kernel},
			want:  notFound(event.Where{HasPC: true, Kernel: cut.Kernel}), lookups: 1,
		},
		"unless all are to be resolved": {
			opts: resolve.Options{Named: true}, where: named, name: "icmp_rcv", want: found(named, "icmp_rcv"), lookups: 1,
		},
		"mangled": {where: at(0x1234), name: mangled, want: found(at(0x1234), mangled), lookups: 1},
		"demangled": {
			opts: resolve.Options{Demangle: true}, where: at(0x1234), name: mangled, want: found(at(0x1234), readable), lookups: 1,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tab := &table{name: tt.name}
			tt.opts.Lookup = tab.lookup
			e := event.Event{Where: tt.where, Count: 3}
			if !resolve.Symbols(tt.opts)(&e) {
				t.Error("rejected")
			}
			if e.Where != tt.want {
				t.Errorf("where %+v, want %+v", e.Where, tt.want)
			}
			if len(tab.lookups) != tt.lookups {
				t.Errorf("looked up %#x, want %d look-ups", tab.lookups, tt.lookups)
			}
		})
	}
}

func TestSymbolsOfAStack(t *testing.T) {
	tab := &table{name: "icmp_rcv"}
	e := event.Event{Count: 1, Stack: []event.Frame{{PC: 0x1234}, {PC: 0x5000}, {PC: 0x1000}}}
	e.Where = event.Where{Frame: event.Frame{PC: 0x1234}, HasPC: true, Kernel: "named"}
	if !resolve.Symbols(resolve.Options{Lookup: tab.lookup})(&e) {
		t.Error("rejected")
	}
	want := []event.Frame{
		{PC: 0x1234, Lookup: event.Found, Symbol: "icmp_rcv", Offset: 0x234, Module: "mod"},
		{PC: 0x5000, Lookup: event.NotFound},
		{PC: 0x1000, Lookup: event.Found, Symbol: "icmp_rcv", Module: "mod"},
	}
	if !slices.Equal(e.Stack, want) {
		t.Errorf("stack %+v, want %+v", e.Stack, want)
	}
}

// TestSymbolsRemembersTheKernelProper: modules may go, and others come there.
func TestSymbolsRemembersTheKernelProper(t *testing.T) {
	lookups := 0
	stage := resolve.Symbols(resolve.Options{Lookup: func(pc uint64) (kallsyms.Symbol, bool) {
		lookups++
		module := ""
		if pc == 0x2000 {
			module = "mod"
		}
		return kallsyms.Symbol{Name: "f", Module: module, Offset: pc}, true
	}})
	for _, pc := range []uint64{0x1000, 0x2000, 0x1000, 0x2000} {
		e := event.Event{Where: event.Where{Frame: event.Frame{PC: pc}, HasPC: true}}
		stage(&e)
		if w := e.Where; w.PC != pc || w.Offset != pc || w.Lookup != event.Found || w.Symbol != "f" {
			t.Errorf("%#x is %+v", pc, w)
		}
	}
	if lookups != 3 {
		t.Errorf("%d look-ups, want one of the kernel and two of the module", lookups)
	}
}

func TestSymbolsLeavesALossAlone(t *testing.T) {
	stage := resolve.Symbols(resolve.Options{Lookup: func(uint64) (kallsyms.Symbol, bool) {
		t.Error("a loss was looked up")
		return kallsyms.Symbol{}, false
	}})
	if !stage(&event.Event{Kind: event.Loss, Count: 1}) {
		t.Error("a loss was rejected")
	}
}
