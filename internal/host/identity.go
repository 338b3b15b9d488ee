package host

import (
	"encoding/binary"
	"encoding/hex"
	"runtime"
	"strings"
)

// An Identity tells hosts, boots and kernels apart. What cannot be read is empty.
type Identity struct {
	Name    string // of the host
	Release string // of the kernel, as uname -r
	Machine string // as uname -m; GOARCH before Linux 6.1
	BootID  string // of the boot
	BuildID string // of the kernel, in hex
}

// Identity reads the identity of the host.
func (h *Host) Identity() Identity {
	text := func(name string) string {
		s, _ := h.Sysctl("kernel/" + name)
		return s
	}
	notes, _ := h.ReadFile("sys/kernel/notes")
	i := Identity{
		Name: text("hostname"), Release: h.Release(), Machine: text("arch"), BootID: text("random/boot_id"),
		BuildID: ParseBuildID(notes),
	}
	if i.Machine == "" {
		i.Machine = runtime.GOARCH
	}
	return i
}

// Release returns the release of the kernel, as uname -r prints it; empty if it cannot be
// read.
func (h *Host) Release() string {
	release, _ := h.Sysctl("kernel/osrelease")
	return release
}

// ParseBuildID returns the note NT_GNU_BUILD_ID of an ELF file (elf(5), Nhdr) in hex, or the
// empty string if it has none.
func ParseBuildID(notes []byte) string {
	const head, gnuBuildID = 12, 3
	for len(notes) >= head {
		name := uint64(binary.NativeEndian.Uint32(notes))
		desc := uint64(binary.NativeEndian.Uint32(notes[4:]))
		kind := binary.NativeEndian.Uint32(notes[8:])
		begin := head + align4(name)
		end := begin + desc
		if end > uint64(len(notes)) {
			break
		}
		if kind == gnuBuildID && string(notes[head:head+name]) == "GNU\x00" {
			return hex.EncodeToString(notes[begin:end])
		}
		notes = notes[min(begin+align4(desc), uint64(len(notes))):]
	}
	return ""
}

// align4 rounds up to a multiple of 4, to which notes are padded.
func align4(n uint64) uint64 { return (n + 3) &^ 3 }

// Distributions returns the ID of the distribution, then those of the distributions that it
// is derived from: ubuntu, debian.
func (h *Host) Distributions() []string {
	text, _ := h.ReadFile("etc/os-release")
	return ParseDistributions(string(text))
}

// ParseDistributions reads ID and ID_LIKE of os-release(5), the most specific first.
func ParseDistributions(text string) (ids []string) {
	for _, key := range []string{"ID=", "ID_LIKE="} {
		for line := range strings.Lines(text) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), key); ok {
				ids = append(ids, strings.Fields(strings.Trim(value, `"'`))...)
			}
		}
	}
	return ids
}
