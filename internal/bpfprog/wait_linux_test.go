package bpfprog

import (
	"encoding/binary"
	"errors"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// counter returns an eventfd, which counts what is written to it.
func counter(t *testing.T) (fd int) {
	t.Helper()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// TestWait returns when the ring has something new, when it is woken, also before it waits, and at its limit.
func TestWait(t *testing.T) {
	ring := counter(t)
	w, err := NewWaiter(ring)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, wake := range []func(){
		func() { unix.Write(ring, binary.NativeEndian.AppendUint64(nil, 1)) },
		w.Wake,
	} {
		time.AfterFunc(time.Millisecond, wake)
		if err := w.Wait(-1); err != nil {
			t.Error(err)
		}
	}
	w.Wake()
	if err := w.Wait(-1); err != nil {
		t.Error(err)
	}
	begin := time.Now()
	if err := w.Wait(20 * time.Millisecond); err != nil || time.Since(begin) < 20*time.Millisecond {
		t.Errorf("waited %v: %v", time.Since(begin), err)
	}
}

// TestWakeAtClose: a Waiter may be woken while it is closed and after that, when the number of its file is already
// that of another.
func TestWakeAtClose(t *testing.T) {
	w, err := NewWaiter(counter(t))
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	var waking sync.WaitGroup
	waking.Go(func() {
		for {
			w.Wake()
			select {
			case <-closed:
				return
			default:
			}
		}
	})
	w.Close()
	next := []int{counter(t), counter(t)}
	close(closed)
	waking.Wait()
	w.Wake()
	w.Close()
	for _, fd := range next {
		if _, err := unix.Read(fd, make([]byte, 8)); !errors.Is(err, unix.EAGAIN) {
			t.Errorf("it was written to file %d, which is another: %v", fd, err)
		}
	}
}
