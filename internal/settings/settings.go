// Package settings reads the settings that decide whether a host drops packets: sysctls, and
// those of devices, such as rings. It says the value of each, where it was set, and when packets
// are lost by it.
package settings

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/suggest"
)

// A Setting is a sysctl, or a setting of a device, of the network namespace of the calling thread,
// as it is now.
type Setting struct {
	Name   string // net.ipv4.conf.eth0.rp_filter, device.eth0.mtu; a dot within a name is a slash
	Value  string // as the kernel shows it
	Origin string // the file and line that set this value; empty if none does
	About  *About // nil if nothing is known of it

	deviates bool // the device that it is of says so

	// Interfaces has what counts on each interface, by their names, of a setting that each has
	// for itself. Only [Reader.All] and [Reader.Everywhere] set it.
	Interfaces []OnInterface
}

// An OnInterface is a setting of one interface.
type OnInterface struct {
	IfName string // of the interface
	Value  string // that counts there: of conf.all and the interface's own as [Combine] says
	Origin string // the file and line that set the one that counts; empty if none does

	Deviates bool // the value needs attention
}

// Deviates reports whether a value, of all or of an interface, needs attention.
func (s *Setting) Deviates() bool {
	return s.deviates || s.About.Deviates(s.Value) || slices.ContainsFunc(s.Interfaces, func(i OnInterface) bool { return i.Deviates })
}

// An About is what is known of a setting.
type About struct {
	Name     string   // {ifname} stands for the name of an interface
	Loses    string   // when packets are lost by it, in a sentence
	Counters []string // that rise then, by the ID of package counters, or levels that come near it
	Advice   string   // when to change it, and what that does not solve
	Since    string   // the kernel release that introduced it, if that is one of those since 5.10
	Until    string   // the kernel release that removed it; empty if there is none

	// Normal is the value at which nothing unusual is dropped, and AtLeast the least one, of the
	// last number, as kernels have it by default. Without either no value needs attention.
	Normal  string
	AtLeast uint64

	// Harmless is the value at which it drops nothing, of a setting without a Normal one.
	Harmless string

	Combine Combine // of a setting that interfaces have

	// Command is what commands have that change the setting of a device.
	Command string

	read func(*device) (value string, deviates bool) // nil for a sysctl

	// Object is which of several objects of Counters it is about, as "arp"; empty: of all.
	Object string
}

// A Combine says which value counts on an interface (include/linux/inetdevice.h, IN_DEV_*CONF).
type Combine uint8

// The ways in which the kernel combines the value of all interfaces with that of one.
const (
	Own      Combine = iota // the interface's
	Greatest                // the greater
	Least                   // the lesser
	Common                  // that of all
)

// Deviates reports whether a value needs attention.
func (a *About) Deviates(value string) bool {
	fields := strings.Fields(value)
	if a == nil || len(fields) == 0 {
		return false
	}
	number, err := strconv.ParseUint(fields[len(fields)-1], 10, 64)
	switch {
	case a.Normal == "0": // or a mask of many CPUs
		return strings.Trim(value, "0,") != ""
	case a.Normal != "":
		return value != a.Normal
	}
	return err == nil && number < a.AtLeast
}

// IsHarmless reports whether nothing is dropped by the setting with a value.
func (a *About) IsHarmless(value string) bool {
	return a != nil && value != "" && (value == a.Harmless || a.Normal != "" && !a.Deviates(value))
}

// A Reader reads settings of a host. It reads the files of sysctl.d once, and the
// network namespaces of the host when it first needs them. It is not safe for
// concurrent use.
type Reader struct {
	host       *host.Host            // whose files are read
	origins    map[string]origin     // by sysctl
	namespaces map[uint32]host.Netns // nil: not needed yet

	inside      uint32              // the network namespace of the thread, by its inode number; 0: that of the process
	known       map[uint32]*devices // by network namespace
	readDevices func() ([]counters.Device, error)
}

// New returns a Reader. Devices are those of the running kernel, whatever h reads.
func New(h *host.Host) *Reader {
	return &Reader{host: h, origins: readOrigins(h), readDevices: counters.ReadDevices}
}

// ReadAll reads those of several settings that a network namespace has, in their
// order. The zero Netns is that of this process. What only the initial namespace has,
// such as net.core.netdev_max_backlog, is that of all and read there. One that is gone or
// may not be entered has no values.
func (r *Reader) ReadAll(n event.Netns, names []string, ifname string) (all []Setting) {
	read := func() error {
		for _, name := range names {
			same := func(s Setting) bool { return s.Name == OfAll(name) }
			if ifname == "" && slices.ContainsFunc(all, same) { // that of all interfaces, once
				continue
			}
			if s, ok := r.Read(name, ifname); ok {
				all = append(all, s)
			}
		}
		return nil
	}
	if len(names) == 0 || n.Inode == 0 || n.Inode == r.host.Netns() {
		_ = read() // which has no error of its own
		return all
	}
	if r.namespaces == nil {
		r.namespaces = r.host.NetworkNamespaces()
	}
	r.inside = n.Inode
	defer func() { r.inside = 0 }()
	if r.host.InNetns(r.namespaces[n.Inode], read) != nil { // it is gone: the values here are those of another
		return nil
	}
	r.inside = 0
	return append(all, r.hostWide(names, all)...)
}

// hostWide reads the settings that a namespace lacks and this process's has: those that
// all have in common, as net.ipv4.neigh.default.gc_thresh3.
func (r *Reader) hostWide(names []string, have []Setting) (all []Setting) {
	for _, name := range names {
		if strings.Contains(name, "{ifname}") || slices.ContainsFunc(have, func(s Setting) bool { return s.Name == name }) {
			continue
		}
		if s, ok := r.Read(name, ""); ok {
			all = append(all, s)
		}
	}
	return all
}

// Read reads a setting by its name, in which {ifname} stands for an interface: with no
// interface, for all of them (conf.all), or for new ones (neigh.default). It returns false
// if this kernel, or this network namespace, does not have it.
func (r *Reader) Read(name, ifname string) (Setting, bool) {
	about, _ := Find(name)
	if ifname == "" {
		name = OfAll(name)
	}
	if about != nil && about.read != nil {
		if d := r.device(ifname); d != nil {
			return r.deviceSetting(about, d)
		}
		return Setting{}, false
	}
	name = strings.ReplaceAll(name, "{ifname}", strings.ReplaceAll(ifname, ".", "/"))
	value, err := r.host.Sysctl(pathOf(name))
	if err != nil {
		return Setting{}, false
	}
	return Setting{Name: name, Value: strings.Join(strings.Fields(value), " "), Origin: r.originOf(name, value), About: about}, true
}

// OfAll is the name of the setting of all interfaces, or of new ones where these have no
// common one.
func OfAll(name string) string {
	if strings.HasPrefix(name, devicePrefix) {
		return name
	}
	if strings.Contains(name, ".neigh.") {
		return strings.Replace(name, "{ifname}", "default", 1)
	}
	return strings.Replace(name, "{ifname}", "all", 1)
}

// Everywhere is Read for all interfaces, with what counts on each.
func (r *Reader) Everywhere(about *About) (Setting, bool) {
	if about.read != nil {
		return r.everyDevice(about)
	}
	s, ok := r.Read(about.Name, "")
	before, _, ofInterfaces := strings.Cut(about.Name, "{ifname}")
	if !ok || !ofInterfaces || about.Combine == Common {
		return s, ok
	}
	names, _ := r.host.Names("proc/sys/" + strings.TrimSuffix(pathOf(before), "/"))
	slices.Sort(names)
	for _, ifname := range names {
		if ifname == "all" || ifname == "default" {
			continue
		}
		if own, ok := r.Read(about.Name, ifname); ok { // it may be removed meanwhile
			counts := about.Combine.of(&s, &own)
			s.Interfaces = append(s.Interfaces, OnInterface{ifname, counts.Value, counts.Origin, about.Deviates(counts.Value)})
		}
	}
	return s, true
}

// everyDevice is Everywhere for a setting of devices: there is no value for all of them.
func (r *Reader) everyDevice(about *About) (Setting, bool) {
	s := Setting{Name: about.Name, About: about}
	for _, d := range r.devices().sorted {
		if own, ok := r.Read(about.Name, d.IfName); ok {
			s.Interfaces = append(s.Interfaces, OnInterface{IfName: d.IfName, Value: own.Value, Deviates: own.deviates})
		}
	}
	return s, len(s.Interfaces) > 0
}

// Deciding adds, to the names of settings, those of all interfaces that may count instead of
// the one of an interface, and leaves out one that never counts.
func Deciding(names []string) (all []string) {
	for _, name := range names {
		about, _ := Find(name)
		combined := about != nil && about.Combine != Own && name != OfAll(name)
		if !combined || about.Combine != Common {
			all = append(all, name)
		}
		if combined {
			all = append(all, OfAll(name))
		}
	}
	return all
}

// Outvoted returns the one of several settings that counts instead of s, nil if s does.
func (s *Setting) Outvoted(all []Setting) *Setting {
	for i := range all {
		other := &all[i]
		if s.About == nil || other.About != s.About || other.Name == s.Name {
			continue
		}
		everywhere, own := s, other
		if s.Name != OfAll(s.About.Name) {
			everywhere, own = other, s
		}
		if counts := s.About.Combine.of(everywhere, own); counts != s && counts.Value != s.Value {
			return counts
		}
	}
	return nil
}

// Changes reports whether another value would count, and is not the one of several settings that counts now.
func (s *Setting) Changes(value string, all []Setting) bool {
	with := *s
	with.Value = value
	return with.counts(all) != s.counts(all)
}

// counts is the value of s, or of the one of several settings that counts instead.
func (s *Setting) counts(all []Setting) string {
	if other := s.Outvoted(all); other != nil {
		return other.Value
	}
	return s.Value
}

// of returns the one of two settings that counts.
func (c Combine) of(all, own *Setting) *Setting {
	a, err := strconv.Atoi(all.Value)
	o, err2 := strconv.Atoi(own.Value)
	switch {
	case c == Common, err == nil && err2 == nil && (c == Greatest && a > o || c == Least && a < o):
		return all
	}
	return own
}

// All reads every setting that is known and that the kernel has, by name, with what counts
// on each interface.
func (r *Reader) All() []Setting {
	var all []Setting
	for i := range table {
		if s, ok := r.Everywhere(&table[i]); ok {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b Setting) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Find returns what is known of a sysctl by its name as sysctl(8) takes it, with dots or
// slashes, or by the last part of that if no other has the same. Ifname is the
// interface in the name; empty: all.
func Find(name string) (about *About, ifname string) {
	name = canonical(strings.TrimSpace(name))
	for i := range table {
		before, after, perInterface := strings.Cut(table[i].Name, "{ifname}")
		rest, begins := strings.CutPrefix(name, before)
		middle, ends := strings.CutSuffix(rest, after)
		switch {
		case perInterface && begins && ends && middle != "":
			return &table[i], interfaceIn(middle)
		case table[i].Name == name:
			return &table[i], ""
		case strings.HasSuffix(table[i].Name, "."+name):
			if about != nil {
				return nil, ""
			}
			about = &table[i]
		}
	}
	return about, ""
}

// interfaceIn returns the name of the interface that a part of a sysctl's name stands for.
func interfaceIn(part string) string {
	if part == "all" || part == "default" || part == "{ifname}" {
		return ""
	}
	return strings.ReplaceAll(part, "/", ".")
}

// Names returns the names of all settings of which something is known, those of
// interfaces for all of them.
func Names() (names []string) {
	for i := range table {
		names = append(names, OfAll(table[i].Name))
	}
	return names
}

// Suggest returns the names of settings that are like one that [Find] does not find: those
// that end in it, or else those with few letters changed.
func Suggest(name string) []string {
	name = canonical(strings.TrimSpace(name))
	var same []string
	known := Names()
	for _, full := range Names() {
		if strings.HasSuffix(full, "."+name) {
			same = append(same, full)
		}
		known = append(known, full[strings.LastIndex(full, ".")+1:])
	}
	if len(same) > 0 {
		return same
	}
	return suggest.Nearest(name, known)
}

// pathOf is the file of a sysctl below /proc/sys, where a dot within a name stays one.
func pathOf(name string) string {
	return strings.NewReplacer(".", "/", "/", ".").Replace(name)
}
