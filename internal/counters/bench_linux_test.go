package counters_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// BenchmarkRead reads everything of a namespace with 100 pairs of interfaces and 10,000 sockets.
// The goal is 50 ms. On a host with other work the CPU time says more than how long it took.
func BenchmarkRead(b *testing.B) {
	vmtest.RequireRoot(b)
	ns := drops.NewNamespace(b)
	var script strings.Builder
	for i := range 100 {
		fmt.Fprintf(&script, "link add a%d type veth peer name b%d\n", i, i)
	}
	run(b, ns, "ip -batch -", script.String())
	ns.Do(func() error { return openSockets(b) })
	r := counters.Reader{Host: host.New("/")}
	before := cpuTime(b)
	for b.Loop() {
		ns.Do(func() error {
			s, err := r.Read(b.Context())
			if err == nil && len(s.Failures) > 0 {
				b.Fatal(s.Failures[0].Error())
			}
			return err
		})
	}
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
}

// openSockets opens 10,000 until the benchmark is over: of UDP, of TCP that listen, and the
// two ends of connections.
func openSockets(b *testing.B) error {
	const datagrams, listeners, connections = 5000, 1000, 2000
	limit := syscall.Rlimit{Cur: 20_000, Max: 20_000}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	bound := func(typ, port int) (int, error) {
		fd, err := syscall.Socket(syscall.AF_INET, typ|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			return 0, err
		}
		b.Cleanup(func() { syscall.Close(fd) })
		return fd, syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	}
	for i := range datagrams {
		if _, err := bound(syscall.SOCK_DGRAM, 10_000+i); err != nil {
			return err
		}
	}
	for i := range listeners {
		fd, err := bound(syscall.SOCK_STREAM, 10_000+i)
		if err == nil {
			err = syscall.Listen(fd, connections)
		}
		if err != nil {
			return err
		}
	}
	for range connections { // which stay in the accept queue: no program has their other ends
		fd, err := bound(syscall.SOCK_STREAM, 0)
		if err == nil {
			err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: 10_000, Addr: [4]byte{127, 0, 0, 1}})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkReadRules reads the counters of 5,000 rules of nftables.
func BenchmarkReadRules(b *testing.B) {
	vmtest.RequireRoot(b)
	ns := drops.NewNamespace(b)
	var rules strings.Builder
	rules.WriteString("table inet fw { chain in { type filter hook input priority 0;\n")
	for i := range 5000 {
		fmt.Fprintf(&rules, "ip saddr 10.0.%d.%d tcp dport %d counter drop;\n", i/250, i%250, i+1)
	}
	rules.WriteString("}; }\n")
	run(b, ns, "nft -f -", rules.String())
	r := counters.Reader{Host: host.New("/"), Groups: []counters.Group{counters.NFTables}}
	for b.Loop() {
		ns.Do(func() error {
			s, err := r.Read(b.Context())
			if err == nil && len(s.Counters) != 5000 {
				b.Fatalf("%d counters", len(s.Counters))
			}
			return err
		})
	}
}
