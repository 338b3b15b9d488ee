package perf

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// A member is a CPU without events.
type member struct{ CPU }

func (*member) Close() {}

func noCPU(int) (*member, error) { return nil, unix.ENODEV }

// TestFileOfACPUThatHasGone: it is not watched any more, as it would wake the reader for ever.
func TestFileOfACPUThatHasGone(t *testing.T) {
	r, err := NewReader(ThisHost, noCPU)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	if err := r.watch(pipe[0]); err != nil {
		t.Fatal(err)
	}
	unix.Close(pipe[1]) // now the other end hangs up
	if woken, err := r.wait(0); !woken || err != nil || !r.changed {
		t.Fatalf("woken %v, %v; CPUs changed: %v", woken, err, r.changed)
	}
	if woken, err := r.wait(0); woken || err != nil {
		t.Errorf("woken again: %v, %v", woken, err)
	}
}

func TestUeventsOfOtherDevices(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	tests := map[string]struct {
		changed bool
		gone    []int
	}{
		"add@/devices/virtual/net/veth0":                       {},
		"add@/devices/system/cpu/cpufreq":                      {},
		"offline@/devices/system/cpu/cpu12\x00ACTION=offline":  {true, []int{12}},
		"online@/devices/system/cpu/cpu1\x00DEVTYPE=/cpu/cpu7": {true, nil},
	}
	for msg, want := range tests {
		unix.Write(pair[1], []byte(msg))
		unix.Write(pair[1], []byte("change@/devices/other"))
		if changed, gone := readUevents(pair[0]); changed != want.changed || !slices.Equal(gone, want.gone) {
			t.Errorf("%q: changed %v, gone %v", msg, changed, gone)
		}
	}
	if changed, _ := readUevents(-1); !changed {
		t.Error("what could not be read, as after ENOBUFS, may have been of CPUs")
	}
}

func TestListOfCPUsFails(t *testing.T) {
	broken := errors.New("no list")
	r := &Reader[*member]{cpus: CPUs{Online: func() ([]int, error) { return nil, broken }}, changed: true}
	if n, err := r.Follow(nil); n != 0 || !errors.Is(err, broken) {
		t.Errorf("%d changes, error %v", n, err)
	}
}

// TestWake: it wakes once, and not who has the file after Close.
func TestWake(t *testing.T) {
	r, err := NewReader(ThisHost, noCPU)
	if err != nil {
		t.Fatal(err)
	}
	r.Wake()
	r.Wake()
	if woken, err := r.wait(-1); !woken || err != nil {
		t.Errorf("woken %v, %v", woken, err)
	}
	if woken, err := r.wait(0); woken || err != nil {
		t.Errorf("woken again: %v, %v", woken, err)
	}
	var calls int
	err = r.Receive(t.Context(), func() (int, error) {
		if calls++; calls < 4 {
			r.Wake()
			return 0, nil
		}
		return 0, unix.ENODATA
	}, func() error { return nil })
	if !errors.Is(err, unix.ENODATA) {
		t.Error(err)
	}
	r.Close()
	r.Wake()
}
