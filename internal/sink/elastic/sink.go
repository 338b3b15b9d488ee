// Package elastic writes events to Elasticsearch or OpenSearch by their bulk protocol: as documents of
// the Elastic Common Schema, to a data stream or an index for each day. An outage is waited for in memory
// or in a spool on disk. Each event arrives once, or is counted as lost.
package elastic

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"dropwatch/internal/event"
)

// Config is what a Sink needs besides Options. All fields are required but Document, Types and Abort.
type Config struct {
	Options
	Origin Origin // where the events are from

	// Object returns the JSON object of an event, empty if it has none; Text the line for a person. What
	// they return is valid until the next call. Only Write calls them.
	Object, Text func(*event.Event) []byte

	// Document returns the document of an event, instead of one by the Elastic Common Schema, and nothing if the event has
	// none; Types are its fields that are no names. Both are nil for the schema.
	Document func(*event.Event) []byte
	Types    map[string]string

	Notify func(string)    // is told once of what fails; it may be called by any goroutine
	Wait   bool            // Write waits for room, instead of losing drops
	Abort  <-chan struct{} // closed when the end does not wait any more
}

// A Sink collects documents in batches, which one goroutine sends. It is made by New.
type Sink struct {
	c       Config
	encoder *encoder
	server  *server
	cancel  context.CancelFunc
	wakeup  chan struct{}
	done    chan struct{} // closed when the goroutine has ended

	mu       sync.Mutex
	changed  sync.Cond    // the queue has become shorter
	queue    queue        // of closed batches
	open     *batch       // to which documents are added
	timer    *time.Timer  // closes it
	sending  []*batch     // what is left of the batch that was taken from the queue, in parts
	lost     event.Ledger // given up
	rejected uint64       // documents
	ended    bool
	failure  string    // why nothing is delivered; empty: it is
	progress time.Time // of the last delivery

	full bool // it was notified that the queue is full, and nothing was delivered since
}

// New returns a Sink, which the caller closes. It reads secrets and certificates, and opens the spool, but does not
// wait for a server.
func New(c Config) (*Sink, error) {
	c.Count, c.Bytes = cmp.Or(c.Count, defaultCount), cmp.Or(c.Bytes, defaultBytes)
	c.Every, c.Timeout = cmp.Or(c.Every, defaultEvery), cmp.Or(c.Timeout, defaultTimeout)
	s := &Sink{c: c, encoder: newEncoder(c), open: new(batch)}
	s.changed.L = &s.mu
	s.wakeup, s.done = make(chan struct{}, 1), make(chan struct{})
	var err error
	if s.server, err = newServer(&c.Options); err != nil {
		return nil, err
	}
	s.queue = new(memory)
	if c.Spool != "" {
		if s.queue, err = openSpool(c.Spool, cmp.Or(c.SpoolSize, defaultSpool)); err != nil {
			return nil, err
		}
	}
	s.timer = time.AfterFunc(time.Hour, s.expire)
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go s.run(ctx)
	go s.watchEnd()
	return s, nil
}

// newServer checks the URLs and reads secrets and certificates, so that what is wrong is an error at the start. It
// connects to nothing.
func newServer(o *Options) (*server, error) {
	s := &server{login: o.readLogin}
	for _, text := range o.URLs {
		u, err := parseURL(text)
		if err != nil {
			return nil, err
		}
		s.urls = append(s.urls, u)
	}
	if _, err := o.readLogin(); err != nil {
		return nil, err
	}
	config, err := o.tlsConfig()
	s.client = newClient(config, cmp.Or(o.Timeout, defaultTimeout))
	return s, err
}

// Write adds the document of an event to the open batch. A rejected drop has none; the ledger has its number.
func (s *Sink) Write(e *event.Event) error {
	if e.Kind == event.End {
		return s.end(e)
	}
	lines, err := s.encoder.encode(e)
	if err != nil || lines == nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	it := item{lines: lines}
	it.drops.Add(e)
	s.add(it)
	return nil
}

// end adds the End with what was lost until now, and closes the batch.
func (s *Sink) end(e *event.Event) error {
	last, ledger := *e, *e.Ledger
	s.mu.Lock()
	ledger.Lose(&s.lost)
	s.mu.Unlock()
	last.Ledger = &ledger
	lines, err := s.encoder.encode(&last)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if lines != nil {
		s.add(item{lines: lines})
	}
	s.ended = true
	s.closeBatch(true)
	return nil
}

// add adds a document, and closes the batch when it has enough.
func (s *Sink) add(it item) {
	if len(s.open.items) == 0 {
		s.timer.Reset(s.c.Every)
	}
	s.open.add(it)
	if len(s.open.items) >= s.c.Count || int64(s.open.size) >= s.c.Bytes {
		s.closeBatch(true)
	}
}

// closeBatch moves the open batch to the queue. If there is no room it is lost or, if Write waits for room,
// waited with or left open.
func (s *Sink) closeBatch(wait bool) {
	b := s.open
	if len(b.items) == 0 {
		return
	}
	s.open = new(batch)
	for {
		pushed, err := s.queue.push(b)
		switch {
		case pushed:
			s.wake()
			return
		case err != nil || !s.c.Wait || s.over():
			s.lose(b, err)
			return
		case !wait:
			s.open = b
			return
		}
		s.changed.Wait()
	}
}

// expire closes the open batch when it is old enough.
func (s *Sink) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeBatch(false)
}

// watchEnd has a Write that waits for room look again when nothing is waited for any more.
func (s *Sink) watchEnd() {
	select {
	case <-s.c.Abort:
	case <-s.done:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Broadcast()
}

// over reports whether nothing is waited for any more.
func (s *Sink) over() bool {
	select {
	case <-s.c.Abort:
		return true
	case <-s.done:
		return true
	default:
		return false
	}
}

// lose counts a batch that the queue does not take.
func (s *Sink) lose(b *batch, cause error) {
	drops := b.drops()
	s.lost.AddDrops(&drops)
	if !s.full {
		s.full = true
		text := "the queue of documents for " + s.name() + " is full"
		if cause != nil {
			text = cause.Error()
		}
		s.c.Notify(text + ": drops are counted as lost until there is room")
	}
}

// name names the servers in messages.
func (s *Sink) name() string { return "elastic:" + event.Escape(s.c.URLs[0]) }

// Lost returns the drops that are not delivered and not in a spool.
func (s *Sink) Lost() event.Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost, unsafe := s.lost, s.queue.unsafe(s.sending)
	for _, more := range []event.Ledger{s.open.drops(), unsafe} {
		lost.AddDrops(&more)
	}
	return lost
}

// stallWait is how long the end of a run waits while nothing is delivered.
const stallWait = 5 * time.Second

// Flush waits after the End until everything is delivered, as long as it is being delivered. Otherwise
// batches are sent when they are full or old enough.
func (s *Sink) Flush() error {
	s.mu.Lock()
	ended := s.ended
	s.progress = time.Now()
	s.mu.Unlock()
	if !ended {
		return nil
	}
	for tick := time.NewTicker(stallWait / 100); ; {
		select {
		case <-s.c.Abort:
		case <-tick.C:
			s.mu.Lock()
			waiting := s.pending() && time.Since(s.progress) < stallWait
			s.mu.Unlock()
			if waiting {
				continue
			}
		}
		tick.Stop()
		return s.remains()
	}
}

// remains says what was not delivered at the end.
func (s *Sink) remains() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rejected > 1 {
		s.c.Notify(fmt.Sprintf("%s refused %d documents in all", s.name(), s.rejected))
	}
	if !s.pending() {
		return nil
	}
	if s.c.Spool != "" && s.queue.unsafe(s.sending) == (event.Ledger{}) {
		s.c.Notify(fmt.Sprintf("elastic: what is not delivered stays in %s for the next run (%s)", event.Escape(s.c.Spool),
			cmp.Or(s.failure, "the time was too short")))
		return nil
	}
	return errors.New("elastic: not everything was delivered: " + cmp.Or(s.failure, "the time was too short"))
}

// pending reports whether there is a batch that is not delivered.
func (s *Sink) pending() bool { return len(s.sending) > 0 || !s.queue.empty() }

// Close ends the goroutine and releases the spool.
func (s *Sink) Close() error {
	s.timer.Stop()
	s.cancel()
	<-s.done
	s.server.client.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.close()
}

// wake wakes the goroutine that sends. It never blocks.
func (s *Sink) wake() {
	select {
	case s.wakeup <- struct{}{}:
	default:
	}
}
