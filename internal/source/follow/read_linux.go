package follow

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"dropwatch/internal/flows"
)

// batch is how many keys are read at once: more than are ever in one hash bucket, or the kernel fails with ENOSPC. It
// has as many buckets as keys.
const batch = 256

// Read returns all that was counted since Open. A packet that is counted during the call may be in some numbers and
// not in others. Any goroutine may call it, also after Close: the error wraps os.ErrClosed then.
func (c *Counter) Read() (r flows.Reading, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kernel == nil {
		return flows.Reading{}, fmt.Errorf("read the counts of packets: %w", os.ErrClosed)
	}
	var cursor ebpf.MapBatchCursor
	for last := false; !last; {
		n, err := c.kernel.Maps[followMapCounts].BatchLookup(&cursor, c.keys, c.values, nil)
		last = errors.Is(err, ebpf.ErrKeyNotExist)
		if err != nil && !last {
			return flows.Reading{}, fmt.Errorf("read the counts of packets: %w", err)
		}
		for i, k := range c.keys[:n] {
			r.Counts = append(r.Counts, countOf(k, c.values[i*c.cpus:(i+1)*c.cpus]))
		}
	}
	var values []followTally
	if err := c.kernel.Maps[followMapOverflow].Lookup(uint32(0), &values); err != nil {
		return flows.Reading{}, fmt.Errorf("read the count of packets without room: %w", err)
	}
	r.Skipped = countOf(followKey{}, values).Packets
	for _, p := range c.programs() {
		stats, err := p.Stats()
		if err != nil {
			return flows.Reading{}, fmt.Errorf("read how often a program was skipped: %w", err)
		}
		r.Skipped += stats.RecursionMisses
	}
	return r, nil
}

// countOf adds up the values of a key on all CPUs.
func countOf(k followKey, values []followTally) flows.Count {
	c := flows.Count{Interface: flows.Interface{Netns: k.Netns, IfIndex: k.Ifindex}, What: flows.What(k.What)}
	var packets, buffers int64 // of one CPU they may be negative
	for i := range values {
		v := &values[i]
		packets, buffers = packets+int64(v.Segments), buffers+int64(v.Buffers)
		if v.Name[0] != 0 {
			c.IfName = unix.ByteSliceToString(unsafe.Slice((*byte)(unsafe.Pointer(&v.Name)), len(v.Name)))
		}
	}
	c.Packets, c.Buffers = uint64(max(0, packets)), uint64(max(0, buffers))
	return c
}
