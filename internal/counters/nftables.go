package counters

import "dropwatch/internal/nftables"

// nftables reads the rules, policies and named counters that count packets.
func (r *reading) nftables() error {
	return nftables.EachCounter(func(c *nftables.Counter) {
		r.add(Counter{Key: Key{Object: c.Object, Name: packetsOf(c.Drops)}, Value: c.Packets, About: c.Text, Hook: c.Hook})
	})
}

// packetsOf names a counter of packets by what happened to them: only of what was
// dropped it is a loss.
func packetsOf(dropped bool) string {
	if dropped {
		return "drop_packets"
	}
	return "packets"
}
