package capture

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/stage/resolve"
	"dropwatch/kallsyms"
)

// Symbols is the symbol table of the running kernel. It is read once, in the
// background, when it is first needed: the kernel takes about 40 ms to print it. A
// nil *Symbols knows no symbol.
type Symbols struct {
	Demangle bool // show Rust and C++ names as in their source

	table   kallsyms.Live // valid when loaded is closed
	load    sync.Once     // begins to read it
	loaded  chan struct{} // closed when the table is read, or cannot be
	failure error         // why it cannot be read; valid when loaded is closed
	warned  sync.Once     // that symbols are not known
}

// start begins to read the table, once. It does not block.
func (s *Symbols) start() {
	s.load.Do(func() {
		s.loaded = make(chan struct{})
		go func() {
			defer close(s.loaded)
			if err := s.table.Load(); err != nil {
				s.failure = fmt.Errorf("%w; locations are shown as addresses, "+
					"and fragments may count as drops", err)
			}
		}()
	})
}

// wait returns when the table is read, or cannot be.
func (s *Symbols) wait() {
	s.start()
	<-s.loaded
}

// waitFor waits until the table is read, or cannot be, or ctx ends. It reports whether that came
// before the end of ctx.
func (s *Symbols) waitFor(ctx context.Context) bool {
	if s == nil {
		return true
	}
	s.start()
	select {
	case <-s.loaded:
	case <-ctx.Done():
	}
	select {
	case <-s.loaded:
		return true
	default:
		return false
	}
}

// warnOnce waits for the table, and calls warn the first time, if it cannot be read.
func (s *Symbols) warnOnce(warn func(error)) {
	if s == nil {
		return
	}
	if s.wait(); s.failure != nil {
		s.warned.Do(func() { warn(s.failure) })
	}
}

// function is a filter.Resolver's Function: the addresses where a drop in the
// function of that name can be. All addresses outside the kernel image are among
// them, as a module that is loaded later may have a function of that name. Ok is
// false if it cannot know: names that are demangled are not those of the table.
func (s *Symbols) function(name string) (addresses []condition.Span, ok bool) {
	if s == nil || s.Demangle {
		return nil, false
	}
	s.wait()
	at, image := s.table.Function(name)
	if image.End == 0 {
		return nil, false
	}
	outside := []condition.Span{{Lo: 0, Hi: image.Start - 1}, {Lo: image.End, Hi: math.MaxUint64}}
	return appendSpans(outside, at), true
}

// appendSpans appends the addresses of functions.
func appendSpans(addresses []condition.Span, functions []kallsyms.Range) []condition.Span {
	for _, r := range functions {
		addresses = append(addresses, condition.Span{Lo: r.Start, Hi: r.End - 1})
	}
	return addresses
}

// ranges returns where functions of the kernel image are, as far as the table knows.
func (s *Symbols) ranges(names []string) (addresses []condition.Span) {
	if s == nil {
		return nil
	}
	s.wait()
	for _, name := range names {
		at, _ := s.table.Function(name)
		addresses = appendSpans(addresses, at)
	}
	return addresses
}

// everywhere is ranges for modules that are loaded now, too.
func (s *Symbols) everywhere(names []string) (addresses []condition.Span) {
	if s == nil {
		return nil
	}
	s.wait()
	for _, name := range names {
		addresses = appendSpans(addresses, s.table.Everywhere(name))
	}
	return addresses
}

// within returns what reports whether an address is in one of some functions, also of a module that
// is loaded later. It is nil if addresses have no names.
func (s *Symbols) within(names []string) func(pc uint64) bool {
	if s == nil {
		return nil
	}
	if s.wait(); s.failure != nil {
		return nil
	}
	return func(pc uint64) bool {
		symbol, ok := s.table.Lookup(pc)
		return ok && slices.Contains(names, event.FunctionOf(symbol.Name))
	}
}

// live waits for the table and returns it; it is empty if it cannot be read.
func (s *Symbols) live() *kallsyms.Live {
	s = s.own()
	s.wait()
	return &s.table
}

// own returns s or, for a nil s, a table of its own: functions are found also where names are not shown.
func (s *Symbols) own() *Symbols {
	if s == nil {
		return new(Symbols)
	}
	return s
}

// lookup returns a function that finds symbols by address, for a nil s, too.
func (s *Symbols) lookup() func(pc uint64) (kallsyms.Symbol, bool) {
	s = s.own()
	s.start()
	return s.table.Lookup
}

// names waits for the table and returns the names of all functions of the kernel and its
// modules; none if they are not known as expressions have them.
func (s *Symbols) names() []string {
	if s == nil || s.Demangle {
		return nil
	}
	s.wait()
	return slices.Collect(s.table.Names())
}

// stages returns the stage that replaces addresses by symbols. It keeps the names
// that packet alerts bring, unless they are to be demangled.
func (s *Symbols) stages() []pipeline.Stage {
	if s == nil {
		return nil
	}
	s.start()
	return []pipeline.Stage{resolve.Symbols(resolve.Options{Lookup: s.table.Lookup, Named: s.Demangle, Demangle: s.Demangle})}
}
