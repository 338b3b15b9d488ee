package filter_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/source/trace"
	"dropwatch/internal/stage/filter"
)

// numbers are the reasons of a kernel, and noNumbers of one without any.
var numbers = map[string]uint64{"NOT_SPECIFIED": 2, "NO_SOCKET": 3, "TCP_CSUM": 5, "NETFILTER_DROP": 12, "QDISC_DROP": 20}

func known(name string) ([]condition.Span, bool) {
	if n, ok := numbers[event.ReasonFamily(name)]; ok {
		return []condition.Span{{Lo: n, Hi: n}}, false
	}
	if n, ok := numbers[name]; ok {
		return []condition.Span{{Lo: n, Hi: n}}, true
	}
	return nil, true
}

// ofKernel knows the names of one kernel.
var ofKernel = filter.Resolver{Reason: known}

func none(string) ([]condition.Span, bool) { return nil, true }

func TestKernel(t *testing.T) {
	const (
		never = "protocol == 0 && protocol == 1"
		tags  = " || protocol == 33024 || protocol == 34984 || protocol == 37120"
	)
	tests := map[string]string{
		"reason == NO_SOCKET":                              "reason == 3",
		"reason == NO_SOCKET and dst port 53":              "reason == 3",
		"reason == NO_SOCKET or dst port 53":               "",
		"reason != NO_SOCKET":                              "reason != 3",
		"not reason == NO_SOCKET":                          "reason != 3",
		"not reason != NO_SOCKET":                          "",
		"reason in {NO_SOCKET, TCP_CSUM}":                  "reason == 3 || reason == 5",
		"reason != {NO_SOCKET, TCP_CSUM}":                  "reason != 3 && reason != 5",
		"reason {NO_SOCKET, OF_ANOTHER_KERNEL}":            "reason == 3",
		"reason {NO_SOCKET, TCP_*}":                        "",
		"reason != {NO_SOCKET, TCP_*}":                     "reason != 3",
		"reason ~ TCP or reason !~ A":                      "",
		"reason":                                           "",
		"reason == OF_ANOTHER_KERNEL":                      never,
		"reason == OF_ANOTHER_KERNEL or reason NO_SOCKET":  "reason == 3",
		"reason == OF_ANOTHER_KERNEL and reason NO_SOCKET": never,
		"reason != OF_ANOTHER_KERNEL":                      "",
		"reason == 0x20005":                                "",
		"reason QDISC_DROP":                                "reason == 20",
		"reason QDISC_DROP_OVERLIMIT":                      "reason == 20",
		"reason {NO_SOCKET, QDISC_DROP_OVERLIMIT}":         "reason == 3 || reason == 20",
		"reason != QDISC_DROP_OVERLIMIT":                   "",
		"proto == 0x88cc": "protocol == 0" +
			strings.Replace(tags, "34984", "34984 || protocol == 35020", 1),
		"arp":                                       "protocol == 0 || protocol == 2054" + tags,
		"ip and reason NO_SOCKET":                   "(protocol == 0 || protocol == 2048" + tags + ") && reason == 3",
		"not ip and not arp":                        "protocol != 2048 && protocol != 2054",
		"not (ip or reason == NO_SOCKET)":           "protocol != 2048 && reason != 3",
		"proto != {5, 10-20}":                       "protocol != 5 && (protocol < 10 || protocol > 20)",
		"not ip or reason == NO_SOCKET and not arp": "protocol != 2048 || (reason == 3 && protocol != 2054)",
		"proto < 0x600":                             "(protocol >= 0 && protocol <= 1535)" + tags,
		"proto != vlan":                             "",
		"proto":                                     "",
		"inner ip":                                  "",
		"not inner ip":                              "",
		"eth.type == arp":                           "",
		"reason == NO_SOCKET and reason == NO_SOCKET":             "reason == 3",
		strings.Repeat("not ip and not ip6 or ", 200) + "not arp": "(protocol != 2048 && protocol != 34525) || protocol != 2054",
		"proto in {" + strings.Repeat("3,7,11,19,23,", 200) +
			"1000}": "protocol == 0 || protocol == 3 || protocol == 7 || protocol == 11 || protocol == 19 || protocol == 23 || " +
			"protocol == 1000" + tags,
		"proto in {" + everyOther(400) + "}": "", // longer than the kernel takes
	}
	for text, want := range tests {
		if got := trace.Expression(parse(t, text).Kernel(ofKernel)); got != want {
			t.Errorf("%s: %s\nwant %s", text, got, want)
		}
	}
}

func everyOther(n int) string {
	var all []string
	for i := range n {
		all = append(all, strconv.Itoa(2*i+1))
	}
	return strings.Join(all, ",")
}

// TestKernelIsNecessary: whatever an expression accepts, the kernel lets pass.
func TestKernelIsNecessary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	accepted, rejected := 0, 0
	for range 8000 {
		f := parse(t, randomExpression(r, 4))
		resolver, reasons := ofKernel, true
		if r.IntN(4) == 0 {
			resolver.Reason, reasons = none, false
		}
		condition := trace.Expression(f.Kernel(resolver))
		for range 5 {
			e := randomEvent(r)
			record := map[string]uint64{"protocol": uint64(e.Packet.Proto), "location": e.Where.PC}
			if e.Reason = ""; reasons {
				e.Reason, record["reason"] = randomReason(r)
			}
			passes := evaluate(t, condition, record)
			if !passes {
				rejected++
			}
			if !f.Match(&e) {
				continue
			}
			if accepted++; !passes {
				t.Fatalf("%s matches, and the kernel rejects %v by %s", f, record, condition)
			}
		}
	}
	if accepted < 10000 || rejected < 1000 {
		t.Errorf("%d were accepted and %d rejected by the kernel: that shows nothing", accepted, rejected)
	}
}

// randomReason returns a reason as the trace event has it, and its number.
func randomReason(r *rand.Rand) (string, uint64) {
	switch r.IntN(6) {
	case 3:
		return "QDISC_DROP", 20
	case 0:
		return "0x20005", 0x20005
	case 1:
		return "TCP_CSUM", 5
	case 2:
		return "NETFILTER_DROP", 12
	}
	return "NO_SOCKET", 3
}

// evaluate decides a condition as the kernel does, kernel/trace/trace_events_filter.c.
func evaluate(t *testing.T, condition string, record map[string]uint64) bool {
	t.Helper()
	if condition == "" {
		return true
	}
	v := evaluator{t: t, record: record}
	for _, s := range []string{"(", ")"} {
		condition = strings.ReplaceAll(condition, s, " "+s+" ")
	}
	v.words = strings.Fields(condition)
	result := v.or()
	if len(v.words) > 0 {
		t.Fatalf("%s: %q is left", condition, v.words)
	}
	return result
}

type evaluator struct {
	t      *testing.T
	record map[string]uint64
	words  []string
}

func (v *evaluator) next() string {
	if len(v.words) == 0 {
		v.t.Fatal("the condition ends too early")
	}
	w := v.words[0]
	v.words = v.words[1:]
	return w
}

func (v *evaluator) accept(word string) bool {
	if len(v.words) == 0 || v.words[0] != word {
		return false
	}
	v.next()
	return true
}

func (v *evaluator) or() bool {
	result := v.and()
	for v.accept("||") {
		right := v.and()
		result = result || right
	}
	return result
}

func (v *evaluator) and() bool {
	result := v.predicate()
	for v.accept("&&") {
		right := v.predicate()
		result = result && right
	}
	return result
}

func (v *evaluator) predicate() bool {
	if v.accept("(") {
		result := v.or()
		if !v.accept(")") {
			v.t.Fatal("a parenthesis is not closed")
		}
		return result
	}
	field, operator, digits := v.next(), v.next(), v.next()
	have, ok := v.record[field]
	n, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil {
		v.t.Fatalf("%s %s %s: no such field, or no number", field, operator, digits)
	}
	switch operator {
	case "==":
		return have == n
	case "!=":
		return have != n
	case "<":
		return have < n
	case "<=":
		return have <= n
	case ">":
		return have > n
	case ">=":
		return have >= n
	}
	v.t.Fatalf("%s is no operator", operator)
	return false
}

// randomEvent returns a drop of which anything may be missing. As in the trace
// event, no protocol is protocol 0.
func randomEvent(r *rand.Rand) event.Event {
	sometimes := func() bool { return r.IntN(3) > 0 }
	e := full()
	if sometimes() {
		packets := [][]byte{
			eth(0x0806, arp(1)), eth(0x86dd, ip6(58, icmp(128, 0, nil))), eth(0x8100, vlan(7, 0x0800, ip4(6, tcp(53, 80, 2)))),
			eth(0x0800, router4(1, icmp(3, 3, ip4(17, udp(1, 53, nil))))), {1, 2, 3},
		}
		e.Packet = dropOf(packets[r.IntN(len(packets))]).Packet
	}
	e.Packet.Proto = []uint16{0, 0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8, 0x1234}[r.IntN(7)]
	e.Packet.HasProto = e.Packet.Proto != 0
	if sometimes() {
		e.Packet.Data, e.Packet.HasData, e.Packet.Flow = nil, false, nil
	}
	if sometimes() {
		e.Where = event.Where{HasPC: true, Kernel: "nf_hook_slow+0x4a/0xc0"}
	}
	if sometimes() {
		e.Reason, _ = randomReason(r)
	}
	if sometimes() {
		e.Port, e.Task, e.Stack, e.Cookie = event.Port{}, event.Task{}, nil, nil
	}
	return e
}

// comparisons are those that random expressions are made of: of every kind.
var comparisons = []string{
	"layer transport", "layer.module != tcp",
	"reason == NO_SOCKET", "reason != NO_SOCKET", "reason in {NO_SOCKET, TCP_CSUM}", "reason != {NO_SOCKET, FOO}", "reason == FOO",
	"reason == 0x20005", "reason TCP_*", "reason ~ ^n", "reason !~ ^n", "reason",
	"ip", "ip6", "arp", "proto == ip", "proto != arp", "proto in {ip, vlan}", "proto != {ip, vlan}", "proto < 0x900", "proto 0x700-0x900",
	"proto >= 0", "proto < 0", "proto", "proto == 0", "ether proto ip6", "inner ip", "inner.ip6", "eth.type == ip", "proto == 0x1234",
	"tcp", "udp port 53", "host 192.0.2.1", "src and dst net 192.0.0.0/8", "port != 53", "tcp.flags has syn", "len > 60", "vlan 7",
	"pc 0", "pc != 0xffffffff81000000",
	"symbol ~ ^nf_", "point nf_*", "module == openvswitch", "origin hw", "iface eth0", "iface 3", "pid < 50", "stack has nf_hook_slow",
	"cookie deadbeef", "quoted port 53", "eth.addr 02:00:5e:00:53:01", "icmp.type == {echo-request, 3}", "comm == k*",
}

func randomExpression(r *rand.Rand, depth int) string {
	if depth == 0 || r.IntN(5) == 0 {
		return comparisons[r.IntN(len(comparisons))]
	}
	left := randomExpression(r, depth-1)
	switch r.IntN(5) {
	case 0, 1:
		return "(" + left + ") and (" + randomExpression(r, depth-1) + ")"
	case 2, 3:
		return left + " or " + randomExpression(r, depth-1)
	}
	return "not (" + left + ")"
}
