package top

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charmbracelet/x/ansi"

	"dropwatch/internal/event"
	"dropwatch/internal/live"
)

func init() { time.Local = time.UTC }

func drop(place, reason, port string, n uint64) event.Event {
	e := event.Event{Count: n, Time: time.Now(), Reason: reason, Where: event.Where{HasPC: true, Kernel: place}}
	e.Port.IfName = port
	return e
}

// packet is a drop that was reported by itself.
func packet(place, reason, port string, srcPort uint16) event.Event {
	e := drop(place, reason, port, 1)
	e.Single = true
	e.Packet.Data, e.Packet.HasData = []byte{1}, true
	e.Packet.Flow = &event.Flow{Headers: event.Headers{
		Fields: event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort, Transport: event.UDP,
		Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), SrcPort: srcPort, DstPort: 53,
	}}
	return e
}

func loss(n uint64) event.Event {
	return event.Event{Kind: event.Loss, Place: event.AtSocket, Count: n}
}

// A person is one before a screen.
type person struct {
	*screen
	t     *testing.T
	saved []string // events of the file saved last
}

var errTaken = errors.New("x.dw: file exists")

// sit puts a person before a screen of that size.
func sit(t *testing.T, o Options, width, height int) *person {
	p := &person{t: t}
	o.Source, o.Host = "bpf", "web1"
	o.Format = func(e *event.Event) string { return fmt.Sprintf("line of %s %d", e.Reason, e.Packet.Flow.SrcPort) }
	o.Parse = func(text string) (func(*event.Event) bool, error) {
		if text == "bad" {
			return nil, errors.New("column 1: \"bad\" is no field\n  bad\n  ^^^")
		}
		return func(e *event.Event) bool { return e.Reason == text }, nil
	}
	o.Save = func(file string, events iter.Seq[*event.Event]) error {
		if file == "x.dw" {
			return errTaken
		}
		p.saved = []string{file}
		for e := range events {
			p.saved = append(p.saved, fmt.Sprintf("%d %d %s", e.Kind, e.Count, e.Reason))
			if e.Kind == event.End {
				p.saved = append(p.saved, fmt.Sprintf("%d shown, %d lost", e.Ledger.Shown, e.Ledger.TotalLost()))
			}
		}
		return nil
	}
	p.screen = newScreen(New(o), time.Now)
	p.resize(width, height)
	return p
}

func (p *person) write(events ...event.Event) {
	p.t.Helper()
	for i := range events {
		if err := p.sink.Write(&events[i]); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := p.sink.Flush(); err != nil {
		p.t.Fatal(err)
	}
}

// wait lets time pass, and the screen be refreshed.
func (p *person) wait(d time.Duration) {
	time.Sleep(d)
	p.refresh()
}

// keys presses keys, of which none ends the run.
func (p *person) keys(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		if got := p.press(key); got != stay {
			p.t.Fatalf("key %q: action %d", key, got)
		}
	}
}

// text types it.
func (p *person) text(text string) {
	for _, r := range text {
		p.keys(string(r))
	}
}

// shown is the screen without attributes.
func (p *person) shown() string {
	p.t.Helper()
	lines := p.lines()
	if len(lines) != p.height {
		p.t.Errorf("%d lines on a screen of %d", len(lines), p.height)
	}
	for i, line := range lines {
		if w := ansi.StringWidth(line); w > p.width {
			p.t.Errorf("line %d has %d columns of %d: %q", i, w, p.width, line)
		}
		lines[i] = strings.TrimRight(ansi.Strip(line), " ")
	}
	return strings.Join(lines, "\n")
}

// sees wants the whole screen to be so.
func (p *person) sees(what, want string) {
	p.t.Helper()
	if got, want := p.shown(), strings.Trim(want, "\n"); got != want {
		p.t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
	}
}

// finds wants lines with these words to be there, in that order, and none of those
// that begin with !.
func (p *person) finds(what string, words ...string) {
	p.t.Helper()
	screen := p.shown()
	rest := screen
	for _, w := range words {
		unwanted, not := strings.CutPrefix(w, "!")
		if not && strings.Contains(screen, unwanted) {
			p.t.Errorf("%s: there is %q in\n%s", what, unwanted, screen)
		}
		_, after, found := strings.Cut(rest, w)
		switch {
		case found && !not:
			rest = after
		case !not:
			p.t.Errorf("%s: no %q in\n%s", what, w, screen)
		}
	}
}

// traffic is some drops of a second.
func traffic() []event.Event {
	likely := drop("nft_do_chain+0x4f0/0x5c0 [nf_tables]", "NETFILTER_DROP", "veth12345678", 40_000)
	likely.Owner.Process = event.Process{PID: 812, Comm: "nginx", Confidence: event.Likely}
	certain := drop("udp_queue_rcv_one_skb+0x1a2/0x5c0", "SOCKET_RCVBUFF", "eth0", 9_000_000)
	certain.Owner.Unit = "systemd-resolved.service"
	return []event.Event{
		likely, certain, packet("icmp_rcv+0x2/0x3", "ICMP_CSUM", "lo", 7), drop("a\x1b[2J+0x1/0x2", "\u202e", "eth0", 300), loss(5),
	}
}

const at80 = `
dropwatch top  bpf on web1                                                 up 0s
9040301 drops/s, 9040301 in all                                                █
lost 5 drops: 5 at our socket
only not iface lo
 DROPS/S▼  TOTAL  MINUTE  PLACE               REASON        IFACE   OWNER
>   9.00M  9.00M       █  udp_queue_rcv_one…  SOCKET_RCVB…  eth0    systemd-res…
    40000  40000       █  nft_do_chain+0x4f…  NETFILTER_D…  veth1…  ~nginx/812
      300    300       █  a\x1b[2J+0x1        \xe2\x80\xae  eth0    -
        1      1       █  icmp_rcv+0x2        ICMP_CSUM     lo      -


h: help  q: quit  enter: more  /: filter  g: group  s: sort  p: pause  w: save
`

const at40 = `
dropwatch top  bpf on web1         up 0s
9040301 drops/s, 9040301 in all
lost 5 drops: 5 at our socket
only not iface lo
 DROPS/S▼  TOTAL  PLACE           REASO…
>   9.00M  9.00M  udp_queue_rcv…  SOCKE…
    40000  40000  nft_do_chain+…  NETFI…
h: help  q: quit  enter: more  /: filte…
`

const at180 = `
dropwatch top  bpf on web1                                                                                                                                                     up 0s
9040301 drops/s, 9040301 in all                                                                                                                                                    #
lost 5 drops: 5 at our socket
only not iface lo
 DROPS/Sv  TOTAL  MINUTE                          PLACE                           REASON          IFACE         OWNER
>   9.00M  9.00M                               #  udp_queue_rcv_one_skb+0x1a2     SOCKET_RCVBUFF  eth0          systemd-resolved.service
    40000  40000                               #  nft_do_chain+0x4f0 [nf_tables]  NETFILTER_DROP  veth12345678  ~nginx/812
      300    300                               #  a\x1b[2J+0x1                    \xe2\x80\xae    eth0          -
        1      1                               #  icmp_rcv+0x2                    ICMP_CSUM       lo            -
h: help  q: quit  enter: more  /: filter  g: group  s: sort  p: pause  w: save
`

const at20 = `
lost 5 drops: 5 at …
only not iface lo
h: help  q: quit  e…
`

func TestScreen(t *testing.T) {
	tests := map[string]struct {
		ascii         bool
		width, height int
		want          string
	}{
		"usual": {false, 80, 12, at80},
		"small": {false, 40, 8, at40},
		"large": {true, 180, 10, at180},
		"tiny":  {false, 20, 3, at20},
		"none":  {false, 0, 0, ""},
	}
	for name, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			p := sit(t, Options{Expression: "not iface lo", ASCII: tt.ascii}, tt.width, tt.height)
			p.write(traffic()...)
			p.wait(500 * time.Millisecond)
			p.sees(name, tt.want)
		})
	}
}

func TestAttributes(t *testing.T) {
	for color, lost := range map[bool]string{true: "\x1b[31mlost 5 drops: 5 at our socket\x1b[0m", false: "\x1b[1mlost 5 drops: 5 at our socket\x1b[0m"} {
		synctest.Test(t, func(t *testing.T) {
			p := sit(t, Options{Color: color}, 60, 6)
			p.write(loss(5), drop("f", "R", "lo", 1))
			p.refresh()
			got := p.lines()
			want := []string{
				"\x1b[1mdropwatch top  bpf on web1                             up 0s\x1b[0m",
				"0 drops/s, 1 in all" + strings.Repeat(" ", 41),
				lost,
				"\x1b[7m DROPS/S▼  TOTAL  PLACE  REASON  IFACE  OWNER               \x1b[0m",
				"\x1b[7m>       0      1  f      R       lo     -                   \x1b[0m",
			}
			for i, line := range want {
				if got[i] != line {
					t.Errorf("line %d: got %q, want %q", i, got[i], line)
				}
			}
		})
	}
}

// TestHostileWords: nothing that is shown can be obeyed by a terminal.
func TestHostileWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{Expression: "place a\x1b[5m"}, 80, 24)
		p.sink.opts.Source, p.sink.opts.Host = "b\x1b[5m", "c\x1b[5m"
		p.sink.opts.Parse = func(string) (func(*event.Event) bool, error) { return nil, errors.New("d\x1b[5m") }
		p.write(drop("e\x1b[5m", "f\x1b[5m", "g\x1b[5m", 1))
		p.keys("/", "\x1b", "x", "enter")
		p.finds("escaped", `b\x1b[5m on c\x1b[5m`, `only place a\x1b[5m`, `e\x1b[5m`, `f\x1b[5m`, `g\x1b`, `d\x1b[5m`, "show only: x")
		if got := strings.Join(p.lines(), ""); strings.Contains(got, "\x1b[5m") {
			t.Errorf("not escaped: %q", got)
		}
	})
}

// places is the first column of names.
func (p *person) places() (names []string) {
	p.refresh()
	for _, r := range p.list.rows {
		names = append(names, r.Names[live.Place]+r.Names[live.Reason])
	}
	return names
}

func TestSort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		p.write(drop("a", "Z", "lo", 5), drop("b", "Y", "lo", 900))
		time.Sleep(2 * time.Second)
		p.write(drop("a", "Z", "lo", 7), drop("c", "Y", "lo", 6))
		time.Sleep(time.Second)
		for i, step := range []struct {
			key   string
			title string
			want  []string
		}{
			{"home", "DROPS/S▼", []string{"aZ", "cY", "bY"}},
			{"s", "TOTAL▼", []string{"bY", "aZ", "cY"}},
			{">", "PLACE▲", []string{"aZ", "bY", "cY"}},
			{"r", "PLACE▼", []string{"cY", "bY", "aZ"}},
			{".", "REASON▲", []string{"cY", "bY", "aZ"}}, // the same reason: by rate
			{"<", "PLACE▲", []string{"aZ", "bY", "cY"}},
			{",", "TOTAL▼", []string{"bY", "aZ", "cY"}},
			{"r", "TOTAL▲", []string{"cY", "aZ", "bY"}},
			{"<", "DROPS/S▼", []string{"aZ", "cY", "bY"}},
			{"<", "OWNER▲", []string{"aZ", "cY", "bY"}},
			{"s", "DROPS/S▼", []string{"aZ", "cY", "bY"}},
		} {
			p.keys(step.key)
			if got := p.places(); !slices.Equal(got, step.want) {
				t.Errorf("step %d: %q, want %q", i, got, step.want)
			}
			p.finds("sorted", step.title)
		}
	})
}

func TestGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		p.write(traffic()...)
		p.keys("g")
		p.finds("which", "press to group by: 1*place 2*reason 3*interface 4*owner 5 netns 6 protocol")
		p.keys("s", "s", "1", "3", "4", "5", "6")
		p.finds("which", "group by: 1 place 2*reason 3 interface 4 owner 5*netns 6*protocol")
		p.keys("esc")
		p.finds("others", "DROPS/S▼", "REASON          NETNS  PROTO", "!PLACE", "!IFACE", "!OWNER")
		p.keys("2", "5", "6")
		p.finds("the only one stays", "PROTO", "!NETNS")
		p.keys("1", "6")
		if got, want := p.places(), []string{"udp_queue_rcv_one_skb+0x1a2", "nft_do_chain+0x4f0 [nf_tables]", `a\x1b[2J+0x1`, "icmp_rcv+0x2"}; !slices.Equal(got, want) {
			t.Errorf("places %q, want %q", got, want)
		}
	})
}

// TestSelect: a row that was chosen stays so when others pass it, and the first
// does not.
func TestSelect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 10)
		p.keys("down", "up", "enter")
		p.finds("nothing to select", "there is no row yet")
		for i := range 20 {
			p.write(drop(fmt.Sprintf("f%02d", i), "R", "lo", uint64(100-i)))
		}
		selected := func(want string) {
			t.Helper()
			p.finds("selected", ">       0", want+" ")
			if got := p.list.current().Names[live.Place]; got != want {
				t.Errorf("selected %s, want %s", got, want)
			}
		}
		p.refresh()
		selected("f00")
		p.write(drop("f19", "R", "lo", 1000))
		p.refresh()
		selected("f19")
		p.keys("down")
		selected("f00")
		p.write(drop("f18", "R", "lo", 500))
		p.refresh()
		selected("f00")
		p.finds("still above", "f19", "f18", "f00")
		p.keys("end")
		selected("f17")
		p.finds("the end", "!f19", "f17")
		p.keys("j")
		selected("f17")
		p.keys("pgup", "k")
		selected("f11") // five rows and one further up
		p.keys("pgdown")
		selected("f16")
		p.keys("home")
		selected("f19")
	})
}

func TestDetail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		explained := ""
		p := sit(t, Options{Explain: func(*event.Event) string { return explained }}, 60, 24)
		first, last := packet("f", "R", "lo", 8), packet("f", "R", "lo", 7)
		last.Time = last.Time.Add(time.Second)
		last.Stack = []event.Frame{{PC: 1, Lookup: event.Found, Symbol: "f", Offset: 1}, {PC: 0x20}}
		last.Where.PC = 1
		p.write(first, last, last, drop("f", "R", "lo", 100))
		p.wait(500 * time.Millisecond)
		p.keys("enter")
		const want = `
dropwatch top  bpf on web1                             up 0s
103 drops/s, 103 in all
nothing lost
place      f
reason     R
interface  lo
owner      -
drops      103 a second, 103 in all
minute                                  █

flows of the 3 drops whose packets were seen
       2  10.0.0.1:7 > 10.0.0.2:53 udp
       1  10.0.0.1:8 > 10.0.0.2:53 udp

last packets, the latest first
line of R 7
line of R 7
line of R 8

calls that led to the latest drop
  f+0x1
  0x20

h: help  esc: back  arrows: scroll  /: filter  p: pause  w:…
`
		p.sees("detail", want)
		explained = "It is full.\nRead faster, from the socket that is much too long for a line of this screen.\n"
		p.wait(time.Second)
		p.finds("explained", "0 a second, 103 in all", "why\nIt is full.\nRead faster, from the socket that is much too long for a\nline of this screen.\n\nflows")
		p.keys("end")
		p.finds("the end", "!place ", "  0x20\nh: help")
		p.keys("up", "pgup", "home", "down")
		p.finds("near the begin", "!place ", "reason     R\n")
		p.keys("left", "1", "up")
		p.finds("back", "DROPS/S▼")
		p.keys("enter")
		p.finds("of another group", "nothing lost\nreason     R\n")
		p.keys("q")
		p.finds("back", "DROPS/S▼")
	})
}

// TestLikelyOwner: counts have the owner of what was seen of them.
func TestLikelyOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		seen := packet("f", "R", "lo", 7)
		seen.Owner.Process = event.Process{PID: 812, Comm: "nginx", Confidence: event.Likely}
		p.write(seen, drop("f", "R", "lo", 100))
		p.refresh()
		p.finds("the row", "OWNER\n>       0    101          f      R       lo     ~nginx/812\n\n")
		p.keys("enter")
		p.finds("more", "owner      ~nginx/812", "101 in all", "line of R 7")
	})
}

// TestLongLines: what is told of a row goes on, on the next line.
func TestLongLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 40, 24)
		p.sink.opts.Format = func(*event.Event) string { return "00:00:00 a_place A_REASON  lo  10.0.0.1:7 > 10.0.0.2:53 udp" }
		p.write(packet("a_place_that_is_longer_than_the_line_on_a_small_screen", "R", "lo", 7))
		p.refresh()
		p.keys("enter")
		p.finds("long lines", "\nplace\n    a_place_that_is_longer_than_the_line\n    _on_a_small_screen\n", "\n00:00:00 a_place A_REASON  lo\n    10.0.0.1:7 > 10.0.0.2:53 udp\n")
		p.keys("h")
		p.finds("help", "\n  up down j k    select a row\n    pgup pgdown home end\n")
		p.resize(80, 24)
		p.finds("help", "\n  up down j k    select a row            pgup pgdown home end\n")
	})
}

func TestDetailOfCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{Explain: func(*event.Event) string { panic("of nothing") }}, 80, 24)
		p.write(drop("f", "R", "lo", 100))
		p.refresh()
		p.keys("l")
		p.finds("counts", "last packets, the latest first\nnone was seen: these drops were only counted\n\n", "!flows", "!calls")
	})
}

func TestHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 40)
		for _, key := range []string{"h", "?", "f1"} {
			p.keys(key)
			p.finds("help", "Keys\n  up down j k", "What is shown", "those of that moment.\n")
			p.keys("esc")
			p.finds("back", "DROPS/S▼", "!Keys")
		}
		p.keys("x")
		p.finds("a wrong key", "no such key: x: press h for help")
		p.keys("home")
		p.finds("no more", "!no such key")
		for line := range strings.SplitSeq(Help, "\n") {
			if ansi.StringWidth(line) > 80 {
				t.Errorf("more than a line: %q", line)
			}
		}
	})
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		p.write(drop("f", "R", "lo", 10))
		p.wait(500 * time.Millisecond)
		p.keys("p")
		p.finds("paused", "PAUSED 00:00:00, 0 drops since", "10 drops/s, 10 in all", "nothing lost")
		p.write(drop("f", "R", "lo", 1), drop("g", "R", "lo", 20), loss(3))
		p.wait(5 * time.Second)
		p.keys("s", "1", "1")
		p.finds("stands still", "PAUSED 00:00:00, 21 drops since", "10 drops/s, 10 in all", "nothing lost", "10     10")
		p.finds("no other", "! g ")
		p.keys("w")
		p.finds("what was then", "save the last 1 event to: dropwatch-20000101-000005.dw")
		p.keys("enter", "space")
		p.finds("goes on", "up 5s", "0 drops/s, 31 in all", "lost 3 drops", "g ")
		if want := []string{"dropwatch-20000101-000005.dw", "0 10 R", "2 0 ", "10 shown, 0 lost"}; !slices.Equal(p.saved, want) {
			t.Errorf("saved %q, want %q", p.saved, want)
		}
	})
}

func TestFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		p.write(drop("f", "A", "lo", 10), drop("f", "B", "lo", 30))
		p.keys("/")
		p.text("bad")
		p.keys("enter")
		p.finds("an error in place", "column 1: \"bad\" is no field\n  bad\n  ^^^\nshow only: bad")
		p.keys("x")
		p.finds("until it is edited", "!column 1", "show only: badx")
		p.keys("esc")
		p.finds("nothing", "!show only", "40 in all", "h: help")
		p.keys("p", "f", "A", "enter")
		p.finds("from now on", "up 0s", "0 drops/s, 0 in all", "nothing lost\nfilter A", "hides 0\n", "OWNER\n\n")
		p.write(drop("f", "A", "lo", 1), drop("f", "B", "lo", 7), packet("f", "B", "lo", 1), packet("f", "A", "lo", 2), loss(2))
		p.wait(500 * time.Millisecond)
		p.finds("filtered", "2 drops/s, 2 in all", "lost 2 drops", "filter A", "hides 8, 7 of them without a packet\n", "2      2", "!B ")
		p.keys("w", "enter")
		p.finds("saved", "saved the last 3 events to dropwatch-20000101-000000.dw")
		if want := []string{"0 1 A", "0 1 A", "1 2 ", "2 0 ", "2 shown, 2 lost"}; !slices.Equal(p.saved[1:], want) {
			t.Errorf("saved %q, want %q", p.saved, want)
		}
		p.keys("p")
		p.write(drop("f", "A", "lo", 1))
		p.finds("paused", "2 in all")
		p.keys("/")
		p.finds("the last is there", "show only: A")
		p.keys("backspace", "enter")
		p.finds("all again", "51 in all", "!filter A")
	})
}

func TestSaveFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		p.write(drop("f", "A", "lo", 10))
		p.keys("w", "ctrl+u", "enter")
		p.finds("no name", "give the name of a file\nsave the last 1 event to:")
		p.keys("-", "enter")
		p.finds("the screen", "give the name of a file\nsave the last 1 event to: -")
		p.keys("backspace")
		p.text("x.dw")
		p.keys("enter")
		p.finds("the error", "x.dw: file exists\nsave the last 1 event to: x.dw")
		p.keys("left", "left", "left", "y", "enter")
		p.finds("another name", "saved the last 1 event to xy.dw")
	})
}

func TestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		p.write(drop("f", "A", "lo", 10), event.Event{Kind: event.End, Ledger: &event.Ledger{Shown: 10, Full: 1}})
		p.refresh()
		p.finds("the ledger of the run", "no room in 1 summary")
		for _, keys := range [][]string{{}, {"h"}, {"/"}} {
			p.keys(keys...)
			for key, want := range map[string]action{"ctrl+c": quit, "ctrl+z": suspend, "ctrl+l": redraw} {
				if got := p.press(key); got != want {
					t.Errorf("%v, then %s: %d, want %d", keys, key, got, want)
				}
			}
		}
		p.keys("q", "esc", "esc") // typed, then back from help
		if got := p.press("q"); got != quit {
			t.Errorf("q: %d", got)
		}
	})
}

func TestCrowded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		for i := range live.MaxKinds + 1 {
			p.write(drop(fmt.Sprintf("f%d", i), "R", "lo", 1))
		}
		p.write(drop("late", "R", "lo", 7))
		p.refresh()
		p.finds("crowded", "nothing lost\nmore than 1000 kinds of drops: the rest is (other)\n", "8 ", "(other)", "h: help")
	})
}
