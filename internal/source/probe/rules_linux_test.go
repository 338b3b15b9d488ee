package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"dropwatch/internal/event"
	"dropwatch/internal/iptables"
	"dropwatch/internal/point"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
	"dropwatch/kallsyms"
)

// TestGenerated compiles rules.bpf.c again: what is committed is made of it.
func TestGenerated(t *testing.T) { sourcetest.Generated(t, vmtest.SkipOrFail, "probe.go", "rules") }

// TestAppendRule: what BPF has found of a rule are the last values of an event.
func TestAppendRule(t *testing.T) {
	name := [32]int8{'s', 'u', 'b'}
	for _, tt := range []struct {
		found rulesFound
		want  string
	}{
		{rulesFound{}, ""},
		{rulesFound{Known: 1, Chain: 2}, "chain=FORWARD rule=policy text=-P FORWARD DROP"},
		{entryOf(rulesFound{Known: 1, Chain: 1, Number: 3}), "chain=INPUT rule=3 text=-i lo -j DROP"},
		{entryOf(rulesFound{Known: 1, Chain: 176, Number: 3, Name: name}), "chain=sub rule=3 text=-i lo -j DROP"},
		{rulesFound{Known: 1, Chain: 1, Number: 3, Size: 1000}, "chain=INPUT rule=3"}, // it could not be read
	} {
		record, err := binary.Append(nil, binary.NativeEndian, &tt.found)
		if err != nil || len(record) != sizeofFound {
			t.Fatal(len(record), err)
		}
		s := &site{family: &iptables.IPv4}
		if got := argsOf(&event.Event{Args: s.appendRule(nil, record)}); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	if args := new(site).appendRule(nil, nil); args != nil {
		t.Errorf("of another function: %v", args)
	}
}

// entryOf adds the entry of a rule for the interface lo.
func entryOf(f rulesFound) rulesFound {
	const interfaceAt, offsetsAt, target = 16, 88, 112
	f.Size = target + 40
	copy(f.Entry[interfaceAt:], "lo")
	binary.NativeEndian.PutUint16(f.Entry[offsetsAt:], target)
	binary.NativeEndian.PutUint16(f.Entry[offsetsAt+2:], uint16(f.Size))
	return f
}

// iptablesRules drop datagrams by their ports, in chains of hooks and of users, and by policies.
const iptablesRules = `
-N first
-N second
-A INPUT -p udp --dport 8 -j ACCEPT
-A INPUT -p udp --dport 9 -j DROP
-A INPUT -p udp --dport 10:11 -j first
-A INPUT -p udp --dport 12 -g second
-A first -p udp --dport 8 -j DROP
-A first -p udp --dport 11 -j second
-A first -i lo -j DROP
-A second -p udp -s 127.0.0.0/8 --sport 1: --dport 11:12 -j DROP
-A INPUT -p icmp -j ACCEPT
-P INPUT DROP
-A OUTPUT -p udp --dport 14 -j DROP
`

// droppedBy are what the point says of a datagram to the ports from 8 on.
var droppedBy = []string{
	"",
	"table=filter hook=NF_INET_LOCAL_IN family=2 in=lo chain=INPUT rule=2 text=-p udp -m udp --dport 9 -j DROP",
	"table=filter hook=NF_INET_LOCAL_IN family=2 in=lo chain=first rule=3 text=-i lo -j DROP",
	"table=filter hook=NF_INET_LOCAL_IN family=2 in=lo chain=second rule=1 " +
		"text=-s 127.0.0.0/8 -p udp -m udp --sport 1:65535 --dport 11:12 -j DROP",
	"table=filter hook=NF_INET_LOCAL_IN family=2 in=lo chain=second rule=1 " +
		"text=-s 127.0.0.0/8 -p udp -m udp --sport 1:65535 --dport 11:12 -j DROP",
	"table=filter hook=NF_INET_LOCAL_IN family=2 in=lo chain=INPUT rule=policy text=-P INPUT DROP",
	"table=filter hook=NF_INET_LOCAL_OUT family=2 out=lo chain=OUTPUT rule=1 text=-p udp -m udp --dport 14 -j DROP",
	"table=raw hook=NF_INET_PRE_ROUTING family=2 in=lo chain=PREROUTING rule=1 text=-p udp -m udp --dport 15 -j DROP",
	"table=mangle hook=NF_INET_POST_ROUTING family=2 out=lo chain=POSTROUTING rule=1 text=-p udp -m udp --dport 16 -j DROP",
	"table=filter hook=NF_INET_LOCAL_IN family=2 in=lo chain=INPUT rule=6 text=-p udp -m udp --dport 17 -j REJECT",
}

// TestGuestIPTables: a drop has the chain and the number of its rule, as iptables lists it, or is that of a policy.
func TestGuestIPTables(t *testing.T) {
	if isAlike() {
		return
	}
	ns := drops.NewNamespace(t)
	for line := range strings.Lines(strings.TrimSpace(iptablesRules)) {
		ns.Run("iptables-legacy", append([]string{"-w"}, strings.Fields(line)...)...)
	}
	ns.Run("iptables-legacy", strings.Fields("-w -t raw -A PREROUTING -p udp --dport 15 -j DROP")...)
	ns.Run("iptables-legacy", strings.Fields("-w -t mangle -A POSTROUTING -p udp --dport 16 -j DROP")...)
	reject(ns, 17)
	r := startIPTables(t, ns)
	const rounds = 20
	ns.Do(func() (err error) {
		for range rounds {
			for i := range droppedBy {
				err = errors.Join(err, sendTo(8+i))
			}
		}
		return err
	})
	n := rounds * (len(droppedBy) - 1)
	r.Await(uint64(n))
	events := r.End()
	if len(events) != n {
		t.Errorf("%d events, want %d", len(events), n)
	}
	for i := range events {
		port := portOf(&events[i])
		if want := named(droppedBy[min(max(port-8, 0), len(droppedBy)-1)]); argsOf(&events[i]) != want {
			t.Errorf("port %d: %s\nwant %s", port, argsOf(&events[i]), want)
		}
	}
}

// portOf returns the port that the datagram of an event is for, 0 if it is not known.
func portOf(e *event.Event) int {
	const sizeofIPv4, dport = 20, 2
	if len(e.Packet.Data) < sizeofIPv4+dport+2 {
		return 0
	}
	return int(binary.BigEndian.Uint16(e.Packet.Data[sizeofIPv4+dport:]))
}

// reject lets the rule that drops what is for a port be one with the target REJECT, for which iptables is not complete here.
// That has data of the same size as a verdict.
func reject(ns *drops.Namespace, port uint16) {
	const getInfo, getEntries, setReplace = 64, 65, 64
	const head, targetName, data, udpHeader, dport = 112, 2, 32, 32, 4
	ns.Run("iptables-legacy", "-w", "-A", "INPUT", "-p", "udp", "--dport", fmt.Sprint(port), "-j", "DROP")
	ns.Do(func() error {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer syscall.Close(fd)
		info := append([]byte("filter"), make([]byte, 78)...)
		if err := socketOption(syscall.SYS_GETSOCKOPT, fd, getInfo, info); err != nil {
			return err
		}
		number, size := binary.NativeEndian.Uint32(info[76:]), binary.NativeEndian.Uint32(info[80:])
		all := make([]byte, 40+size)
		copy(all, "filter")
		binary.NativeEndian.PutUint32(all[32:], size)
		if err := socketOption(syscall.SYS_GETSOCKOPT, fd, getEntries, all); err != nil {
			return err
		}
		entries := all[40:]
		for at := 0; at < len(entries); {
			target, next := at+int(binary.NativeEndian.Uint16(entries[at+88:])), at+int(binary.NativeEndian.Uint16(entries[at+90:]))
			if target-at > head+udpHeader && binary.NativeEndian.Uint16(entries[at+head+udpHeader+dport:]) == port {
				copy(entries[target+targetName:], "REJECT")
				binary.NativeEndian.PutUint32(entries[target+data:], 3) // IPT_ICMP_PORT_UNREACHABLE
			}
			at = next
		}
		// struct ipt_replace: the table, its hooks, numbers, and where what the counters were is put
		counters := make([]byte, 16*number)
		replace := slices.Concat(info[:36], binary.NativeEndian.AppendUint32(nil, number), binary.NativeEndian.AppendUint32(nil, size),
			info[36:76], binary.NativeEndian.AppendUint32(nil, number),
			binary.NativeEndian.AppendUint64(nil, uint64(uintptr(unsafe.Pointer(&counters[0])))), entries)
		err = socketOption(syscall.SYS_SETSOCKOPT, fd, setReplace, replace)
		runtime.KeepAlive(counters)
		return err
	})
}

// socketOption gets or sets an option of IPv4 whose value the kernel reads as well.
func socketOption(call uintptr, fd, option int, value []byte) error {
	size := uint32(len(value))
	arg := uintptr(unsafe.Pointer(&size))
	if call == syscall.SYS_SETSOCKOPT {
		arg = uintptr(size)
	}
	_, _, errno := syscall.Syscall6(call, uintptr(fd), syscall.IPPROTO_IP, uintptr(option), uintptr(unsafe.Pointer(&value[0])), arg, 0)
	runtime.KeepAlive(&size)
	if errno != 0 {
		return os.NewSyscallError("sockopt of iptables", errno)
	}
	return nil
}

// TestGuestIPTablesReplaced: rules that are replaced while the source runs have the numbers that they have then.
func TestGuestIPTablesReplaced(t *testing.T) {
	if isAlike() {
		return
	}
	ns := drops.NewNamespace(t)
	ns.Run("iptables-legacy", strings.Fields("-w -A INPUT -p udp --dport 9 -j DROP")...)
	r := startIPTables(t, ns)
	var want []string
	for n := range 6 {
		ns.Do(func() error { return sendTo(9) })
		want = append(want, named(fmt.Sprintf(
			"table=filter hook=NF_INET_LOCAL_IN family=2 in=lo chain=INPUT rule=%d text=-p udp -m udp --dport 9 -j DROP", n+1)))
		ns.Run("iptables-legacy", strings.Fields("-w -I INPUT -p udp --dport 8 -j DROP")...)
	}
	checkArgs(t, r, want)
}

// TestGuestIP6Tables: ip6tables is the same program by another name.
func TestGuestIP6Tables(t *testing.T) {
	ns := drops.NewNamespace(t)
	ns.EnableIPv6()
	program, err := exec.LookPath("iptables-legacy")
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "ip6tables-legacy")
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	ns.Run(link, strings.Fields("-w -A INPUT -p udp --dport 8 -j ACCEPT")...)
	ns.Run(link, strings.Fields("-w -N chain")...)
	ns.Run(link, strings.Fields("-w -A INPUT -j chain")...)
	ns.Run(link, strings.Fields("-w -A chain -d ::1 -p udp --dport 9 -j DROP")...)
	r := startIPTables(t, ns)
	ns.Do(func() error { return sendTo6(9) })
	checkArgs(t, r, []string{named("table=filter hook=NF_INET_LOCAL_IN family=10 in=lo " +
		"chain=chain rule=1 text=-d ::1/128 -p udp -m udp --dport 9 -j DROP")})
}

// isAlike reports whether the running kernel is as others, of which one is enough.
func isAlike() bool { return guest.IsBetween() && guest.AtLeast(6, 12) }

// named is what an event has on this kernel: before 5.17 it has no rule.
func named(args string) string {
	if !guest.AtLeast(5, 17) {
		args, _, _ = strings.Cut(args, " chain=")
	}
	return args
}

// startIPTables starts a source of the point for a namespace, now that the modules are loaded.
func startIPTables(t *testing.T, ns *drops.Namespace) *sourcetest.Running {
	t.Helper()
	p, _ := point.Lookup("iptables")
	symbols := new(kallsyms.Live)
	if err := symbols.Load(); err != nil {
		t.Fatal(err)
	}
	o := Options{Points: []point.Point{p}, Types: running().Types, Symbols: symbols}
	var unnamed error
	o.Unnamed = func(err error) { unnamed = err }
	s := open(t, o)
	if (unnamed == nil) != guest.AtLeast(5, 17) {
		t.Errorf("rules are not named: %v", unnamed)
	}
	return sourcetest.Run(t, s, func(e *event.Event) bool { return e.Kind == event.Point && e.Netns.Inode == ns.Inode() })
}

// checkArgs ends a source, which must have reported these values, in any order: two CPUs may have been at it.
func checkArgs(t *testing.T, r *sourcetest.Running, want []string) {
	t.Helper()
	r.Await(uint64(len(want)))
	var got []string
	for _, e := range r.End() {
		got = append(got, argsOf(&e))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// sendTo6 sends one byte to a port of the host itself by IPv6.
func sendTo6(port int) error {
	fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return syscall.Sendto(fd, []byte{0}, 0, &syscall.SockaddrInet6{Port: port, Addr: [16]byte{15: 1}})
}
