// Package dwdump writes alerts as the C program dwdump does: netlink messages
// in a pcap file, which Wireshark's net_dm dissector reads.
package dwdump

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/records"
)

// Of the pcap format (pcap-savefile(5)) and of its link type NETLINK, in which
// each packet begins with a Linux cooked header (LINKTYPE_LINUX_SLL).
const (
	magicNanoseconds = 0xa1b23c4d
	linkTypeNetlink  = 253
	recordHdrLen     = 16
	sllLen           = 16
	sllOutgoing      = 4   // PACKET_OUTGOING
	arphrdNetlink    = 824 // ARPHRD_NETLINK
	netlinkGeneric   = 16  // NETLINK_GENERIC, where the cooked header has an ethertype
	snapLen          = sllLen + 66<<10
)

// A Sink writes the messages of events. A record goes out whole or not at all
// where the destination can be cut back, as a file can; what is written there
// before an error counts.
type Sink struct {
	w       io.Writer
	name    string
	buf     []byte
	ends    []int // of the whole records in buf
	packets uint64
}

// New begins a file on w, called name in errors, with the message that tells a
// reader the id of the NET_DM family.
func New(w io.Writer, name string, family []byte, now time.Time) (*Sink, error) {
	s := &Sink{w: w, name: name}
	s.header()
	s.record(family, now)
	s.ends = nil // neither is a packet of ours
	return s, s.Flush()
}

func (s *Sink) header() {
	b := s.buf
	b = binary.NativeEndian.AppendUint32(b, magicNanoseconds)
	b = binary.NativeEndian.AppendUint16(b, 2) // version 2.4
	b = binary.NativeEndian.AppendUint16(b, 4)
	b = binary.NativeEndian.AppendUint64(b, 0) // time zone and accuracy
	b = binary.NativeEndian.AppendUint32(b, snapLen)
	s.buf = binary.NativeEndian.AppendUint32(b, linkTypeNetlink)
}

// record appends a message that was sent at t.
func (s *Sink) record(msg []byte, t time.Time) {
	b := s.buf
	b = binary.NativeEndian.AppendUint32(b, uint32(t.Unix()))
	b = binary.NativeEndian.AppendUint32(b, uint32(t.Nanosecond()))
	b = binary.NativeEndian.AppendUint32(b, uint32(sllLen+len(msg)))
	b = binary.NativeEndian.AppendUint32(b, uint32(sllLen+len(msg)))
	b = binary.BigEndian.AppendUint16(b, sllOutgoing)
	b = binary.BigEndian.AppendUint16(b, arphrdNetlink)
	b = append(b, make([]byte, 10)...) // no link-layer address
	b = binary.BigEndian.AppendUint16(b, netlinkGeneric)
	s.buf = append(b, msg...)
	s.ends = append(s.ends, len(s.buf))
}

// enough is the number of bytes that are written without waiting for Flush.
const enough = 256 << 10

// Write adds the message that brought e, at the time of the drop. Further
// events of the same message, and losses, bring none.
func (s *Sink) Write(e *event.Event) error {
	if e.Raw == nil {
		return nil
	}
	s.record(e.Raw, e.Time)
	if len(s.buf) < enough {
		return nil
	}
	return s.Flush()
}

// Packets is the number of packets that were written whole.
func (s *Sink) Packets() uint64 { return s.packets }

// Flush writes what is there. After a failure the destination ends with a
// whole record, if it is a file, and nothing more may be written.
func (s *Sink) Flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	whole, err := records.Write(s.w, s.buf, s.ends)
	s.packets += uint64(whole)
	s.buf, s.ends = s.buf[:0], s.ends[:0]
	if err == nil {
		return nil
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err // the name is known by ours
	}
	return fmt.Errorf("write packets to %s: %w (%d packets were written whole)", s.name, err, s.packets)
}
