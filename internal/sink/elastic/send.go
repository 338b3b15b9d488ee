package elastic

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// run sends batches until ctx ends.
func (s *Sink) run(ctx context.Context) {
	defer close(s.done)
	installed, tries := s.c.NoTemplate, 0
	for ctx.Err() == nil {
		if !s.fetch(ctx) {
			continue
		}
		wait, done := time.Duration(0), false
		if installed = installed || s.install(ctx); installed {
			wait, done = s.deliver(ctx)
		}
		if done {
			tries = 0
			continue
		}
		tries++
		sleep(ctx, max(wait, backoff(tries)))
	}
}

// Waits between attempts double from the first to the last.
const (
	firstWait = 250 * time.Millisecond
	lastWait  = 30 * time.Second
)

// backoff returns how long to wait after so many failures: between half of a time and all of it, so that
// many hosts do not come back at the same moment.
func backoff(tries int) time.Duration {
	wait := lastWait
	if shift := tries - 1; shift < 10 {
		wait = min(firstWait<<shift, lastWait)
	}
	return wait/2 + rand.N(wait/2)
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// fetch takes a batch to send from the queue, unless there is one. It returns false after each wait for one.
func (s *Sink) fetch(ctx context.Context) bool {
	s.mu.Lock()
	var err error
	if len(s.sending) == 0 {
		var b *batch
		if b, err = s.queue.take(); b != nil {
			s.sending = []*batch{b}
		}
	}
	found := len(s.sending) > 0
	s.mu.Unlock()
	if err != nil {
		s.c.Notify(err.Error())
	}
	if !found {
		select {
		case <-ctx.Done():
		case <-s.wakeup:
		}
	}
	return found
}

// install creates the index template. It reports whether documents can be sent: that somebody may not
// create templates does not keep them from being written.
func (s *Sink) install(ctx context.Context) bool {
	name, text, err := s.encoder.template()
	if err == nil {
		err = s.server.install(ctx, name, text)
	}
	var status *statusError
	if errors.As(err, &status) && status.status/100 == 4 && status.status != 401 && status.status != 429 {
		s.c.Notify(fmt.Sprintf("the index template %s cannot be created: %v: the server guesses the types of fields", name, err))
		return true
	}
	s.report(ctx, err)
	return err == nil
}

// report says once that nothing can be delivered, and once that it can be again.
func (s *Sink) report(ctx context.Context, err error) {
	if err != nil && ctx.Err() != nil { // the end of ctx is the cause
		return
	}
	s.mu.Lock()
	before := s.failure
	s.failure = ""
	if err != nil {
		s.failure = err.Error()
	}
	s.mu.Unlock()
	switch {
	case err != nil && before == "":
		s.c.Notify(fmt.Sprintf("elastic: %v: trying again, drops wait meanwhile", err))
	case err == nil && before != "":
		s.c.Notify("writing to " + s.name() + " again")
	}
}

// deliver sends a part of the batch that was taken. It is done if nothing of the part is left to be sent
// again; otherwise it returns how long the server wants to be left alone.
func (s *Sink) deliver(ctx context.Context) (wait time.Duration, done bool) {
	b := s.sending[0] // only this goroutine changes it
	v, err := s.server.send(ctx, b)
	s.report(ctx, err)
	if err != nil {
		var status *statusError
		if errors.As(err, &status) {
			wait = status.wait
		}
		return wait, false
	}
	parts := []*batch{&v.rest}
	switch {
	case v.tooLarge && len(b.items) > 1:
		first, second := b.split()
		parts = []*batch{&first, &second}
	case v.tooLarge:
		v = rejectAll(b, "the document is too large for the server")
		parts[0] = &v.rest
	}
	s.settle(parts, v.rejected, b.old)
	return v.wait, v.tooLarge || len(parts[0].items) == 0
}

// settle replaces the part that was sent by what is left of it, and counts what was refused.
func (s *Sink) settle(parts []*batch, rejected []rejection, old bool) {
	s.mu.Lock()
	if n := len(parts[0].items); n < len(s.sending[0].items) {
		s.progress = time.Now()
	}
	s.sending = s.sending[1:]
	if len(parts[0].items) > 0 {
		s.sending = append(parts, s.sending...)
	}
	for i := range rejected {
		if !old {
			s.lost.AddDrops(&rejected[i].item.drops)
		}
	}
	first := s.rejected == 0 && len(rejected) > 0
	s.rejected += uint64(len(rejected))
	var err error
	if len(s.sending) == 0 {
		err = s.queue.done()
		s.full = false
		s.changed.Broadcast()
	}
	s.mu.Unlock()
	if first {
		s.c.Notify(fmt.Sprintf("%s refused a document: %s: its drops are counted as lost", s.name(), rejected[0].reason))
	}
	if err != nil {
		s.c.Notify(err.Error())
	}
}
