package elastic

import "dropwatch/internal/event"

// A queue holds batches until they are delivered, the oldest first. Only one goroutine calls its
// methods at a time.
type queue interface {
	// push adds a batch. It returns false if there is no room, with an error if that is not due to its limit.
	push(*batch) (bool, error)
	// take returns the oldest batch; none if the queue is empty. The error says which files could not be read,
	// and are left out. Done must be called before the next batch is taken.
	take() (*batch, error)
	// done: all of the batch that was taken is delivered or refused.
	done() error
	// empty reports whether there is no batch besides one that was taken.
	empty() bool
	// unsafe returns the drops that are lost if the program ends now, of which some may be in what is left of
	// the batch that was taken.
	unsafe(left []*batch) event.Ledger
	close() error
}

// memory is a queue without a spool.
type memory struct {
	batches []*batch
	size    int // bytes of all batches
	drops   event.Ledger
}

// maxMemory is how many bytes of documents are kept in memory, unless there is a spool.
const maxMemory = 32 << 20

// push keeps one batch however large it is, and more while all are within maxMemory.
func (m *memory) push(b *batch) (bool, error) {
	if m.size+b.size > maxMemory && len(m.batches) > 0 {
		return false, nil
	}
	drops := b.drops()
	m.batches, m.size = append(m.batches, b), m.size+b.size
	m.drops.AddDrops(&drops)
	return true, nil
}

// take hands over a batch: what is left of it is for the caller to count.
func (m *memory) take() (*batch, error) {
	if m.empty() {
		return nil, nil
	}
	b := m.batches[0]
	drops := b.drops()
	m.drops.TakeBack(&drops)
	m.size -= b.size
	m.batches[0] = nil
	m.batches = m.batches[1:]
	return b, nil
}

func (m *memory) done() error { return nil }
func (m *memory) empty() bool { return len(m.batches) == 0 }

// unsafe returns all that is in memory.
func (m *memory) unsafe(left []*batch) event.Ledger {
	all := m.drops
	for _, b := range left {
		drops := b.drops()
		all.AddDrops(&drops)
	}
	return all
}

func (m *memory) close() error { return nil }
