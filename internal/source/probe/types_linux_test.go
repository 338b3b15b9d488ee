package probe

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/perf"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// TestGuestTypes: the values of a point are those that the kernel itself reads by its own types, where it can.
func TestGuestTypes(t *testing.T) {
	if !guest.AtLeast(6, 12) {
		return // it has no such arguments of probes
	}
	ns := drops.NewNamespace(t)
	listener := ns.Listen(syscall.SOCK_STREAM)
	ns.Do(func() error { return syscall.Listen(listener, 3) })
	compareFetches(t, "udp_rcv", func() { ns.SendUDP(1) }, []string{
		"skb->len", "skb->protocol", "skb->dev->ifindex", "skb->dev->mtu", "skb->dev->nd_net.net->ns.inum", "skb->skb_iif",
		"skb->dev->name:string", "skb->network_header", "skb->pkt_type", "skb->ip_summed", "skb->hash", "skb->truesize",
	})
	compareFetches(t, "tcp_conn_request", func() { ns.Write(ns.Dial()) }, []string{
		"sk->sk_max_ack_backlog", "sk->sk_ack_backlog", "sk->__sk_common.skc_num", "sk->__sk_common.skc_family",
		"sk->__sk_common.skc_state", "sk->__sk_common.skc_net.net->ns.inum", "sk->sk_rcvbuf", "sk->sk_sndbuf", "sk->sk_type",
		"sk->sk_protocol", "sk->sk_kern_sock", "sk->sk_gso_type", "skb->sk", "rsk_ops->family",
	})
}

// compareFetches has a probe of a function read each path twice: as we do, and as the kernel does.
func compareFetches(t *testing.T, function string, hit func(), paths []string) {
	t.Helper()
	f, err := running().Types.Function(function)
	if err != nil {
		t.Fatal(err)
	}
	p := perf.Probe{Name: "types", Function: function}
	for i, path := range paths {
		e, err := f.Compile(path)
		if err != nil {
			t.Fatal(err)
		}
		p.Fetch = append(p.Fetch, perf.Fetch{Name: fmt.Sprintf("ours%d", i), Expr: fetchOf(e.Loads[0])},
			perf.Fetch{Name: fmt.Sprintf("kernel%d", i), Expr: path})
	}
	text := traced(t, p, hit)
	for i, path := range paths {
		ours, kernel := fieldOf(text, fmt.Sprintf("ours%d", i)), fieldOf(text, fmt.Sprintf("kernel%d", i))
		if number(ours) != number(kernel) || ours == "" {
			t.Errorf("%s of %s: %q, by the kernel's types %q", path, function, ours, kernel)
		}
	}
}

// number returns a number in decimal, whatever it is written in; another text as it is.
func number(text string) string {
	if n, err := strconv.ParseUint(text, 0, 64); err == nil {
		return strconv.FormatUint(n, 10)
	}
	return text
}

// traced returns what the kernel prints of the hits of a probe.
func traced(t *testing.T, p perf.Probe, hit func()) string {
	t.Helper()
	probes, err := perf.OpenProbes()
	if err != nil {
		t.Fatal(err)
	}
	defer probes.Close()
	event, _, err := probes.Add(p)
	if err != nil {
		t.Fatal(err)
	}
	enable := "/sys/kernel/tracing/events/" + event + "/enable"
	os.WriteFile("/sys/kernel/tracing/trace", nil, 0) // forgets what is there
	os.WriteFile(enable, []byte("1"), 0)
	hit()
	os.WriteFile(enable, []byte("0"), 0)
	text, err := os.ReadFile("/sys/kernel/tracing/trace")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fieldOf returns the value of a field in what the kernel prints.
func fieldOf(text, name string) string {
	_, rest, _ := strings.Cut(text, " "+name+"=")
	value, _, _ := strings.Cut(rest, " ")
	return strings.TrimSpace(value)
}
