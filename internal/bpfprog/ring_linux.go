package bpfprog

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
)

// A Ring reads what programs write to a map of the type BPF_MAP_TYPE_RINGBUF. It never waits: a [Waiter] does.
type Ring struct {
	reader *ringbuf.Reader // which never blocks: its deadline is past
	record ringbuf.Record  // the one that was read last, whose memory is used again
	of     string          // what is written, for errors

	closing sync.Mutex // protects closed
	closed  bool
}

// NewRing returns the reader of a map, to which records of what of names are written. The caller closes it.
func NewRing(m *ebpf.Map, of string) (*Ring, error) {
	reader, err := ringbuf.NewReader(m)
	if err != nil {
		return nil, fmt.Errorf("open the ring of %s: %w", of, err)
	}
	reader.SetDeadline(time.Unix(1, 0)) // which is over: reading returns at once
	return &Ring{reader: reader, of: of}, nil
}

// Next returns the next record, which is valid until the next call. Ok is false if there is none to be read now: the
// ring is empty, or a CPU has not written the whole record yet.
func (r *Ring) Next() (raw []byte, ok bool, err error) {
	err = r.reader.ReadInto(&r.record)
	switch {
	case err == nil:
		return r.record.RawSample, true, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, false, nil
	}
	return nil, false, fmt.Errorf("read the ring of %s: %w", r.of, err)
}

// IsEmpty reports whether all was read that programs have begun to write. It may be called while another goroutine calls
// Next or Close. Of a ring that is nil or closed it is not known: that is not empty.
func (r *Ring) IsEmpty() bool {
	if r == nil {
		return false
	}
	r.closing.Lock()
	defer r.closing.Unlock()
	return !r.closed && r.reader.AvailableBytes() == 0
}

// Close releases the memory of the ring, if that was not done before. A nil Ring is ignored.
func (r *Ring) Close() {
	if r != nil {
		r.closing.Lock()
		defer r.closing.Unlock()
		r.closed = true
		r.reader.Close()
	}
}

// Attach attaches a program to a tracepoint by the way that its type is for: one of BPF_PROG_TYPE_TRACING names the
// tracepoint itself.
func Attach(p *ebpf.Program, tracepoint string) (link.Link, error) {
	if p.Type() == ebpf.Tracing {
		return link.AttachTracing(link.TracingOptions{Program: p, AttachType: ebpf.AttachTraceRawTp})
	}
	return link.AttachRawTracepoint(link.RawTracepointOptions{Name: tracepoint, Program: p})
}
