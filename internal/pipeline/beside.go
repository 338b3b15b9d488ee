package pipeline

import (
	"context"
	"errors"
)

// Beside returns a source that runs s and, for as long, another one, which reports what follows from the events of s. The
// other one is ended when s has ended, for the same cause, so that nothing of s comes after it.
func Beside(s, other Source) Source { return &beside{s, other} }

// beside is the source that Beside returns.
type beside struct{ Source, other Source }

// Run runs both. It returns the errors of both, joined.
func (b *beside) Run(ctx context.Context, out Output) error {
	one := &oneByOne{out: out}
	otherCtx, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- b.other.Run(otherCtx, one) }()
	err := b.Source.Run(ctx, one)
	stop(context.Cause(ctx))
	return errors.Join(err, <-ended)
}
