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

// packet is a drop that was reported individually.
func packet(place, reason, port string, srcPort uint16) event.Event {
	e := drop(place, reason, port, 1)
	e.Individual = true
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
	o.Parse = parse
	o.Save = func(file string, events iter.Seq[*event.Event]) error {
		if file == "x.dw" {
			return errTaken
		}
		p.saved = []string{file}
		for e := range events {
			p.saved = append(p.saved, fmt.Sprintf("%v %d %s", e.Kind, e.Count, e.Reason))
			if e.Kind == event.End {
				p.saved = append(p.saved, fmt.Sprintf("%d shown, %d lost", e.Ledger.Shown, e.Ledger.TotalLost()))
			}
		}
		return nil
	}
	p.screen = newScreen(New(o))
	p.resize(width, height)
	return p
}

// parse reads the only expressions that there are: a reason, of which there is no "Z", "bad", and "port N",
// which needs the packet.
func parse(text string) (Filter, error) {
	if text == "bad" {
		return Filter{}, errors.New("column 1: unknown field bad\n  bad\n  ^^^")
	}
	if port, ok := strings.CutPrefix(text, "port "); ok {
		return Filter{Match: func(e *event.Event) (matches, decided bool) {
			f := e.Packet.Flow
			return f != nil && fmt.Sprint(f.SrcPort) == port, f != nil
		}}, nil
	}
	f := Filter{ByKind: true, Match: func(e *event.Event) (matches, decided bool) { return e.Reason == text, true }}
	if text == "Z" {
		f.Warning = "there is no Z now"
	}
	return f, nil
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
lost 5 drops: 5 at dropwatch's socket
only not iface lo                                                  hides 0 drops
 DROPS/S▼  TOTAL  MINUTE  LOCATION           REASON          IFACE  OWNER
>   9.00M  9.00M       █  udp_queue_…+0x1a2  SOCKET_RCVBUFF  eth0   systemd-res…
    40000  40000       █  nft_do_chain+0x4…  NETFILTER_DROP  veth…  nginx/812?
      300    300       █  a\x1b[2J+0x1       \xe2\x80\xae    eth0   -
        1      1       █  icmp_rcv+0x2       ICMP_CSUM       lo     -


h: help  q: quit  enter: more  /: filter  g: group  s: sort  p: pause  w: save
`

const at40 = `
dropwatch top  bpf on web1         up 0s
9040301 drops/s, 9040301 in all
lost 5 drops: 5 at dropwatch's socket
only not iface lo          hides 0 drops
 DROPS/S▼  TOTAL  LOCATION        REASO…
>   9.00M  9.00M  udp_que…+0x1a2  SOCKE…
    40000  40000  nft_do_chain+…  NETFI…
h: help  q: quit  enter: more  /: filte…
`

const at140 = `
dropwatch top  bpf on web1                                                                                                             up 0s
9040301 drops/s, 9040301 in all                                                                                                            #
lost 5 drops: 5 at dropwatch's socket
only not iface lo                                                                                                              hides 0 drops
 DROPS/Sv  TOTAL  MINUTE                          LOCATION                        REASON          IFACE         OWNER
>   9.00M  9.00M                               #  udp_queue_rcv_one_skb+0x1a2     SOCKET_RCVBUFF  eth0          systemd-resolved.service
    40000  40000                               #  nft_do_chain+0x4f0 [nf_tables]  NETFILTER_DROP  veth12345678  nginx/812?
      300    300                               #  a\x1b[2J+0x1                    \xe2\x80\xae    eth0          -
        1      1                               #  icmp_rcv+0x2                    ICMP_CSUM       lo            -
h: help  q: quit  enter: more  /: filter  g: group  s: sort  p: pause  w: save
`

const at20 = `
lost 5 drops: 5 at …
only … hides 0 drops
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
		"large": {true, 140, 10, at140},
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
	for color, lost := range map[bool]string{
		true:  "\x1b[31mlost 5 drops: 5 at dropwatch's socket\x1b[0m",
		false: "\x1b[1mlost 5 drops: 5 at dropwatch's socket\x1b[0m",
	} {
		synctest.Test(t, func(t *testing.T) {
			p := sit(t, Options{Color: color}, 60, 6)
			p.write(loss(5), drop("f", "R", "lo", 1))
			p.refresh()
			got := p.lines()
			want := []string{
				"\x1b[1mdropwatch top  bpf on web1                             up 0s\x1b[0m",
				"0 drops/s, 1 in all" + strings.Repeat(" ", 41),
				lost,
				"\x1b[7m DROPS/S▼  TOTAL  LOCATION  REASON  IFACE  OWNER            \x1b[0m",
				"\x1b[7m>       0      1  f         R       lo     -                \x1b[0m",
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
		p.sink.opts.Parse = func(string) (Filter, error) { return Filter{}, errors.New("d\x1b[5m") }
		p.write(drop("e\x1b[5m", "f\x1b[5m", "g\x1b[5m", 1))
		p.keys("/", "\x1b", "x", "enter")
		p.finds("escaped", `b\x1b[5m on c\x1b[5m`, `only place a\x1b[5m`, `e\x1b[5m`, `f\x1b[5m`, `g\x1b`,
			`d\x1b[5m`, "show only: place a[5mx")
		if got := strings.Join(p.lines(), ""); strings.Contains(got, "\x1b[5m") {
			t.Errorf("not escaped: %q", got)
		}
	})
}

// places is the first column of names.
func (p *person) places() (names []string) {
	p.refresh()
	for _, r := range p.list.rows {
		names = append(names, r.Names[live.Location]+r.Names[live.Reason])
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
			{">", "LOCATION▲", []string{"aZ", "bY", "cY"}},
			{"r", "LOCATION▼", []string{"cY", "bY", "aZ"}},
			{".", "REASON▲", []string{"cY", "bY", "aZ"}}, // the same reason: by rate
			{"<", "LOCATION▲", []string{"aZ", "bY", "cY"}},
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
		p.finds("which", "press to group by: 1*location 2*reason 3*interface 4*owner 5 netns 6 protocol")
		p.keys("s", "s", "1", "3", "4", "5", "6")
		p.finds("which", "group by: 1 location 2*reason 3 interface 4 owner 5*netns 6*protocol")
		p.keys("esc")
		p.finds("others", "DROPS/S▼", "REASON          NETNS  PROTO", "!LOCATION", "!IFACE", "!OWNER")
		p.keys("2", "5", "6")
		p.finds("the only one stays", "PROTO", "!NETNS")
		p.keys("1", "6")
		want := []string{"udp_queue_rcv_one_skb+0x1a2", "nft_do_chain+0x4f0 [nf_tables]", `a\x1b[2J+0x1`, "icmp_rcv+0x2"}
		if got := p.places(); !slices.Equal(got, want) {
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
		p.finds("nothing to select", "there are no rows")
		for i := range 20 {
			p.write(drop(fmt.Sprintf("f%02d", i), "R", "lo", uint64(100-i)))
		}
		selected := func(want string) {
			t.Helper()
			p.finds("selected", ">       0", want+" ")
			if got := p.list.current().Names[live.Location]; got != want {
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

// TestSeverity: rows have the attributes of how much they matter.
func TestSeverity(t *testing.T) {
	for color, want := range map[bool][]string{true: {bold + red, yellow, faint}, false: {bold, "", faint}} {
		p := sit(t, Options{Color: color}, 80, 24)
		for i, reason := range []string{"CPU_BACKLOG", "NETFILTER_DROP", "TCP_OLD_ACK"} {
			e := drop("f", reason, "lo", 1)
			r := live.Row{Example: &e}
			if got := p.sink.opts.style(&r); got != want[i] {
				t.Errorf("color %v, %s: %q, want %q", color, reason, got, want[i])
			}
		}
		p.write(drop("a", "R", "lo", 9), drop("f", "CPU_BACKLOG", "lo", 1))
		p.refresh()
		if got := p.lines()[5]; !strings.HasPrefix(got, want[0]+" ") || !strings.HasSuffix(got, plain) {
			t.Errorf("row %q, want the attribute %q", got, want[0])
		}
	}
}

// TestNarrowScreen: reasons are whole at 80 columns where there is no owner.
func TestNarrowScreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		p.write(drop("unix_stream_read_generic+0x1a2/0x5c0", "UNICAST_IN_L2_MULTICAST", "veth12345678", 1))
		p.wait(time.Second)
		p.finds("whole", "UNICAST_IN_L2_MULTICAST", "!OWNER")
		p.resize(132, 24)
		p.finds("wide", "unix_stream_read_generic+0x1a2  UNICAST_IN_L2_MULTICAST  veth12345678  -")
	})
}
