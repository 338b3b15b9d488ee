package diagnose_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/host"
)

// TestMissingPrograms: a command whose program this host lacks says which package has it. A recording says the same,
// and nothing is said of a host that has no folder of programs.
func TestMissingPrograms(t *testing.T) {
	const plain = "ip netns exec blue tracepath -n 10.0.0.2"
	const debian, fedora = "ID=ubuntu\nID_LIKE=debian\n", "ID=fedora\n"
	for name, test := range map[string]struct {
		programs []string
		release  string
		want     string
	}{
		"there":     {[]string{"bin/sh", "usr/bin/tracepath"}, debian, plain + "\n"},
		"missing":   {[]string{"bin/sh"}, debian, plain + "  # not installed: package iputils-tracepath\n"},
		"elsewhere": {[]string{"bin/sh"}, fedora, plain + "  # not installed: package iputils\n"},
		"unknown":   {nil, debian, plain + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{"etc/os-release": {Data: []byte(test.release)}}
			for _, p := range test.programs {
				files[p] = &fstest.MapFile{Mode: 0o755}
			}
			answers := make(map[string]json.RawMessage)
			live := diagnose.NewHost(host.FS(files), nil)
			live.Keep(func(question string, answer []byte) { answers[question] = answer })
			for _, h := range []*diagnose.Host{live, diagnose.RecordedHost(answers)} {
				d := diagnose.New(collect(t, udp("IP_TTL_EXCEEDED", 40001)), new(counters.Report), nil)
				d.Ask(h)
				if text := textOf(t, d); !strings.Contains(text, "   check     "+test.want) {
					t.Errorf("%q is missing in\n%s", test.want, text)
				}
			}
		})
	}
}
