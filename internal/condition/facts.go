package condition

import "net/netip"

// Facts are what is known of a drop.
type Facts struct {
	Unknown Fields // whether the drop has them is not known either
	Absent  Fields // that it does not have

	Numbers [Src]uint64   // by Field
	Addrs   [2]netip.Addr // Src and Dst
	IfName  string
}

// Fields is a set of them.
type Fields uint32

// Of is the set of some.
func Of(all ...Field) (s Fields) {
	for _, f := range all {
		s |= 1 << f
	}
	return s
}

// Has tells whether a field is one of them.
func (s Fields) Has(f Field) bool { return s&(1<<f) != 0 }

// Asks is the set of the fields that a node tests.
func Asks(n Node) (s Fields) {
	n.Each(func(t *Test) { s |= Of(t.Field) })
	return s
}
