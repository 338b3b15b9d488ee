package perf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// A Format is the layout of an event, as the kernel describes it in its file in tracefs
// (f_show, kernel/trace/trace_events.c).
type Format struct {
	ID      uint64                       // of the event, for perf_event_open
	Fields  map[string]Field             // by name
	Symbols map[string]map[uint64]string // names of a field's values, as __print_symbolic has them
}

// EventField is the field that every event has first: the number of the event.
const EventField = "common_type"

// A Field is where a value is in an event, in bytes.
type Field struct{ Offset, Size int }

// ParseFormat reads a format file. Unknown lines are ignored.
func ParseFormat(text string) (Format, error) {
	f := Format{Fields: make(map[string]Field), Symbols: make(map[string]map[uint64]string)}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, rest, _ := strings.Cut(line, ":")
		var err error
		switch key {
		case "ID":
			f.ID, err = strconv.ParseUint(strings.TrimSpace(rest), 10, 64)
		case "field":
			err = f.addField(line)
		case "print fmt":
			f.addSymbols(rest)
		}
		if err != nil {
			return Format{}, fmt.Errorf("%w: %q", ErrFormat, line)
		}
	}
	return f, nil
}

// MaxRaw is more than the size of any record in bytes: perf has 16 bits for it.
const MaxRaw = 1 << 16

// addField reads a line such as "field:void * location; offset:16; size:8; signed:0;".
func (f *Format) addField(line string) error {
	var name string
	var d Field
	for part := range strings.SplitSeq(line, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), ":")
		var err error
		switch key {
		case "field":
			name = fieldName(value)
		case "offset":
			d.Offset, err = strconv.Atoi(value)
		case "size":
			d.Size, err = strconv.Atoi(value)
		}
		if err != nil {
			return err
		}
	}
	if d.Offset < 0 || d.Size < 0 || d.Offset > MaxRaw || d.Size > MaxRaw {
		return ErrFormat
	}
	f.Fields[name] = d
	return nil
}

// fieldName returns the name in a C declaration: saddr of "__u8 saddr[4]", kind of "__data_loc char[] kind".
func fieldName(decl string) string {
	if _, name, ok := strings.Cut(decl, "[] "); ok {
		return name
	}
	decl, _, _ = strings.Cut(decl, "[")
	return decl[strings.LastIndexAny(decl, " *\t")+1:]
}

// addSymbols reads each __print_symbolic(REC->field, { 2, "NAME" }, ...).
func (f *Format) addSymbols(text string) {
	for {
		_, rest, ok := strings.Cut(text, "__print_symbolic(REC->")
		if !ok {
			return
		}
		text = rest
		name, rest, _ := strings.Cut(rest, ",")
		f.Symbols[strings.TrimSpace(name)] = parseSymbols(rest)
	}
}

// parseSymbols reads { 2, "NAME" }, ... up to the parenthesis behind them. It skips a value
// that is not a number: old kernels print the names of enum constants.
func parseSymbols(text string) map[uint64]string {
	names := make(map[uint64]string)
	for {
		text = strings.TrimLeft(text, " ,")
		if !strings.HasPrefix(text, "{") {
			return names
		}
		number, rest, _ := strings.Cut(text[1:], ",")
		rest = strings.TrimLeft(rest, " ")
		if !strings.HasPrefix(rest, `"`) {
			return names
		}
		name, rest, ok := strings.Cut(rest[1:], `"`)
		if _, text, _ = strings.Cut(rest, "}"); !ok {
			return names
		}
		if n, err := strconv.ParseUint(strings.TrimSpace(number), 0, 64); err == nil {
			names[n] = name
		}
	}
}

// Load returns the value of the field, which must be an integer and within raw.
func (d Field) Load(raw []byte) uint64 {
	switch b := raw[d.Offset:]; d.Size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.NativeEndian.Uint16(b))
	case 4:
		return uint64(binary.NativeEndian.Uint32(b))
	default:
		return binary.NativeEndian.Uint64(b)
	}
}

// Text returns a string: an array of characters, or what a __data_loc of 4 bytes refers to, its
// offset and its length (include/trace/stages/stage3_trace_output.h). It is empty if that is not within raw.
func (d Field) Text(raw []byte) string {
	if d.Size == 4 {
		at := d.Load(raw)
		d = Field{Offset: int(at & 0xffff), Size: int(at >> 16)}
	}
	if d.Offset+d.Size > len(raw) {
		return ""
	}
	text, _, _ := bytes.Cut(raw[d.Offset:d.Offset+d.Size], []byte{0})
	return string(text)
}

// Integer reports whether the field has the size of an integer.
func (d Field) Integer() bool { return d.Size == 1 || d.Size == 2 || d.Size == 4 || d.Size == 8 }
