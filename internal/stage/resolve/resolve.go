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
	return func(e *event.Event) bool {
		if w := &e.Where; w.HasPC && (w.Kernel == "" || o.Named) {
			o.resolve(&w.Frame)
		}
		for i := range e.Stack {
			o.resolve(&e.Stack[i])
		}
		return true
	}
}

func (o *Options) resolve(f *event.Frame) {
	sym, ok := o.Lookup(f.PC)
	if !ok {
		f.Lookup = event.NotFound
		return
	}
	if o.Demangle {
		sym.Name = kallsyms.Demangle(sym.Name)
	}
	f.Lookup, f.Symbol, f.Offset, f.Module = event.Found, sym.Name, sym.Offset, sym.Module
}
