package suggest_test

import (
	"strings"
	"testing"

	"dropwatch/internal/suggest"
)

func TestQuestion(t *testing.T) {
	names := []string{"NO_SOCKET", "NO_SOCKET", "SOCKET_FILTER", "TCP_CSUM", "UDP_CSUM", "tcp.type", "net.ipv4.tcp_mem"}
	for typed, want := range map[string]string{
		"NO_SOKCET": "did you mean NO_SOCKET?", "DCP_CSUM": "did you mean TCP_CSUM or UDP_CSUM?", "XFRM": "", "": "",
		"socket": "did you mean SOCKET_FILTER?", "no_socket": "did you mean NO_SOCKET?", "n": "",
		"type": "did you mean tcp.type?", "tcp_mem": "did you mean net.ipv4.tcp_mem?", "ipv4": "",
		strings.Repeat("NO_SOCKET", 100): "",
	} {
		if got := suggest.Question(typed, names); got != want {
			t.Errorf("%s: %q, want %q", typed, got, want)
		}
	}
}

func TestOneOf(t *testing.T) {
	for want, names := range map[string][]string{"": nil, "a": {"a"}, "a or b": {"a", "b"}, "a, b or c": {"a", "b", "c"}} {
		if got := suggest.OneOf(names); got != want {
			t.Errorf("%q: %q, want %q", names, got, want)
		}
	}
}

func TestChoice(t *testing.T) {
	for typed, want := range map[string]string{"bfp": "did you mean bpf?", "x": "give one of: bpf, trace"} {
		if got := suggest.Choice(typed, []string{"bpf", "trace"}); got != want {
			t.Errorf("%s: %q, want %q", typed, got, want)
		}
	}
}
