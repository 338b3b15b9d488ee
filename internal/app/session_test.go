package app

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/capture"
	"dropwatch/internal/host"
	"dropwatch/internal/session"
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

// TestStartOnTerminal: the command start needs no word of a person. Only a session
// without it says how to begin.
func TestStartOnTerminal(t *testing.T) {
	c := newConsole(t, []string{"FAKE=summary=7"}, "dropwatch", "-l", "none", "start").onTerminal()
	c.expect("Initializing null lookup method\r\n", active, "7 drops at location").send(ctrlC)
	c.expect("Got a stop message\r\n", prompt).send("exit\n").expect("Shutting down ...\r\n").wait(0).wantChanges("start 1, stop")
	if strings.Contains(c.said(), sessionHint) {
		t.Errorf("it said how to begin:\n%s", c.said())
	}
	if n := len("dropwatch: " + sessionHint); n > 79 {
		t.Errorf("the hint has %d columns", n)
	}
	person(t, "").send("exit\n").expect("Shutting down").wait(0).wantSaid("dropwatch: " + sessionHint + "\r\n")
}

func (c *console) wantSaid(text string) {
	c.t.Helper()
	if n := strings.Count(c.said(), text); n != 1 {
		c.t.Errorf("%q was said %d times:\n%s", text, n, c.said())
	}
}

func TestLimitOnTerminal(t *testing.T) {
	c := person(t, "packet packet packet packet")
	c.send("set alertmode packet\n").expect("Alert mode successfully set\r\n", prompt)
	c.send("set alertlimit 3\n").expect("setting alert capture limit to 3\r\n", prompt)
	for range 2 { // it counts from 0 again
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
	c.send("dump -w -\n").expect("standard output belongs to the session", prompt)
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

// TestInterruptsAtEnd: what interrupts a session that is ending does not change its exit code.
func TestInterruptsAtEnd(t *testing.T) {
	c := person(t, "").send("exit\n")
	for ended := false; !ended; {
		select {
		case <-c.ended:
			ended = true
		case <-time.After(50 * time.Microsecond):
			_ = c.cmd.Process.Signal(syscall.SIGINT) // it fails once the process has exited
		}
	}
	c.wait(0)
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
	time.Sleep(500 * time.Millisecond) // the second came at once, as of a key that is held down
	_, _ = io.WriteString(c.in, ctrlC) // on a slow machine the second may have ended it
	c.wait(130).wantChanges("start 1, stop")
}

// TestFault: a panic ends the program as a failure, with all put right.
func TestFault(t *testing.T) {
	c := person(t, "panic")
	c.send("set queue 5\n").expect("successfully set\r\n", prompt)
	c.send("start\n").expect("dropwatch: internal error (a bug in dropwatch): a word of the fake: panic")
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
	const question = "Monitoring is on, left on by a program that exited (nobody listens).\r\n"
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

// TestStoppedByAnother: start ends as in the C program when another program stops the
// monitor, and goes on with the next source where auto was set.
func TestStoppedByAnother(t *testing.T) {
	const stopped = "another program switched monitoring off"
	c := person(t, "summary=7 stopped")
	c.send("start\n").expect("7 drops at", "dropwatch: "+stopped+": start again", prompt)
	c.send("exit\n").wait(0).wantChanges("start 1, stopped by another")

	c = person(t, "summary=7 stopped")
	c.send("set source auto\n").expect("setting source to auto\r\n", prompt)
	c.send("start\n").expect("7 drops at", "dropwatch: "+stopped+": going on with source trace\r\n").send(ctrlC)
	c.expect("Got a stop message\r\nno source was running for ", ": drops in that time were not counted\r\n", prompt)
	c.send("status\n").expect("Last run: 7 drops shown, 0 lost\r\nno source was running for ", prompt)
	c.send("exit\n").wait(0).wantChanges("start 1, stopped by another")
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

// TestReaderGoes: the output is closed in a capture, which ends at the next drop
// that cannot be shown, without a word: head(1) has seen enough.
func TestReaderGoes(t *testing.T) {
	c := newConsole(t, []string{"FAKE=flood"}, "sh", "-c",
		"echo start | { dropwatch -l none; echo code $? >&2; } | sed '/drops at/q' >&2")
	c.onPipes().expect("1 drops at", "code 0\n")
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

// TestDumpEndedBySignal: what is set is put back, and the exit code has the signal.
func TestDumpEndedBySignal(t *testing.T) {
	c := newConsole(t, []string{"FAKE=packet", "FAKE_LOG=/dev/stderr"}, "dwdump", "-w", "drops.pcap").onTerminal()
	c.expect("start 3\r\n").signal(syscall.SIGTERM).expect("stop\r\n", "config summary 0 1000\r\n").wait(143)
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
	c.expect("monitoring is on, left on by a program that exited").wait(1).wantChanges("")
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
	c.send("dump\n").expect("dropwatch: standard output belongs to the session: name a file\n")
	c.wait(1).wantChanges("")
}

// TestDumpOnTerminal: packets are not written to one.
func TestDumpOnTerminal(t *testing.T) {
	c := newConsole(t, nil, "dwdump").onTerminal()
	c.expect("dropwatch: refusing to write binary data to a terminal").wait(2).wantChanges("")
}

// TestNoHome: a session does without a history, and without a word.
func TestNoHome(t *testing.T) {
	c := newConsole(t, []string{"HOME=", "XDG_STATE_HOME="}, "dropwatch").onTerminal()
	c.expect("Initializing kallsyms db\r\n", prompt).send("exit\n").expect("Shutting down ...").wait(0)
	if strings.Contains(strings.ReplaceAll(c.said(), "dropwatch: "+sessionHint, ""), "dropwatch:") {
		t.Errorf("it complained:\n%s", c.said())
	}
}

// TestHomeThatCannotBeWritten: that is said, and the session goes on.
func TestHomeThatCannotBeWritten(t *testing.T) {
	c := newConsole(t, []string{"XDG_STATE_HOME=/dev/null"}, "dropwatch").onTerminal()
	c.expect("dropwatch: ", "history", prompt).send("exit\n").expect("Shutting down ...").wait(0)
}

// TestReplayFromWords: a session's commands, and what is typed, are no recording.
func TestReplayFromWords(t *testing.T) {
	c := script(t, "")
	c.send("replay -\n").expect("dropwatch: standard input has the commands of the session: name a file\n").wait(1)
	newConsole(t, nil, "dropwatch", "replay", "-").onTerminal().expect("a recording cannot be typed").wait(2)
	for _, verb := range []string{"record", "replay"} {
		newConsole(t, nil, "dropwatch", verb, "").onTerminal().expect("dropwatch: " + verb + ": no file").wait(2)
	}
}

// TestDumpFilters: a session's filter holds for what dump writes.
func TestDumpFilters(t *testing.T) {
	sizes := make(map[string]int64)
	for _, filter := range []string{"proto ip", "proto arp"} {
		env := []string{"FAKE=packet packet touch=caught", "FAKE_LOG=/dev/stderr"}
		c := newConsole(t, env, "dropwatch", "-l", "none").onTerminal().expect(prompt)
		c.send("filter "+filter+"\n").expect("filter: "+filter, prompt).send("dump -w drops.pcap\n").expect("start 3\r\n")
		await(t, "the packets came", func() bool { _, err := os.Stat(c.dir + "/caught"); return err == nil })
		c.send(ctrlC).expect(prompt).send("exit\n").wait(0)
		info, err := os.Stat(c.dir + "/drops.pcap")
		if err != nil {
			t.Fatal(err)
		}
		sizes[filter] = info.Size()
	}
	if sizes["proto arp"] == 0 || sizes["proto ip"] <= sizes["proto arp"] {
		t.Errorf("bytes written: %v", sizes)
	}
}

// TestCompletedFile: a session completes the name of a recording.
func TestCompletedFile(t *testing.T) {
	c := person(t, "packet")
	c.send("record -c 1 night.dw\n").expect("total 1", prompt)
	c.send("replay n\t\n").expect("recorded on", "total 1: 1 shown", prompt)
	c.send("replay night.dw reason == NO_SOCKT\n").expect("unknown reason NO_SOCKT: did you mean NO_SOCKET?", "total 1: 0 shown", prompt)
	c.send("top ni\t--bogus\n").expect("top night.dw --bogus", "unknown flag", prompt)
	c.send("explain no_so\t\n").expect("NO_SOCKET: reason", prompt).send("exit\n").wait(0)
}

// TestTopFile: a word is the name of a recording if there is one of that name, whatever
// else it may mean, or if it cannot be the beginning of an expression.
func TestTopFile(t *testing.T) {
	t.Chdir(completedFiles(t, t.TempDir()))
	err := errors.Join(
		os.Rename("night", "reason"), os.Symlink("reason", "link"),
		os.WriteFile("iface", []byte("no recording"), 0o600), os.WriteFile("short", []byte(session.Magic[:7]), 0o600),
		os.Mkdir("folder", 0o700), syscall.Mkfifo("fifo", 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	a := &App{runner: &capture.Runner{Host: host.New("/")}}
	for word, want := range map[string]bool{
		"reason": true, "link": true, "iface": false, "short": false, "folder": false, "fifo": false, "not": false, "": false,
		"none.dw": true, "./iface": true, "/nowhere": true, "../x": true, "-": true, "drops.pcap": false,
	} {
		if got := a.isRecordingName(word); got != want {
			t.Errorf("%s: %t", word, got)
		}
	}
	if got := a.recordings(""); !slices.Equal(got, []string{"link", "reason"}) {
		t.Errorf("recordings to complete: %q", got)
	}
}

// TestTopShowsRecording: it stays after the last drop, until a person quits.
func TestTopShowsRecording(t *testing.T) {
	file, err := filepath.Abs("../../testdata/session-files/v2.session")
	if err != nil {
		t.Fatal(err)
	}
	c := newConsole(t, []string{"TERM=xterm"}, "dropwatch", "top", file).onTerminal()
	c.expect("LOCATION").send("/reason == NO_SOCKT\r").expect("did you mean NO_SOCKET?")
	c.send(ctrlC).expect("total ").wait(0)
}
