package top

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/live"
	"dropwatch/internal/routing"
	"dropwatch/internal/settings"
)

func TestDetail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 60, 24)
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
dropwatch missed none
location   f
reason     R
interface  lo
owner      -
drops      103 a second, 103 in all
minute                                  █

flows of the 3 drops reported with their packets
       2  10.0.0.1:7 > 10.0.0.2:53 udp
       1  10.0.0.1:8 > 10.0.0.2:53 udp

last packets, the latest first
line of R 7
line of R 7
line of R 8

kernel stack trace of the latest drop
  f+0x1
  0x20

h: help  esc: back  [ ]: other rows  /: filter  p: pause  w…
`
		p.sees("detail", want)
		p.wait(time.Second)
		p.finds("a second later", "0 a second, 103 in all")
		p.resize(60, 18)
		p.finds("that it goes on", "down: more  h: help")
		p.keys("end")
		p.finds("the end", "!location ", "  0x20\nh: help", "!more")
		p.keys("up", "pgup", "home", "down")
		p.finds("near the begin", "!location ", "reason     R\n")
		p.keys("left", "1", "up")
		p.finds("back", "DROPS/S▼")
		p.keys("enter")
		p.finds("of another group", "dropwatch missed none\nreason     R\n")
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
		p.finds("the row", "OWNER\n>       0    101          f         R       lo     nginx/812?\n\n")
		p.keys("enter")
		p.finds("more", "owner      nginx/812?", "101 in all", "line of R 7")
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
		p.finds("long lines", "\nlocation\n    a_place_that_is_longer_than_the_line\n    _on_a_small_screen\n",
			"\n00:00:00 a_place A_REASON  lo\n    10.0.0.1:7 > 10.0.0.2:53 udp\n")
		p.keys("h")
		p.finds("help", "\n  up down j k    select a row\n    pgup pgdown home end\n")
		p.resize(80, 24)
		p.finds("help", "\n  up down j k    select a row            pgup pgdown home end\n")
	})
}

// TestCheck: the commands of the detail run in the namespace of the drop.
func TestCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 40)
		e := packet("udp_rcv", "NO_SOCKET", "veth0", 7)
		e.Netns = event.Netns{Inode: 7, Name: "blue"}
		p.write(e)
		p.refresh()
		p.keys("enter")
		p.finds("filled in", "owner      -\nnetns      blue\n", "cause (transport, socket, local, maybe)\nNo UDP socket accepts",
			"check\nip netns exec blue ss -lnup 'sport = :53'\n", "fix\nStart the service")
	})
}

func TestDetailOfCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 40)
		p.write(drop("f", "XFRM_POLICY", "lo", 10), drop("f", "CPU_BACKLOG", "lo", 100))
		p.refresh()
		p.keys("l")
		p.finds("counts", "cause (hardware, device, no_buffer, harm)\n",
			"last packets, the latest first\nnone: these drops were only counted\n\n", "!flows", "!stack")
	})
}

// TestOtherRows: the detail goes to the next row and back.
func TestOtherRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		p.write(drop("a", "R", "lo", 30), drop("b", "R", "lo", 20), drop("c", "R", "lo", 10))
		p.wait(500 * time.Millisecond)
		p.keys("enter")
		for _, step := range []struct{ key, want string }{
			{"]", "b"}, {"n", "c"}, {"]", "c"}, {"[", "b"}, {"N", "a"}, {"shift+tab", "a"}, {"tab", "b"},
		} {
			p.keys(step.key)
			p.finds("after "+step.key, "location   "+step.want+"\n")
		}
		p.keys("esc")
		if got := p.list.current().Names[live.Location]; got != "b" {
			t.Errorf("selected %s, want the row that was shown", got)
		}
	})
}

// TestSampled: numbers of samples are marked.
func TestSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		seen := packet("f", "R", "lo", 7)
		seen.Owner.Process = event.Process{PID: 812, Comm: "nginx", Confidence: event.Certain}
		p.write(seen, drop("f", "R", "lo", 100))
		p.wait(500 * time.Millisecond)
		p.finds("the rows", ">     100    100", "-\n", "       ~1     ~1", "nginx/812\n")
		p.keys("enter", "]")
		p.finds("more", "owner      nginx/812", "1 a second, 1 in all\n           samples only")
	})
}

// TestFinding: it is made once for each row that is opened, with what the host says, and the
// screen does not wait for it.
func TestFinding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		value := make(chan string)
		o := Options{Diagnose: func(drops []*event.Event) *diagnose.Finding {
			e := drops[0]
			asked = append(asked, fmt.Sprint(e.Netns.Name, e.Reason, e.Port.IfName, len(drops)))
			f := &diagnose.Finding{Rule: diagnose.Rule{Text: "ip t c drop\x1b", Confidence: "exactly"}}
			f.Meaning, _ = knowledge.Of(e)
			f.Meaning.Cause, f.Meaning.Apply = "What this host says.", nil
			f.Routes = []routing.DeadEnd{{Type: "blackhole", Prefix: netip.MustParsePrefix("10.9.0.0/16"), Table: "main"}}
			about, _ := settings.Find("net.core.rmem_max")
			x := settings.Setting{Name: "net.core.x", Value: <-value, Origin: "/etc/\x1b:7", About: about}
			y := settings.Setting{Name: "net.core.y", Value: "1", About: about}
			f.Settings = []diagnose.Setting{{Setting: x}, {Setting: y, NotTheLimit: "not the limit: another one is"}}
			return f
		}}
		p := sit(t, o, 80, 50)
		e := packet("f", "SOCKET_RCVBUFF", "veth0", 7)
		e.Netns = event.Netns{Inode: 7, Name: "blue"}
		p.write(e, packet("g", "NO_SOCKET", "lo", 8))
		p.refresh()
		m := program{p.screen}
		update := func(msg tea.Msg) tea.Cmd { _, next := m.Update(msg); return next }
		if update(tea.KeyPressMsg{Code: 'x', Text: "x"}) != nil {
			t.Error("a finding is made for the table")
		}
		next := update(tea.KeyPressMsg{Code: tea.KeyEnter})
		p.finds("at once", "cause (transport, socket, no_buffer, harm)\nThe receive buffer", "-w net.core.rmem_max=N", "!settings")
		got := make(chan tea.Msg)
		go func() { got <- next() }()
		if update(tea.KeyPressMsg{Code: 'j', Text: "j"}) != nil {
			t.Error("the finding is made twice")
		}
		value <- "5"
		answer := <-got
		update(answer)
		p.finds("the finding", "harm)\nWhat this host says.", "\n\nrule\nexactly ip t c drop\\x1b",
			"\n\nroute\nblackhole 10.9.0.0/16, table main", "\n\nsettings\nnet.core.x = 5  (/etc/\\x1b:7)\nA socket's receive buffer",
			"net.core.y = 1\nnot the limit: another one is", "\n\ncheck\n", "!rmem_max=N")
		p.wait(time.Second)
		p.finds("a second later", "net.core.x = 5")
		update(tea.KeyPressMsg{Code: ']', Text: "]"})
		update(answer)
		p.finds("another row", "NO_SOCKET", "!net.core.x")
		if want := []string{"blueSOCKET_RCVBUFFveth01"}; !slices.Equal(asked, want) {
			t.Errorf("asked for %q, want %q", asked, want)
		}
	})
}

// TestNoFinding of a host that is not this one.
func TestNoFinding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 50)
		p.write(packet("f", "SOCKET_RCVBUFF", "lo", 7))
		p.refresh()
		if _, next := (program{p.screen}).Update(tea.KeyPressMsg{Code: tea.KeyEnter}); next != nil {
			t.Error("settings are read")
		}
		p.finds("the cause", "cause (transport, socket, no_buffer, harm)\n", "!settings")
	})
}
