package correlate

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// failingDrops fail by themselves. Between the end of their reader and that of Run some time passes.
type failingDrops struct {
	script
	waiter *bpfprog.Waiter
	closed atomic.Bool
	late   atomic.Int32 // wakes after the reader ended
}

func (d *failingDrops) Run(context.Context, pipeline.Output) error {
	time.Sleep(time.Second)
	d.waiter.Close()
	d.closed.Store(true)
	time.Sleep(time.Second)
	return errors.New("the ring is broken")
}

func (*failingDrops) ReadUntil() time.Time { return time.Unix(0, 0) }

func (d *failingDrops) Wake() {
	d.waiter.Wake()
	if d.closed.Load() {
		d.late.Add(1)
	}
}

// TestDropsThatFailAreWoken, as nobody knows yet that they failed: that does no harm, and what waits is emitted when
// it is known.
func TestDropsThatFailAreWoken(t *testing.T) {
	ring, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ring)
	waiter, err := bpfprog.NewWaiter(ring)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		drops := &failingDrops{waiter: waiter}
		again := resent(0, headers(50000, 1000, event.ACK), 100)
		again.Time = time.Now()
		got := fates(t, &Source{TCP: &script{events: []event.Event{again}}, Drops: drops}, 4*time.Second)
		const doubt = "the source of drops failed: the ring is broken"
		if len(got) != 1 || got[0].Segment.Fate != event.FateUnknown || got[0].Segment.Doubt != doubt {
			t.Errorf("%+v", got)
		}
		if drops.late.Load() == 0 {
			t.Error("not woken after the reader ended: this is no test of that")
		}
	})
}
