package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/capture"
	"dropwatch/internal/config"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/sink/alert"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/vmtest"
	"dropwatch/netlink"
)

// parse parses a text that must be right.
func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("x.toml", []byte(text), config.Checks{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestText: the file that is printed has the defaults, and what every setting means.
func TestText(t *testing.T) {
	text := config.Text()
	if got, want := parse(t, text), parse(t, ""); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	var before string
	for line := range strings.Lines(text) {
		if strings.Contains(line, " = ") && !strings.HasPrefix(line, "#") && !strings.HasPrefix(before, "# ") {
			t.Errorf("nothing is said of %q", line)
		}
		if len(line) > 81 {
			t.Errorf("%d columns: %q", len(line), line)
		}
		before = line
	}
}

// TestExample: what is printed as a comment is a setting when it is none.
func TestExample(t *testing.T) {
	text := config.Text()
	for _, name := range []string{"alert", "point"} {
		before, after, _ := strings.Cut(text, "\n#[["+name)
		example, rest, _ := strings.Cut(after, "\n\n")
		text = before + "\n[[" + name + strings.ReplaceAll(example, "\n#", "\n") + "\n\n" + rest
	}
	c := parse(t, text)
	if len(c.Alerts) != 1 || len(c.Spec.Input.Points) != 1 || c.Spec.Input.Points[0].Name != "backlog_of_443" {
		t.Fatalf("%d alerts and points %+v in %s", len(c.Alerts), c.Spec.Input.Points, text)
	}
	c.Alerts[0].Match = nil
	want := alert.Rule{
		Name: "slow program", Expression: "reason == SOCKET_RCVBUFF", Kinds: []event.Kind{event.Drop}, Count: 100, Window: 10 * time.Second,
		Every:   5 * time.Minute,
		Command: []string{"/usr/local/bin/notify", "network"}, Timeout: 30 * time.Second,
	}
	if !reflect.DeepEqual(c.Alerts[0], want) {
		t.Errorf("%+v, want %+v", c.Alerts[0], want)
	}
}

// TestPointsOfAService: built-in points by their names and modules, and points of the file, which come before those.
func TestPointsOfAService(t *testing.T) {
	const own = `
[[point]]
name = "udp_queue"
functions = ["__udp_enqueue_schedule_skb"]
says = "mine"
[[point]]
name = "own"
functions = ["tcp_conn_request"]
args = ["port = sk->sk_num"]
`
	c := parse(t, "points = [\"udp\", \"tcp_accept_queue\"]\nexpression = \"kind == point\"\n"+own)
	points := c.Spec.Input.Points
	if len(points) != 3 || points[0].Says != "mine" || points[1].Name != "tcp_accept_queue" || points[2].Args[0].Expr != "sk->sk_num" {
		t.Errorf("%+v", points)
	}
	for text, want := range map[string]string{
		"\npoints = [\"tcp_acept_queue\"]": `x.toml:2: invalid value for points: unknown point "tcp_acept_queue": ` +
			"did you mean tcp_accept_queue?",
		own + "[[point]]\nname = \"a\"": "x.toml:10: point a: it has no function: name one of the kernel, as in " +
			"functions = [\"tcp_conn_request\"]",
		"expression = \"kind == point\"": "x.toml:1: the expression is of points, and none is reported: set points, " +
			"or add a table [[point]]",
	} {
		if _, err := config.Parse("x.toml", []byte(text), config.Checks{}); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestAlerts: each alert has defaults of its own, and a rate is a number within the window.
func TestAlerts(t *testing.T) {
	alerts := parse(t, `
[[alert]]
name = "all"
count = 1
window = "1m"
[[alert]]
name = "DNS"
expression = "udp dst port 53"
rate = 7
every = "1h"
timeout = "1s"
`).Alerts
	if len(alerts) != 2 || !alerts[0].Match(new(event.Event)) || alerts[1].Match(new(event.Event)) {
		t.Fatalf("%+v", alerts)
	}
	alerts[0].Match, alerts[1].Match = nil, nil
	drops := []event.Kind{event.Drop}
	want := []alert.Rule{
		{Name: "all", Kinds: drops, Count: 1, Window: time.Minute, Every: 5 * time.Minute, Timeout: 30 * time.Second},
		{Name: "DNS", Expression: "udp.dstport == 53", Kinds: drops, Count: 70, Window: 10 * time.Second,
			Every: time.Hour, Timeout: time.Second},
	}
	if !reflect.DeepEqual(alerts, want) {
		t.Errorf("%+v, want %+v", alerts, want)
	}
}

// TestAlertKinds: an alert counts drops, or what its expression says.
func TestAlertKinds(t *testing.T) {
	for expression, want := range map[string][]event.Kind{
		"":                                       {event.Drop},
		"port 443":                               {event.Drop},
		"kind == retransmit":                     {event.Retransmit},
		"kind == reset and port 443":             {event.Reset},
		"tcp.type == rto":                        {event.Retransmit},
		"tcp.lost == here and port 443":          {event.Retransmit},
		"tcp.incoming":                           {event.Retransmit, event.Reset},
		"not tcp.incoming":                       {event.Drop, event.Retransmit, event.Reset},
		"kind != drop":                           {event.Retransmit, event.Reset},
		"kind in {drop, retransmit}":             {event.Drop, event.Retransmit},
		"kind == drop or tcp.type in {rto, syn}": {event.Drop, event.Retransmit},
	} {
		c := parse(t, "retrans = true\n[[alert]]\nname = 'a'\ncount = 1\nexpression = '"+expression+"'\n")
		if got := c.Alerts[0].Kinds; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", expression, got, want)
		}
		if in := c.Spec.Input; !in.AndRetrans || !in.Resets {
			t.Errorf("%+v", in)
		}
	}
}

// TestSpec: each setting is in the run.
func TestSpec(t *testing.T) {
	spec := parse(t, `
source = "bpf"
origin = "sw,hw"
sample = 0
trunc = 96
stack = true
by-owner = true
raw-addresses = true
takeover = true
expression = "udp dst port 53"
include = ["tcp", "udp"]
exclude = ["NO_SOCKET"]
output = ["text:/var/log/drops,explain", 'json', 'pcapng:a\,b,link=raw']
`).Spec
	in := capture.Input{
		Source: "bpf", Origins: netlink.Software | netlink.Hardware, Trunc: 96,
		Stack: true, ByOwner: true, RawAddresses: true, Takeover: true, SampledStack: true,
	}
	if !reflect.DeepEqual(spec.Input, in) {
		t.Errorf("input %+v, want %+v", spec.Input, in)
	}
	raw, err := capture.ParseOutput("pcapng:a\\,b,link=raw")
	if err != nil {
		t.Fatal(err)
	}
	outputs := []capture.Output{
		{Format: capture.Lines, File: "/var/log/drops", Explain: true, Stack: true}, {Format: capture.JSON}, raw,
	}
	if !reflect.DeepEqual(spec.Outputs, outputs) {
		t.Errorf("outputs %+v, want %+v", spec.Outputs, outputs)
	}
	for _, want := range []string{"udp.dstport == 53", "not reason == NO_SOCKET", "module == tcp"} {
		if !strings.Contains(spec.Filter.String(), want) {
			t.Errorf("filter %q lacks %q", spec.Filter, want)
		}
	}
}

// TestErrors: what is wrong is said with its line, and what to write instead.
func TestErrors(t *testing.T) {
	tests := map[string]string{
		"\nsorce = 'bpf'":                `x.toml:2: unknown key sorce: did you mean source?`,
		"zzz = 1":                        `x.toml:1: unknown key zzz: dropwatch config prints all`,
		"follow = 'icmp'":                `x.toml:1: unknown key follow: packets are followed for as long as one run, `,
		"a = 1\nsampel = 2":              "x.toml:1: unknown key a: dropwatch config prints all\nx.toml:2: ",
		"[outptu]\nx = 1":                `x.toml:1: unknown key outptu: did you mean output?`,
		"source.name = 1":                `x.toml:1: unknown key source.name: dropwatch config prints all`,
		"\n\nsample = 'many'":            `x.toml:3: invalid value for sample: give a whole number from 0 to 4294967295`,
		"sample = -1":                    `x.toml:1: invalid value for sample: give a whole number from 0 to 4294967295`,
		"trunc = 4294967296":             `x.toml:1: invalid value for trunc: give a whole number from 0 to 4294967295`,
		"stack = 'yes'":                  `x.toml:1: invalid value for stack: give true or false`,
		"source = ['bpf']":               `x.toml:1: invalid value for source: give a text in quotes, as in "text"`,
		"origin = ['sw']":                `x.toml:1: invalid value for origin: give a text in quotes, as in "text"`,
		"output = 'json'":                `x.toml:1: invalid value for output: give a list of texts`,
		"include = [['a']]":              `x.toml:1: invalid value for include: give a list of texts`,
		"origin = 'xw'":                  `x.toml:1: invalid value for origin: give sw, hw or sw,hw`,
		"output = [\n'json',\n'jsn:/x']": `x.toml:3: invalid value for output: unknown output "jsn": did you mean json?`,
		"output = ['json,links=raw']":    `x.toml:1: invalid value for output: unknown option of output json "links": give one of: hex`,
		"expression = 'raeson == X'":     "x.toml:1: invalid value for expression: column 1: unknown field \"raeson\"",
		"stack = true\nstack = true":     `x.toml:2: key stack is already defined`,
		"stack = ":                       `x.toml:1: `,
		"source = 'ebpf'":                `x.toml:1: invalid value for source: unknown source "ebpf": did you mean bpf?`,
		"expression = 'stack ~ tcp'":     `x.toml:1: the expression needs stack traces: set stack = true`,
		"output = ['json', 'text']":      `x.toml:1: standard output cannot be that of two outputs`,
		"[[alert]]\ncount = 1":           `x.toml:1: the alert has no name: give it one`,
		"[[alert]]\nname = 'a'":          `x.toml:1: alert "a" has no threshold: give count or rate`,
		"[[alert]]\nnmae = 'a'":          `x.toml:2: unknown key alert.nmae: did you mean name?`,
		"[[alert]]\n\nwindow = '1'":      `x.toml:3: invalid value for alert.window: give a time of 1s or more`,
		"[[alert]]\nwindow = 10":         `x.toml:2: invalid value for alert.window: give a text in quotes`,
		"[[alert]]\nexpression = 'a b'":  `x.toml:2: invalid value for alert.expression: column 1: `,
		"[[alert]]\nname='a'\ncount=1\nexpression='stack ~ x'":       `x.toml:4: the expression needs stack traces: set stack = true`,
		"[alerts]\nname = 'a'":                                       `x.toml:1: unknown key alerts: did you mean alert?`,
		"alert = 3":                                                  `x.toml:1: invalid value for alert: give its settings below a line`,
		"[[alert]]\nname='a'\ncount=1\nrate = 1":                     `x.toml:4: alert "a" has count and rate`,
		"[[alert]]\nname='a'\ncount=1\nwindow = '2h'":                `x.toml:4: alert "a": give a window of 1h or less`,
		"[[alert]]\nname='a'\ncount=1\ncommand = ['mail']":           `x.toml:4: alert "a": give the path of the program "mail"`,
		"[[alert]]\nname='a'\ncount=1\n[[alert]]\nname='a'\ncount=2": `x.toml:5: an alert before it is called "a"`,
		"[[alert]]\nname='a'\ncount=1\ncommand = 'mail root'":        `x.toml:4: invalid value for alert.command: give a list`,
		"# a\n'alert' = [{name = 'a', window = 10}]":                 `x.toml:2: invalid value for alert: give its settings`,
		"\ninclude = [\n'tcp',\n'a/b']":                              `x.toml:4: invalid value for include: column 1: unknown layer`,
		"include = ['tcp', 5]":                                       `x.toml:1: invalid value for include: give a list of texts`,
		"output = []":                                                `x.toml:1: nothing would be written: add an output`,
	}
	for text, want := range tests {
		_, err := config.Parse("x.toml", []byte(text), config.Checks{})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
		if errors.As(err, new(*capture.SpecError)) {
			t.Errorf("%q: an error of the command line", text)
		}
	}
}

// TestAllMistakes: everything that is wrong is said, in the order of the file, and nothing that only follows from it.
func TestAllMistakes(t *testing.T) {
	const text = `sorce = "bpf"
sample = "many"
stack = "yes"
include = ["tcp", 5]
output = [
  "jsn:/x", # not that
  "json",
  "text:/y,rotat=4K",
]
expression = "raeson == X"

[[alert]]
name = "a"
cuont = 3

[[alert]]
name = "b"
window = "2h"
command = ["mail"]

[[alert]]
name = "b"
count = 1
window = 10
every = "soon"

[[alert]]
count = 2
expression = "kind == reset"

[[point]]
name = "p"
functons = ["f"]
`
	want := []string{
		"x.toml:1: unknown key sorce: did you mean source?",
		"x.toml:2: invalid value for sample: give a whole number from 0 to 4294967295",
		"x.toml:3: invalid value for stack: give true or false",
		`x.toml:4: invalid value for include: give a list of texts, as in ["one", "two"]`,
		`x.toml:6: invalid value for output: unknown output "jsn": did you mean json?`,
		`x.toml:8: invalid value for output: unknown option of output text "rotat": did you mean rotate?`,
		`x.toml:10: invalid value for expression: column 1: unknown field "raeson": did you mean reason?`,
		"  raeson == X", "  ^^^^^^",
		"x.toml:14: unknown key alert.cuont: did you mean count?",
		`x.toml:16: alert "b" has no threshold: give count or rate`,
		`x.toml:18: alert "b": give a window of 1h or less`,
		`x.toml:19: alert "b": give the path of the program "mail": it is run without a shell`,
		`x.toml:24: invalid value for alert.window: give a text in quotes, as in "text"`,
		"x.toml:25: invalid value for alert.every: give a time of 1s or more, as in 30m, 24h",
		"x.toml:27: the alert has no name: give it one",
		"x.toml:33: unknown key point.functons: did you mean functions?",
	}
	_, err := config.Parse("x.toml", []byte(text), config.Checks{})
	if err == nil || !slices.Equal(strings.Split(err.Error(), "\n"), want) {
		t.Errorf("error %v\nwant %s", err, strings.Join(want, "\n"))
	}
}

// TestRunAndAlerts: a run that is wrong is said once, not again for each alert, and the files of all outputs are checked.
func TestRunAndAlerts(t *testing.T) {
	const alerts = "[[alert]]\nname = 'a'\ncount = 1\nexpression = 'kind == reset'\n" +
		"[[alert]]\nname = 'b'\ncount = 1\nexpression = 'stack ~ x'\n"
	missing := func([]capture.Output) error { return errors.Join(errors.New("no password"), errors.New("no key")) }
	for text, want := range map[string]string{
		"expression = 'stack ~ y'\n" + alerts: "x.toml:1: the expression needs stack traces: set stack = true",
		alerts: "x.toml:4: the expression is of what TCP sends again or resets, which is not reported: set retrans = true\n" +
			"x.toml:8: the expression needs stack traces: set stack = true",
	} {
		if _, err := config.Parse("x.toml", []byte(text), config.Checks{}); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
	_, err := config.Parse("x.toml", []byte("\noutput = ['json']"), config.Checks{Outputs: missing})
	if want := "x.toml:2: no password\nx.toml:2: no key"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestManyMistakes: their number is bounded, and 20,000 unknown keys, for which go-toml would take minutes, are not decoded.
func TestManyMistakes(t *testing.T) {
	for setting, n := range map[string]int{
		"zz%d = 1\n": 20_000, "[zz%d]\na = 1\n": 20_000, "[[alert]]\nwindow = '1' # %d\n": 1000,
	} {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, setting, i)
		}
		_, err := config.Parse("x.toml", []byte(text.String()), config.Checks{})
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != 21 || !strings.HasSuffix(lines[20], ": and more is wrong: correct this first") {
			t.Errorf("%d lines: %v", len(lines), err)
		}
	}
}

// TestUnreported: an expression that only matches what is not reported is refused.
func TestUnreported(t *testing.T) {
	const ofTCP = "the expression is of what TCP sends again or resets, which is not reported: set retrans = true"
	for _, tt := range [][2]string{
		{"expression = 'tcp.type == rto'", "x.toml:1: " + ofTCP},
		{"[[alert]]\nname = 'a'\ncount = 1\nexpression = 'kind == reset'", "x.toml:4: " + ofTCP},
		{"retrans = true\nexpression = 'kind == tcp'", "x.toml:2: the expression matches only what is not reported"},
		{"retrans = true\nsource = 'trace'", "x.toml:1: source trace does not report what TCP sends again: name bpf or auto"},
	} {
		if _, err := config.Parse("x.toml", []byte(tt[0]), config.Checks{}); err == nil || err.Error() != tt[1] {
			t.Errorf("%q: error %v, want %s", tt[0], err, tt[1])
		}
	}
}

// TestChecks: what this host cannot do is said with the line of the expression, and only the reason of an error of the
// command line.
func TestChecks(t *testing.T) {
	const text = "include = ['tcp']\noutput = ['json']\nexpression = 'udp'\n[[alert]]\nname = 'a'\ncount = 1\nexpression = 'arp'\n"
	refuse := func(f *filter.Filter) error { return &capture.SpecError{Err: errors.New("not here: " + f.String())} }
	missing := func(all []capture.Output) error { return fmt.Errorf("%d output has no password", len(all)) }
	for want, checks := range map[string]config.Checks{
		"x.toml:2: 1 output has no password":              {Outputs: missing},
		"x.toml:3: not here: layer.module == tcp and udp": {Run: refuse},
		"x.toml:7: not here: arp":                         {Alert: refuse},
	} {
		_, err := config.Parse("x.toml", []byte(text), checks)
		if err == nil || err.Error() != want || errors.As(err, new(*capture.SpecError)) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestRead: a named file must exist, and the usual one need not. Only regular files are read.
func TestRead(t *testing.T) {
	root, other := t.TempDir(), t.TempDir()
	h := host.New(root)
	c, err := config.Read(h, "", config.Checks{})
	if err != nil || c.Path != "" || c.Spec.Input.Source != "auto" {
		t.Errorf("without a file: %+v, %v", c, err)
	}
	if err := os.Mkdir(root+"/etc", 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(root, config.DefaultPath), "source = 'trace'")
	c, err = config.Read(h, "", config.Checks{})
	if err != nil || c.Path != config.DefaultPath || c.Spec.Input.Source != "trace" {
		t.Errorf("with the usual file: %+v, %v", c, err)
	}
	write(other+"/mine", "source = 'bpf'")
	c, err = config.Read(host.New("/"), other+"/mine", config.Checks{})
	if err != nil || c.Path != other+"/mine" || c.Spec.Input.Source != "bpf" {
		t.Errorf("with another file: %+v, %v", c, err)
	}
	write(other+"/long", strings.Repeat("#", 1<<18+1))
	bad := map[string]string{
		other:           "read the configuration " + other + ": not a regular file: name another file",
		other + "/none": "make one with `dropwatch config`",
		other + "/long": "file too long: over 262144 bytes",
	}
	for path, want := range bad {
		if _, err := config.Read(host.New("/"), path, config.Checks{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", path, err, want)
		}
	}
}

// TestForeignFile: root does not run what another user has written.
func TestForeignFile(t *testing.T) {
	vmtest.RequireRoot(t)
	path := t.TempDir() + "/theirs"
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	if err := os.Chown(path, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	_, err := config.Read(host.New("/"), path, config.Checks{})
	if !errors.Is(err, host.ErrOwner) || !strings.Contains(err.Error(), "chown") {
		t.Errorf("error %v, want one that names chown", err)
	}
}

// FuzzParse: any text is a configuration that can be run, or an error that names the file.
func FuzzParse(f *testing.F) {
	f.Add(config.Text())
	for _, text := range []string{
		"", "a.b.c = 1", "[output]\nx = 1", "[[include]]\n", "output = ['json:\\,,hex']",
		"[[alert]]\nname = 'a'\ncount = 3\nwindow = '1m'\ncommand = ['/x']", "sample = 1e9", "expression = '''\nlen > 3'''",
		"include = ['tcp', \"\\u0000\"]", "source = 1979-05-27", "origin = {a = 1}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := config.Parse("x.toml", []byte(text), config.Checks{})
		switch {
		case err != nil && (c != nil || !strings.HasPrefix(err.Error(), "x.toml:")):
			t.Errorf("%+v, error %v", c, err)
		case err == nil && c.Spec.Check() != nil:
			t.Errorf("it cannot be run: %v", c.Spec.Check())
		}
	})
}
