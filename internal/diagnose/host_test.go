package diagnose_test

import (
	"encoding/json"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// TestKeptAnswers: a host of kept answers gives the same findings as the one that was asked.
func TestKeptAnswers(t *testing.T) {
	live := diagnose.NewHost(host.FS(fstest.MapFS{
		"proc/sys/net/core/rmem_max":     {Data: []byte("212992\n")},
		"proc/sys/net/core/rmem_default": {Data: []byte("212992\n")},
		"etc/sysctl.conf":                {Data: []byte("net.core.rmem_max = 212992\n")},
		"proc/self/ns/net":               {Data: []byte("net:[7]"), Mode: 0o777 | fs.ModeSymlink}, // a link
	}), func(inode uint64) event.Owner {
		return event.Owner{
			Process: event.Process{PID: 42, Comm: "dns", Confidence: event.Likely}, Unit: "dns.service",
			Container: event.Container{ID: "c1", Runtime: "docker", Name: "dns"},
			Pod:       event.Pod{UID: "p", Namespace: "shop", Name: "dns-0"},
			Socket:    &event.Socket{Inode: inode, Family: 2, Receiver: true, Confidence: event.Certain},
		}
	})
	answers := make(map[string]json.RawMessage)
	live.Keep(func(question string, answer []byte) { answers[question] = answer })
	want := askedText(t, live)
	for _, part := range []string{"rmem_max = 212992, set by /etc/sysctl.conf:1\n", "to dns/42? in shop/dns-0"} {
		if !strings.Contains(want, part) {
			t.Errorf("%q is missing in\n%s", part, want)
		}
	}
	if got := askedText(t, diagnose.RecordedHost(answers)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestStrangeAnswers: an answer that is not of its kind, and one that is missing, is not known.
func TestStrangeAnswers(t *testing.T) {
	want := askedText(t, diagnose.RecordedHost(nil))
	strange := make(map[string]json.RawMessage)
	kept := diagnose.NewHost(host.FS(fstest.MapFS{}), nil)
	kept.Keep(func(question string, _ []byte) { strange[question] = json.RawMessage(`[{"name":7}]`) })
	askedText(t, kept)
	if len(strange) == 0 {
		t.Fatal("nothing was asked")
	}
	if got := askedText(t, diagnose.RecordedHost(strange)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// askedText is the report on a socket whose buffer is full.
func askedText(t *testing.T, h *diagnose.Host) string {
	t.Helper()
	drop := udp("SOCKET_RCVBUFF", 40001)
	drop.Netns = event.Netns{}
	sockets := full("udp 0.0.0.0:53", 5, 212992)
	for i := range sockets {
		sockets[i].Netns = event.Netns{}
	}
	d := diagnoseSockets(t, drop, sockets)
	d.Ask(h)
	return textOf(t, d)
}
