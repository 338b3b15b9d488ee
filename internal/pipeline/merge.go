package pipeline

import (
	"context"
	"errors"
	"sync"

	"dropwatch/internal/event"
)

// Merge makes one source of several, which run at the same time. If one fails, the others
// are ended; if one ends without an error, the others go on.
func Merge(sources ...Source) Source {
	if len(sources) == 1 {
		return sources[0]
	}
	return merged(sources)
}

// merged is the source that Merge returns.
type merged []Source

// Run runs all and returns their errors, joined, when the last one has ended.
func (m merged) Run(ctx context.Context, out Output) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	one := &oneByOne{out: out}
	errs := make([]error, len(m))
	var running sync.WaitGroup
	for i, s := range m {
		running.Go(func() {
			if errs[i] = s.Run(ctx, one); errs[i] != nil {
				stop()
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// oneByOne is an Output that several sources may use at the same time.
type oneByOne struct {
	mu  sync.Mutex
	out Output
}

// Emit and Flush wait for those of other sources.
func (o *oneByOne) Emit(e *event.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.out.Emit(e)
}

// Flush waits likewise.
func (o *oneByOne) Flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.out.Flush()
}
