package knowledge

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dropwatch/internal/event"
)

// unknown has, by the name of a hole, the word that stands where a drop has no
// value for it.
var unknown = map[string]string{
	"ifname": "DEV", "addr": "ADDR", "src": "SRC", "port": "PORT", "dport": "PORT", "mac": "MAC", "vlan": "VID",
	"ethertype": "ETHERTYPE", "ttl": "1 or 0", "unit": "UNIT",
}

// hole matches a hole, and the dot before it where it is part of a sysctl's name.
var hole = regexp.MustCompile(`\.?\{(\w+)\}`)

// fill fills the holes of the texts with what a drop has, and makes the commands ones
// that run in its network namespace.
func (x *Explanation) fill(e *event.Event) {
	replace, prefix := filler(e), ""
	if e != nil {
		prefix = namespacePrefix(e)
	}
	x.Cause, x.Fix = replace(x.Cause), replace(x.Fix)
	commands := func(texts []string) []string {
		texts = slices.Clone(texts)
		for i, command := range texts {
			command = replace(command)
			if !hostWide(command) {
				command = prefix + command
			}
			texts[i] = command
		}
		return texts
	}
	x.Check, x.Apply = commands(x.Check), commands(x.Apply)
}

// filler returns what fills the holes of a text with what a drop has. With nil there
// are words in capitals for that.
func filler(e *event.Event) func(text string) string {
	values := map[string]string{}
	if e != nil {
		values = valuesOf(e)
	}
	return func(text string) string {
		return hole.ReplaceAllStringFunc(text, func(h string) string {
			name := strings.Trim(h, ".{}")
			value, known := values[name]
			switch {
			case !known:
				value = unknown[name]
			case h[0] == '.': // a part of a sysctl's name, where / stands for the dot of a VLAN interface
				value = strings.ReplaceAll(value, ".", "/")
			}
			return h[:strings.Index(h, "{")] + value
		})
	}
}

// word matches what a shell takes literally. Anything else from a drop could be run
// by whoever copies the command.
var word = regexp.MustCompile(`^[\w.:@%+-]+$`)

// IsWord reports whether a shell takes a text literally, so that it may be part of a
// command.
func IsWord(text string) bool { return word.MatchString(text) }

// WithFix returns the explanation with another command to check, and another fix with the
// commands for it. They are made to run in the network namespace of the event, unless they
// already are.
func (x *Explanation) WithFix(e *event.Event, check, fix string, apply ...string) Explanation {
	other := *x
	prefix := namespacePrefix(e)
	inside := func(command string) string { return prefix + strings.TrimPrefix(command, prefix) }
	other.Check, other.Fix, other.Apply = []string{inside(check)}, fix, nil
	for _, command := range apply {
		other.Apply = append(other.Apply, inside(command))
	}
	return other
}

// valuesOf returns what a drop has for the holes. Names that a shell would not take as
// they are have no value.
func valuesOf(e *event.Event) map[string]string {
	values := map[string]string{}
	set := func(name, value string) {
		if IsWord(value) {
			values[name] = value
		}
	}
	set("ifname", e.Port.IfName)
	set("unit", e.Owner.Unit)
	if e.Packet.HasProto {
		set("ethertype", fmt.Sprintf("0x%04x", e.Packet.Proto))
	}
	f := e.Packet.Flow
	if f == nil {
		return values
	}
	if f.Has(event.FieldSrc | event.FieldDst) {
		set("addr", f.Dst.String())
		set("src", f.Src.String())
	}
	if f.Has(event.FieldSrcPort | event.FieldDstPort) {
		set("port", strconv.Itoa(int(localPort(e, f))))
		set("dport", strconv.Itoa(int(f.DstPort))) // where a socket should be, also if the sender is local and known
	}
	if f.Has(event.FieldEthDst) {
		set("mac", f.EthDst.String())
	}
	if f.Has(event.FieldVLAN) {
		set("vlan", strconv.Itoa(int(f.VLAN[0].ID)))
	}
	if f.Has(event.FieldTTL) {
		set("ttl", strconv.Itoa(int(f.TTL)))
	}
	return values
}

// localPort is the port on this host's side: the destination's, unless the packet was
// sent from a known socket of this host.
func localPort(e *event.Event, f *event.Flow) uint16 {
	if s := e.Owner.Socket; s != nil && s.Family != 0 && !s.Receiver {
		return f.SrcPort
	}
	return f.DstPort
}

// hostWide reports whether a command shows the same in every network namespace. Of bpftool
// only what is attached to interfaces is of one.
func hostWide(command string) bool {
	program, arguments, _ := strings.Cut(command, " ")
	if program == "sysctl" {
		return ofHost(arguments)
	}
	return slices.Contains([]string{"dmesg", "free", "bpftool", "ausearch", "tail", "dropwatch", "devlink", "ls", "systemctl"}, program) &&
		(program != "bpftool" || !strings.HasPrefix(arguments, "net "))
}

// initialOnly begin the names of sysctls that only the initial network namespace has, or lets anybody set.
var initialOnly = []string{
	"vm.", "net.core.netdev_", "net.core.flow_limit_", "net.core.rmem_", "net.core.wmem_", "net.core.qdisc_max_burst",
	"net.ipv4.tcp_mem", "net.ipv4.udp_mem", "net.ipv4.tcp_max_orphans", "net.netfilter.nf_conntrack_max",
	"net.netfilter.nf_conntrack_buckets", "net.ipv4.neigh.default.gc_thresh", "net.ipv6.neigh.default.gc_thresh",
}

// ofHost reports whether all sysctls among the arguments of sysctl(8) are of the whole host.
func ofHost(arguments string) bool {
	arguments, _, _ = strings.Cut(arguments, "  #")
	for name := range strings.FieldsSeq(arguments) {
		own := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		if name != "-w" && !slices.ContainsFunc(initialOnly, own) {
			return false
		}
	}
	return true
}

// namespacePrefix is what runs a command in the network namespace of a drop: nothing
// for the initial one. A namespace that is named for its container or pod, or that has
// no name, is entered by a process in it.
func namespacePrefix(e *event.Event) string {
	n := &e.Netns
	switch {
	case n.Inode == 0 && n.Name == "", n.Name == event.InitNetns:
		return ""
	case word.MatchString(n.Name) && n.Name != e.Owner.Container.Name && n.Name != e.Owner.Pod.Name:
		return "ip netns exec " + n.Name + " "
	}
	return Enter(e.Owner.Process.PID)
}

// Enter is what runs a command in the network namespace of a process: "nsenter -t 123 -n ". With 0 it
// has PID in place of a process that is not known.
func Enter(pid uint32) string {
	if pid == 0 {
		return "nsenter -t PID -n "
	}
	return fmt.Sprintf("nsenter -t %d -n ", pid)
}
