package pcapng

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"dropwatch/internal/event"
)

// Types of blocks (draft-ietf-opsawg-pcapng, section 4).
const (
	blockSection    = 0x0a0d0d0a // Section Header Block
	blockInterface  = 1          // Interface Description Block
	blockStatistics = 5          // Interface Statistics Block
	blockPacket     = 6          // Enhanced Packet Block
)

// Codes of options. Most belong to one type of block.
const (
	optEnd     = 0 // opt_endofopt
	optComment = 1 // opt_comment

	optHardware    = 2 // shb_hardware
	optOS          = 3 // shb_os
	optApplication = 4 // shb_userappl

	optName           = 2 // if_name
	optDescription    = 3 // if_description
	optTimeResolution = 9 // if_tsresol

	optStart     = 2 // isb_starttime
	optEndTime   = 3 // isb_endtime
	optReceived  = 4 // isb_ifrecv
	optDropped   = 5 // isb_ifdrop
	optDelivered = 8 // isb_usrdeliv
)

// order is the byte order of the file. The format lets the writer choose.
var order = binary.LittleEndian

// u16 and u32 append a number in the byte order of the file.
func u16(b []byte, n uint16) []byte { return order.AppendUint16(b, n) }
func u32(b []byte, n uint32) []byte { return order.AppendUint32(b, n) }

// u64 appends a number of 64 bits; for times see stamp.
func u64(b []byte, n uint64) []byte { return order.AppendUint64(b, n) }

// stamp appends a time in nanoseconds since 1970. The format puts the upper half first in either
// byte order.
func stamp(b []byte, nsec int64) []byte { return u32(u32(b, uint32(uint64(nsec)>>32)), uint32(nsec)) }

// pad appends zeros after n bytes, up to a multiple of 4.
func pad(b []byte, n int) []byte { return append(b, "\x00\x00\x00"[:-n&3]...) }

// beginBlock begins a block. Its caller remembers where, for endBlock.
func beginBlock(b []byte, kind uint32) []byte { return u32(u32(b, kind), 0) }

// endBlock ends the options and the block that begins at start, and fills in its length.
func endBlock(b []byte, start int) []byte {
	b = u32(b, optEnd)
	n := uint32(len(b) - start + 4)
	order.PutUint32(b[start+4:], n)
	return u32(b, n)
}

// beginOption begins an option. Its caller remembers where, for endOption.
func beginOption(b []byte, code uint16) []byte { return u16(u16(b, code), 0) }

// endOption ends the option that begins at start, and fills in its length. It cuts text that is too
// long for an option, between characters.
func endOption(b []byte, start int) []byte {
	if end := start + 4 + math.MaxUint16; len(b) > end {
		for !utf8.RuneStart(b[end]) {
			end--
		}
		b = b[:end]
	}
	n := len(b) - start - 4
	order.PutUint16(b[start+2:], uint16(n))
	return pad(b, n)
}

// text appends an option with a text, escaped, unless it is empty.
func text(b []byte, code uint16, s string) []byte {
	if s == "" {
		return b
	}
	start := len(b)
	return endOption(append(beginOption(b, code), event.Escape(s)...), start)
}

// number appends an option with a number of 64 bits.
func number(b []byte, code uint16, n uint64) []byte { return u64(u16(u16(b, code), 8), n) }

// instant appends an option with a time in nanoseconds since 1970.
func instant(b []byte, code uint16, nsec int64) []byte { return stamp(u16(u16(b, code), 8), nsec) }
