package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"dropwatch/internal/event"
	"dropwatch/internal/session"
)

// evil is text that a terminal would interpret, in the words of a command line, of a recording
// and of a session: ESC, DEL, CSI as one byte and as one character, a bidirectional
// override, a BEL.
const evil = "\x1b[31m\x7f\x9b2J\u009b\u202e\x07"

// TestErrorsAreEscaped passes control characters wherever the command line takes one: what is
// printed has nothing that a terminal obeys.
func TestErrorsAreEscaped(t *testing.T) {
	lines := []string{
		"X", "-X", "--X", "help X", "explain X", "completion X", "version X", "doctor X", "doctor --X",
		"watch --X", "watch -X", "watch --source X", "watch --mode X", "watch --origin X", "watch --trunc X", "watch --duration X",
		"watch --sample X", "watch --link X", "watch -c X", "watch X", "watch -i X", "watch -e X", "watch reason X",
		"watch iface X", "watch symbol ~ X",
		"watch --source trace reason X", "watch -w /nonexistent/X", "record X/X", "record --X x", "record --force=X x", "top X", "top --X",
		"replay X", "replay --json X", "replay -w /nonexistent/X $RECORDING", "replay $RECORDING X", "replay --X",
		"dump X", "dump -w /nonexistent/X", "dump -o X", "dump -t X", "-l X",
	}
	recording := writeEvil(t)
	for _, line := range lines {
		var words []string
		for _, word := range strings.Fields(line) {
			words = append(words, strings.NewReplacer("X", evil, "$RECORDING", recording).Replace(word))
		}
		printed := runEvil(t, "", words...)
		if printed == "" {
			t.Errorf("%s: nothing is printed", line)
		}
		checkPrintable(t, line, printed)
	}
}

// TestSessionsAreEscaped passes control characters to the commands of a session.
func TestSessionsAreEscaped(t *testing.T) {
	for _, line := range []string{
		"X", "set X", "set source X", "set alertmode X", "set trunc X", "set rcvbuf X", "filter X", "filter reason X", "replay X",
		"watch X",
		"watch --X", "help X", "show X", "explain X", "start X", "record X/X", "include X", "dump -w /nonexistent/X",
	} {
		text := strings.ReplaceAll(line, "X", evil) + "\n"
		checkPrintable(t, "in a session, "+line, runEvil(t, text, "-l", "none"))
	}
}

// TestRecordingsAreEscaped replays a recording in which every text has control characters.
func TestRecordingsAreEscaped(t *testing.T) {
	recording := writeEvil(t)
	for _, options := range []string{"", "--stack --hex", "--json", "--json --hex", "--summary", "--summary --json"} {
		printed := runEvil(t, "", append(append([]string{"replay"}, strings.Fields(options)...), recording)...)
		if !strings.Contains(printed, `\x1b`) && !strings.Contains(printed, `\u001b`) {
			t.Errorf("replay %s shows no text of the recording: %q", options, printed)
		}
		checkPrintable(t, "replay "+options, printed)
	}
}

// runEvil runs dropwatch, and gives all that it prints.
func runEvil(t *testing.T, input string, words ...string) string {
	t.Helper()
	cmd := exec.Command("dropwatch", words...)
	cmd.Stdin = strings.NewReader(input)
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	limit := time.AfterFunc(2*time.Minute, func() { cmd.Process.Kill() })
	defer limit.Stop()
	_ = cmd.Run() // it may fail
	if state := cmd.ProcessState; state == nil || state.ExitCode() < 0 {
		t.Errorf("%q did not end: %v", words, state)
	}
	return both.String()
}

func checkPrintable(t *testing.T, what, printed string) {
	t.Helper()
	for i, r := range printed {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) && (r != utf8.RuneError || strings.HasPrefix(printed[i:], "\uFFFD")) {
			continue
		}
		t.Errorf("%s: %q is printed in %q", what, printed[i:min(len(printed), i+utf8.UTFMax)], printed)
		return
	}
}

// writeEvil records a drop of which every text has control characters.
func writeEvil(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "evil.dw")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	h := session.Header{
		Program: evil, Command: evil, Source: evil, Host: evil, Kernel: evil, Machine: evil, BootID: evil, Symbols: evil,
		Settings: map[string]string{"filter": evil, "stack": evil, evil: evil}, Started: time.Unix(1e9, 0),
	}
	w, err := session.NewWriter(file, path, h)
	if err != nil {
		t.Fatal(err)
	}
	frame := event.Frame{PC: 7, Lookup: event.Found, Symbol: evil, Module: evil}
	drop := event.Event{
		Time: time.Unix(1e9, 0), Count: 1, Individual: true, Reason: evil, Where: event.Where{Frame: frame, HasPC: true, Kernel: evil},
		Port: event.Port{IfIndex: 1, IfName: evil}, Netns: event.Netns{Inode: 7, Name: evil}, Stack: []event.Frame{frame, frame},
		Task: event.Task{Known: true, PID: 5, TID: 5, Comm: evil}, Args: []event.Arg{{Name: evil, Text: evil}},
		Owner: event.Owner{
			Process: event.Process{PID: 5, Comm: evil}, Cgroup: event.Cgroup{ID: 1, Path: evil}, Unit: evil,
			Container: event.Container{ID: evil, Runtime: evil, Name: evil}, Pod: event.Pod{UID: evil, Namespace: evil, Name: evil},
		},
	}
	trap, harmless := drop, drop
	trap.Where, trap.Origin = event.Where{Trap: evil, TrapGroup: evil}, event.Hardware
	harmless.Harmless = evil
	gap := event.Event{Kind: event.Loss, Place: event.Uncovered, Count: 1, Gap: time.Second, Time: drop.Time, Args: drop.Args}
	ledger := &event.Ledger{}
	for _, e := range []*event.Event{&drop, &trap, &harmless, &gap} {
		ledger.Add(e)
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	end := event.Event{Kind: event.End, Time: drop.Time, Ledger: ledger}
	if err := w.Write(&end); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return path
}
