package elastic

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"dropwatch/internal/event"
)

// An item is one document: the two lines of the bulk protocol, and what is lost with it.
type item struct {
	lines []byte       // action and source, each with its newline
	drops event.Ledger // the drops that it stands for: shown, harmless, of a second source only
}

// A batch is the documents of one request, in the order of their events.
type batch struct {
	items []item
	size  int  // of all lines, in bytes
	old   bool // of an earlier run, whose ledger is closed
}

// add appends an item. The caller sees to it that the batch does not get too large.
func (b *batch) add(i item) {
	b.items = append(b.items, i)
	b.size += len(i.lines)
}

// drops returns what is lost with the batch.
func (b *batch) drops() (l event.Ledger) {
	for i := range b.items {
		l.AddDrops(&b.items[i].drops)
	}
	return l
}

// body returns the body of the request.
func (b *batch) body() []byte {
	body := make([]byte, 0, b.size)
	for i := range b.items {
		body = append(body, b.items[i].lines...)
	}
	return body
}

// split returns both halves of a batch of at least two items.
func (b *batch) split() (first, second batch) {
	first.old, second.old = b.old, b.old
	for i, it := range b.items {
		if i < len(b.items)/2 {
			first.add(it)
		} else {
			second.add(it)
		}
	}
	return first, second
}

// A file of the spool has a batch: the magic, a CRC-32C of all that follows, and each item: the
// numbers of its ledger that numbers returns, the length of its lines, all as varints, and the lines.
const (
	magic   = "DWB3"
	headLen = len(magic) + 4
)

// older has how many of the last numbers the items of older files lack, by their magic.
var older = map[string]int{"DWB1": 2, "DWB2": 1}

// maxBatch is the largest file of a spool, in bytes. A batch has less, as its documents are smaller.
const maxBatch = 64 << 20

// castagnoli is the table of the checksum of batches on the disk (CRC-32C).
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errCorrupt: a file of the spool is not what was written.
var errCorrupt = errors.New("corrupt")

// numbers returns what a ledger counts of events that were not lost.
func numbers(l *event.Ledger) []*uint64 {
	return []*uint64{
		&l.Shown, &l.Harmless, &l.TraceOnly, &l.TCP.Retransmits, &l.TCP.Resets, &l.TCP.Others, &l.Points.Shown, &l.Findings.Shown,
	}
}

// encode returns the contents of a file.
func (b *batch) encode() []byte {
	out := append([]byte(magic), 0, 0, 0, 0)
	for i := range b.items {
		it := &b.items[i]
		for _, n := range numbers(&it.drops) {
			out = binary.AppendUvarint(out, *n)
		}
		out = append(binary.AppendUvarint(out, uint64(len(it.lines))), it.lines...)
	}
	binary.LittleEndian.PutUint32(out[len(magic):], crc32.Checksum(out[headLen:], castagnoli))
	return out
}

// decode returns the batch of a file. Its lines share the memory of data.
func decode(data []byte) (b batch, err error) {
	if len(data) <= headLen || binary.LittleEndian.Uint32(data[len(magic):]) != crc32.Checksum(data[headLen:], castagnoli) {
		return batch{}, errCorrupt
	}
	lacking, known := older[string(data[:len(magic)])]
	if !known && string(data[:len(magic)]) != magic {
		return batch{}, errCorrupt
	}
	for rest := data[headLen:]; len(rest) > 0; {
		var it item
		var size uint64
		counts := numbers(&it.drops)
		for _, to := range append(counts[:len(counts)-lacking], &size) {
			n := 0
			if *to, n = binary.Uvarint(rest); n <= 0 {
				return batch{}, errCorrupt
			}
			rest = rest[n:]
		}
		if size == 0 || size > uint64(len(rest)) {
			return batch{}, errCorrupt
		}
		it.lines, rest = rest[:size:size], rest[size:]
		b.add(it)
	}
	return b, nil
}
