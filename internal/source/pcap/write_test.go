package pcap_test

import (
	"bytes"
	"encoding/binary"
	"time"

	"dropwatch/internal/event"
)

// Link types of the tests.
const linkRaw = 101

// A capture is a pcap file with times in nanoseconds, as it is written.
type capture struct{ *bytes.Buffer }

// begin writes the header.
func (c *capture) begin(link uint32) {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b23c4d)
	b = le.AppendUint16(le.AppendUint16(b, 2), 4)
	b = append(b, make([]byte, 8)...)
	c.Write(le.AppendUint32(le.AppendUint32(b, 65535), link))
}

// add writes a packet.
func (c *capture) add(at time.Time, data []byte) {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, uint32(at.Unix()))
	b = le.AppendUint32(b, uint32(at.Nanosecond()))
	b = le.AppendUint32(le.AppendUint32(b, uint32(len(data))), uint32(len(data)))
	c.Write(append(b, data...))
}

// An output is a pipeline.Output that calls a function.
type output func(*event.Event)

// Emit calls it.
func (o output) Emit(e *event.Event) { o(e) }

// Flush does nothing.
func (o output) Flush() {}
