package resolve_test

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/stage/resolve"
)

func TestInterfaces(t *testing.T) {
	stage := resolve.Interfaces(func(index uint32) string {
		if index != 7 {
			return ""
		}
		return "eth7"
	})
	for given, want := range map[event.Port]event.Port{
		{IfIndex: 7}:                {IfIndex: 7, IfName: "eth7"},
		{IfIndex: 7, IfName: "own"}: {IfIndex: 7, IfName: "own"},
		{IfIndex: 8}:                {IfIndex: 8},
		{IfName: "own"}:             {IfName: "own"},
		{}:                          {},
	} {
		e := event.Event{Count: 1, Port: given}
		if !stage(&e) || e.Port != want {
			t.Errorf("of %+v: %+v, want %+v", given, e.Port, want)
		}
	}
}

func TestHostInterfacesKnowsThisHost(t *testing.T) {
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	if len(interfaces) == 0 {
		t.Skip("no interface in this namespace, not even lo")
	}
	var host resolve.HostInterfaces
	for _, i := range interfaces {
		if got := host.Name(uint32(i.Index)); got != i.Name {
			t.Errorf("interface %d is %q, want %q", i.Index, got, i.Name)
		}
	}
	if got := host.Name(1 << 30); got != "" {
		t.Errorf("interface 1<<30 is %q, want none", got)
	}
}

// TestHostInterfacesReadsOnceASecond counts the dumps by what they allocate.
func TestHostInterfacesReadsOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var host resolve.HostInterfaces
		ask := func() { host.Name(1) }
		ask()
		if n := testing.AllocsPerRun(100, ask); n != 0 {
			t.Errorf("%v allocations a look-up within the second, want none", n)
		}
		n := testing.AllocsPerRun(10, func() {
			time.Sleep(time.Second)
			ask()
		})
		if n == 0 {
			t.Error("nothing read after a second")
		}
	})
}
