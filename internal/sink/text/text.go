// Package text writes drops as the C program dropwatch prints them, byte for byte, quirks
// included: programs that read its output can read this one.
package text

import (
	"encoding/hex"
	"io"
	"strconv"

	"dropwatch/internal/event"
	"dropwatch/internal/records"
)

// A Sink writes drops to a Writer: when it is flushed, or from 32 KiB on.
type Sink struct{ buf records.Buffer }

// New makes a Sink that writes to w.
func New(w io.Writer) *Sink { return &Sink{buf: records.NewText(w)} }

// Write formats a drop. It writes nothing for other events, which the C program does not
// have: losses are in the ledger, which is printed after the run.
func (s *Sink) Write(e *event.Event) error {
	if e.Kind != event.Drop {
		return nil
	}
	if e.Individual {
		s.buf.Bytes = appendPacket(s.buf.Bytes, e)
	} else {
		s.buf.Bytes = appendSummary(s.buf.Bytes, e)
	}
	return s.buf.EndRecord()
}

// Flush writes all drops that are buffered.
func (s *Sink) Flush() error { return s.buf.Flush() }

// appendSummary formats a location of a summary: "7 drops at icmp_rcv+1a2
// (0xffffffff81a2b3c4) [software]". The offset is hexadecimal, without 0x.
func appendSummary(b []byte, e *event.Event) []byte {
	b = strconv.AppendUint(b, e.Count, 10)
	b = append(b, " drops at "...)
	switch w := &e.Where; {
	case e.Origin == event.Hardware:
		b = append(b, event.Escape(w.Trap)...)
	case w.Lookup == event.Found:
		b = append(b, event.Escape(w.Symbol)...)
		b = append(b, '+')
		b = strconv.AppendUint(b, w.Offset, 16)
		b = append(b, " ("...)
		b = appendPointer(b, w.PC)
		b = append(b, ')')
	case w.Lookup == event.NotFound:
		b = append(b, "unknown location "...)
		b = appendPointer(b, w.PC)
	default:
		b = append(b, "location "...)
		b = appendPointer(b, w.PC)
	}
	b = append(b, " ["...)
	b = append(b, e.Origin.String()...)
	return append(b, "]\n"...)
}

// appendPointer formats pc as %p of glibc's printf does.
func appendPointer(b []byte, pc uint64) []byte {
	if pc == 0 {
		return append(b, "(nil)"...)
	}
	return strconv.AppendUint(append(b, "0x"...), pc, 16)
}

// appendPacket formats one packet, a line for each thing that is known of it.
func appendPacket(b []byte, e *event.Event) []byte {
	b = appendPlace(b, &e.Where)
	if e.Origin != event.Unstated {
		b = appendText(b, "origin: ", e.Origin.String())
	}
	if e.Port.IfIndex != 0 {
		b = appendNumber(b, "input port ifindex: ", uint64(e.Port.IfIndex))
	}
	if e.Port.IfName != "" {
		b = appendText(b, "input port name: ", e.Port.IfName)
	}
	if e.Cookie != nil {
		b = append(b, "cookie: "...)
		b = append(hex.AppendEncode(b, e.Cookie), '\n')
	}
	if e.KernelTime {
		b = appendTime(b, e)
	}
	b = appendContent(b, &e.Packet)
	if e.Reason != "" {
		b = appendText(b, "drop reason: ", e.Reason)
	}
	return append(b, '\n')
}

// appendPlace formats the location of a packet. The kernel's own text is preferred, as it
// is what the C program prints; a drop without any location has no line.
func appendPlace(b []byte, w *event.Where) []byte {
	switch {
	case w.HasPC && w.Kernel != "":
		b = append(b, "drop at: "...)
		b = append(b, event.Escape(w.Kernel)...)
		b = append(b, " (0x"...)
		b = strconv.AppendUint(b, w.PC, 16)
		return append(b, ")\n"...)
	case w.HasPC && w.Trap == "": // of a source that is not C's
		b = w.AppendTo(append(b, "drop at: "...))
		if w.Lookup != event.Found {
			return append(b, '\n')
		}
		b = append(b, " (0x"...)
		b = strconv.AppendUint(b, w.PC, 16)
		return append(b, ")\n"...)
	case w.Trap != "" && w.TrapGroup != "":
		b = append(b, "drop at: "...)
		b = append(b, event.Escape(w.Trap)...)
		b = append(b, " ("...)
		b = append(b, event.Escape(w.TrapGroup)...)
		return append(b, ")\n"...)
	}
	return b
}

// appendTime formats the time of the drop as C's asctime does, in local time, with nine
// digits of nanoseconds.
func appendTime(b []byte, e *event.Event) []byte {
	b = append(b, "timestamp: "...)
	b = e.Time.AppendFormat(b, "Mon Jan _2 15:04:05 2006 ")
	nsec := uint64(e.Time.Nanosecond())
	for digit := uint64(100_000_000); digit > nsec && digit > 1; digit /= 10 {
		b = append(b, '0')
	}
	b = strconv.AppendUint(b, nsec, 10)
	return append(b, " nsec\n"...)
}

// appendContent formats the protocol and the two lengths, in bytes, of a packet.
func appendContent(b []byte, p *event.Packet) []byte {
	if p.HasProto {
		b = append(b, "protocol: 0x"...)
		b = append(strconv.AppendUint(b, uint64(p.Proto), 16), '\n')
	}
	if p.HasData {
		b = appendNumber(b, "length: ", uint64(len(p.Data)))
	}
	if p.HasLen {
		b = appendNumber(b, "original length: ", uint64(p.Len))
	}
	return b
}

// appendNumber appends a line with a label and a decimal number.
func appendNumber(b []byte, label string, n uint64) []byte {
	b = append(b, label...)
	return append(strconv.AppendUint(b, n, 10), '\n')
}

// appendText appends a line with a label and a text of the kernel, escaped for a terminal.
func appendText(b []byte, label, text string) []byte {
	b = append(b, label...)
	return append(append(b, event.Escape(text)...), '\n')
}
