package member

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// fieldName names the field of a load.
func fieldName(load int) string { return fmt.Sprintf("f%d", load) }

func TestFilter(t *testing.T) {
	f := demo(t)
	for text, want := range map[string]string{
		"n > 3":                                  "f0 > 3",
		"3 > n":                                  "f0 < 3",
		"n > -1":                                 "f0 > -1",
		"u > -1":                                 "f0 > 4294967295",
		"!(n >= 3)":                              "f0 < 3",
		"n":                                      "f0 != 0",
		"!n":                                     "f0 == 0",
		"sk->sk_dev":                             "f0 != 0",
		"n > 3 && u == 5":                        "(f0 > 3 && f1 == 5)",
		"!(n > 3 && u == 5)":                     "(f0 <= 3 || f1 != 5)",
		"n > 3 && u == port":                     "f0 > 3 ...",
		"u == port && n > 3":                     "f2 > 3 ...",
		"n > 3 || u == port":                     " ...",
		"!(n > 3 || u == port)":                  "f0 <= 3 ...",
		"!(n > 3 && u == port)":                  " ...",
		"u & 6":                                  "f0 & 6",
		"(6 & u) != 0":                           "f0 & 6",
		"!(u & 6)":                               "!(f0 & 6)",
		"(u & 6) == 0":                           "!(f0 & 6)",
		"(u & 6) == 4":                           " ...",
		"ntohs(port) == 80":                      fmt.Sprintf("f0 == %d", swap(80, 2)),
		"ntohs(port) > 80":                       " ...",
		"sk->sk_state == TCP_LISTEN":             "f0 == 10",
		"sk->sk_three == 5":                      "f0 == 5",
		"sk->sk_five == 5":                       " ...", // the kernel's bit fields have no sign
		"c == 255":                               " ...", // which c never is
		"(unsigned)c == 0xffffffff":              "f0 == -1",
		"(unsigned)c > 3":                        " ...",
		"(unsigned short)c > 3":                  " ...",
		"(u8)n == 3":                             " ...",
		"n + 1 > 3":                              " ...",
		`sk->sk_dev->name == "eth0"`:             `f0 == "eth0"`,
		`"eth0" != name`:                         `f0 != "eth0"`,
		`sk->sk_name == "longer than the array"`: " ...",
		`name == "a\"b"`:                         " ...",
		`name == ""`:                             " ...",
		"1":                                      " ...",
		"big == 0xffffffffffffffff":              "f0 == 18446744073709551615",
		"TCP_LISTEN && n > 3":                    "f0 > 3",
		"n > 3 && 1":                             "f0 > 3",
		"n || 0":                                 "f0 != 0",
		"0 && n":                                 " ...",
		"0 || (n & 3)":                           "f0 & 3",
		"n && 0":                                 "f0 != 0 ...",
		"word == -1":                             "f0 == -1",
		"$retval == -ENOBUFS":                    "f0 == -105",
	} {
		filter, whole := compiled(t, f, text).Filter(fieldName)
		if !whole {
			filter += " ..."
		}
		if filter != want {
			t.Errorf("%s: %s, want %s", text, filter, want)
		}
	}
	second := func(i int) string { return []string{"", "u"}[i] }
	if filter, whole := compiled(t, f, "n > 3 && u").Filter(second); filter != "u != 0" || whole {
		t.Errorf("without a field: %s %v", filter, whole)
	}
}

// TestFilterIsTheCondition: where a random condition is true, so is its filter; the filter of a
// whole one is true nowhere else.
func TestFilterIsTheCondition(t *testing.T) {
	f, random := demo(t), rand.New(rand.NewPCG(3, 4))
	filters, wholes := 0, 0
	for range 20000 {
		e, err := f.Compile(randomCondition(random, random.IntN(4)))
		if err != nil {
			t.Fatal(err)
		}
		filter, whole := e.Filter(fieldName)
		if filter == "" {
			continue
		}
		values := make([]Value, len(e.Loads))
		for i := range values {
			values[i] = Number(interesting[random.IntN(len(interesting))])
		}
		fields := func(i int) (n uint64, signed bool) {
			return e.Loads[i].value(values[i]).Number, e.Loads[i].Signed
		}
		accepts, is := (&filterTest{t, filter, fields}).or(), e.True(values)
		if is && !accepts || whole && accepts != is {
			t.Fatalf("%s with %v is %v, but its filter %s (whole: %v) is %v", e.Text, values, is, filter, whole, accepts)
		}
		filters++
		wholes += int(truth(whole))
	}
	if filters < 5000 || wholes < 1000 || filters == wholes {
		t.Errorf("%d filters, %d of them whole", filters, wholes)
	}
}

// randomCondition returns comparisons joined by && and ||.
func randomCondition(random *rand.Rand, depth int) string {
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	if depth == 0 {
		field := pick("c", "s", "port", "n", "u", "word", "big", "sk->sk_three", "sk->sk_five", "sk->sk_forty",
			"sk->sk_flag", "sk->sk_kind")
		if random.IntN(3) == 0 {
			field = pick("(unsigned)", "(int)", "(long)", "(unsigned long)", "(u8)", "(short)", "ntohs", "ntohl", "!") + "(" + field + ")"
		}
		number := pick("0", "1", "-1", "3u", "255", "0xffff", "0x80000000", "4294967295", "-7l",
			"0xffffffffffffffff", "128", "-128", "port")
		switch random.IntN(6) {
		case 0:
			return field
		case 1:
			return "(" + field + " & " + number + ")" + pick("", " == 0", " != 0")
		case 2:
			return number + pick(" < ", " >= ") + field
		}
		return field + pick(" < ", " <= ", " > ", " >= ", " == ", " != ") + number
	}
	x, y := randomCondition(random, depth-1), randomCondition(random, depth-1)
	return pick("!", "", "") + "(" + x + pick(" && ", " || ") + y + ")"
}

// A filterTest evaluates the filter of a trace event as kernel/trace/trace_events_filter.c does:
// numbers are compared in the field's own type.
type filterTest struct {
	t     *testing.T
	rest  string
	field func(i int) (n uint64, signed bool)
}

func (f *filterTest) accept(text string) bool {
	rest, ok := strings.CutPrefix(strings.TrimLeft(f.rest, " "), text)
	if ok {
		f.rest = strings.TrimLeft(rest, " ")
	}
	return ok
}

func (f *filterTest) or() bool {
	x := f.and()
	for f.accept("||") {
		y := f.and()
		x = x || y
	}
	return x
}

func (f *filterTest) and() bool {
	x := f.not()
	for f.accept("&&") {
		y := f.not()
		x = x && y
	}
	return x
}

func (f *filterTest) not() bool {
	if f.accept("!") {
		return !f.not()
	}
	if !f.accept("(") {
		return f.predicate()
	}
	x := f.or()
	if !f.accept(")") {
		f.t.Fatalf("no ) at %s", f.rest)
	}
	return x
}

var predicate = regexp.MustCompile(`^f(\d+) (<=|>=|==|!=|<|>|&) (-?\d+)`)

func (f *filterTest) predicate() bool {
	words := predicate.FindStringSubmatch(f.rest)
	if words == nil {
		f.t.Fatalf("no predicate at %q", f.rest)
	}
	f.rest = f.rest[len(words[0]):]
	i, err := strconv.Atoi(words[1])
	if err != nil {
		f.t.Fatal(err)
	}
	n, signed := f.field(i)
	return f.compare(n, words[2], words[3], signed)
}

func (f *filterTest) compare(n uint64, op, number string, signed bool) bool {
	if signed {
		y, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			f.t.Fatal(err)
		}
		x := int64(n)
		return map[string]bool{"<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y, "==": x == y, "!=": x != y, "&": x&y != 0}[op]
	}
	y, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		f.t.Fatal(err)
	}
	return map[string]bool{"<": n < y, "<=": n <= y, ">": n > y, ">=": n >= y, "==": n == y, "!=": n != y, "&": n&y != 0}[op]
}
