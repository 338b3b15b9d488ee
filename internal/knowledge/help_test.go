package knowledge

import (
	"regexp"
	"strings"
	"testing"
)

// TestHelp: whatever may matter has usual causes, a check, and a fix or a sentence that there
// is nothing to do on this host. Commands that change something stand behind a sentence only.
func TestHelp(t *testing.T) {
	for _, en := range All() {
		x := en.Explain(nil)
		if en.Severity != Noise && (len(x.Usual) == 0 || len(x.Check) == 0 || x.Fix == "") {
			t.Errorf("%s is %v: usual causes %q, check %q, fix %q", en.Name, en.Severity, x.Usual, x.Check, x.Fix)
		}
		for _, c := range append(en.CaseExplanations(), x) {
			if len(c.Apply) > 0 && c.Fix == "" {
				t.Errorf("%s: %q without a sentence", en.Name, c.Apply)
			}
			if c.Severity != Noise && c.Fix == "" {
				t.Errorf("%s: no fix of %q", en.Name, c.Cause)
			}
		}
	}
}

// TestUsual: a usual cause is a phrase that says something beside the cause, once.
func TestUsual(t *testing.T) {
	for _, en := range All() {
		seen := make(map[string]bool)
		for _, phrase := range en.Usual {
			if strings.HasSuffix(phrase, ".") || strings.Contains(phrase, ";") || strings.TrimSpace(phrase) != phrase || phrase == "" {
				t.Errorf("%s: %q is no phrase", en.Name, phrase)
			}
			if seen[phrase] || strings.EqualFold(phrase+".", en.Cause) {
				t.Errorf("%s: %q is said twice", en.Name, phrase)
			}
			seen[phrase] = true
		}
	}
}

// TestLike: an Entry that is like another has its help from one that has its own.
func TestLike(t *testing.T) {
	for _, table := range tables {
		for _, en := range table.entries {
			if en.Like == "" {
				continue
			}
			if other := find(index(), en.Like); other == nil || other.Like != "" {
				t.Errorf("%s is like %s, which is none or is like another", en.Name, en.Like)
			}
		}
	}
}

// TestApply: a command sets what this host can be told, and its numbers and names are either
// right everywhere, or capitals that nobody runs by mistake.
func TestApply(t *testing.T) {
	set := regexp.MustCompile(`^sysctl -w [a-z0-9_.{}/]+=(N|[0-9])( |$)`)
	for _, en := range All() {
		for _, command := range en.Apply {
			if strings.HasPrefix(command, "sysctl") && !set.MatchString(command) {
				t.Errorf("%s: %s", en.Name, command)
			}
		}
	}
}

// TestFamilies: IPv6 counters are not fixed by settings that only IPv4 has.
func TestFamilies(t *testing.T) {
	for _, name := range []string{"Ip6ReasmFails", "Ip6InNoRoutes", "Ip6FragFails"} {
		for _, command := range Lookup(name)[0].Explain(nil).Apply {
			if strings.Contains(command, "net.ipv4.ipfrag") {
				t.Errorf("%s: %s", name, command)
			}
		}
	}
}
