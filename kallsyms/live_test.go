package kallsyms_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/vmtest"
	"dropwatch/kallsyms"
)

const (
	kernelText  = "81000000 T kernel_fn\n81000100 T _etext\n"
	vethText    = "c0000000 t veth_xmit\t[veth]\n"
	vethList    = "veth 40960 0 - Live 0xc0000000\n"
	dummyText   = "c0000000 t dummy_xmit\t[dummy]\n"
	dummyList   = "dummy 40960 0 - Live 0xc0000000\n"
	programText = "c0100000 t bpf_prog_1\t[bpf]\n"

	kernelPC  = 0x81000010
	modulePC  = 0xc0000010
	programPC = 0xc0100010
)

// A host is the pair of files that a Live reads.
type host struct {
	t    *testing.T
	live kallsyms.Live
}

func newHost(t *testing.T, symbols, modules string) *host {
	dir := t.TempDir()
	h := &host{t: t, live: kallsyms.Live{
		Symbols: filepath.Join(dir, "kallsyms"),
		Modules: filepath.Join(dir, "modules"),
	}}
	h.set(symbols, modules)
	return h
}

func (h *host) set(symbols, modules string) {
	h.t.Helper()
	for path, text := range map[string]string{h.live.Symbols: symbols, h.live.Modules: modules} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
}

// want looks pc up and expects symbol, or nothing if that is "".
func (h *host) want(pc uint64, symbol string) {
	h.t.Helper()
	got := ""
	if s, ok := h.live.Lookup(pc); ok {
		got = s.String()
	}
	if got != symbol {
		h.t.Errorf("%#x: got %q, want %q", pc, got, symbol)
	}
}

func TestLiveLoadsAtFirstLookup(t *testing.T) {
	h := newHost(t, kernelText, "")
	h.want(kernelPC, "kernel_fn+0x10")
}

func TestLiveFindsNewModuleAtMiss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, kernelText, "")
		h.want(modulePC, "")
		h.set(kernelText+vethText, vethList)
		h.want(modulePC, "") // looked less than a second ago
		time.Sleep(time.Second)
		h.want(modulePC, "veth_xmit+0x10 [veth]")
	})
}

func TestLiveFindsOtherModuleAtHit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, kernelText+vethText, vethList)
		h.want(modulePC, "veth_xmit+0x10 [veth]")
		h.set(kernelText+dummyText, dummyList)
		time.Sleep(time.Second)
		h.want(modulePC, "dummy_xmit+0x10 [dummy]")
		h.set(kernelText, "")
		time.Sleep(time.Second)
		h.want(modulePC, "")
	})
}

func TestLiveDoesNotReadAgainWithoutReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, kernelText+vethText, vethList)
		h.want(modulePC, "veth_xmit+0x10 [veth]")
		// The users of veth change, and its symbol for the test to see a reload.
		h.set(kernelText+dummyText, "veth 40960 7 bridge,ip6_tables Live 0xc0000000 (E)\n")
		time.Sleep(time.Hour)
		h.want(kernelPC, "kernel_fn+0x10")
		h.want(modulePC, "veth_xmit+0x10 [veth]")
	})
}

func TestLiveReadsAgainForWhatLeavesNoTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, kernelText, "")
		h.want(programPC, "")
		h.set(kernelText+programText, "")
		time.Sleep(29 * time.Second)
		h.want(programPC, "")
		time.Sleep(time.Second)
		h.want(programPC, "bpf_prog_1+0x10 [bpf]")
		h.set(kernelText, "")
		time.Sleep(29 * time.Second)
		h.want(programPC, "bpf_prog_1+0x10 [bpf]")
		time.Sleep(time.Second)
		h.want(programPC, "")
	})
}

func TestLiveKeepsTableIfReloadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, kernelText+vethText, vethList)
		h.want(modulePC, "veth_xmit+0x10 [veth]")
		h.set("garbage\n", dummyList)
		time.Sleep(time.Second)
		h.want(modulePC, "veth_xmit+0x10 [veth]")
		if err := h.live.Load(); err == nil {
			t.Error("no error for garbage")
		}
		h.want(kernelPC, "kernel_fn+0x10")
		h.set(kernelText+dummyText, dummyList)
		time.Sleep(29 * time.Second)
		h.want(modulePC, "veth_xmit+0x10 [veth]")
		time.Sleep(time.Second)
		h.want(modulePC, "dummy_xmit+0x10 [dummy]")
	})
}

func TestLiveComesBackIfFirstLoadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, "00000000 T kernel_fn\n", "")
		const want = ": the kernel shows every address as 0: run as root or with CAP_SYSLOG"
		err := h.live.Load()
		if once := err != nil && strings.HasPrefix(err.Error(), "read "+h.live.Symbols+want); !once {
			t.Errorf("error %v, want read FILE%s", err, want)
		}
		if !errors.Is(err, kallsyms.ErrRestricted) {
			t.Errorf("got %v, want %v", err, kallsyms.ErrRestricted)
		}
		h.want(kernelPC, "")
		h.set(kernelText, "")
		h.want(kernelPC, "")
		time.Sleep(30 * time.Second)
		h.want(kernelPC, "kernel_fn+0x10")
	})
}

func TestLiveLoadReadsAgain(t *testing.T) {
	h := newHost(t, kernelText, "")
	h.want(programPC, "")
	h.set(kernelText+programText, "")
	if err := h.live.Load(); err != nil {
		t.Fatal(err)
	}
	h.want(programPC, "bpf_prog_1+0x10 [bpf]")
}

func TestLiveWithoutModules(t *testing.T) {
	h := newHost(t, kernelText, "")
	h.live.Modules += "-missing"
	h.want(kernelPC, "kernel_fn+0x10")
	h.want(modulePC, "")
}

func TestLiveWithoutSymbols(t *testing.T) {
	live := kallsyms.Live{Symbols: filepath.Join(t.TempDir(), "none")}
	if err := live.Load(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want %v", err, os.ErrNotExist)
	}
	if s, ok := live.Lookup(kernelPC); ok {
		t.Errorf("got %v", s)
	}
}

func TestLiveIsSafeForConcurrentUse(t *testing.T) {
	h := newHost(t, kernelText+vethText, vethList)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				h.want(kernelPC, "kernel_fn+0x10")
				h.want(modulePC, "veth_xmit+0x10 [veth]")
				h.want(programPC, "")
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			if err := h.live.Load(); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
}

func TestLiveLookupDoesNotAllocate(t *testing.T) {
	h := newHost(t, kernelText+vethText, vethList)
	h.want(kernelPC, "kernel_fn+0x10")
	h.want(modulePC, "veth_xmit+0x10 [veth]")
	if n := testing.AllocsPerRun(100, func() {
		h.live.Lookup(kernelPC)
		h.live.Lookup(modulePC)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLiveOfThisHost(t *testing.T) {
	openLive(t)
	var live kallsyms.Live
	err := live.Load()
	if errors.Is(err, kallsyms.ErrRestricted) {
		vmtest.SkipOrFail(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := live.Lookup(0); ok {
		t.Errorf("0 is in %v", s)
	}
}

func TestLiveOnFixture(t *testing.T) {
	h := newHost(t, string(fixture(t)), "")
	h.live.Modules = "../testdata/kallsyms/modules.list"
	if err := h.live.Load(); err != nil {
		t.Fatal(err)
	}
	h.want(0xffffffff820339d4, "tcp_v4_rcv+0x14")
	h.want(0xffffffffc0a41234, "nft_do_chain+0x4 [nf_tables]")
	h.want(0xffffffffcfbdc203, "")
}
