package acceptance

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"dropwatch/internal/vmtest/guest"
)

// dropwatchPath is the path of dropwatch in a guest.
const dropwatchPath = guest.Dropwatch

// A session is a script that both programs run on the same drops.
type session struct {
	script string
	cause  func(t *testing.T) // makes the drops once monitoring is on
	until  string             // a line of output that shows that they were seen
	times  int                // how often it must be there
	ends   bool               // the script ends by itself; otherwise by SIGINT
}

// run runs the session in one of the programs.
func (s session) run(t *testing.T, program string) guest.Result {
	t.Helper()
	guest.ResetMonitor(t)
	p := guest.Start(t, s.script, "stdbuf", "-oL", program, "-l", "kas")
	p.AwaitOutput("Issue Ctrl-C", 1)
	s.cause(t)
	p.AwaitOutput(s.until, s.times)
	if s.ends {
		return p.Wait()
	}
	return p.Interrupt()
}

// TestGuestSameWords holds both programs to the same drops: the same prompts
// and answers in the same order, and the same set of drops.
func TestGuestSameWords(t *testing.T) {
	flood := func(n int) func(*testing.T) { return func(t *testing.T) { guest.Flood(t, n) } }
	sessions := map[string]session{
		"summary": {
			script: "show\nstats\nset alertlimit 1000\nstart\nstats\nstop\nexit\n", cause: flood(7),
			until: `drops at .*udp`, times: 1,
		},
		"packet": {script: "set alertmode packet\nshow\nstart\nexit\n", cause: flood(4), until: "origin: software", times: 4},
		"trunc and queue": {
			script: "set alertmode packet\nset trunc 42\nset queue 500\nshow\nstart\nshow\nexit\n", cause: flood(3),
			until: "\nlength: 42", times: 3,
		},
		"limit": {
			script: "set alertmode packet\nset alertlimit 3\nstart\n", cause: flood(3), until: "Alert limit reached",
			times: 1, ends: true,
		},
		"sw":           {script: "set sw true\nset hw false\nstart\nexit\n", cause: flood(2), until: "drops at", times: 1},
		"neither":      {script: "set sw false\nset hw false\nstart\nexit\n", cause: flood(2), until: "drops at", times: 1},
		"sw and hw":    {script: "set sw true\nset hw true\nstart\nexit\n", cause: flood(2), until: "drops at", times: 1},
		"end of input": {script: "start\n", cause: flood(2), until: "drops at", times: 1},
		"output":       {script: "start\nexit\n", cause: func(t *testing.T) { guest.FloodOutput(t, 5) }, until: outputDrop, times: 1},
	}
	names := slices.Sorted(maps.Keys(sessions))
	if guest.IsBetween() {
		names = []string{"output", "packet", "summary"}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			s := sessions[name]
			compare(t, s.run(t, oracle), s.run(t, dropwatchPath))
		})
	}
}

// TestGuestSameHardwareDrops does the same with drops of a simulated switch,
// whose number depends on time.
func TestGuestSameHardwareDrops(t *testing.T) {
	guest.HardwareDrops(t)
	none := func(*testing.T) {}
	for name, s := range map[string]session{
		"summary": {script: "set hw true\nstart\nexit\n", cause: none, until: `drops at blackhole_route \[hardware\]`, times: 1},
		"packet": {
			script: "set alertmode packet\nset hw true\nstart\nexit\n", cause: none,
			until: `drop at: blackhole_route \(l3_drops\)`, times: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			compare(t, s.run(t, oracle), s.run(t, dropwatchPath))
		})
	}
}

func compare(t *testing.T, c, own guest.Result) {
	t.Helper()
	if own.Code != c.Code {
		t.Errorf("exit code %d, not %d: %s", own.Code, c.Code, own.Stderr)
	}
	want, wantDrops := split(c.Stdout)
	got, gotDrops := split(own.Stdout)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what it says (-C +dropwatch):\n%s", diff)
	}
	for _, drops := range []map[string]int{wantDrops, gotDrops} {
		maps.DeleteFunc(drops, func(place string, _ int) bool { return !caused.MatchString(place) })
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(wantDrops)), slices.Sorted(maps.Keys(gotDrops))); diff != "" {
		t.Errorf("the drops it shows (-C +dropwatch):\n%s", diff)
	}
	for place, n := range wantDrops {
		if strings.Contains(place, "hardware") || strings.Contains(place, "blackhole") {
			continue // as many as the time allowed
		}
		if gotDrops[place] != n {
			t.Errorf("%d drops, not %d, of %q", gotDrops[place], n, place)
		}
	}
}

// caused are the places of the drops that the tests make. A kernel has others
// now and then, in one run and not in the next: nft's own netlink messages, say.
var caused = regexp.MustCompile("udp|blackhole_route|" + outputDrop)

var (
	summaryLine = regexp.MustCompile(`^(\d+) (drops at .*)$`)
	stamp       = regexp.MustCompile(`(?m)^timestamp: \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} \d{9} nsec$`)
	awaitsAck   = regexp.MustCompile(`(?m)^Waiting for .*\n`)
)

// split parts what a program printed into its words, in their order, and its
// drops, with their numbers. Times are masked, and so are C's lines about what
// it waits for, which come once for every alert that comes in between.
func split(stdout string) (words []string, drops map[string]int) {
	stdout = stamp.ReplaceAllString(awaitsAck.ReplaceAllString(stdout, ""), "timestamp: TIME")
	stdout = tailDropped.ReplaceAllString(stdout, "Tail dropped: 0\n")
	drops = make(map[string]int)
	var packet string
	for line := range strings.Lines(stdout) {
		line = strings.TrimSuffix(line, "\n")
		m := summaryLine.FindStringSubmatch(line)
		switch {
		case m != nil:
			n, _ := strconv.Atoi(m[1]) // digits
			drops[m[2]] += n
		case strings.HasPrefix(line, "drop at: "):
			packet = line
		case packet != "" && line == "":
			drops[packet]++
			packet = ""
		case packet != "":
			packet += "\n" + line
		default:
			words = append(words, line)
		}
	}
	return words, drops
}

// TestGuestTranscripts holds dropwatch to what C was recorded to say, except
// where the README lists a difference.
func TestGuestTranscripts(t *testing.T) {
	// The same words with -l none, which is C's default.
	same := []string{
		"empty-line", "end-of-input", "set-both-origins", "set-mode-twice", "set-sw-1", "show-then-end", "stop-twice",
		"stop-when-off",
	}
	for _, name := range same {
		t.Run(name, func(t *testing.T) {
			guest.ResetMonitor(t)
			a := transcript(t, name)
			r := guest.Run(t, a["stdin"], dropwatchPath, "-l", "none")
			if diff := cmp.Diff(a["stdout"], r.Stdout); diff != "" || r.Code != 0 {
				t.Errorf("exit code %d, stderr %q (-C +dropwatch):\n%s", r.Code, r.Stderr, diff)
			}
		})
	}
}

// transcript gives the files of a recorded session of the C program.
func transcript(t *testing.T, name string) map[string]string {
	t.Helper()
	a, err := oracleScripts.ReadFile("testdata/oracle/" + name + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, f := range txtar.Parse(a).Files {
		files[f.Name] = string(f.Data)
	}
	return files
}

// TestGuestBadCommands: what C passes over in silence is an error that changes
// nothing and ends the script.
func TestGuestBadCommands(t *testing.T) {
	guest.ResetMonitor(t)
	for _, bad := range []string{
		"foo", "set", "set sw maybe", "set alertmode foo", "set trunc abc", "set trunc -5", "set trunc 99999999999",
		"set queue", "showx", "help me", "HELP",
	} {
		r := guest.Run(t, bad+"\nset alertmode packet\n", dropwatchPath)
		want := fmt.Sprintf("Initializing kallsyms db\ndropwatch> %s\nShutting down ...\n", bad)
		if r.Code != 1 || r.Stdout != want || !strings.HasPrefix(r.Stderr, "dropwatch: ") {
			t.Errorf("%q: %+v", bad, r)
		}
	}
}
