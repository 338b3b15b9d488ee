// Package resolve gives names to what events have as numbers: addresses,
// interfaces and threads. It also finds by such names what is no drop of its own.
package resolve

import (
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/kallsyms"
)

// Options say what to resolve.
type Options struct {
	// Lookup finds the symbol of an address.
	Lookup func(pc uint64) (kallsyms.Symbol, bool)
	// Named resolves also addresses that the kernel has named itself.
	Named bool
	// Demangle shows names of Rust and C++ as their source has them.
	Demangle bool
}

// Symbols is the stage that fills what the symbol table says of the place
// and of the stack.
func Symbols(o Options) pipeline.Stage {
	r := &resolver{Options: o}
	return func(e *event.Event) bool {
		if w := &e.Where; w.HasPC && (w.Kernel == "" || o.Named) {
			r.resolve(&w.Frame)
		}
		for i := range e.Stack {
			r.resolve(&e.Stack[i])
		}
		return true
	}
}

// A resolver remembers symbols of the kernel proper, which stay where they are:
// the same few places drop nearly everything.
type resolver struct {
	Options
	recent [1024]event.Frame
}

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
