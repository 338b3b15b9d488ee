package follow

import (
	"cmp"
	"fmt"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/vmtest/drops"
)

// BenchmarkFlood floods a closed port over lo, where each datagram passes three programs. The rates are taken in turn, as
// the machine is not always as fast.
func BenchmarkFlood(b *testing.B) {
	ns := drops.NewNamespace(b)
	kinds := []struct{ name, expression string }{
		{"free", ""},
		{"other", fmt.Sprintf("udp dst port %d", drops.Port+1)},
		{"followed", fmt.Sprintf("udp dst port %d and netns.inode %d", drops.Port, ns.Inode())},
	}
	rates := make([]float64, len(kinds))
	for b.Loop() {
		for i, kind := range kinds {
			if kind.expression == "" {
				rates[i] += flood(ns)
				continue
			}
			c := need(b, kind.expression)
			rates[i] += flood(ns)
			c.Close()
		}
	}
	for i, kind := range kinds {
		b.ReportMetric(rates[i]/float64(b.N), kind.name+"/s")
		b.ReportMetric(rates[i]/rates[0], kind.name+"-kept")
	}
}

// flood returns how many datagrams a thread sends in a second of its CPU's time, in which they are received, too: what
// else runs on the machine does not count.
func flood(ns *drops.Namespace) (rate float64) {
	fd := ns.Socket(syscall.SOCK_DGRAM)
	ns.Do(func() error {
		const n = 20000
		before, err := threadTime()
		for i := 0; i < n && err == nil; i++ {
			err = syscall.Sendto(fd, nil, 0, &syscall.SockaddrInet4{Port: drops.Port, Addr: [4]byte{127, 0, 0, 1}})
		}
		after, err2 := threadTime()
		rate = n / (after - before).Seconds()
		return cmp.Or(err, err2)
	})
	return rate
}

// threadTime returns how much time of a CPU this thread has used.
func threadTime() (time.Duration, error) {
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	err := syscall.Getrusage(thread, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}
