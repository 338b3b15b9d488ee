package dwdump

// Packets is the number of packets that were written whole.
func (s *Sink) Packets() uint64 { return s.buf.Whole() }
