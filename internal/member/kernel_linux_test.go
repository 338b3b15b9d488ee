package member

import (
	"os"
	"sync"
	"testing"

	"github.com/cilium/ebpf/btf"

	"dropwatch/internal/vmtest"
)

// running are the types of the kernel that runs the tests.
var running = sync.OnceValue(func() *Types { return NewTypes(btf.NewCache()) })

func runningFunction(t *testing.T, name string) *Function {
	t.Helper()
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		vmtest.SkipOrFail(t, err)
	}
	f, err := running().Function(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMembersOfThisKernel(t *testing.T) {
	f := runningFunction(t, "tcp_conn_request")
	e, err := f.Compile("sk->sk_ack_backlog > sk->sk_max_ack_backlog")
	if err != nil || len(e.Loads) != 2 {
		t.Fatalf("%+v: %v", e, err)
	}
	for backlog, want := range map[uint64]bool{128: false, 129: true} {
		if got := e.True([]Value{Number(backlog), Number(128)}); got != want {
			t.Errorf("%d of 128: %v", backlog, got)
		}
	}
}
