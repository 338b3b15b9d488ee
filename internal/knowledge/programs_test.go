package knowledge

import (
	"slices"
	"strings"
	"testing"
)

// everywhere are programs that hosts have, or that come with what the command is about.
var everywhere = []string{
	"cat", "dmesg", "dropwatch", "free", "grep", "ls", "modprobe", "ovs-appctl", "ovs-ofctl", "ovs-vswitchd", "ovs-vsctl", "tail",
}

// TestPrograms: of each program that a command calls the package is known, unless it is everywhere.
func TestPrograms(t *testing.T) {
	check := func(name string, commands []string) {
		for _, command := range commands {
			program, _, _ := strings.Cut(command, " ")
			if _, known := ProgramOf(command); !known && !slices.Contains(everywhere, program) {
				t.Errorf("%s: which package has %s: %s", name, program, command)
			}
		}
	}
	for _, en := range All() {
		check(en.Name, slices.Concat(en.Check, en.Apply))
		for _, c := range en.Cases {
			check(en.Name, slices.Concat(c.Check, c.Apply))
		}
	}
}

// TestWithout: a command whose program is missing names the package, or is another one that does the same.
func TestWithout(t *testing.T) {
	for command, want := range map[string][2]string{
		"tcpdump -ni eth0": {"tcpdump -ni eth0  # not installed: package tcpdump", ""},
		"ip netns exec blue tracepath -n 10.0.0.1": {
			"ip netns exec blue tracepath -n 10.0.0.1  # not installed: package iputils-tracepath",
			"ip netns exec blue tracepath -n 10.0.0.1  # not installed: package iputils",
		},
		"nsenter -t 9 -n conntrack -S  # invalid (of conntrack-tools)": {
			"nsenter -t 9 -n dropwatch counters --all --name 'conntrack.*'  # invalid", "",
		},
		"conntrack -S": {"dropwatch counters --all --name 'conntrack.*'", ""},
		"conntrack -L -p tcp  # of conntrack-tools": {
			"conntrack -L -p tcp  # of conntrack-tools; not installed: package conntrack",
			"conntrack -L -p tcp  # of conntrack-tools; not installed: package conntrack-tools",
		},
	} {
		p, ok := ProgramOf(command)
		if want[1] == "" {
			want[1] = want[0]
		}
		if got := [2]string{p.Without(command, true), p.Without(command, false)}; !ok || got != want {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
	if p, ok := ProgramOf("nsenter -t 9 -n cat /proc/net/xfrm_stat"); ok {
		t.Errorf("cat is %+v", p)
	}
}
