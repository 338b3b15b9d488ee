package bpfprog

import "context"

// AtEnd has stop called in a goroutine when ctx ends. The function that it returns cancels that, or waits for
// a stop that has begun, which may use a [Waiter] until then.
func AtEnd(ctx context.Context, stop func()) (cancel func()) {
	stopped := make(chan struct{})
	forget := context.AfterFunc(ctx, func() {
		defer close(stopped)
		stop()
	})
	return func() {
		if !forget() {
			<-stopped
		}
	}
}
