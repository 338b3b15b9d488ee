package counters

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// neighbours reads the tables of ARP and of IPv6's neighbour discovery (net/core/
// neighbour.c neigh_stat_seq_show). All network namespaces share each table and its
// limit, which only the initial namespace shows.
func (r *reading) neighbours() error {
	return errors.Join(
		r.statTable("arp_cache", "arp", "net/ipv4/neigh/default/gc_thresh3"),
		r.statTable("ndisc_cache", "ndisc", "net/ipv6/neigh/default/gc_thresh3"),
	)
}

// conntrack reads what connection tracking counts in the namespace
// (net/netfilter/nf_conntrack_standalone.c ct_cpu_seq_show).
func (r *reading) conntrack() error {
	return r.statTable("nf_conntrack", "", "net/netfilter/nf_conntrack_max")
}

// statTable reads a file of /proc/net/stat: names in the first line, then a line for
// each CPU, in hexadecimal. Totals are the sums of all CPUs. The first column,
// entries, is the same on each: the present length of a table, with a sysctl as its
// limit.
func (r *reading) statTable(file, object, limit string) error {
	text, err := r.host.ReadFile(netFile("stat/" + file))
	if err != nil {
		return err
	}
	header, rows, _ := strings.Cut(string(text), "\n")
	names := strings.Fields(header)
	sums := make([]uint64, len(names))
	for line := range strings.Lines(rows) {
		values, err := hexFields(line)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for i := range min(len(values), len(sums)) {
			if names[i] == "entries" {
				sums[i] = values[i]
			} else {
				sums[i] += values[i]
			}
		}
	}
	for i, name := range names {
		c := Counter{Key: Key{Object: object, Name: name}, Value: sums[i] & 0xffffffff, Bits: 32}
		if name == "entries" {
			c.Gauge, c.Limit = true, r.limit(limit)
		}
		r.add(c)
	}
	return nil
}

// limit reads a sysctl that is a number, 0 if there is none.
func (r *reading) limit(sysctl string) uint64 {
	text, _ := r.host.Sysctl(sysctl)
	n, _ := strconv.ParseUint(text, 10, 64)
	return n
}

// fragments reads how much memory holds fragments that wait for the rest of their
// packet (net/ipv4/proc.c sockstat_seq_show, net/ipv6/proc.c).
func (r *reading) fragments() error {
	return errors.Join(
		r.fragmentMemory("sockstat", "FRAG:", "ipv4", "net/ipv4/ipfrag_high_thresh"),
		r.fragmentMemory("sockstat6", "FRAG6:", "ipv6", "net/ipv6/ip6frag_high_thresh"),
	)
}

// fragmentMemory reads how many bytes the fragments of packets hold that are not whole yet (net/ipv4/proc.c
// sockstat_seq_show), against the sysctl that limits them.
func (r *reading) fragmentMemory(file, label, object, limit string) error {
	return r.lines(file, func(text string) {
		for line := range strings.Lines(text) {
			f := strings.Fields(line) // FRAG: inuse 0 memory 0
			if len(f) != 5 || f[0] != label {
				continue
			}
			if n, err := strconv.ParseUint(f[4], 10, 64); err == nil {
				r.add(Counter{Key: Key{Object: object, Name: "memory"}, Value: n, Gauge: true, Limit: r.limit(limit)})
			}
		}
	})
}

// nfqueueColumns are those of /proc/net/netfilter/nfnetlink_queue
// (net/netfilter/nfnetlink_queue.c seq_show) that count packets.
var nfqueueColumns = map[int]string{2: "queue_total", 5: "queue_dropped", 6: "queue_user_dropped"}

// nfqueues reads the queues of packets that wait for the verdict of a program.
func (r *reading) nfqueues() error {
	return r.lines("netfilter/nfnetlink_queue", func(text string) {
		for line := range strings.Lines(text) {
			f := strings.Fields(line)
			for i, name := range nfqueueColumns {
				if i >= len(f) {
					continue
				}
				n, err := strconv.ParseUint(f[i], 10, 64)
				if err == nil {
					r.add(Counter{
						Key: Key{Object: "queue " + f[0], Name: name}, Value: n, Bits: 32, Gauge: i == 2, About: "port ID " + f[1],
					})
				}
			}
		}
	})
}
