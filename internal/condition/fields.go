package condition

// Fields is a set of fields.
type Fields uint32

// Of returns the set of the given fields.
func Of(all ...Field) (s Fields) {
	for _, f := range all {
		s |= 1 << f
	}
	return s
}

// Has reports whether the set contains a field.
func (s Fields) Has(f Field) bool { return s&(1<<f) != 0 }

// Asks returns the set of the fields that a node tests.
func Asks(n Node) (s Fields) {
	n.Each(func(t *Test) { s |= Of(t.Field) })
	return s
}
