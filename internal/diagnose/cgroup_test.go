package diagnose_test

import (
	"encoding/json"
	"strings"
	"testing"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/kernel"
)

// TestCgroupPrograms: packets that a BPF program dropped have the programs at the control group of their socket, and the
// filter of the socket itself is the cause only where there is none.
func TestCgroupPrograms(t *testing.T) {
	const (
		netlink = 16
		none    = `{"known":true}`
		one     = `{"known":true,"programs":[{"id":17,"name":"sd_fw","group":"/system.slice"}]}`
		two     = `{"known":true,"programs":[{"id":17,"name":"sd_fw","group":"/system.slice"},{"id":18}]}`
	)
	tcp := &event.Socket{Family: kernel.AFInet6, Protocol: 6, Receiver: true, Confidence: event.Certain}
	for name, test := range map[string]struct {
		reason string
		socket *event.Socket
		answer string // empty: it could not be found out
		want   string
	}{
		"of the group": {
			"SOCKET_FILTER", tcp, one, "policy, maybe) why A BPF program at the control group of the receiver likely rejected | " +
				"rule likely BPF program 17 sd_fw at control group /system.slice owner | check bpftool prog show id 17",
		},
		"one of two":  {"SOCKET_FILTER", tcp, two, "rule one of BPF program 17 sd_fw at control group /system.slice; BPF program 18 owner"},
		"of its own":  {"SOCKET_FILTER", tcp, none, "policy, maybe) why The filter that the program set at its own socket"},
		"not known":   {"SOCKET_FILTER", tcp, "", "noise: SOCKET_FILTER 1"},
		"of raw ICMP": {"SOCKET_FILTER", &event.Socket{Family: kernel.AFInet, Protocol: 1, Receiver: true}, none, "noise: SOCKET_FILTER 1"},
		"of netlink":  {"SOCKET_FILTER", &event.Socket{Family: netlink, Receiver: true}, one, "noise: SOCKET_FILTER 1"},
		"of a sender": {"SOCKET_FILTER", &event.Socket{Family: kernel.AFInet, Protocol: 6}, one, "noise: SOCKET_FILTER 1"},
		"sent": {
			"BPF_CGROUP_EGRESS", &event.Socket{Family: kernel.AFInet, Protocol: 17}, one,
			"rule exactly BPF program 17 sd_fw at control group /system.slice owner | -p IPAddressAllow dns.service",
		},
		"sent, not known": {"BPF_CGROUP_EGRESS", tcp, "", "check bpftool cgroup tree"},
	} {
		t.Run(name, func(t *testing.T) {
			e := udp(test.reason, 40001)
			e.Owner = event.Owner{
				Process: event.Process{PID: 9, Comm: "dns"}, Unit: "dns.service", Socket: test.socket,
				Cgroup: event.Cgroup{ID: 5, Path: "/system.slice/dns.service"},
			}
			answers := make(map[string]json.RawMessage)
			if test.answer != "" {
				for _, direction := range []string{"received", "sent"} {
					answers["BPF programs at control group /system.slice/dns.service, "+direction] = json.RawMessage(test.answer)
				}
			}
			text := strings.Join(strings.Fields(reportOf(t, e, diagnose.RecordedHost(answers))), " ")
			for want := range strings.SplitSeq(test.want, " | ") {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in\n%s", want, text)
				}
			}
		})
	}
}
