package capture

import (
	"dropwatch/internal/source/trace"
	"dropwatch/internal/stage/harmless"
)

// traceOptions returns the options that do not depend on the filter. Call chains are
// read where they show whether anything was lost.
func (r *Runner) traceOptions(spec *Spec) trace.Options {
	o := trace.Options{Stack: spec.Input.Stack}
	if spec.Detail == Everything && !o.Stack {
		o.StackAt = r.Symbols.ranges(harmless.ByStack)
	}
	return o
}
