package filter

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// lookup has the fields by name and alias. Names with ipv6 or icmpv6 are there with ip6 or icmp6 too, as
// in pcap-filter(7).
var lookup = func() map[string]*field {
	m := make(map[string]*field)
	for i := range fields {
		f := &fields[i]
		for _, name := range append([]string{f.name}, f.aliases...) {
			m[name], m[strings.Replace(name, "v6", "6", 1)] = f, f
		}
	}
	return m
}()

// fieldNames returns all words that a comparison can begin with.
func fieldNames() []string {
	names := slices.Sorted(maps.Keys(lookup))
	return append(names, "net", "portrange", "less", "greater", "inner", "quoted", "not")
}

// A Field describes what an expression can compare, for help and completion.
type Field struct {
	Name    string   // as expressions are printed with it
	Aliases []string // other names
	Type    string   // what a value is: "a number from 0 to 255"
	Values  []string // names that a value may have
	Help    string   // a phrase; may be empty
	Inner   bool     // inner. or quoted. may precede it
}

// Fields returns all fields: those of the drop, then those of its packet from the link to the transport
// layer.
func Fields() []Field {
	all := make([]Field, len(fields))
	for i, f := range fields {
		all[i] = Field{f.name, slices.Clone(f.aliases), f.kind.form(), f.kind.names(), f.help, f.headers}
	}
	return all
}

// grammar is the first part of Help. Its lines have at most 80 columns.
const grammar = `An expression selects drops:

  reason == NO_SOCKET and dst port 53 and not iface lo
  symbol ~ ^nf_ or module == openvswitch
  net 10.0.0.0/8 and len > 1400 and tcp.flags has syn
  process nginx and socket listening or netns blue

It consists of comparisons, joined by
  not (or !), then and (or &&), then or (or ||)
which bind in this order, as in most languages; in pcap-filter and and or bind
alike. Parentheses group.

A comparison is a FIELD, an operator and a VALUE:
  FIELD                  is present; of a field without values: is true
  FIELD == VALUE         is equal; = or no operator at all means the same
  FIELD != VALUE         is present and not equal
  FIELD < <= > >= VALUE  for numbers
  FIELD in {VALUE, ...}  is one of them; a range such as 1-9 is a value too
  FIELD ~ REGEXP         matches the regular expression; !~ does not
  FIELD has FLAG+FLAG    has all these flags, and perhaps others
  stack has FUNCTION     the stack trace has this function
A field that a drop does not have compares false, with every operator; with
not before it the result is true. If the drop may have the field but it is not
known, as the port of a packet without bytes, and the rest of the expression
does not decide, the drop is counted as undecided. FIELD alone is true if the
field is known. A field with several values, such as port, compares true if
one of them does, and with != if none is equal. A * in a name matches anything.
reason QDISC_DROP also matches finer reasons such as QDISC_DROP_OVERLIMIT, and
reason XDP those such as XDP_EXCEPTION; for a drop of which only QDISC_DROP is
known, reason QDISC_DROP_OVERLIMIT is undecided.
Quote a value with spaces or special characters: comm "my task (1)". There a *
is just a *; use ~ "^my task" for what begins with it.

The primitives of pcap-filter(7) work as there:
  [ip|ip6|arp] [src|dst] host ADDRESS     net NETWORK/BITS
  [tcp|udp|sctp] [src|dst] port PORT      portrange PORT-PORT
  src or dst ..., src and dst ...         src ADDRESS
  ip proto NAME, ether proto NAME         ether [src|dst|host] MAC
  ip, ip6, arp, tcp, udp, sctp, icmp, icmp6, vlan [ID], less N, greater N
Unlike there they also match behind VLAN tags. Before them and any field of a
packet, inner means the packet in the tunnel, and quoted the one that an ICMP
error is about: inner udp port 53, quoted.host == 192.0.2.1. args.NAME is a
value that the source read at the drop, such as args.limit > 1000, or else at
the point that its packet had reached (help points).
`

// Help returns the grammar and the fields, in lines of at most 80 columns.
func Help() string {
	var b strings.Builder
	b.WriteString(grammar)
	b.WriteString("\nFields of a drop:\n")
	for i := range fields {
		f := &fields[i]
		if f.headers && (i == 0 || !fields[i-1].headers) {
			b.WriteString("\nFields of a packet, also after inner. and quoted.:\n")
		}
		b.WriteString(f.line())
	}
	return b.String()
}

// line returns the line of a field in Help, with its values if there is room.
func (f *field) line() string {
	line := strings.TrimRight(fmt.Sprintf("  %-16s %s", f.name, f.help), " ")
	if names := f.kind.names(); len(names) > 0 {
		if values := " (" + strings.Join(names, ", ") + ")"; len(line)+len(values) <= 80 {
			line += values
		}
	}
	return line + "\n"
}
