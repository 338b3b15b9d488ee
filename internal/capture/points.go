package capture

import (
	"errors"
	"fmt"
	"sync"

	"dropwatch/internal/event"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/source/trace"
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
	symbols := r.Symbols
	if symbols == nil || symbols.Demangle { // names as they are
		symbols = new(Symbols)
	}
	names := symbols.names()
	if len(names) == 0 {
		return nil, fmt.Errorf("cannot tell which functions this kernel has: %w", errors.Unwrap(symbols.failure)) // not what a run lacks
	}
	for i, name := range names {
		names[i] = event.FunctionOf(name)
	}
	known := set(names)
	return func(name string) bool { return known[name] }, nil
}

func set(names []string) map[string]bool {
	all := make(map[string]bool, len(names))
	for _, name := range names {
		all[name] = true
	}
	return all
}
