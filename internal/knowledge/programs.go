package knowledge

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A Program is one that commands call and that a host may lack.
type Program struct {
	Name    string
	Debian  string // the package that has it there and on what derives from it
	Package string // elsewhere; empty: the same

	// Instead has what does the same without it, by the command that that replaces.
	Instead map[string]string
}

// programs are by name.
var programs = []Program{
	{Name: "arping", Debian: "iputils-arping", Package: "iputils"},
	{Name: "arptables-save", Debian: "arptables"},
	{Name: "ausearch", Debian: "auditd", Package: "audit"},
	{Name: "bpftool", Debian: "bpftool"},
	{Name: "bridge", Debian: "iproute2", Package: "iproute"},
	{Name: "candump", Debian: "can-utils"},
	{
		Name: "conntrack", Debian: "conntrack", Package: "conntrack-tools",
		Instead: map[string]string{"conntrack -S": "dropwatch counters --all --name 'conntrack.*'"},
	},
	{Name: "devlink", Debian: "iproute2", Package: "iproute"},
	{Name: "ebtables-save", Debian: "ebtables"},
	{Name: "ethtool", Debian: "ethtool"},
	{Name: "ip", Debian: "iproute2", Package: "iproute"},
	{Name: "ip6tables-legacy-save", Debian: "iptables", Package: "iptables-legacy"},
	{Name: "ip6tables-save", Debian: "iptables"},
	{Name: "iptables", Debian: "iptables"},
	{Name: "iptables-legacy-save", Debian: "iptables", Package: "iptables-legacy"},
	{Name: "iptables-save", Debian: "iptables"},
	{Name: "iw", Debian: "iw"},
	{Name: "lspci", Debian: "pciutils"},
	{Name: "mpstat", Debian: "sysstat"},
	{Name: "nft", Debian: "nftables"},
	{Name: "nstat", Debian: "iproute2", Package: "iproute"},
	{Name: "ss", Debian: "iproute2", Package: "iproute"},
	{Name: "sysctl", Debian: "procps", Package: "procps-ng"},
	{Name: "systemctl", Debian: "systemd"},
	{Name: "tc", Debian: "iproute2", Package: "iproute-tc"},
	{Name: "tcpdump", Debian: "tcpdump"},
	{Name: "tracepath", Debian: "iputils-tracepath", Package: "iputils"},
}

// entering matches what runs a command in a network namespace.
var entering = regexp.MustCompile(`^(ip netns exec \S+ |nsenter -t \S+ -n )`)

// ProgramOf returns the program that a command calls, whatever network namespace it enters; false if every host has it.
func ProgramOf(command string) (Program, bool) {
	name, _, _ := strings.Cut(strings.TrimPrefix(command, entering.FindString(command)), " ")
	i := slices.IndexFunc(programs, func(p Program) bool { return p.Name == name })
	if i < 0 {
		return Program{}, false
	}
	return programs[i], true
}

// Without returns a command for a host that lacks its program: what does the same without that, or the command with the
// name of the package.
func (p *Program) Without(command string, debian bool) string {
	enter := entering.FindString(command)
	call, note, _ := strings.Cut(strings.TrimPrefix(command, enter), "  # ")
	if instead := p.Instead[call]; instead != "" {
		note, _, _ = strings.Cut(note, " (of ")
		return strings.TrimSuffix(enter+instead+"  # "+note, "  # ")
	}
	name := p.Debian
	if !debian && p.Package != "" {
		name = p.Package
	}
	if note != "" {
		note += "; "
	}
	return fmt.Sprintf("%s%s  # %snot installed: package %s", enter, call, note, name)
}
