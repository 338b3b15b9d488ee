package iptables

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
)

var families = []*Family{&IPv4, &IPv6}

// tables are the tables filter in testdata, of iptables-legacy and ip6tables-legacy.
func tables(t testing.TB) (all []*Table) {
	t.Helper()
	lines, err := os.ReadFile("testdata/iptables.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(lines)) {
		var name, entries string
		x := new(Table)
		h, u := &x.HookEntries, &x.Underflows
		_, err := fmt.Sscan(line, &name, &x.Hooks, &h[0], &h[1], &h[2], &h[3], &h[4], &u[0], &u[1], &u[2], &u[3], &u[4], &entries)
		if err == nil {
			x.Entries, err = hex.DecodeString(entries)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	return all
}

// rules are those of all tables, one a line.
func rules(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for i, table := range tables(t) {
		err := families[i].EachRule(table, func(r *Rule) {
			fmt.Fprintf(&b, "%s %s %d | %s | %s | %v | %d\n", families[i].Name, r.Chain, r.Number, r.Text(), r.Hook, r.Drops(), r.Packets)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestEachRule(t *testing.T) {
	const want = `ip INPUT 1 | -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j DROP | INPUT | true | 0
ip INPUT 2 | -d 1.2.3.4/32 ! -i eth+ -p udp -m udp --sport 1:5 -m comment --comment "hello" -j REJECT | INPUT | true | 0
ip INPUT 3 | -m conntrack ... -j sub | INPUT | false | 0
ip INPUT 0 | -j ACCEPT | INPUT | false | 0
ip FORWARD 0 | -j DROP | FORWARD | true | 0
ip OUTPUT 0 | -j ACCEPT | OUTPUT | false | 0
ip sub 1 | -p udp -j DROP |  | true | 0
ip sub 2 | -p udp -j DROP |  | true | 0
ip sub 3 | -p udp |  | false | 0
ip6 INPUT 0 | -j ACCEPT | INPUT | false | 0
ip6 FORWARD 0 | -j ACCEPT | FORWARD | false | 0
ip6 OUTPUT 1 | -d fe80::/10 -p udp -j DROP | OUTPUT | true | 0
ip6 OUTPUT 0 | -j ACCEPT | OUTPUT | false | 0
`
	if got := rules(t); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestCutShort: an error, and no rule.
func TestCutShort(t *testing.T) {
	table := tables(t)[0]
	table.Entries = table.Entries[:len(table.Entries)-1]
	if err := IPv4.EachRule(table, func(r *Rule) { t.Error("a rule:", r.Text()) }); err == nil {
		t.Error("no error")
	}
}

// inKernel is a rule as the kernel has it: pointers are in place of a part of the names of matches.
func inKernel(t testing.TB, f *Family, entries []byte, at int) (b []byte, size int) {
	t.Helper()
	e, err := f.entry(entries, at)
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, entries[at:e.next]...)
	for i := f.Head; i < f.Head+len(e.matches); i += int(binary.NativeEndian.Uint16(b[i:])) {
		binary.NativeEndian.PutUint64(b[i+8:], 0xffffffffc0123456)
	}
	return b, len(b)
}

// TestKernelMatches: a rule that the kernel has reads like that which a process is given.
func TestKernelMatches(t *testing.T) {
	input := tables(t)[0]
	const want = `-d 1.2.3.4/32 ! -i eth+ -p udp -m udp --sport 1:5 -m comment --comment "hello"`
	second, err := IPv4.entry(input.Entries, int(input.HookEntries[1]))
	if err != nil {
		t.Fatal(err)
	}
	b, size := inKernel(t, &IPv4, input.Entries, second.next)
	if got, ok := IPv4.KernelMatches(b, size); !ok || got != want {
		t.Errorf("%q, %v, want %q", got, ok, want)
	}
	const cut = `-d 1.2.3.4/32 ! -i eth+ -p udp -m udp --sport 1:5 ...`
	if got, ok := IPv4.KernelMatches(b[:IPv4.Head+60], size); !ok || got != cut {
		t.Errorf("cut: %q, %v, want %q", got, ok, cut)
	}
	if got, ok := IPv4.KernelMatches(b, size+8); ok {
		t.Errorf("of another size: %q", got)
	}
}

func TestHookChain(t *testing.T) {
	if in, none := HookChain(1), HookChain(5); in != "INPUT" || none != "" {
		t.Errorf("%q, %q", in, none)
	}
}

// FuzzEachRule: no table makes it fail, and none has more rules than there is room for.
func FuzzEachRule(f *testing.F) {
	for _, table := range tables(f) {
		f.Add(table.Entries, table.Hooks)
	}
	f.Fuzz(func(t *testing.T, entries []byte, hooks uint32) {
		for _, family := range families {
			n := 0
			_ = family.EachRule(&Table{Entries: entries, Hooks: hooks}, func(*Rule) { n++ })
			if n > len(entries)/family.Head {
				t.Errorf("%d rules in %d bytes", n, len(entries))
			}
		}
	})
}

// FuzzKernelMatches: no memory makes it fail.
func FuzzKernelMatches(f *testing.F) {
	input := tables(f)[0]
	b, size := inKernel(f, &IPv4, input.Entries, int(input.HookEntries[1]))
	f.Add(b, size)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		for _, family := range families {
			if text, ok := family.KernelMatches(b, size); !ok && text != "" {
				t.Errorf("%q without a rule", text)
			}
		}
	})
}
