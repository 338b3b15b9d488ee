package member

import (
	"strings"
	"testing"
)

func TestFormat(t *testing.T) {
	f := demo(t)
	for _, test := range []struct {
		text  string
		value Value
		want  string
	}{
		{"n", Number(1<<32 - 5), "-5"},
		{"u", Number(1<<32 - 5), "4294967291"},
		{"n:x", Number(1<<32 - 5), "0xfffffffb"},
		{"big", Number(^uint64(0)), "18446744073709551615"},
		{"n > 3", Number(4), "true"},
		{"!n", Number(4), "false"},
		{"n && u", Number(0), "false"},
		{"sk->sk_flag", Number(1), "true"},
		{"sk->sk_flag:d", Number(1), "1"},
		{"sk", Number(0xffff888000000000), "0xffff888000000000"},
		{"sk->sk_ready", Number(0xffffffff81000000), "0xffffffff81000000"},
		{"sk->sk_kind", Number(1), "KIND_A"},
		{"sk->sk_kind", Number(2), "KIND_B"},
		{"sk->sk_kind", Number(1<<32 - 1), "KIND_NONE"},
		{"sk->sk_kind", Number(9), "9"},
		{"(enum kind)n", Number(1), "KIND_A"},
		{"sk->sk_kind:d", Number(1), "1"},
		{"sk->sk_kind:enum", Number(1), "KIND_A"},
		{"sk->sk_dport", Number(swap(8080, 2)), "8080"},
		{"port:port", Number(swap(8080, 2)), "8080"},
		{"sk->sk_protocol", Number(swap(0x0800, 2)), "0x800"},
		{"sk->sk_daddr", Number(swap(0x7f000001, 4)), "127.0.0.1"},
		{"u:ip", Number(swap(0x0a000001, 4)), "10.0.0.1"},
		{"sk->sk_addr", Bytes([]byte{10, 0, 0, 2}), "10.0.0.2"},
		{"sk->sk_v6_daddr", Bytes([]byte{0xfe, 0x80, 15: 1}), "fe80::1"},
		{"in6:ip", Bytes([]byte{0xfe, 0x80, 15: 2}), "fe80::2"},
		{"sk->sk_mac", Bytes([]byte{2, 0, 0, 0, 0xab, 1}), "02:00:00:00:ab:01"},
		{"sk->sk_mac:mac", Bytes([]byte{2, 0, 0, 0, 0xab, 1}), "02:00:00:00:ab:01"},
		{"sk->sk_mac:x", Bytes([]byte{2, 0, 0, 0, 0xab, 1}), "02000000ab01"},
		{"sk->sk_name", Bytes([]byte("eth0\x00\x07\x07\x07")), "eth0"},
		{"name", Bytes([]byte("a\x1b[2J\x00")), "a\x1b[2J"},
		{"sk->sk_mac:string", Bytes([]byte("ab\x00def")), "ab"},
		{"\"x\"", Bytes(nil), "x"},
		{"sk->sk_dev->mtu + 1 : x", Number(1499), "0x5dc"},
	} {
		e := compiled(t, f, test.text)
		v, ok := e.Eval([]Value{test.value})
		if len(e.Loads) > 1 || strings.Contains(test.text, "n > 3") || strings.Contains(test.text, "&&") {
			v, ok = e.Eval([]Value{test.value, test.value})
		}
		if got := e.Format(v); !ok || got != test.want {
			t.Errorf("%s with %+v: %q, %v, want %q", test.text, test.value, got, ok, test.want)
		}
	}
	if got := compiled(t, f, "n").Format(Value{}); got != "" {
		t.Errorf("what is not known: %q", got)
	}
}

// TestText: the display at the end is not part of the text.
func TestText(t *testing.T) {
	for text, want := range map[string]string{" n : x ": "n", "n:x": "n", "sk->lo": "sk->lo"} {
		if e := compiled(t, demo(t), text); e.Text != want {
			t.Errorf("%q: %q, want %q", text, e.Text, want)
		}
	}
}
