package counters_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// BenchmarkRead reads everything of a namespace with 100 interfaces and 10,000 sockets.
func BenchmarkRead(b *testing.B) {
	vmtest.RequireRoot(b)
	ns := drops.NewNamespace(b)
	const interfaces, sockets = 100, 10_000
	var script strings.Builder
	for i := range interfaces / 2 {
		fmt.Fprintf(&script, "link add a%d type veth peer name b%d\n", i, i)
	}
	run(b, ns, "ip -batch -", script.String())
	openSockets(b, ns, sockets)
	r := counters.Reader{Host: host.New("/")}
	for b.Loop() {
		ns.Do(func() error {
			s, err := r.Read(b.Context())
			if err == nil && len(s.Failures) > 0 {
				b.Fatal(s.Failures[0].Error())
			}
			return err
		})
	}
}

// openSockets opens sockets of UDP until the benchmark is over.
func openSockets(b *testing.B, ns *drops.Namespace, n int) {
	b.Helper()
	ns.Do(func() error {
		limit := syscall.Rlimit{Cur: uint64(n) + 1000, Max: uint64(n) + 1000}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
		for i := range n {
			fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			b.Cleanup(func() { syscall.Close(fd) })
			if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: 10_000 + i}); err != nil {
				return err
			}
		}
		return nil
	})
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
