package app

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	prompt = "dropwatch> "
	active = "Kernel monitoring activated.\r\nIssue Ctrl-C to stop monitoring\r\n"
	ctrlC  = "\x03"
	ctrlD  = "\x04"
)

// person starts a session on a terminal, where addresses stay raw.
func person(t *testing.T, fake string, args ...string) *console {
	t.Helper()
	c := newConsole(t, []string{"FAKE=" + fake}, "dropwatch", append([]string{"-l", "none"}, args...)...)
	return c.onTerminal().expect("Initializing null lookup method\r\n", prompt)
}

func (c *console) wantChanges(want string) {
	c.t.Helper()
	if got := c.changes(); got != want {
		c.t.Errorf("the monitor was asked %q, want %q:\n%s", got, want, c.said())
	}
}

func TestCaptureOnTerminal(t *testing.T) {
	c := person(t, "summary=7")
	c.send("start\n").expect(active, "7 drops at location 0xffffffff87a84b72 [software]\r\n")
	c.send(ctrlC).expect("Got a stop message\r\n", prompt)
	c.send("stats\n").expect("Software statistics:\r\nTail dropped: 0\r\n", prompt)
	c.send("exit\n").expect("Shutting down ...\r\n")
	c.wait(0).wantChanges("start 1, stop")
}

func TestLimitOnTerminal(t *testing.T) {
	c := person(t, "packet packet packet packet")
	c.send("set alertmode packet\n").expect("Alert mode successfully set\r\n", prompt)
	c.send("set alertlimit 3\n").expect("setting alert capture limit to 3\r\n", prompt)
	for range 2 { // it counts anew
		c.send("start\n").expect(active, "drop at", "drop at", "drop at", "Alert limit reached, deactivating!\r\n"+
			"Deactivation requested, turning off monitoring\r\nGot a stop message\r\n", prompt)
	}
	c.send(ctrlD).expect("Terminating dropwatch...\r\nShutting down ...\r\n")
	c.wait(0).wantChanges("config packet 0 1000, start 1, stop, start 1, stop, config summary 0 1000")
	if n := strings.Count(c.said(), "drop at"); n != 6 {
		t.Errorf("%d drops were shown:\n%s", n, c.said())
	}
}

func TestPersonMistypes(t *testing.T) {
	c := person(t, "")
	c.send("bogus\n").expect(`dropwatch: unknown command "bogus": type help for the list`+"\r\n", prompt)
	c.send("set sw maybe\n").expect("invalid boolean value", prompt)
	c.send("dump -w -\n").expect("packets are no text for a terminal", prompt)
	c.send("dump --help\n").expect("Usage:", prompt)
	c.send("half a line" + ctrlC).expect(prompt)
	c.send("exit\n").wait(0).wantChanges("")
}

// TestSignals: whenever they come, the monitor is as it was found.
func TestSignals(t *testing.T) {
	for sig, code := range map[syscall.Signal]int{
		syscall.SIGTERM: 143, syscall.SIGHUP: 129, syscall.SIGQUIT: 131,
	} {
		t.Run(sig.String()+" at the prompt", func(t *testing.T) {
			c := person(t, "")
			c.send("set trunc 60\n").expect("successfully set\r\n", prompt)
			c.signal(sig).expect("Shutting down ...\r\n")
			c.wait(code).wantChanges("config summary 60 1000, config summary 0 1000")
		})
		t.Run(sig.String()+" in a capture", func(t *testing.T) {
			c := person(t, "packet")
			c.send("set trunc 60\n").expect("successfully set\r\n", prompt)
			c.send("start\n").expect("drop at").signal(sig).expect("Got a stop message\r\nShutting down ...\r\n")
			c.wait(code).wantChanges("config summary 60 1000, start 1, stop, config summary 0 1000")
		})
		t.Run(sig.String()+" at the question", func(t *testing.T) {
			c := person(t, "on")
			c.send("start\n").expect("take over? [y/N] ").signal(sig).expect("Shutting down ...\r\n")
			c.wait(code).wantChanges("")
		})
	}
	t.Run("SIGINT at the prompt", func(t *testing.T) {
		c := person(t, "")
		c.signal(syscall.SIGINT).send("exit\n").expect("Shutting down ...")
		c.wait(0)
	})
}

// TestTerminalGoes: the other end of the terminal is closed in a capture.
func TestTerminalGoes(t *testing.T) {
	c := person(t, "summary=1")
	c.send("set trunc 60\n").expect("successfully set\r\n", prompt)
	c.send("start\n").expect("1 drops at")
	c.in.Close()
	c.wait(129).wantChanges("config summary 60 1000, start 1, stop, config summary 0 1000")
}

// TestStuckCapture: a second Ctrl-C ends what the first could not.
func TestStuckCapture(t *testing.T) {
	c := person(t, "summary=1 stuck")
	c.send("start\n").expect("1 drops at").send(ctrlC).expect("stuck").send(ctrlC)
	time.Sleep(stuckAfter) // that one was impatience
	c.send(ctrlC)
	c.wait(130).wantChanges("start 1, stop")
}

// TestFault: a panic ends the program as a failure, with all put right.
func TestFault(t *testing.T) {
	c := person(t, "panic")
	c.send("set queue 5\n").expect("successfully set\r\n", prompt)
	c.send("start\n").expect("dropwatch: panic, which is a fault of dropwatch: a word of the fake: panic")
	c.wait(1).wantChanges("config summary 0 5, start 1, stop, config summary 0 1000")
}

// TestRestlessMonitor: it is told when monitoring could not be switched off,
// also when a signal ended the session.
func TestRestlessMonitor(t *testing.T) {
	c := person(t, "summary=1 restless")
	c.send("start\n").expect("1 drops at").send(ctrlC).expect("dropwatch: stop monitoring: input/output error", prompt)
	c.signal(syscall.SIGTERM).expect("Shutting down ...", "dropwatch: stop monitoring: input/output error")
	c.wait(143).wantChanges("start 1")
}

// TestNotPermitted: what to do is said, and the session goes on.
func TestNotPermitted(t *testing.T) {
	t.Setenv("NO_TRACE", "not permitted: run as root")
	c := person(t, "denied")
	c.send("start\n").expect("not permitted without CAP_NET_ADMIN: run it as root (sudo)", "trace: not permitted: run as root\r\n", prompt)
	c.send("exit\n").wait(0).wantChanges("")
}

// TestTakeover: a person is asked before others' monitoring is stopped.
func TestTakeover(t *testing.T) {
	const question = "Monitoring is on, left on by a program that has ended (nobody listens).\r\n"
	const ask = "Stop it and take over? [y/N] "
	t.Run("yes", func(t *testing.T) {
		c := person(t, "on summary=2")
		c.send("start\n").expect(question, ask).send("y\n").expect(active, "2 drops at").send(ctrlC).expect(prompt)
		c.send("exit\n").wait(0).wantChanges("stop, start 1, stop")
	})
	for name, answer := range map[string]string{"no": "n\n", "nothing": "\n", "Ctrl-C": ctrlC, "Ctrl-D": ctrlD} {
		t.Run(name, func(t *testing.T) {
			c := person(t, "on")
			c.send("start\n").expect(question, ask).send(answer).expect("take over: `set takeover true`", prompt)
			c.send("set trunc 5\n").expect(question, ask).send(answer).expect("take over: `set takeover true`", prompt)
			c.send("exit\n").wait(0).wantChanges("")
		})
	}
	for name, keys := range map[string]string{"option": "", "setting": "set takeover true\n"} {
		t.Run(name, func(t *testing.T) {
			var args []string
			if keys == "" {
				args = []string{"--takeover"}
			}
			c := person(t, "on", args...)
			c.send(keys + "start\n").expect(active).send(ctrlC).expect(prompt).send("exit\n")
			c.wait(0).wantChanges("stop, start 1, stop")
		})
	}
}

// TestHistory: lines are there in the next session, for the owner only.
func TestHistory(t *testing.T) {
	c := person(t, "")
	c.send("set trunc 44\n").expect("successfully set", prompt).send("exit\n").wait(0)
	info, err := os.Stat(c.dir + "/.local/state/dropwatch/history")
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

// TestCompletionKey: Tab completes what repl offers.
func TestCompletionKey(t *testing.T) {
	c := person(t, "")
	c.send("set alertm\tpac\t\n").expect("Alert mode successfully set", prompt).send("exit\n").wait(0)
}

// script starts a session whose commands come by a pipe.
func script(t *testing.T, fake string) *console {
	t.Helper()
	return newConsole(t, []string{"FAKE=" + fake}, "dropwatch", "-l", "none").onPipes()
}

func TestScriptWithCtrlC(t *testing.T) {
	c := script(t, "summary=7")
	c.send("start\nshow\n").expect("7 drops at").signal(syscall.SIGINT).expect("Got a stop message\n", "Queue length")
	c.in.Close()
	c.expect(prompt + "Terminating dropwatch...\nShutting down ...\n").wait(0).wantChanges("start 1, stop")
}

func TestScriptEndedBySignal(t *testing.T) {
	c := script(t, "summary=7")
	c.send("set queue 9\nstart\nshow\n").expect("7 drops at").signal(syscall.SIGTERM)
	c.expect("Got a stop message\nShutting down ...\n")
	c.wait(143).wantChanges("config summary 0 9, start 1, stop, config summary 0 1000")
}

// TestScriptInterruptedBetweenCommands: there is nothing else to interrupt.
func TestScriptInterruptedBetweenCommands(t *testing.T) {
	c := script(t, "")
	c.send("show\n").expect("Queue length: 1000\n", prompt).signal(syscall.SIGINT).expect("Shutting down ...\n")
	c.wait(130)
}

// TestReaderGoes: the output is closed in a capture, which ends at the next
// drop that cannot be shown.
func TestReaderGoes(t *testing.T) {
	c := newConsole(t, []string{"FAKE=flood"}, "sh", "-c",
		"echo start | { dropwatch -l none; echo code $? >&2; } | sed '/drops at/q' >&2")
	c.onPipes().expect("1 drops at", "dropwatch: ", "broken pipe", "code 1\n")
	c.wait(0).wantChanges("start 1, stop")
}

// TestDumpCommand: the fake tells here what it does, as dwdump says nothing.
func TestDumpCommand(t *testing.T) {
	c := newConsole(t, []string{"FAKE=packet", "FAKE_LOG=/dev/stderr"}, "dwdump", "-w", "drops.pcap").onTerminal()
	c.expect("config packet 65535 1000\r\n", "start 3\r\n").send(ctrlC)
	c.expect("stop\r\n", "config summary 0 1000\r\n").wait(0)
	if b, err := os.ReadFile(c.dir + "/drops.pcap"); err != nil || len(b) <= 24 {
		t.Errorf("%d bytes: %v", len(b), err)
	}
}

// TestDumpEndedBySignal: that is how a dump ends, and no failure.
func TestDumpEndedBySignal(t *testing.T) {
	c := newConsole(t, []string{"FAKE=packet", "FAKE_LOG=/dev/stderr"}, "dwdump", "-w", "drops.pcap").onTerminal()
	c.expect("start 3\r\n").signal(syscall.SIGTERM).expect("stop\r\n", "config summary 0 1000\r\n").wait(0)
}

// TestNohup: who asks to be left alone by a terminal that goes, is.
func TestNohup(t *testing.T) {
	c := newConsole(t, []string{"FAKE=packet", "FAKE_LOG=/dev/stderr"}, "sh", "-c",
		"trap '' HUP; exec dwdump -w drops.pcap").onTerminal()
	c.expect("start 3\r\n").signal(syscall.SIGHUP).signal(syscall.SIGINT).expect("stop\r\n").wait(0)
}

// TestDumpTakesOver: the option is understood on both sides of the command.
func TestDumpTakesOver(t *testing.T) {
	for _, line := range []string{"--takeover dump -w drops.pcap", "dump --takeover -w drops.pcap"} {
		c := newConsole(t, []string{"FAKE=on", "FAKE_LOG=/dev/stderr"}, "dropwatch", strings.Fields(line)...).onTerminal()
		c.expect("stop\r\n", "config packet 65535 1000\r\n", "start 3\r\n").send(ctrlC).expect("stop\r\n").wait(0)
	}
	c := newConsole(t, []string{"FAKE=on"}, "dropwatch", "dump", "-w", "drops.pcap").onTerminal()
	c.expect("monitoring is on, left on by a program that has ended").wait(1).wantChanges("")
}

// TestDumpInSession: Ctrl-C ends the dump, which puts its settings back, and the
// session goes on.
func TestDumpInSession(t *testing.T) {
	c := newConsole(t, []string{"FAKE=packet", "FAKE_LOG=/dev/stderr"}, "dropwatch").onTerminal().expect(prompt)
	c.send("dump -w drops.pcap\n").expect("start 3\r\n").send(ctrlC).expect("stop\r\n", "config summary 0 1000\r\n", prompt)
	c.send("exit\n").expect("Shutting down ...\r\n").wait(0)
}

// TestDumpInScript: packets are not written amid the words of a session.
func TestDumpInScript(t *testing.T) {
	c := script(t, "packet")
	c.send("dump\n").expect("dropwatch: dump: packets would mix with the words of the session: name a file\n")
	c.wait(1).wantChanges("")
}

// TestDumpOnTerminal: packets are not written to one.
func TestDumpOnTerminal(t *testing.T) {
	c := newConsole(t, nil, "dwdump").onTerminal()
	c.expect("dropwatch: dump: packets are no text for a terminal").wait(2).wantChanges("")
}

// TestNoHome: a session does without a history, and without a word.
func TestNoHome(t *testing.T) {
	c := newConsole(t, []string{"HOME=", "XDG_STATE_HOME="}, "dropwatch").onTerminal()
	c.expect("Initializing kallsyms db\r\n", prompt).send("exit\n").expect("Shutting down ...").wait(0)
	if strings.Contains(c.said(), "dropwatch:") {
		t.Errorf("it complained:\n%s", c.said())
	}
}

// TestHomeThatCannotBeWritten: that is said, and the session goes on.
func TestHomeThatCannotBeWritten(t *testing.T) {
	c := newConsole(t, []string{"XDG_STATE_HOME=/dev/null"}, "dropwatch").onTerminal()
	c.expect("dropwatch: ", "history", prompt).send("exit\n").expect("Shutting down ...").wait(0)
}
