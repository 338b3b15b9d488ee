// Package resolve gives addresses their names.
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

// Symbols is the stage that fills what the symbol table says of Where.PC.
func Symbols(o Options) pipeline.Stage {
	return func(e *event.Event) bool {
		w := &e.Where
		if !w.HasPC || w.Kernel != "" && !o.Named {
			return true
		}
		sym, ok := o.Lookup(w.PC)
		if !ok {
			w.Lookup = event.NotFound
			return true
		}
		if o.Demangle {
			sym.Name = kallsyms.Demangle(sym.Name)
		}
		w.Lookup, w.Symbol, w.Offset, w.Module = event.Found, sym.Name, sym.Offset, sym.Module
		return true
	}
}
