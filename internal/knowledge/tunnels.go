package knowledge

// tunnelFunctions are those of tunnels that drop without a reason.
var tunnelFunctions = []Entry{
	{
		// net/ipv4/ip_gre.c, net/ipv6/ip6_gre.c; net/ipv4/gre_demux.c has one of this name
		Name: "gre_rcv", Kind: Function, Module: "tunnel", Class: Error, Severity: Harm,
		Cause: "No tunnel here takes this GRE packet: none has these two addresses and its key, or the kernel does not know what is " +
			"inside. All that is inside is lost.",
		Usual: []string{
			"keys that differ at both ends, or a key at one end only",
			"local and remote addresses that do not match, as behind NAT",
			"a tunnel that was not made here, or is of another kind (gre, gretap, erspan)",
		},
		Check: []string{
			"ip -d link show type gre  # remote, local, ikey; gretap and ip6gre are other types",
			"tcpdump -c 5 -vni {ifname} ip proto 47  # key",
		},
		Fix: "Give the tunnel the same key and the same pair of addresses at both ends, or make it here for {src}.",
	},
	{
		// net/ipv4/tunnel4.c
		Name: "tunnel4_rcv", Kind: Function, Module: "tunnel", Class: Error, Severity: Harm,
		Cause: "No tunnel here takes this packet, which has another IP packet inside: none has these two addresses. All that is inside " +
			"is lost.",
		Usual: []string{
			"a tunnel that was not made here, or was removed",
			"local and remote addresses that do not match, as behind NAT",
			"a tunnel of another mode",
		},
		Check: []string{
			"ip -d link show type ipip  # remote, local; sit and ip6tnl are other types",
			"tcpdump -c 5 -vni {ifname} src {src}",
		},
		Fix: "Give the tunnel the same pair of addresses at both ends, or make it here for {src}.",
	},
	{Name: "tunnel64_rcv", Kind: Function, Same: "tunnel4_rcv"},
	{Name: "tunnel6_rcv", Kind: Function, Same: "tunnel4_rcv"},
	{Name: "tunnel46_rcv", Kind: Function, Same: "tunnel4_rcv"},
	{
		// drivers/net/geneve.c
		Name: "geneve_udp_encap_recv", Kind: Function, Module: "tunnel", Class: Error, Severity: Harm,
		Cause: "No GENEVE interface here takes the packet: none has its VNI and remote address. All that is inside is lost.",
		Usual: []string{
			"a VNI (id) that differs at both ends", "a remote address that differs", "a peer that was not told of a change",
		},
		Check: []string{"ip -d link show type geneve  # id, remote", "tcpdump -c 5 -vni {ifname} udp port {dport}  # vni"},
		Fix:   "Give both ends the same VNI, and the remote address of each other.",
	},
	{
		// net/ipv4/ip_tunnel.c
		Name: "ip_tunnel_rcv", Kind: Function, Module: "tunnel", Class: Error, Severity: Harm,
		Counters: []string{"interface.rx_errors"},
		Cause: "A tunnel got a packet that does not fit it. One end alone sends checksums or sequence numbers, or the packet came out " +
			"of order.",
		Usual: []string{
			"csum or seq at one end of a GRE tunnel only", "packets that are reordered on the path, with seq", "damaged packets",
		},
		Check: []string{"ip -d -s -s link show dev {ifname}  # csum, seq; crc: checksums, fifo: sequence"},
		Fix:   "Set csum and seq alike at both ends. Without need, leave seq off: it loses what is reordered.",
	},
	{
		// net/ipv4/ip_tunnel.c
		Name: "ip_tunnel_xmit", Kind: Function, Module: "tunnel", Class: Error, Severity: Harm,
		Counters: []string{"interface.tx_errors", "interface.tx_carrier_errors", "interface.collisions"},
		Cause: "A packet could not be sent by a tunnel: no route to its remote end, or one that leads back into the tunnel. Or the " +
			"packet is too big.",
		Usual: []string{
			"no route to the remote end",
			"a default route by the tunnel itself, without one to its remote end beside it",
			"no remote address, and a destination that is no host",
		},
		Check: []string{
			"ip -d link show dev {ifname}  # remote",
			"ip route get REMOTE  # it must not leave by the tunnel",
			"ip -s -s link show dev {ifname}  # TX carrier: no route, collsns: back into the tunnel",
		},
		Fix: "Add a route to the remote end that does not lead into the tunnel.",
	},
}
