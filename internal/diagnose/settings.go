package diagnose

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/settings"
)

// readSettings reads the present value of each setting that decides a finding, in the
// network namespace of the finding. What cannot be read is left out, and so are values that
// drop nothing.
func (d *Diagnosis) readSettings(h *Host) {
	for i := range d.Findings {
		f := &d.Findings[i]
		if f.Meaning.Entry == nil {
			continue
		}
		all := h.readSettings(f.Netns, f.Meaning.Settings, f.IfName)
		for i := range all {
			s := Setting{all[i], f.notTheLimit(&all[i], all)}
			isHarmless := s.NotTheLimit == "" && s.About.IsHarmless(s.Value)
			if !isHarmless {
				f.Settings = append(f.Settings, s)
			}
			if isHarmless || s.NotTheLimit != "" && s.Outvoted(all) == nil {
				f.dropUseless(&s)
			}
			f.dropDone(&all[i], all)
		}
	}
}

// dropDone removes the commands that would give one of all settings of the finding a value, and change nothing
// that counts.
func (f *Finding) dropDone(s *settings.Setting, all []settings.Setting) {
	f.Meaning.Apply = slices.DeleteFunc(slices.Clone(f.Meaning.Apply), func(command string) bool {
		_, value, sets := strings.Cut(command, "sysctl -w "+s.Name+"=")
		value, _, _ = strings.Cut(value, " ")
		return sets && !s.Changes(value, all)
	})
}

// dropUseless removes the commands that change a setting which is not what drops. A buffer that
// net.core.rmem_max does not limit may be larger, if its program asks for that.
func (f *Finding) dropUseless(s *Setting) {
	if s.Name == "net.core.rmem_max" && !f.shared && strings.Contains(f.Meaning.Fix, "SO_RCVBUF") {
		f.Meaning.Fix = fmt.Sprintf("Make the program read faster, or ask for a larger buffer: its SO_RCVBUF may be up to %s bytes.",
			event.Escape(s.Value))
	}
	change := s.Name + "="
	if s.About != nil && s.About.Command != "" {
		change = s.About.Command
	}
	f.Meaning.Apply = slices.DeleteFunc(slices.Clone(f.Meaning.Apply), func(command string) bool {
		return strings.Contains(command, change)
	})
}

// A Setting is one that may decide a finding.
type Setting struct {
	settings.Setting
	NotTheLimit string // why to change it would not help; empty if it might
}

// rooms are the settings of how much may wait.
var rooms = []string{"net.core.rmem_max", "net.core.rmem_default", "net.core.netdev_max_backlog", "device.{ifname}.txqueuelen"}

// notTheLimit returns why one of all settings of the finding is not what decides it.
func (f *Finding) notTheLimit(s *settings.Setting, all []settings.Setting) string {
	switch {
	case f.shared && strings.HasPrefix(s.Name, "net.core.rmem_"):
		return "not the limit: other sockets with the same address and buffer drop nothing"
	case f.Steady && s.About != nil && slices.Contains(rooms, s.About.Name):
		return "does not help: the loss is steady, and more room fills as well"
	case f.shared && s.Name == "net.core.somaxconn":
		return "not the limit: other sockets with the same address have room"
	}
	if counts := s.Outvoted(all); counts != nil {
		return fmt.Sprintf("does not count: %s = %s does", event.Escape(counts.Name), event.Escape(counts.Value))
	}
	if words := strings.Fields(strings.ReplaceAll(s.Value, ",", " ")); len(words) >= 3 && words[1] == "of" && words[0] == words[2] {
		return "not the limit: the device has no more"
	}
	value, err := strconv.ParseUint(s.Value, 10, 64)
	switch {
	case err != nil:
		return ""
	case strings.HasPrefix(s.Name, "net.core.rmem_"):
		return f.otherBuffer(s.Name, value, all)
	case s.Name != "net.core.somaxconn":
		return ""
	}
	for i := range f.Objects {
		if o := &f.Objects[i]; o.ID() == acceptQueue && o.Limit <= value { // of one more than the backlog
			return fmt.Sprintf("not the limit: the program asked for a backlog of %d", o.Limit-1)
		}
	}
	return ""
}

// otherBuffer returns that net.core.rmem_max or rmem_default with this value does not limit
// the receive buffers that the finding is about; nothing if it does, or they are not
// known. A program gets twice what it asks for, and at most twice rmem_max; one that does
// not ask gets rmem_default (net/core/sock.c, sock_setsockopt and sock_init_data).
func (f *Finding) otherBuffer(name string, value uint64, all []settings.Setting) string {
	var size uint64
	for _, buffer := range f.buffers() {
		if isDefault := name == "net.core.rmem_default"; isDefault && buffer == value || !isDefault && buffer >= 2*value {
			return ""
		}
		size = max(size, buffer)
	}
	asked := "as the program asked"
	if slices.ContainsFunc(all, func(s settings.Setting) bool {
		return s.Name == "net.core.rmem_default" && s.Value == strconv.FormatUint(size, 10)
	}) {
		asked = "as it is unless the program asks for more"
	}
	if size == 0 {
		return ""
	}
	return fmt.Sprintf("not the limit: the buffer of this socket is %d bytes, %s", size, asked)
}

// buffers returns the sizes of the receive buffers that the finding is about: of its sockets,
// or else the one that the source read at all drops.
func (f *Finding) buffers() (sizes []uint64) {
	for i := range f.Objects {
		if o := &f.Objects[i]; o.Name == receiveBuffer {
			sizes = append(sizes, o.Limit)
		}
	}
	if buffer, ok := f.arg("rcvbuf"); ok && len(sizes) == 0 {
		sizes = append(sizes, buffer.Number)
	}
	return sizes
}
