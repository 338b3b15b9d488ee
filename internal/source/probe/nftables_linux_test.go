package probe

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/point"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
	"dropwatch/kallsyms"
)

// firewall drops datagrams by their ports in all ways that rules have.
const firewall = `table inet filter {
	chain first { udp dport 11 counter drop; }
	chain second { udp dport 12 drop; }
	chain input {
		type filter hook input priority 0; policy drop
		ip protocol icmp accept
		udp dport 8 accept
		udp dport 9 drop
		udp dport 10 counter drop
		udp dport { 11, 16 } jump first
		udp dport vmap { 12 : goto second, 13 : drop }
		udp dport 14 reject
	}
	chain output { type filter hook output priority 0; policy accept; udp dport 17 drop; }
}`

// dropped are how the rules begin that drop datagrams to the ports from 8 on: empty is none, policy that of the chain.
var dropped = []string{
	"", "udp dport 9 drop", "udp dport 10 counter", "udp dport 11 counter", "udp dport 12 drop", "udp dport vmap", "udp dport 14 reject",
	"policy", "policy", "udp dport 17 drop",
}

// TestGuestNFTables: a drop has the handle of its rule, as nft lists it, or is that of a policy; with BPF and without.
func TestGuestNFTables(t *testing.T) {
	var points []point.Point
	for _, name := range []string{"nftables", "nftables_policy"} {
		p, _ := point.Lookup(name)
		points = append(points, p)
	}
	ns := drops.NewNamespace(t)
	ns.Run("nft", firewall)
	symbols := new(kallsyms.Live) // now that the module is loaded
	if err := symbols.Load(); err != nil {
		t.Fatal(err)
	}
	for _, tester := range []Tester{BPF, Filters} {
		ns.Run("nft", "flush ruleset; "+firewall)
		s, err := Open(Options{Points: points, Tester: tester, Types: running().Types, Symbols: symbols})
		if !guest.AtLeast(5, 11) { // modules have no types
			if err == nil {
				t.Error("it was opened", s.Close())
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		r := sourcetest.Run(t, s, func(e *event.Event) bool { return e.Kind == event.Point && e.Netns.Inode == ns.Inode() })
		for i := range dropped {
			ns.Do(func() error { return sendTo(8 + i) })
		}
		r.Await(uint64(len(dropped) - 1))
		events := r.End()
		var got []string
		for i := range events {
			got = append(got, events[i].Point+" "+argsOf(&events[i]))
			if e := &events[i]; tester == BPF && (!e.Packet.HasData || e.Packet.Proto != event.EtherIPv4 || e.Packet.Data[9] != 17) {
				t.Errorf("packet %+v", e.Packet)
			}
		}
		want := wantDropped(ns.Run("nft", "-a", "list", "ruleset"))
		slices.Sort(got) // two CPUs may have been at it
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("tester %d:\n%s\nwant\n%s", tester, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// sendTo sends one byte to a port; that it may not be sent is no error.
func sendTo(port int) error {
	c, err := net.Dial("udp4", fmt.Sprint("127.0.0.1:", port))
	if err == nil {
		_, _ = c.Write([]byte{0})
		err = c.Close()
	}
	return err
}

// wantDropped are the events by the rules that drop, with their handles in a list of nft.
func wantDropped(list string) (all []string) {
	const inet = 1
	for i, rule := range dropped {
		chain := "input hook=NF_INET_LOCAL_IN in=lo"
		if i == len(dropped)-1 {
			chain = "output hook=NF_INET_LOCAL_OUT out=lo"
		}
		handle := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(rule) + `.* # handle (\d+)$`).FindStringSubmatch(list)
		switch {
		case rule == "":
		case rule == "policy":
			all = append(all, fmt.Sprintf("nftables_policy family=%d table=filter chain=%s", inet, chain))
		default:
			all = append(all, fmt.Sprintf("nftables family=%d table=filter chain=%s handle=%s", inet, chain, append(handle, "?", "?")[1]))
		}
	}
	return all
}
