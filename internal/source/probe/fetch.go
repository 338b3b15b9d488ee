package probe

import (
	"fmt"
	"strconv"

	"dropwatch/internal/member"
	"dropwatch/internal/perf"
)

// fetchOf returns what a kprobe event fetches for a load (Documentation/trace/kprobetrace.rst).
func fetchOf(l member.Load) string {
	expr := "$retval"
	if l.Arg != member.ReturnValue {
		expr = "$arg" + strconv.Itoa(l.Arg+1)
	}
	for _, offset := range l.Offsets {
		expr = fmt.Sprintf("%+d(%s)", offset, expr)
	}
	return expr + ":" + fetchType(l)
}

// fetchType is the type of a fetch argument of a kprobe event (Documentation/trace/kprobetrace.rst). A bit field is read
// as the integer that contains it.
func fetchType(l member.Load) string {
	bits := l.Size * 8
	switch {
	case l.String:
		return "string"
	case l.Array > 0:
		return arrayType(l.Array)
	case l.BitSize > 0:
		return fmt.Sprintf("b%d@%d/%d", l.BitSize, l.BitOffset, bits)
	case l.Signed:
		return fmt.Sprintf("s%d", bits)
	}
	return fmt.Sprintf("u%d", bits)
}

// arrayType returns the type of bytes that are read as they are: in as few pieces as possible, as each costs as much.
func arrayType(size int) string {
	piece := 8
	for size%piece != 0 {
		piece /= 2
	}
	return fmt.Sprintf("u%d[%d]", piece*8, size/piece)
}

// Names of the fields of an event beside those of loads.
const (
	commField  = "comm"  // the name of the running thread
	stackField = "stack" // the stack address, by which call and return are paired
)

// fieldName is the field of the nth load of a site.
func fieldName(load int) string { return "v" + strconv.Itoa(load) }

// A layout is where an event of a site has its values.
type layout struct {
	id          uint64 // of the event
	loads       []loadField
	comm, stack perf.Field // Size is 0 if it has none
	headers     perf.Field // of a packet, likewise
	found       perf.Field // a rule of iptables, as rules.bpf.c writes it, likewise
	size        int        // bytes that an event has at least
}

// A loadField is the field of a load, by its index.
type loadField struct {
	load int // index in the loads of the site
	perf.Field
	shift int // bits of the integer that are below the value
}

// eventField is the field with the number of the event, which is at the same place in all of them.
func eventField(f perf.Format) perf.Field { return f.Fields[perf.EventField] }

// newLayout returns the layout of a format for some loads, by their indexes in those of a site.
func newLayout(f perf.Format, loads []int) (l layout, err error) {
	l = layout{id: f.ID, comm: f.Fields[commField], stack: f.Fields[stackField]}
	for _, i := range loads {
		field, ok := f.Fields[fieldName(i)]
		if !ok {
			return l, fmt.Errorf("%w: it has no field %s", perf.ErrFormat, fieldName(i))
		}
		l.loads = append(l.loads, loadField{load: i, Field: field})
		l.size = max(l.size, field.Offset+field.Size)
	}
	for _, field := range []perf.Field{l.comm, l.stack, eventField(f)} {
		l.size = max(l.size, field.Offset+field.Size)
	}
	return l, nil
}

// read sets the values of the loads that an event has, from its fields, which must have the size of the layout.
// The values share the memory of raw.
func (l *layout) read(raw []byte, loads []member.Load, values []member.Value) {
	for _, f := range l.loads {
		switch load := &loads[f.load]; {
		case load.String:
			text := f.Text(raw)
			values[f.load] = member.Bytes([]byte(text[:min(len(text), load.Array)]))
		case load.Array > 0:
			values[f.load] = member.Bytes(raw[f.Offset : f.Offset+f.Size])
		default:
			values[f.load] = member.Number(f.Load(raw) >> f.shift)
		}
	}
}
