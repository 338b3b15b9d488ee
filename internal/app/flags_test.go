package app

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/host"
	"dropwatch/internal/source/bpf"
	"dropwatch/netlink"
)

func TestOriginSet(t *testing.T) {
	const both = netlink.Software | netlink.Hardware
	tests := []struct {
		given []string
		want  netlink.Origins
		text  string
	}{
		{nil, 0, "sw"},
		{[]string{"sw"}, netlink.Software, "sw"},
		{[]string{"hw"}, netlink.Hardware, "hw"},
		{[]string{"hw,sw"}, both, "sw,hw"},
		{[]string{"sw", "hw"}, both, "sw,hw"},
	}
	for _, tt := range tests {
		var o originSet
		for _, text := range tt.given {
			if err := o.Set(text); err != nil {
				t.Fatal(err)
			}
		}
		if netlink.Origins(o) != tt.want || o.String() != tt.text {
			t.Errorf("%q: %v, %s, want %v, %s", tt.given, o, &o, tt.want, tt.text)
		}
	}
	for _, text := range []string{"", "SW", "sw,", "sw hw"} {
		if err := new(originSet).Set(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// TestRawAddresses: each verb that shows live drops asks for the kernel addresses of
// sockets only with the flag.
func TestRawAddresses(t *testing.T) {
	asked := errors.New("opened")
	for _, verb := range [][]string{{"watch"}, {"record", filepath.Join(t.TempDir(), "drops.dw")}} {
		for _, raw := range []bool{false, true} {
			null := devNull(t)
			var opts bpf.Options
			r := &capture.Runner{
				In: null, Out: null, Err: null, Host: host.New("/"), Notices: capture.NewNotices(null), Signals: new(capture.Signals),
				OpenBPF: func(o bpf.Options) (capture.Tracer, error) { opts = o; return nil, asked },
			}
			args := append([]string{verb[0], "-s", "bpf", fmt.Sprintf("--raw-addresses=%v", raw)}, verb[1:]...)
			err := (&App{runner: r}).program(defaults{}).Run(t.Context(), append([]string{"dropwatch"}, args...), isUsage)
			if !errors.Is(err, asked) || opts.RawAddresses != raw {
				t.Errorf("%q: RawAddresses %v, %v", args, opts.RawAddresses, err)
			}
		}
	}
}

// TestInvalidValues: every flag with values of a kind says in the same words which it accepts.
func TestInvalidValues(t *testing.T) {
	null := devNull(t)
	a := &App{runner: &capture.Runner{In: null, Out: null, Err: null, Host: host.New("/"), Notices: capture.NewNotices(null)}}
	flags := 0
	for _, v := range a.program(defaults{}).Verbs {
		if v.Flags == nil {
			continue
		}
		v.Flags.VisitAll(func(f *pflag.Flag) {
			value := map[string]string{"string": "", "stringSlice": `a"b`}
			text, ok := value[f.Value.Type()]
			if !ok {
				text = "-1x"
			}
			if text == "" || f.Name == "help" {
				return
			}
			flags++
			err := a.program(defaults{}).Run(t.Context(), []string{"dropwatch", v.Name, "--" + f.Name + "=" + text}, isUsage)
			want := fmt.Sprintf("%s: invalid value %q for --%s: ", v.Name, text, f.Name)
			if got := fmt.Sprint(err); !strings.HasPrefix(got, want) || !strings.Contains(got, ": give ") || strings.Contains(got, "pars") {
				t.Errorf("error %s, want %s... give ...", got, want)
			}
		})
	}
	if flags < 50 {
		t.Errorf("%d flags were tried", flags)
	}
}

// TestNumbers: the bounds of numbers.
func TestNumbers(t *testing.T) {
	null := devNull(t)
	a := &App{runner: &capture.Runner{In: null, Out: null, Err: null, Host: host.New("/"), Notices: capture.NewNotices(null)}}
	const seconds = "give seconds above 0, or a time as in 90s, 5m or 1h30m"
	for args, want := range map[string]string{
		"watch -c -1":                        `watch: invalid value "-1" for --count: give a number from 1`,
		"watch -c 0":                         `watch: invalid value "0" for --count: give a number from 1`,
		"record -c 99999999999999999999999":  `record: invalid value "99999999999999999999999" for --count: give a number from 1`,
		"watch --trunc 9999999999999":        `watch: invalid value "9999999999999" for --trunc: give a number from 0 to 4294967295`,
		"dump -b 1073741824":                 `dump: invalid value "1073741824" for --bufsize: give a number from 0 to 1073741823`,
		"watch -d 0":                         `watch: invalid value "0" for --duration: ` + seconds,
		"watch -d 1h30":                      `watch: invalid value "1h30" for --duration: ` + seconds,
		"counters -c -1":                     `counters: invalid value "-1" for --count: give a number from 0`,
		"watch --json=maybe":                 `watch: invalid value "maybe" for --json: give true or false`,
		"watch -i \"":                        `watch: invalid value "\"" for --include: give names, separated by commas`,
		"diagnose --duration=99999999999999": `diagnose: invalid value "99999999999999" for --duration: ` + seconds,
	} {
		err := a.program(defaults{}).Run(t.Context(), append([]string{"dropwatch"}, strings.Fields(args)...), isUsage)
		if err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", args, err, want)
		}
	}
}

// TestDuration: seconds can have decimals.
func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5": 5 * time.Second, "0.5": 500 * time.Millisecond, ".25": 250 * time.Millisecond, "1h30m": 90 * time.Minute,
	} {
		var d duration
		if err := d.Set(text); err != nil || time.Duration(d) != want {
			t.Errorf("%s: %v, %v", text, &d, err)
		}
	}
	for _, text := range []string{"", ".", "-1", "1.2.3", "0", "0.0", "-1s", "0ms", "1h30", "x"} {
		var d duration
		if err := d.Set(text); err == nil {
			t.Errorf("%q was accepted: %v", text, &d)
		}
	}
}
