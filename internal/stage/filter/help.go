package filter

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// lookup has the fields by all of their names. What begins with ipv6 or icmpv6
// may begin with ip6 or icmp6, as in pcap-filter.
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

// fieldNames are all words that a comparison can begin with.
func fieldNames() []string {
	names := slices.Sorted(maps.Keys(lookup))
	return append(names, "net", "portrange", "less", "greater", "inner", "quoted", "not")
}

// A Field is what an expression can compare, for help and completion.
type Field struct {
	Name    string
	Aliases []string
	Type    string   // what a value is: "a number from 0 to 255"
	Values  []string // names that a value may have
	Help    string   // may be empty
	Inner   bool     // may have inner. or quoted. before it
}

// Fields gives all fields: first those of the drop, then those of its packet
// from the link to the transport.
func Fields() []Field {
	all := make([]Field, len(fields))
	for i, f := range fields {
		all[i] = Field{f.name, slices.Clone(f.aliases), f.kind.form(), f.kind.names(), f.help, f.headers}
	}
	return all
}

const grammar = `An expression says which drops are wanted:

  reason == NO_SOCKET and dst port 53 and not iface lo
  symbol ~ ^nf_ or module == openvswitch
  net 10.0.0.0/8 and len > 1400 and tcp.flags has syn
  process nginx and socket listening or netns blue

It is made of comparisons, joined by
  not (or !), then and (or &&), then or (or ||)
which bind in this order, as in most languages but not in pcap-filter, where
and and or bind alike. Parentheses say otherwise.

A comparison is a FIELD, an operator and a VALUE:
  FIELD                  it is there; of those without values: it is so
  FIELD == VALUE         is equal; = is the same, and so is no operator at all
  FIELD != VALUE         is there, and is not equal
  FIELD < <= > >= VALUE  for numbers
  FIELD in {VALUE, ...}  is one of them; a range 1-9 is a value of numbers
  FIELD ~ REGEXP         fits the regular expression; !~ does not
  FIELD has FLAG+FLAG    has all these flags, and perhaps others
  stack has FUNCTION     it is one of the stack
What a drop does not have compares false, with every operator, so that not
before it is true. A field of several values, such as port, compares true
if one of them does, and with != if none is equal. A * in a name stands for
anything. Quote a value with spaces or signs in it: comm "my task (1)"; there
a * is just a *, so ~ "^my task" finds what begins so.

The words of pcap-filter work as there:
  [ip|ip6|arp] [src|dst] host ADDRESS     net NETWORK/BITS
  [tcp|udp|sctp] [src|dst] port PORT      portrange PORT-PORT
  src or dst ..., src and dst ...         src ADDRESS
  ip proto NAME, ether proto NAME         ether [src|dst|host] MAC
  ip, ip6, arp, tcp, udp, sctp, icmp, icmp6, vlan [ID], less N, greater N
Unlike there they look behind VLAN tags. Before them and any field of a packet,
inner means the packet in the tunnel, and quoted the one that an ICMP error is
about: inner udp port 53, quoted.host == 192.0.2.1.
`

// Help explains the language, in lines of at most 80 columns.
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

// line describes a field, with its values if there is room.
func (f *field) line() string {
	line := strings.TrimRight(fmt.Sprintf("  %-16s %s", f.name, f.help), " ")
	if names := f.kind.names(); len(names) > 0 {
		if values := " (" + strings.Join(names, ", ") + ")"; len(line)+len(values) <= 80 {
			line += values
		}
	}
	return line + "\n"
}
