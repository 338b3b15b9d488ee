package member

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/guest"
)

func TestMain(m *testing.M) { vmtest.Main(m) }

// TestGuestAsHere: other kernels have other members.
func TestGuestAsHere(t *testing.T) {
	t.Run("members", TestMembersOfThisKernel)
	t.Run("every member", TestEveryMember)
	t.Run("enums", TestEnumsOfThisKernel)
}

// TestGuestModules: functions and structs of modules, which have types since Linux 5.11.
func TestGuestModules(t *testing.T) {
	for _, module := range []string{"nf_tables", "nf_conntrack"} {
		guest.Do(t, "modprobe", module)
	}
	f, err := running().Function("nft_do_chain")
	if !guest.AtLeast(5, 11) {
		const want = "this kernel and its modules have no types for a function nft_do_chain: "
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, %v", f, err)
		}
		return
	}
	if err != nil || f.Module != "nf_tables" {
		t.Fatalf("%+v: %v", f, err)
	}
	if e := compiled(t, f, "((struct nft_chain *)priv)->table->name"); e.Show != Text || len(e.Loads[0].Offsets) != 3 {
		t.Errorf("%+v", e)
	}
	compiled(t, runningFunction(t, "ip_rcv"), "((struct nf_conn *)(skb->_nfct - 2))->status & IPS_CONFIRMED")
	const want = "module nf_tables has no types for a function nft_do_chains: did you mean nft_do_chain"
	if _, err := running().Function("nf_tables:nft_do_chains"); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

const tracing = "/sys/kernel/tracing"

// TestGuestKernelAgrees: since Linux 6.6 kprobe events type members themselves. What they read so
// is what they read at our offsets.
func TestGuestKernelAgrees(t *testing.T) {
	if readme, err := os.ReadFile(filepath.Join(tracing, "README")); err != nil || !strings.Contains(string(readme), "<argname>[->field") {
		if err != nil || guest.AtLeast(6, 12) {
			t.Fatalf("this kernel should type members: %v", err)
		}
		return // as it is too old: nothing is left out
	}
	f := runningFunction(t, "tcp_v4_connect")
	paths := []string{
		"sk->__sk_common.skc_family", "sk->__sk_common.skc_reuse", "sk->__sk_common.skc_ipv6only", "sk->__sk_common.skc_state",
		"sk->sk_rcvbuf", "sk->sk_sndbuf", "sk->sk_userlocks", "sk->sk_type", "sk->sk_protocol", "sk->sk_lingertime", "addr_len",
		"sk->__sk_common.skc_prot->obj_size", "sk->__sk_common.skc_net.net->hash_mix", "sk->sk_socket->type",
		"sk->sk_socket->file->f_flags", "sk->sk_write_queue.qlen", "sk->sk_socket", "sk->sk_max_ack_backlog",
	}
	var event strings.Builder
	event.WriteString("p:member/agrees tcp_v4_connect")
	for i, path := range paths {
		fmt.Fprintf(&event, " k%d=%s m%d=%s", i, path, i, fetch(compiled(t, f, path).Loads[0]))
	}
	lines := traced(t, []string{event.String()}, nil, connect)
	if len(lines) == 0 {
		t.Fatal("no event")
	}
	line := lines[0]
	for i, path := range paths {
		kernel, ours := field(t, line, fmt.Sprintf("k%d", i)), field(t, line, fmt.Sprintf("m%d", i))
		if kernel != ours {
			t.Errorf("%s is %d for the kernel, %d here", path, kernel, ours)
		}
	}
	if reuse := field(t, line, "k1"); reuse != 1 {
		t.Errorf("SO_REUSEADDR is %d in %s", reuse, line)
	}
}

// fetch is the fetch argument of a load.
func fetch(l Load) string {
	arg := fmt.Sprintf("$arg%d", l.Arg+1)
	for _, offset := range l.Offsets {
		arg = fmt.Sprintf("%+d(%s)", offset, arg)
	}
	if l.BitSize > 0 {
		return fmt.Sprintf("%s:b%d@%d/%d", arg, l.BitSize, l.BitOffset, l.Size*8)
	}
	return fmt.Sprintf("%s:%c%d", arg, "us"[truth(l.Signed)], l.Size*8)
}

// TestGuestFilters: the kernel takes the filters, and they accept what the conditions do. The
// fields of the events are constants.
func TestGuestFilters(t *testing.T) {
	f, random := demo(t), rand.New(rand.NewPCG(5, 6))
	var events []string
	filters, want := make(map[string]string), make(map[string]bool)
	add := func(text string, values []Value) {
		e := compiled(t, f, text)
		filter, whole := e.Filter(fieldName)
		if !whole {
			return
		}
		name := fmt.Sprintf("e%d", len(events))
		event := "p:member/" + name + " tcp_v4_connect"
		for i, l := range e.Loads {
			event += " " + fieldName(i) + "=" + immediate(l, values[i])
		}
		events, filters[name], want[name] = append(events, event), filter, e.True(values)
	}
	for _, text := range []string{"eth0", "eth1", "eth", "eth00"} {
		add(`sk->sk_dev->name == "`+text+`"`, []Value{Bytes([]byte("eth0"))})
		add(`"`+text+`" != name`, []Value{Bytes([]byte("eth0"))})
	}
	for len(events) < 100 {
		text := randomCondition(random, random.IntN(3))
		values := make([]Value, MaxLoads)
		for i := range values {
			values[i] = Number(interesting[random.IntN(len(interesting))])
		}
		add(text, values)
	}
	happened := make(map[string]bool)
	for _, line := range traced(t, events, filters, connect) {
		happened[regexp.MustCompile(` (e\d+): `).FindStringSubmatch(line)[1]] = true
	}
	for name, filter := range filters {
		if happened[name] != want[name] {
			t.Errorf("%s: filter %s accepts: %v", events[slices.IndexFunc(events, hasName(name))], filter, happened[name])
		}
	}
	if len(happened) < 20 || len(happened) > 80 {
		t.Errorf("%d of %d events", len(happened), len(events))
	}
}

func hasName(name string) func(event string) bool {
	return func(event string) bool { return strings.HasPrefix(event, "p:member/"+name+" ") }
}

// immediate is the fetch argument of a constant that a load has.
func immediate(l Load, v Value) string {
	n := l.value(v).Number
	switch {
	case l.String:
		return `\"` + string(v.Bytes) + `":string`
	case l.Signed:
		return fmt.Sprintf(`\%d:s%d`, int64(n), l.Size*8)
	}
	return fmt.Sprintf(`\%d:u%d`, n, l.Size*8)
}

// traced returns the lines of kprobe events that happen while f runs. Filters are by the name of
// the event.
func traced(t *testing.T, events []string, filters map[string]string, f func(t *testing.T)) (lines []string) {
	t.Helper()
	write(t, "trace", "", os.O_TRUNC)
	for _, event := range events {
		write(t, "kprobe_events", event, os.O_APPEND)
		name, _, _ := strings.Cut(strings.TrimPrefix(event, "p:"), " ")
		defer write(t, "kprobe_events", "-:"+name, os.O_APPEND)
	}
	for name, filter := range filters {
		write(t, "events/member/"+name+"/filter", filter, os.O_TRUNC)
	}
	write(t, "events/member/enable", "1", os.O_TRUNC)
	defer write(t, "events/member/enable", "0", os.O_TRUNC)
	f(t)
	text, err := os.ReadFile(filepath.Join(tracing, "trace"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") && strings.Contains(line, "tcp_v4_connect") {
			lines = append(lines, line)
		}
	}
	return lines
}

// write writes a line to a file of tracefs.
func write(t *testing.T, name, text string, flag int) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(tracing, name), os.O_WRONLY|flag, 0)
	if err == nil {
		_, err = file.WriteString(text + "\n")
		file.Close()
	}
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(tracing, "error_log"))
		t.Fatalf("write %s: %v: %s", text, err, log)
	}
}

// connect calls tcp_v4_connect.
func connect(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	reuse := func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			if err := syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
				t.Error(err)
			}
		})
	}
	d := net.Dialer{Control: reuse}
	c, err := d.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// field returns the number of a field, as a signed one.
func field(t *testing.T, line, name string) int64 {
	t.Helper()
	found := regexp.MustCompile(` ` + name + `=(\S+)`).FindStringSubmatch(line)
	if found == nil {
		t.Fatalf("no %s in %s", name, line)
	}
	if n, err := strconv.ParseInt(found[1], 0, 64); err == nil {
		return n
	}
	n, err := strconv.ParseUint(found[1], 0, 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(n)
}
