package member

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cilium/ebpf/btf"

	"dropwatch/internal/vmtest"
)

// running are the types of the kernel that runs the tests.
var running = sync.OnceValue(func() *Types { return NewTypes(btf.NewCache()) })

func runningFunction(t testing.TB, name string) *Function {
	t.Helper()
	if _, err := os.Stat(filepath.Join(folder, "vmlinux")); err != nil {
		vmtest.SkipOrFail(t, err)
	}
	f, err := running().Function(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestMembersOfThisKernel: the length of a queue and its limit.
func TestMembersOfThisKernel(t *testing.T) {
	f := runningFunction(t, "tcp_conn_request")
	e := compiled(t, f, "sk->sk_ack_backlog > sk->sk_max_ack_backlog")
	for backlog, want := range map[uint64]bool{128: false, 129: true} {
		if got := e.True([]Value{Number(backlog), Number(128)}); got != want {
			t.Errorf("%d of 128: %v", backlog, got)
		}
	}
	for text, show := range map[string]Show{
		"skb->dev->name": Text, "sk->sk_dport": Port, "sk->sk_rcv_saddr": IPv4, "sk->sk_v6_daddr": IPv6, "sk->sk_data_ready": Symbol,
		"skb->protocol": NetworkHex, "((struct inet_connection_sock *)sk)->icsk_accept_queue.qlen.counter": Decimal,
		"sk->sk_state == TCP_LISTEN": Bool, "inet_csk(sk)->icsk_accept_queue.qlen.counter": Decimal, "inet_sk(sk)->inet_daddr": IPv4,
	} {
		if e := compiled(t, f, text); e.Show != show {
			t.Errorf("%s is displayed as %d, want %d", text, e.Show, show)
		}
	}
}

// TestEveryMember: each integer and pointer in structs of this kernel is read where it is, and
// nothing else. Every bit of a struct but those of one member is set, and then only those.
func TestEveryMember(t *testing.T) {
	if bigEndian {
		t.Skip("bits are counted from the other end")
	}
	f := runningFunction(t, "tcp_conn_request")
	kernel, err := f.types.kernel()
	if err != nil {
		t.Fatal(err)
	}
	count, fields := 0, 0
	for _, name := range []string{
		"sk_buff", "tcp_sock", "udp_sock", "inet_connection_sock", "net_device", "netns_ipv4", "iphdr", "ipv6hdr", "tcphdr", "Qdisc",
		"nf_hook_state", "neighbour", "request_sock", "fib_result", "task_struct", "tc_skb_ext",
	} {
		var s *btf.Struct
		if kernel.TypeByName(name, &s) != nil {
			continue // this kernel was built without it
		}
		every(s.Members, "((struct "+name+" *)sk)->", 0, func(path string, at, width btf.Bits, bitField bool) {
			count++
			if bitField {
				fields++
			}
			checkMember(t, f, path, int(s.Size), int(at), int(width))
		})
	}
	if count < 1000 || fields < 100 {
		t.Errorf("only %d members, %d of them bit fields", count, fields)
	}
}

// every calls f for the integers and pointers among members, and for those in members that are
// structs or unions.
func every(members []btf.Member, prefix string, base btf.Bits, f func(path string, at, width btf.Bits, bitField bool)) {
	for _, m := range members {
		t, path := btf.UnderlyingType(m.Type), prefix+m.Name
		if within, ok := membersOf(t); ok {
			if m.Name != "" {
				path += "."
			}
			every(within, path, base+m.Offset, f)
		}
		size, err := btf.Sizeof(t)
		switch t.(type) {
		case *btf.Pointer, *btf.Int, *btf.Enum:
			if m.Name != "" && err == nil && size <= 8 {
				f(path, base+m.Offset, cmp.Or(m.BitfieldSize, btf.Bits(size*8)), m.BitfieldSize > 0)
			}
		}
	}
}

// checkMember reads a member from two structs: all bits but its own are set in the one, and in
// the other only those.
func checkMember(t *testing.T, f *Function, path string, size, at, width int) {
	e := compiled(t, f, "(long)"+path) // no pointer to char is followed
	l := e.Loads[0]
	if len(e.Loads) != 1 || len(l.Offsets) != 1 || l.Offsets[0]+int64(l.Size) > int64(size) {
		t.Fatalf("%s: %+v", path, e.Loads)
	}
	for bit, want := range []uint64{0, 1<<width - 1} {
		b := bytes.Repeat([]byte{byte(bit) - 1}, size)
		for i := at; i < at+width; i++ {
			b[i/8] = b[i/8]&^(1<<(i%8)) | byte(bit)<<(i%8)
		}
		var word [8]byte
		copy(word[:], b[l.Offsets[0]:l.Offsets[0]+int64(l.Size)])
		v, ok := e.Eval([]Value{Number(l.bitsOf(binary.LittleEndian.Uint64(word[:])))})
		if !ok || extend(v.Number, width, false) != want || v.Number != want && !l.Signed {
			t.Fatalf("%s: %#x, %v, want %#x: %+v", path, v.Number, ok, want, l)
		}
	}
}

// TestEnumsOfThisKernel: they are those of all of its types.
func TestEnumsOfThisKernel(t *testing.T) {
	runningFunction(t, "tcp_conn_request")
	kernel, err := running().kernel()
	if err != nil {
		t.Fatal(err)
	}
	got, err := kernelEnums()
	if want := enumValues(kernel); err != nil || len(want) < 1000 || !maps.Equal(got, want) {
		t.Errorf("%d constants, %v, want %d", len(got), err, len(want))
	}
}

func BenchmarkKernelEnums(b *testing.B) {
	for b.Loop() {
		if _, err := kernelEnums(); err != nil {
			b.Skip(err)
		}
	}
}
