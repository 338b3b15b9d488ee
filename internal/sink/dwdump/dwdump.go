// Package dwdump writes alerts as the C program dwdump does: netlink messages
// in a pcap file, which Wireshark's net_dm dissector reads.
package dwdump

import (
	"encoding/binary"
	"io"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/records"
)

// Constants of the pcap format (pcap-savefile(5)) and of its link type NETLINK, in which each
// packet begins with a Linux cooked header (LINKTYPE_LINUX_SLL).
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

// A Sink writes the netlink messages that brought events. In a file a record is written whole
// or not at all, also if the disk is full.
type Sink struct{ buf records.Buffer }

// New begins a file on w, which errors call name. Its first record is family, the message
// from which a reader learns the id of the NET_DM family ([netlink.Client.FamilyMessage]).
func New(w io.Writer, name string, family []byte, now time.Time) (*Sink, error) {
	s := &Sink{buf: records.NewCapture(w, name)}
	s.header()
	s.message(family, now) // neither counts as a packet in errors
	return s, s.Flush()
}

// header appends the file header.
func (s *Sink) header() {
	b := s.buf.Bytes
	b = binary.NativeEndian.AppendUint32(b, magicNanoseconds)
	b = binary.NativeEndian.AppendUint16(b, 2) // version 2.4
	b = binary.NativeEndian.AppendUint16(b, 4)
	b = binary.NativeEndian.AppendUint64(b, 0) // time zone and accuracy
	b = binary.NativeEndian.AppendUint32(b, snapLen)
	s.buf.Bytes = binary.NativeEndian.AppendUint32(b, linkTypeNetlink)
}

// message appends a record with a message that was received at t.
func (s *Sink) message(msg []byte, t time.Time) {
	b := s.buf.Bytes
	b = binary.NativeEndian.AppendUint32(b, uint32(t.Unix()))
	b = binary.NativeEndian.AppendUint32(b, uint32(t.Nanosecond()))
	b = binary.NativeEndian.AppendUint32(b, uint32(sllLen+len(msg)))
	b = binary.NativeEndian.AppendUint32(b, uint32(sllLen+len(msg)))
	b = binary.BigEndian.AppendUint16(b, sllOutgoing)
	b = binary.BigEndian.AppendUint16(b, arphrdNetlink)
	b = append(b, make([]byte, 10)...) // no link-layer address
	b = binary.BigEndian.AppendUint16(b, netlinkGeneric)
	s.buf.Bytes = append(b, msg...)
}

// Write adds the message that brought e, with the time of the drop. Further events of the
// same message, losses and the ledger have no message and add nothing.
func (s *Sink) Write(e *event.Event) error {
	if e.Raw == nil {
		return nil
	}
	s.message(e.Raw, e.Time)
	return s.buf.EndRecord()
}

// Flush writes all that was added. After an error a file ends with a whole record, and the
// Sink must not be used any more.
func (s *Sink) Flush() error { return s.buf.Flush() }
