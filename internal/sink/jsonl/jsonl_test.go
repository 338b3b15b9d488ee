package jsonl_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/jsonl"
)

var noon = time.Date(2026, 11, 21, 12, 0, 5, 28161970, time.FixedZone("", 2*60*60))

// Fields of headers that are always together.
const (
	link = event.FieldEthSrc | event.FieldEthDst | event.FieldEtherType
	ipv4 = event.FieldTOS | event.FieldTotalLen | event.FieldFragment | event.FieldFragmentID | event.FieldTTL |
		event.FieldProtocol | event.FieldSrc | event.FieldDst
	ports = event.FieldSrcPort | event.FieldDstPort
)

// ip returns the headers of an IPv4 packet.
func ip(l event.Layer, proto uint8, more event.Fields) event.Headers {
	return event.Headers{
		Fields: ipv4 | event.FieldEtherType | more, EtherType: 0x800,
		Network: event.IPv4, Transport: l, Protocol: proto, TTL: 64, FragmentID: 7, DontFragment: true,
		Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("198.51.100.2"),
		EthSrc: event.MAC{2, 0, 0x5e, 0, 0x53, 1}, EthDst: event.MAC{2, 0, 0x5e, 0, 0x53, 0xff},
		SrcPort: 40000, DstPort: 443, Seq: 1<<32 - 1, Ack: 84281096,
	}
}

// drop returns a drop of which nothing is known but its flow.
func drop(f event.Flow) event.Event {
	if f.Stop.Why == event.Undone {
		f.Stop.Why = event.Complete
	}
	return event.Event{Time: noon, Count: 1, Individual: true, Origin: event.Unstated, Packet: event.Packet{Flow: &f}}
}

// tcp returns a drop as it usually is.
func tcp() event.Event {
	h := ip(event.TCP, 6, link|ports|event.FieldSeq|event.FieldAck|event.FieldTCPFlags|event.FieldWindow)
	h.TCPFlags = event.SYN | event.ACK
	e := drop(event.Flow{Headers: h})
	e.Origin, e.Reason, e.KernelTime = event.Software, "NO_SOCKET", true
	e.Where = event.Where{Frame: event.Frame{PC: 0xffffffff87a84b72, Lookup: event.Found, Symbol: "tcp_v4_rcv", Offset: 0x9a2}, HasPC: true}
	e.Packet.Proto, e.Packet.HasProto, e.Packet.Len, e.Packet.HasLen = 0x800, true, 74, true
	e.Port = event.Port{IfIndex: 2, IfName: "eth0"}
	return e
}

// of returns the drop of what h says.
func of(h event.Headers) event.Event { return drop(event.Flow{Headers: h}) }

func bare(change func(*event.Event)) event.Event {
	e := event.Event{Time: noon, Count: 1, Individual: true, Origin: event.Unstated}
	change(&e)
	return e
}

func lost(p event.Place) event.Event {
	return event.Event{Kind: event.Loss, Time: noon, Count: 3, Place: p}
}

// lostTCP returns the loss of retransmissions.
func lostTCP() event.Event {
	e := lost(event.InRing)
	e.Segment, e.Segments = &event.Segment{}, 5
	return e
}

func lostPoints() event.Event {
	e := lost(event.InRing)
	e.Point = "accept_queue"
	return e
}

var begun = time.Date(2026, 11, 20, 8, 28, 12, 0, time.UTC)

// finding returns one of which all is known.
func finding() event.Event {
	e := event.Event{Kind: event.Finding, Time: noon, Count: 1, Reason: "NO_SOCKET"}
	e.Port.IfName, e.Netns.Inode = "lo", 8
	e.Owner = event.Owner{
		Process: event.Process{PID: 812, Comm: "nginx", Confidence: event.Certain},
		Cgroup:  event.Cgroup{ID: 3, Path: "/a"}, Unit: "a.service",
		Container: event.Container{ID: "abc", Runtime: "docker", Name: "web"}, Pod: event.Pod{UID: "u", Namespace: "shop", Name: "web-0"},
	}
	e.Incident = &event.Incident{
		Alert: "d\x1bns", Expression: "port 53", Over: true, Begun: begun, Lasted: 9 * time.Second,
		Events: 120, Noun: "drop", Threshold: 100,
		Window: 10 * time.Second, Unreported: 2, ID: "NO_SOCKET", Location: "udp_unicast_rcv_skb", Severity: "maybe",
		Cause: "No socket.", Fix: "Start it.",
	}
	return e
}

func traced() event.Event {
	e := event.Event{Time: noon, Count: 1, Individual: true, Origin: event.Software, TraceOnly: true, Reason: "NETFILTER_DROP"}
	e.Where = event.Where{Frame: event.Frame{PC: 0xffffffffc0ffee00, Lookup: event.NotFound}, HasPC: true}
	e.Stack = []event.Frame{
		{PC: 0xffffffffc0ffee00, Lookup: event.NotFound},
		{PC: 0xffffffff81000000, Lookup: event.Found, Symbol: "startup_64"},
		{PC: 0xffffffffc0400010, Lookup: event.Found, Symbol: "nft_do_chain", Offset: 0x10, Module: "nf_tables"},
	}
	e.Task = event.Task{Known: true, CPU: 3, PID: 12, TID: 13, Comm: `a"b\c`}
	return e
}

// counted returns one more drop of a kind.
func counted() event.Event {
	return bare(func(e *event.Event) {
		e.Individual, e.Origin, e.Reason, e.Port = false, event.Software, "NO_SOCKET", event.Port{IfIndex: 2, IfName: "eth0"}
		e.Netns.Inode, e.Owner.Socket = 7, &event.Socket{Cookie: 0x1f}
	})
}

// owned returns a drop of which every owner field is known.
func owned() event.Event {
	return bare(func(e *event.Event) {
		e.Netns, e.Task.Known = event.Netns{Inode: 4026532281, Name: "blue"}, true
		e.Owner = event.Owner{
			Socket: &event.Socket{
				Cookie: 0xffff888012345000, Inode: 4711, Family: 2, Protocol: 6, State: event.SocketListens, Receiver: true,
				Confidence: event.Certain,
				Local:      netip.MustParseAddrPort("127.0.0.1:80"), Remote: netip.MustParseAddrPort("0.0.0.0:0"),
			},
			Process:   event.Process{PID: 812, Comm: "nginx", Confidence: event.Certain},
			Cgroup:    event.Cgroup{ID: 5120, Path: "/system.slice/nginx.service"},
			Unit:      "nginx.service",
			Container: event.Container{ID: "4f1c", Runtime: "docker", Name: "web"},
			Pod:       event.Pod{UID: "6f3c", Namespace: "shop", Name: "web-0"},
		}
	})
}

// likely returns a drop of which some is known, and less is certain.
func likely() event.Event {
	return bare(func(e *event.Event) {
		e.Owner = event.Owner{
			Socket: &event.Socket{
				Family: 10, Protocol: 89, Confidence: event.Likely,
				Local: netip.MustParseAddrPort("[2001:db8::1]:53"), Remote: netip.MustParseAddrPort("[::1]:0"),
			},
			Process: event.Process{PID: 1, Confidence: event.Likely}, Cgroup: event.Cgroup{Path: "/"},
			Container: event.Container{ID: "a"}, Pod: event.Pod{UID: "b"}, Pending: true,
		}
	})
}

func arp() event.Event {
	return of(event.Headers{
		Fields:  event.FieldEtherType | event.FieldVLAN | event.FieldVLANInner | event.FieldARPOp | event.FieldSrc | event.FieldDst,
		Network: event.ARP, EtherType: 0x806, ARPOp: 1, VLAN: [2]event.VLAN{{ID: 4094}, {ID: 0}},
		Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"),
	})
}

func fragment(offset uint16, more bool) event.Event {
	h := ip(event.UDP, 17, 0)
	h.FragmentOffset, h.MoreFragments = offset, more
	return of(h)
}

func icmp6(fields event.Fields) event.Headers {
	return event.Headers{
		Fields: event.FieldSrc | event.FieldDst | event.FieldICMPType | event.FieldICMPCode | fields, Network: event.IPv6,
		Transport: event.ICMPv6,
		Src:       netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("ff02::1"),
		ICMPType: 128, ICMPID: 65535, ICMPSeq: 2, MTU: 1280,
	}
}

func tooBig() event.Event {
	h := icmp6(event.FieldMTU)
	h.ICMPType = 2
	return drop(event.Flow{Headers: h, Quoted: ip(event.UDP, 17, ports), Stop: event.Stop{Why: event.Truncated}})
}

func vxlan() event.Event {
	inner := ip(event.NoLayer, 89, link|event.FieldVLAN)
	inner.VLAN[0].ID = 5
	tunnel := event.Tunnel{Kind: event.VXLAN, ID: 1<<24 - 1, HasID: true}
	return drop(event.Flow{Headers: ip(event.UDP, 17, ports), Tunnel: tunnel, Inner: inner, Stop: event.Stop{Why: event.UnknownProtocol}})
}

func sctp() event.Event {
	h := ip(event.SCTP, 132, ports|event.FieldSCTPChunk|event.FieldSPI)
	h.SCTPChunk, h.SPI = 3, 0x1001
	return of(h)
}

func content(link event.LinkType) event.Event {
	return bare(func(e *event.Event) {
		e.Packet = event.Packet{Data: []byte{0x45, 0, 0xff}, HasData: true, Link: link, Len: 3, HasLen: true}
	})
}

// at is what every line begins with, for a kind.
func at(kind string) string { return `{"kind":"` + kind + `","time":"2026-11-21T10:00:05.028161970Z",` }

// lines are events, and what each is.
func lines() map[string]event.Event {
	one, ipd := at("drop")+`"count":1,`, `"network":"ipv4","src":"192.0.2.1","dst":"198.51.100.2","ttl":64,`
	macs := `"src_mac":"02:00:5e:00:53:01","dst_mac":"02:00:5e:00:53:ff",`
	udp, v6 := ipd+`"transport":"udp"`, `"network":"ipv6","src":"2001:db8::1","dst":"ff02::1",`
	return map[string]event.Event{
		one + `"origin":"software","symbol":"tcp_v4_rcv","offset":2466,"pc":"0xffffffff87a84b72","reason":"NO_SOCKET",` +
			`"protocol":"ipv4","length":74,"ifindex":2,"ifname":"eth0","flow":{` + macs + ipd +
			`"transport":"tcp","src_port":40000,"dst_port":443,"tcp_flags":["syn","ack"],"tcp_seq":4294967295,"tcp_ack":84281096}}`: tcp(),
		one +
			`"trace_only":true,"origin":"software","pc":"0xffffffffc0ffee00","reason":"NETFILTER_DROP",` +
			`"stack":[{"pc":"0xffffffffc0ffee00"},` +
			`{"symbol":"startup_64","offset":0,"pc":"0xffffffff81000000"},` +
			`{"symbol":"nft_do_chain","offset":16,"module":"nf_tables","pc":"0xffffffffc0400010"}],` +
			`"task":{"cpu":3,"pid":12,"tid":13,"comm":"a\"b\\c"}}`: traced(),
		at("drop") + `"count":1}`: bare(func(*event.Event) {}),
		at("drop") + `"count":18446744073709551615,"aggregated":true,"pc":"0x0"}`: bare(func(e *event.Event) {
			e.Count, e.Individual, e.Where.HasPC = 1<<64-1, false, true
		}),
		one +
			`"aggregated":true,"origin":"software","reason":"NO_SOCKET","ifindex":2,"ifname":"eth0","netns":{"inode":7},` +
			`"socket":{"cookie":"0x1f"}}`: counted(),
		one +
			`"netns":{"inode":4026532281,"name":"blue"},"socket":{"family":"inet","protocol":"tcp","state":"listen",` +
			`"local":"127.0.0.1:80",` +
			`"cookie":"0xffff888012345000","inode":4711,"receiver":true,"confidence":"certain"},"process":{"pid":812,` +
			`"comm":"nginx","confidence":"certain"},` +
			`"cgroup":{"id":5120,"path":"/system.slice/nginx.service"},"unit":"nginx.service","container":{"id":"4f1c",` +
			`"runtime":"docker","name":"web"},` +
			`"pod":{"uid":"6f3c","namespace":"shop","name":"web-0"},"task":{"cpu":0,"pid":0,"tid":0}}`: owned(),
		one + `"socket":{"family":"inet6","protocol":"89","local":"[2001:db8::1]:53","remote":"[::1]:0","confidence":"likely"},` +
			`"process":{"pid":1,"confidence":"likely"},"cgroup":{"path":"/"},"container":{"id":"a"},"pod":{"uid":"b"},` +
			`"owner_pending":true}`: likely(),
		one + `"socket":{"family":"38","state":"unknown","cookie":"0x1"},"cgroup":{"id":1}}`: bare(func(e *event.Event) {
			e.Owner.Socket, e.Owner.Cgroup.ID = &event.Socket{Family: 38, Protocol: 1, State: 99, Cookie: 1}, 1
		}),
		one + `"symbol":"nft_do_chain","offset":1264,"module":"nf_tables","pc":"0x1"}`: bare(func(e *event.Event) {
			e.Where = event.Where{Frame: event.Frame{PC: 1, Lookup: event.NotFound}, HasPC: true,
				Kernel: "nft_do_chain+0x4f0/0x5c0 [nf_tables]"}
		}),
		one + `"symbol":"a_name_that_the_kernel_cut"}`: bare(func(e *event.Event) { e.Where.Kernel = "a_name_that_the_kernel_cut" }),
		one + `"origin":"hardware","trap":{"name":"blackhole_route","group":"l3_drops"},"cookie":"00ff"}`: bare(func(e *event.Event) {
			e.Origin, e.Cookie = event.Hardware, []byte{0, 0xff}
			e.Where.Trap, e.Where.TrapGroup = "blackhole_route", "l3_drops"
		}),
		one + `"origin":"unknown","trap":{"name":"ttl"}}`: bare(func(e *event.Event) { e.Origin, e.Where.Trap = event.Unknown, "ttl" }),
		one + `"task":{"cpu":0,"pid":0,"tid":0}}`:         bare(func(e *event.Event) { e.Task.Known = true }),
		one + `"protocol":"0x88cc"}`:                      bare(func(e *event.Event) { e.Packet.Proto, e.Packet.HasProto = 0x88cc, true }),
		one + `"protocol":"0x0004"}`:                      bare(func(e *event.Event) { e.Packet.Proto, e.Packet.HasProto = 4, true }),
		one + `"protocol":"ipv6"}`:                        bare(func(e *event.Event) { e.Packet.Proto, e.Packet.HasProto = 0x86dd, true }),
		one + `"protocol":"arp","length":0}`: bare(func(e *event.Event) {
			e.Packet = event.Packet{Proto: 0x806, HasProto: true, HasLen: true}
		}),
		one +
			`"length":3,"link":"ethernet","packet":"4500ff"}`: content(event.LinkEthernet),
		one + `"length":3,"link":"raw","packet":"4500ff"}`: content(event.LinkRaw),
		one +
			`"flow":{"stop":"not decoded"}}`: bare(func(e *event.Event) { e.Packet.Flow = new(event.Flow) }),
		one + `"flow":{"vlan":4094,"vlan_inner":0,"network":"arp","arp_op":1,"src":"192.0.2.1","dst":"192.0.2.2"}}`: arp(),
		one +
			`"flow":{"network":"0x88cc"}}`: of(event.Headers{Fields: event.FieldEtherType, EtherType: 0x88cc}),
		one + `"flow":{` + ipd + `"fragment":{"id":7,"offset":0,"more":true},"transport":"udp"}}`:      fragment(0, true),
		one + `"flow":{` + ipd + `"fragment":{"id":7,"offset":65528,"more":false},"transport":"udp"}}`: fragment(65528, false),
		one + `"flow":{` + v6 +
			`"transport":"icmpv6","icmp_type":128,"icmp_code":0,"icmp_id":65535,` +
			`"icmp_seq":2}}`: of(icmp6(event.FieldICMPID | event.FieldICMPSeq)),
		one + `"flow":{` + ipd + `"transport":"sctp","src_port":40000,"dst_port":443,"spi":4097,"sctp_chunk":3}}`: sctp(),
		one + `"flow":{` + ipd +
			`"transport":"tcp","tcp_flags":[]}}`: of(ip(event.TCP, 6, event.FieldTCPFlags)),
		one + `"flow":{` + udp + `,"src_port":40000,"dst_port":443,"tunnel":{"kind":"vxlan","id":16777215},"inner":{` + //
			macs + `"vlan":5,` + ipd + `"transport":"89"},"stop":"unknown protocol"}}`: vxlan(),
		one + `"flow":{` + v6 + `"transport":"icmpv6","icmp_type":2,"icmp_code":0,"icmp_mtu":1280,"quoted":{` +
			udp + `,"src_port":40000,"dst_port":443},"stop":"truncated"}}`: tooBig(),
		at("loss") + `"count":3,"place":"socket"}`:                                          lost(event.AtSocket),
		at("loss") + `"count":3,"place":"queue"}`:                                           lost(event.InQueue),
		at("loss") + `"count":3,"place":"unread"}`:                                          lost(event.Unread),
		at("loss") + `"count":3,"place":"undecoded"}`:                                       lost(event.Undecoded),
		at("loss") + `"count":3,"place":"ring"}`:                                            lost(event.InRing),
		at("loss") + `"count":3,"of":"tcp","segments":5,"place":"ring"}`:                    lostTCP(),
		at("loss") + `"count":3,"place":"sink"}`:                                            lost(event.InSink),
		at("loss") + `"summaries":3,"place":"summaries_full"}`:                              lost(event.FullSummary),
		at("loss") + `"times":3,"place":"overflows"}`:                                       lost(event.Overflow),
		at("loss") + `"flows":3,"place":"flows_evicted"}`:                                   lost(event.Evicted),
		at("loss") + `"times":3,"place":"unopened_cpus"}`:                                   lost(event.Unopened),
		at("loss") + `"gap_ms":1500,"place":"gaps","args":{"source":"trace","\"\u001b":2}}`: gap(),
		at("retransmit") + `"count":1,"segments":3,"type":"rto","direction":"out","len":4344,"tcp_state":"established",` +
			`"congestion_state":"loss","rtt_us":312,"segments_sent":99,"retries":2,` +
			`"lost":"unknown","doubt":"too many","args":{"limit":64}}`: bare(func(e *event.Event) {
			e.Kind, e.Segments, e.Args = event.Retransmit, 3, []event.Arg{{Name: "limit", Number: 64}}
			e.Segment = &event.Segment{
				Type: event.TimeoutRetrans, Direction: event.Outgoing, Len: 4344, State: 1, CongestionState: event.CongestionLoss,
				RTT: 312, Sent: 99, Retries: 2, Fate: event.FateUnknown, Doubt: "too many",
			}
		}),
		at("retransmit") + `"count":1,"type":"rto","direction":"out","len":9,"lost":"here","cause":{"symbol":"nft_do_chain",` +
			`"module":"nf_tables","reason":"NETFILTER_DROP","text":"A firewall rule, a chain's policy or connection ` +
			`tracking dropped the packet.","ifindex":3,"ifname":"veth0","netns":{"inode":8,"name":"web"},` +
			`"rule":"nftables inet fw input handle 7 (tcp dport 9 drop)","rule_confidence":"exactly"},` +
			`"symbol":"nft_do_chain","offset":16,"module":"nf_tables","reason":"NETFILTER_DROP"}`: bare(func(e *event.Event) {
			e.Kind, e.Reason = event.Retransmit, "NETFILTER_DROP"
			e.Where.Frame = event.Frame{Symbol: "nft_do_chain", Offset: 16, Module: "nf_tables", Lookup: event.Found}
			e.Segment = &event.Segment{Type: event.TimeoutRetrans, Direction: event.Outgoing, Len: 9, Fate: event.LostHere}
			e.Segment.Drop = event.SegmentDrop{
				Port: event.Port{IfIndex: 3, IfName: "veth0"}, Netns: event.Netns{Inode: 8, Name: "web"},
				Rule: "nftables inet fw input handle 7 (tcp dport 9 drop)", RuleConfidence: "exactly",
			}
		}),
		at("reset") + `"count":1,"direction":"out","len":0,"cause":{"symbol":"tcp_v4_rcv","reason":"NO_SOCKET",` +
			`"text":"No socket accepts this address and port: nothing listens there, or the connection is already closed."},` +
			`"symbol":"tcp_v4_rcv","offset":145,"pc":"0x9","reason":"TCP_FLAGS"}`: bare(func(e *event.Event) {
			e.Kind, e.Reason = event.Reset, "TCP_FLAGS"
			e.Where.HasPC, e.Where.Frame = true, event.Frame{PC: 9, Symbol: "tcp_v4_rcv", Offset: 145, Lookup: event.Found}
			e.Segment = &event.Segment{Direction: event.Outgoing, Drop: event.SegmentDrop{Reason: "NO_SOCKET"}}
		}),
		at("retransmit") + `"count":1,"type":"retransmission","direction":"out","tcp_state":"established","flow":{` +
			`"network":"ipv4","src":"192.0.2.1","dst":"198.51.100.7","transport":"tcp","src_port":443,"dst_port":50000}}`: withoutLen(),
		at("tcp") + `"count":1,"type":"zero_window","direction":"unknown","len":0,"frame":17,"file":"b.pcap"}`: bare(func(e *event.Event) {
			e.Kind, e.Segment = event.TCPEvent, &event.Segment{Type: event.ZeroWindow, Frame: 17, File: "b.pcap"}
		}),
		at("point") + `"count":1,"point":{"name":"accept_queue","args":{"len":4,"limit":3}}}`: bare(func(e *event.Event) {
			e.Kind, e.Point, e.Args = event.Point, "accept_queue", []event.Arg{{Name: "len", Number: 4}, {Name: "limit", Number: 3}}
		}),
		at("drop") + `"count":1,"args":{"rmem":213248},"point":{"name":"udp_queue",` +
			`"args":{"rmem":213248,"len":72}}}`: bare(func(e *event.Event) {
			e.Args = []event.Arg{{Name: "rmem", Number: 213248}}
			e.Reached = &event.Reached{Point: "udp_queue", Args: append(e.Args, event.Arg{Name: "len", Number: 72})}
		}),
		at("end") + `"shown":0,"trace_only":0,"harmless":0,"filtered":0,"undecided":0,"fragments":0,` +
			`"lost":{"socket":0,"queue":0,"unread":0,"undecoded":0,"ring":0,"sink":0},` +
			`"summaries_lost":0,"summaries_full":0,"overflows":0,"unopened_cpus":0,"gaps":0,"flows_evicted":0,"gap_ms":0,"total":0,` +
			`"points":{"shown":3,"filtered":2,"lost":1}}`: end(event.Ledger{Points: event.PointCounts{Shown: 3, Rejected: 2, Lost: 1}}),
		at("loss") + `"count":3,"of":"points","place":"ring"}`: lostPoints(),
		at("finding") + `"finding":{"alert":"d\u001bns","state":"end","expression":"port 53","begun":"2026-11-20T08:28:12.000000000Z",` +
			`"lasted_ms":9000,"count":120,"of":"drop","threshold":100,"window_ms":10000,"unreported":2,"id":"NO_SOCKET",` +
			`"location":"udp_unicast_rcv_skb","severity":"maybe","cause":"No socket.","fix":"Start it."},"reason":"NO_SOCKET",` +
			`"ifname":"lo","netns":{"inode":8},"process":{"pid":812,"comm":"nginx","confidence":"certain"},"cgroup":{"id":3,` +
			`"path":"/a"},"unit":"a.service","container":{"id":"abc","runtime":"docker","name":"web"},` +
			`"pod":{"uid":"u","namespace":"shop","name":"web-0"}}`: finding(),
		at("finding") + `"finding":{"alert":"a","state":"begin","begun":"2026-11-20T08:28:12.000000000Z","count":1,"of":"event",` +
			`"threshold":1,"window_ms":1500}}`: bare(func(e *event.Event) {
			e.Kind, e.Incident = event.Finding, &event.Incident{
				Alert: "a", Begun: begun, Events: 1, Noun: "event", Threshold: 1, Window: 1500 * time.Millisecond,
			}
		}),
		at("finding") + `"finding":{"begun":"2026-11-20T08:28:12.000000000Z","lasted_ms":9000,"count":5,"of":"drop",` +
			`"id":"NETFILTER_DROP","severity":"maybe",` +
			`"rank":1,"layer":"network","module":"netfilter","class":"policy","rule":"inet \u001bfw",` +
			`"rule_confidence":"exactly","facts":[{"name":"where","text":"interface lo"},{"name":"flows","text":"udp"}],` +
			`"check":["nft list ruleset","nstat"],"fix_commands":[]}}`: bare(func(e *event.Event) {
			e.Kind, e.Incident = event.Finding, &event.Incident{
				Over: true, Begun: begun, Lasted: 9 * time.Second, Events: 5, Noun: "drop", ID: "NETFILTER_DROP", Severity: "maybe",
				Detail: &event.Detail{
					Rank: 1, Layer: "network", Module: "netfilter", Class: "policy", Rule: "inet \x1bfw", RuleConfidence: "exactly",
					Facts: []event.Fact{{Name: "where", Text: "interface lo"}, {Name: "flows", Text: "udp"}},
					Check: []string{"nft list ruleset", "nstat"},
				},
			}
		}),
		at("loss") + `"count":1,"of":"findings","place":"unread"}`: bare(func(e *event.Event) {
			e.Kind, e.Place, e.Incident = event.Loss, event.Unread, &event.Incident{}
		}),
		at("end") + `"shown":0,"trace_only":0,"harmless":0,"filtered":0,"undecided":0,"fragments":0,` +
			`"lost":{"socket":0,"queue":0,"unread":0,"undecoded":0,"ring":0,"sink":0},` +
			`"summaries_lost":0,"summaries_full":0,"overflows":0,"unopened_cpus":0,"gaps":0,"flows_evicted":0,"gap_ms":0,"total":0,` +
			`"findings":{"shown":3,"lost":1}}`: end(event.Ledger{Findings: event.FindingCounts{Shown: 3, Lost: 1}}),
		at("reset") + `"count":1,"direction":"in","len":0,"reason":"NO_SOCKET"}`: bare(func(e *event.Event) {
			e.Kind, e.Segment, e.Reason = event.Reset, &event.Segment{Direction: event.Incoming}, "NO_SOCKET"
		}),
		one + `"segments":4,"reason":"QUEUE_PURGE","harmless":"closed in order"}`: bare(func(e *event.Event) {
			e.Segments, e.Reason, e.Harmless = 4, "QUEUE_PURGE", "closed in order"
		}),
		at("loss") + `"summaries":3,"place":"summaries_lost"}`: lost(event.LostSummary),
		at("end") + `"shown":10,"trace_only":2,"harmless":8,"filtered":3,"undecided":9,"fragments":4,` +
			`"lost":{"socket":1,"queue":2,"unread":0,"undecoded":0,"ring":5,"sink":0},` +
			`"summaries_lost":7,"summaries_full":6,"overflows":1,"unopened_cpus":0,"gaps":1,"flows_evicted":0,` +
			`"gap_ms":1500,"total":42}`: end(event.Ledger{
			Shown: 10, TraceOnly: 2, Harmless: 8, Rejected: 3, Undecided: 9, Fragments: 4, Gap: 1500 * time.Millisecond,
			Lost: event.Losses{1, 2, 0, 0, 5, event.LostSummary: 7, event.FullSummary: 6, event.Overflow: 1, event.Uncovered: 1},
		}),
		at("end") + `"shown":0,"trace_only":0,"harmless":0,"filtered":0,"undecided":0,"fragments":0,` +
			`"lost":{"socket":0,"queue":0,"unread":0,"undecoded":0,"ring":0,"sink":0},` +
			`"summaries_lost":0,"summaries_full":0,"overflows":0,"unopened_cpus":0,"gaps":0,"flows_evicted":0,"gap_ms":0,"total":0,` +
			`"tcp":{"retransmits":3,"resets":0,"others":1,"filtered":2,"lost":4}}`: end(event.Ledger{
			TCP: event.TCPCounts{Retransmits: 3, Others: 1, Rejected: 2, Lost: 4},
		}),
		at("end") + `"shown":0,"trace_only":0,"harmless":0,"filtered":0,"undecided":0,"fragments":0,` +
			`"lost":{"socket":0,"queue":0,"unread":0,"undecoded":0,"ring":0,"sink":0},` +
			`"summaries_lost":0,"summaries_full":0,"overflows":0,"unopened_cpus":0,"gaps":0,"flows_evicted":0,` +
			`"gap_ms":0,"total":0}`: end(event.Ledger{}),
	}
}

// gap returns a failover from one source to another.
func gap() event.Event {
	e := lost(event.Uncovered)
	e.Gap, e.Args = 1500*time.Millisecond, []event.Arg{{Name: "source", Text: "trace"}, {Name: "\"\x1b", Number: 2}}
	return e
}

// withoutLen is a retransmission of a source that knows no sequence number, and so no length.
func withoutLen() event.Event {
	flow := event.TCPFlow(event.Headers{
		Fields: event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort,
		Src:    netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("198.51.100.7"), SrcPort: 443, DstPort: 50000,
	})
	return bare(func(e *event.Event) {
		e.Kind, e.Packet.Flow = event.Retransmit, &flow
		e.Segment = &event.Segment{Type: event.Retransmission, Direction: event.Outgoing, State: 1}
	})
}

func end(l event.Ledger) event.Event { return event.Event{Kind: event.End, Time: noon, Ledger: &l} }

// line returns what a Sink writes of e.
func line(t *testing.T, o jsonl.Options, e *event.Event) string {
	t.Helper()
	var b bytes.Buffer
	s := jsonl.New(&b, o)
	if err := errors.Join(s.Write(e), s.Flush()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLines(t *testing.T) {
	for want, e := range lines() {
		got := line(t, jsonl.Options{Bytes: true}, &e)
		if got != want+"\n" {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		var v any
		if err := json.Unmarshal([]byte(got), &v); err != nil {
			t.Errorf("%v in %s", err, got)
		}
	}
}

// TestHost: every line names the host of the events, as a terminal can have it.
func TestHost(t *testing.T) {
	for want, e := range lines() {
		if got, want := line(t, jsonl.Options{Bytes: true, Host: "web\x1b-1"}, &e), ofHost(want)+"\n"; got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	}
}

// ofHost returns a line with the name of a host.
func ofHost(line string) string { return strings.Replace(line, `Z",`, `Z","host":"web\u001b-1",`, 1) }

func TestBytesAreOnlyThereIfAskedFor(t *testing.T) {
	e := content(event.LinkRaw)
	if got, want := line(t, jsonl.Options{}, &e), at("drop")+`"count":1,"length":3}`+"\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWhatTheKernelFilteredIsNoLoss(t *testing.T) {
	e := event.Event{Kind: event.Rejected, Time: noon, Count: 3}
	if got := line(t, jsonl.Options{}, &e); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}

// TestTimesInOneSink has seconds that come back, and fractions of any length.
func TestTimesInOneSink(t *testing.T) {
	times := map[time.Time]string{
		time.Unix(0, 0):                    "1970-01-01T00:00:00.000000000Z",
		time.Unix(0, 1):                    "1970-01-01T00:00:00.000000001Z",
		time.Unix(0, 999_999_999):          "1970-01-01T00:00:00.999999999Z",
		time.Unix(-1, 500_000_000):         "1969-12-31T23:59:59.500000000Z",
		time.Unix(1_795_231_702, 7*100000): "2026-11-21T03:28:22.000700000Z",
		{}:                                 "0001-01-01T00:00:00.000000000Z",
	}
	var b bytes.Buffer
	s := jsonl.New(&b, jsonl.Options{})
	for at, want := range times {
		b.Reset()
		if err := errors.Join(s.Write(&event.Event{Time: at, Count: 1, Individual: true}), s.Flush()); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(b.String(), `{"kind":"drop","time":"`+want+`",`) {
			t.Errorf("%v is in %s", at, &b)
		}
	}
}

func TestALargeBatchIsWrittenWithoutFlush(t *testing.T) {
	var b bytes.Buffer
	s := jsonl.New(&b, jsonl.Options{})
	e := tcp()
	e.Reason = strings.Repeat("x", 32<<10)
	if err := s.Write(&e); err != nil {
		t.Fatal(err)
	}
	if got := b.Len(); got < 32<<10 {
		t.Errorf("%d bytes are out, want all", got)
	}
}

func TestFlushSaysWhatFailed(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	s, e := jsonl.New(w, jsonl.Options{}), tcp()
	if err := s.Write(&e); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(); !errors.Is(err, syscall.EPIPE) || !strings.HasPrefix(err.Error(), "write drops: ") {
		t.Errorf("error %v", err)
	}
	if err := s.Flush(); err != nil {
		t.Errorf("error %v of nothing", err)
	}
}

// A full file takes no more than room bytes.
type fullFile struct {
	*os.File
	room int
}

func (f fullFile) Write(b []byte) (int, error) {
	n, _ := f.File.Write(b[:min(f.room, len(b))])
	if n < len(b) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

// TestAFullDiskHoldsWholeLines has room for every number of bytes.
func TestAFullDiskHoldsWholeLines(t *testing.T) {
	var all bytes.Buffer
	if err := run(&all); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "drops")
	for room := range all.Len() {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := run(fullFile{f, room}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("room %d: error %v", room, err)
		}
		f.Close()
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if want := all.Bytes()[:bytes.LastIndexByte(all.Bytes()[:room], '\n')+1]; !bytes.Equal(got, want) {
			t.Errorf("room %d: %q in the file, want %q", room, got, want)
		}
	}
}

// run writes one line of each kind.
func run(w io.Writer) error {
	s := jsonl.New(w, jsonl.Options{})
	for _, e := range []event.Event{tcp(), lost(event.AtSocket), end(event.Ledger{})} {
		if err := s.Write(&e); err != nil {
			return err
		}
	}
	return s.Flush()
}

// TestFramesAreNotMistaken: what is remembered of an address is not what it is
// called later.
func TestFramesAreNotMistaken(t *testing.T) {
	var b bytes.Buffer
	s := jsonl.New(&b, jsonl.Options{})
	frame := func(pc uint64, symbol, module string) event.Frame {
		return event.Frame{PC: pc, Lookup: event.Found, Symbol: symbol, Module: module}
	}
	for _, f := range []event.Frame{frame(1, "f", ""), frame(1, "f", ""), frame(1, "g", "m"), {PC: 1}, frame(2, "f", ""), {}} {
		e := event.Event{Count: 1, Stack: []event.Frame{f}}
		if err := s.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"symbol":"f","offset":0,"pc":"0x1"}`, `{"symbol":"f","offset":0,"pc":"0x1"}`, `{"symbol":"g","offset":0,"module":"m","pc":"0x1"}`,
		`{"pc":"0x1"}`, `{"symbol":"f","offset":0,"pc":"0x2"}`, `{"pc":"0x0"}`,
	}
	for i, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		if !strings.Contains(line, `"stack":[`+want[i]+`]`) {
			t.Errorf("line %d: %s, want %s", i, line, want[i])
		}
	}
}
