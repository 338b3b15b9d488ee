package filter_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/source/trace"
	"dropwatch/internal/stage/filter"
)

// sameAs says whether two filters want the same of some drops.
func sameAs(f, g *filter.Filter, drops []event.Event) bool {
	for i := range drops {
		if f.Match(&drops[i]) != g.Match(&drops[i]) {
			return false
		}
	}
	return true
}

func someDrops(n int) (drops []event.Event) {
	r := rand.New(rand.NewPCG(3, 4))
	for range n {
		drops = append(drops, randomEvent(r))
	}
	return drops
}

func TestStringIsTheSame(t *testing.T) {
	r, drops := rand.New(rand.NewPCG(5, 6)), someDrops(50)
	for range 5000 {
		text := randomExpression(r, 5)
		f := parse(t, text)
		if again := parse(t, f.String()); again.String() != f.String() || !sameAs(f, again, drops) {
			t.Fatalf("%s is not %s, or that is not %s", text, f, again)
		}
	}
}

// FuzzParse reads anything: it is an expression, whose text is the same, or an
// error that says where.
func FuzzParse(f *testing.F) {
	for _, text := range comparisons {
		f.Add(text)
		f.Add("not (" + text + " or inner " + text + ") && ! " + text)
	}
	for _, text := range []string{
		"", "src or dst port domain", `iface {"a b", 'c"', and, eth*, 1}`, `symbol ~ "a\\b\"c" or symbol ~ ^(a|b)\ )`, "tcp[13] & 2 != 0",
		"(((", "not not", "less 100 or greater 0x10", "port in {1-5, 7 9", "\x1b", "\xff", strings.Repeat("!", 300) + "ip", "a ä ~ (",
		"reason SKB_DROP_REASON_SKB_DROP_REASON_x", "reason SKB_DROP_REASON_3", "reason skb_drop_reason_0X05", "reason 0x2*",
		"args.limit > 5 or args.x ~ ^a or args. 5 or args.a {1-2, b*}",
		`unit {sshd, a.scope, b*} or container "123456789012" or container 4f1c2d3e4a5b*`,
		`process {812, "812", nginx} and netns 7 or socket LISTENING`,
	} {
		f.Add(text)
	}
	drops := someDrops(20)
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := filter.Parse(text)
		if err != nil {
			var e *filter.Error
			if parsed != nil || !errors.As(err, &e) || e.Start < 0 || e.Start > e.End || e.End > len(text) || e.Reason == "" {
				t.Fatalf("%v, %#v", parsed, err)
			}
			if s := err.Error(); event.Escape(strings.ReplaceAll(s, "\n", "")) != strings.ReplaceAll(s, "\n", "") ||
				strings.Count(s, "\n") != 2 {
				t.Fatalf("%q is not for a terminal", s)
			}
			return
		}
		again, err := filter.Parse(parsed.String())
		if err != nil {
			t.Fatalf("%s: %v", parsed, err)
		}
		if again.String() != parsed.String() || !sameAs(parsed, again, drops) {
			t.Fatalf("%s is not the same as %s", again, parsed)
		}
		record := map[string]uint64{"reason": 3, "protocol": 0x0800, "location": 0xffffffff81000000}
		evaluate(t, trace.Expression(parsed.Kernel(ofKernel)), record)
	})
}
