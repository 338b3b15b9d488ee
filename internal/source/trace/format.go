package trace

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// A format says how the kernel lays out an event: tracefs's file
// events/skb/kfree_skb/format (kernel/trace/trace_events.c, f_show).
type format struct {
	id      uint64
	fields  map[string]field
	symbols map[string]map[uint64]string // names of a field's values, as __print_symbolic has them
}

// A field is an integer somewhere in an event.
type field struct{ offset, size int }

// parseFormat reads a format file. Lines that it does not know do not matter.
func parseFormat(text string) (format, error) {
	f := format{fields: make(map[string]field), symbols: make(map[string]map[uint64]string)}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, rest, _ := strings.Cut(line, ":")
		var err error
		switch key {
		case "ID":
			f.id, err = strconv.ParseUint(strings.TrimSpace(rest), 10, 64)
		case "field":
			err = f.addField(line)
		case "print fmt":
			f.addSymbols(rest)
		}
		if err != nil {
			return format{}, fmt.Errorf("%w: %q", ErrFormat, line)
		}
	}
	return f, nil
}

// maxRaw is more than any event can have: perf keeps its size in 16 bits.
const maxRaw = 1 << 16

// addField reads "field:void * location; offset:16; size:8; signed:0;".
func (f *format) addField(line string) error {
	var name string
	var d field
	for part := range strings.SplitSeq(line, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), ":")
		var err error
		switch key {
		case "field":
			name = fieldName(value)
		case "offset":
			d.offset, err = strconv.Atoi(value)
		case "size":
			d.size, err = strconv.Atoi(value)
		}
		if err != nil {
			return err
		}
	}
	if d.offset < 0 || d.size < 0 || d.offset > maxRaw || d.size > maxRaw {
		return ErrFormat
	}
	f.fields[name] = d
	return nil
}

// fieldName is the name in a C declaration: of "__u8 saddr[4]", saddr.
func fieldName(decl string) string {
	decl, _, _ = strings.Cut(decl, "[")
	return decl[strings.LastIndexAny(decl, " *\t")+1:]
}

// addSymbols reads each __print_symbolic(REC->field, { 2, "NAME" }, ...).
func (f *format) addSymbols(text string) {
	for {
		_, rest, ok := strings.Cut(text, "__print_symbolic(REC->")
		if !ok {
			return
		}
		text = rest
		name, rest, _ := strings.Cut(rest, ",")
		f.symbols[strings.TrimSpace(name)] = parseSymbols(rest)
	}
}

// parseSymbols reads { 2, "NAME" }, ... up to the parenthesis that ends them. A
// value that is no number, as an old kernel may have left it, is left out.
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

// load reads the field. The event must be long enough.
func (d field) load(raw []byte) uint64 {
	switch b := raw[d.offset:]; d.size {
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

// integer tells whether load can read the field.
func (d field) integer() bool { return d.size == 1 || d.size == 2 || d.size == 4 || d.size == 8 }
