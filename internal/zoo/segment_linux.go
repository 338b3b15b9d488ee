package zoo

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"dropwatch/internal/vmtest/drops"
)

// silentAddr is the address of another host that answers nothing.
const silentAddr = "10.0.0.9"

// A segment is one of TCP, from there to port drops.Port of 10.0.0.1.
type segment struct {
	port     uint16 // the other host's
	seq, ack uint32
	flags    byte   // as the header has them
	options  []byte // padded to 4 bytes
	data     []byte
}

// Flags of a segment.
const (
	finFlag = 1
	synFlag = 2
	rstFlag = 4
	ackFlag = 16
)

// frame returns the segment with a correct checksum.
func (s segment) frame() []byte {
	b := make([]byte, 20, 60+len(s.data))
	binary.BigEndian.PutUint16(b, s.port)
	binary.BigEndian.PutUint16(b[2:], drops.Port)
	binary.BigEndian.PutUint32(b[4:], s.seq)
	binary.BigEndian.PutUint32(b[8:], s.ack)
	b[12], b[13] = byte(20+len(s.options))<<2, s.flags
	binary.BigEndian.PutUint16(b[14:], 1000) // window
	b = append(append(b, s.options...), s.data...)
	pseudo := netip.MustParseAddr(silentAddr).AsSlice()
	pseudo = append(pseudo, 10, 0, 0, 1, 0, syscall.IPPROTO_TCP, byte(len(b)>>8), byte(len(b)))
	binary.BigEndian.PutUint16(b[16:], drops.Checksum(append(pseudo, b...)))
	return drops.IPv4{Src: silentAddr, Dst: "10.0.0.1", Protocol: syscall.IPPROTO_TCP, Payload: b}.Frame()
}
