// Package resolve has the stages that set the names of what sources report as numbers:
// addresses, interfaces and threads, and the one that recognises fragments by those names.
package resolve

import (
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/kallsyms"
)

// Options say how addresses are resolved.
type Options struct {
	// Lookup finds the symbol of an address.
	Lookup func(pc uint64) (kallsyms.Symbol, bool)
	// Named also resolves addresses that the kernel named itself. Those whose name the
	// kernel cut short are always resolved.
	Named bool
	// Demangle makes names of Rust and C++ readable.
	Demangle bool
}

// Symbols returns the stage that sets function, offset and module of the location and of
// each frame of the stack trace. A stage serves one pipeline.
func Symbols(o Options) pipeline.Stage {
	r := &resolver{Options: o}
	return func(e *event.Event) bool {
		if w := &e.Where; w.HasPC && (w.Kernel == "" || o.Named || w.CutShort()) {
			r.resolve(&w.Frame)
		}
		for i := range e.Stack {
			r.resolve(&e.Stack[i])
		}
		return true
	}
}

// A resolver caches addresses of the kernel image, whose symbols never move: nearly all
// drops have the same few locations. Those of modules are looked up each time.
type resolver struct {
	Options
	recent [1024]event.Frame
}

// resolve sets what the symbol table says of the address of f.
func (r *resolver) resolve(f *event.Frame) {
	known := &r.recent[f.PC*0x9e3779b97f4a7c15>>54] // Fibonacci hashing
	if f.PC == known.PC && known.Lookup == event.Found {
		*f = *known
		return
	}
	sym, ok := r.Lookup(f.PC)
	if !ok {
		f.Lookup = event.NotFound
		return
	}
	if r.Demangle {
		sym.Name = kallsyms.Demangle(sym.Name)
	}
	f.Lookup, f.Symbol, f.Offset, f.Module = event.Found, sym.Name, sym.Offset, sym.Module
	if sym.Module == "" {
		*known = *f
	}
}
