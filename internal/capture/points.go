package capture

import (
	"errors"
	"fmt"
	"sync"

	"dropwatch/internal/event"
	"dropwatch/internal/member"
	"dropwatch/internal/point"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/source/probe"
	"dropwatch/internal/source/trace"
	"dropwatch/kallsyms"
)

// KernelReasons returns what reports whether this kernel can give a reason. Those of a
// subsystem it can give while the module of that is loaded.
func (r *Runner) KernelReasons() (func(name string) bool, error) {
	core, err := coreReasons()
	if err != nil {
		return nil, err
	}
	types := sync.OnceValue(reasonsOfTypes)
	return func(name string) bool {
		if module := subsystemModule(name); module != "" {
			return r.Host.Exists("sys/module/" + module)
		}
		return core(name) || OfTracepoint(name) && types()(name)
	}, nil
}

// reasonsOfTypes reports whether source bpf can give a reason; none where that cannot be read.
func reasonsOfTypes() func(name string) bool {
	numbers, err := bpf.Reasons()
	return func(name string) bool {
		if err != nil {
			return false
		}
		all, _ := numbers(name)
		return len(all) > 0
	}
}

// coreReasons reports whether a reason is of the kernel proper, by tracefs or else by BTF.
func coreReasons() (func(name string) bool, error) {
	names, traceErr := trace.ReasonNames()
	if traceErr == nil {
		known := set(names)
		return func(name string) bool { return known[name] }, nil
	}
	numbers, err := bpf.Reasons()
	if err != nil {
		return nil, fmt.Errorf("cannot tell which reasons this kernel has: %w", errors.Join(traceErr, err))
	}
	return func(name string) bool {
		all, _ := numbers(name)
		return len(all) > 0
	}, nil
}

// KernelFunctions returns what reports whether the kernel or a module that is loaded has a
// function, by its name without the compiler's suffix.
func (r *Runner) KernelFunctions() (func(name string) bool, error) {
	symbols, err := r.kernelSymbols()
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool)
	for name := range symbols.Names() {
		known[event.FunctionOf(name)] = true
	}
	return func(name string) bool { return known[name] }, nil
}

// KernelPoints returns [probe.Type] for this kernel.
func (r *Runner) KernelPoints() (func(*point.Point) (*probe.Typed, error), error) {
	symbols, err := r.kernelSymbols()
	if err != nil {
		return nil, err
	}
	types := member.Running()
	return func(p *point.Point) (*probe.Typed, error) { return probe.Type(p, types, symbols) }, nil
}

// kernelSymbols waits for the symbol table, with all names as the kernel has them.
func (r *Runner) kernelSymbols() (*kallsyms.Live, error) {
	s := r.Symbols.own()
	if s.wait(); s.failure != nil {
		return nil, fmt.Errorf("cannot tell which functions this kernel has: %w", errors.Unwrap(s.failure)) // not what a run lacks
	}
	return &s.table, nil
}

// set makes a set of names.
func set(names []string) map[string]bool {
	all := make(map[string]bool, len(names))
	for _, name := range names {
		all[name] = true
	}
	return all
}
