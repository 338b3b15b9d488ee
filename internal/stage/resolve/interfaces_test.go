package resolve_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/stage/resolve"
	"dropwatch/internal/vmtest"
)

func TestInterfaces(t *testing.T) {
	stage := resolve.Interfaces(func(netns, index uint32) string {
		return map[[2]uint32]string{{0, 7}: "eth7", {9, 7}: "other7"}[[2]uint32{netns, index}]
	})
	type given struct {
		netns uint32
		port  event.Port
	}
	for given, want := range map[given]event.Port{
		{0, event.Port{IfIndex: 7}}:                {IfIndex: 7, IfName: "eth7"},
		{9, event.Port{IfIndex: 7}}:                {IfIndex: 7, IfName: "other7"},
		{0, event.Port{IfIndex: 7, IfName: "own"}}: {IfIndex: 7, IfName: "own"},
		{8, event.Port{IfIndex: 7}}:                {IfIndex: 7},
		{0, event.Port{IfIndex: 8}}:                {IfIndex: 8},
		{0, event.Port{IfName: "own"}}:             {IfName: "own"},
		{}:                                         {},
	} {
		e := event.Event{Count: 1, Netns: event.Netns{Inode: given.netns}, Port: given.port}
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
		vmtest.SkipOrFail(t, errors.New("no interface in this namespace, not even lo"))
	}
	var own uint32
	if link, err := os.Readlink("/proc/self/ns/net"); err == nil {
		if _, err := fmt.Sscanf(link, "net:[%d]", &own); err != nil {
			t.Fatal(link, err)
		}
	}
	names := resolve.NewHostInterfaces(host.New("/"))
	for _, i := range interfaces {
		for netns, want := range map[uint32]string{own: i.Name, own + 1: ""} {
			if got := names.Name(netns, uint32(i.Index)); got != want {
				t.Errorf("interface %d of namespace %d is %q, want %q", i.Index, netns, got, want)
			}
		}
	}
	if got := names.Name(own, 1<<30); got != "" {
		t.Errorf("interface 1<<30 is %q, want none", got)
	}
}

// TestHostInterfacesReadsOnceASecond counts the dumps by what they allocate.
func TestHostInterfacesReadsOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := resolve.NewHostInterfaces(host.New("/"))
		look := func() { names.Name(1, 1) }
		look()
		if n := testing.AllocsPerRun(100, look); n != 0 {
			t.Errorf("%v allocations a look-up within the second, want none", n)
		}
		n := testing.AllocsPerRun(10, func() {
			time.Sleep(time.Second)
			look()
		})
		if n == 0 {
			t.Error("nothing read after a second")
		}
	})
}
