package event_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"dropwatch/internal/event"
)

func TestEscape(t *testing.T) {
	tests := map[string]struct{ name, want string }{
		"empty":                       {"", ""},
		"a symbol":                    {"nf_hook_slow+0x4a/0xc0 [nf]", "nf_hook_slow+0x4a/0xc0 [nf]"},
		"letters beyond ASCII":        {"Straße-日本", "Straße-日本"},
		"a backslash stays":           {`a\x1b`, `a\x1b`},
		"ESC":                         {"\x1b[31mred", `\x1b[31mred`},
		"newline":                     {"a\nb\r\tc", `a\x0ab\x0d\x09c`},
		"NUL and DEL":                 {"\x00\x7f", `\x00\x7f`},
		"CSI as one C1 byte":          {"\x9b31m", `\x9b31m`},
		"CSI as UTF-8":                {"\u009b31m", `\xc2\x9b31m`},
		"right-to-left override":      {"a\u202eb", `a\xe2\x80\xaeb`},
		"zero-width and no-break":     {"\u200b\u00a0", `\xe2\x80\x8b\xc2\xa0`},
		"line separator":              {"\u2028", `\xe2\x80\xa8`},
		"invalid UTF-8":               {"a\xffb\xc3(", `a\xffb\xc3(`},
		"cut in the middle of a rune": {"日"[:2], `\xe6\x97`},
		"surrogate":                   {"\xed\xa0\x80", `\xed\xa0\x80`},
		"the replacement character":   {"a\ufffdb", `a\xef\xbf\xbdb`},
		"clean, then not":             {strings.Repeat("x", 40) + "\a", strings.Repeat("x", 40) + `\x07`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := event.Escape(tt.name); got != tt.want {
				t.Errorf("Escape(%q) = %s, want %s", tt.name, got, tt.want)
			}
		})
	}
}

func TestEscapeOfACleanNameDoesNotAllocate(t *testing.T) {
	name := strings.Repeat("udp_queue_rcv_skb", 3)
	if n := testing.AllocsPerRun(100, func() { event.Escape(name) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"", "eth0", "\x1b[2J", "\x9b", "\u202e", "\ufffd", "a\xff日\n", `\x1b`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := event.Escape(name)
		if !utf8.ValidString(got) {
			t.Fatalf("Escape(%q) = %q is no UTF-8", name, got)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Fatalf("Escape(%q) = %q shows %U", name, got, r)
			}
		}
		if again := event.Escape(got); again != got {
			t.Fatalf("Escape(%q) = %q, and of that %q", name, got, again)
		}
		if len(got) < len(name) {
			t.Fatalf("Escape(%q) = %q has lost something", name, got)
		}
	})
}

// TestQuote: what a name has to be quoted for is what the text around it consists of.
func TestQuote(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "nginx": "nginx", "kworker/0:1-events": "kworker/0:1-events", `a\b`: `a\b`,
		"a/b to c in d": `"a/b to c in d"`, "tmux: server": `"tmux: server"`, "?": `"?"`,
		`a" to b`: `"a\" to b"`, `a\" to b`: `"a\\\" to b"`, "\x1b \xff": `"\x1b \xff"`,
	} {
		if got := event.Quote(name); got != want {
			t.Errorf("%q is %s, want %s", name, got, want)
		}
	}
}
