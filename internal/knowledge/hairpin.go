package knowledge

// hairpin is the case of packets that a host sent to an address behind which it is itself, and that came
// back with only their destination translated (net/ipv4/fib_frontend.c fib_validate_source).
var hairpin = Case{
	If: ToItself,
	Cause: "The packet came with {addr}, an address of this host, as both source and destination. Likely this host sent it to a service " +
		"address that leads back here, and NAT translated only the destination (hairpin).",
	Check: []string{
		"iptables-save -t nat | grep -E 'DNAT|MASQUERADE|SNAT'  # where the service address is translated",
		"nft list ruleset | grep -E 'dnat|masquerade|snat'  # the same",
	},
	Fix: "Where the service address is translated, masquerade what goes back to its sender. accept_local does not help: the answer " +
		"would not pass that NAT. If this host sends no such packets, they are spoofed (a LAND attack): block them there.",
	Apply:    []string{"iptables -t nat -A POSTROUTING -s {addr} -d {addr} -j MASQUERADE  # where the service address is translated"},
	Settings: []string{},
}
