package perf

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/vmtest"
)

func TestMain(m *testing.M) { vmtest.Main(m) }

// TestGuestFormat: tracefs is read on old kernels, too.
func TestGuestFormat(t *testing.T) { TestFormatFromEitherMount(t) }

// TestGuestProbes makes events of functions, and leaves none.
func TestGuestProbes(t *testing.T) {
	before := listOfProbes(t)
	p, err := OpenProbes()
	if err != nil {
		t.Fatal(err)
	}
	fetch := []Fetch{{"sk", "$arg3:x64"}, {"port", "+14($arg3):u16"}}
	event, f, err := p.Add(Probe{Name: "call", Function: "tcp_conn_request", Fetch: fetch})
	if err != nil {
		t.Fatal(err)
	}
	if f.ID == 0 || f.Fields["sk"].Size != 8 || f.Fields["port"].Size != 2 || f.Fields["__probe_ip"].Size != 8 {
		t.Errorf("format of %s: %+v", event, f)
	}
	e, err := Open(event, Attr(f.ID), 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.remove(event); !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), "another program uses it") {
		t.Errorf("removed while it is open: %v", err)
	}
	e.Close()
	if n, err := p.Missed(event); n != 0 || err != nil {
		t.Errorf("%d missed, %v", n, err)
	}
	wrongProbes(t, p)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if after := listOfProbes(t); after != before {
		t.Errorf("events left:\n%s", after)
	}
}

// wrongProbes asks for what cannot be probed.
func wrongProbes(t *testing.T, p *Probes) {
	t.Helper()
	for function, say := range map[string]string{
		"no_such_function":      ErrNoFunction.Error(),
		"kprobe_ftrace_handler": "cannot be probed",
	} {
		_, _, err := p.Add(Probe{Name: "wrong", Function: function})
		if err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v, want %q", function, err, say)
		}
		t.Log(err)
	}
	_, _, err := p.Add(Probe{Name: "wrong", Function: "tcp_v4_rcv", Fetch: []Fetch{{"a", "$arg1:u9"}}})
	if err == nil || !strings.Contains(err.Error(), "refuses") {
		t.Errorf("unknown type: %v", err)
	}
	t.Log(err)
}

// TestGuestProbesWithoutMount makes probes where tracefs is not mounted.
func TestGuestProbesWithoutMount(t *testing.T) {
	err := sourcetest.WithMounts(func() error {
		for _, dir := range []string{"/sys/kernel/tracing", "/sys/kernel/debug"} {
			unix.Unmount(dir, unix.MNT_DETACH)
		}
		p, err := OpenProbes()
		if err != nil {
			return err
		}
		_, _, err = p.Add(Probe{Name: "call", Function: "tcp_conn_request"})
		return errors.Join(err, p.Close())
	})
	if err != nil {
		t.Error(err)
	}
}

// TestGuestLeftovers: what a killed process has left is removed by the next, and not what a live one has.
func TestGuestLeftovers(t *testing.T) {
	p, err := OpenProbes()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, _, err := p.Add(Probe{Name: "live", Function: "tcp_conn_request"}); err != nil {
		t.Fatal(err)
	}
	live := listOfProbes(t)
	dead := *p
	dead.self.start--
	if _, _, err := dead.Add(Probe{Name: "dead", Function: "tcp_conn_request"}); err != nil {
		t.Fatal(err)
	}
	next, err := OpenProbes()
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if got := listOfProbes(t); got != live {
		t.Errorf("events\n%swant\n%s", got, live)
	}
}

// listOfProbes returns all dynamic events of the kernel.
func listOfProbes(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/sys/kernel/tracing/dynamic_events")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
