package session

import (
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"
)

// A Header says of what run, on what host, a session is. Its texts are UTF-8, as
// the recorder put them there: they are to be escaped for a terminal.
type Header struct {
	Version  int               `json:"-"`                  // of the format; a Writer's is the newest
	Program  string            `json:"program,omitempty"`  // with its version
	Command  string            `json:"command,omitempty"`  // line that began the run
	Source   string            `json:"source,omitempty"`   // of the events: netdm, trace, ...
	Settings map[string]string `json:"settings,omitempty"` // of source and stages, by name
	Started  time.Time         `json:"started,omitzero"`   // the run
	Host     string            `json:"host,omitempty"`     // name
	Kernel   string            `json:"kernel,omitempty"`   // release, as uname -r
	Machine  string            `json:"machine,omitempty"`  // as uname -m; GOARCH before Linux 6.1
	BootID   string            `json:"boot_id,omitempty"`  // of the boot, to which the addresses belong
	Symbols  string            `json:"symbols,omitempty"`  // build ID of the kernel, which names its symbol table
}

// ThisHost gives what the running host says of itself. What it does not say is
// empty.
func ThisHost() Header { return readHost(os.DirFS("/")) }

// readHost reads proc(5) and sysfs(5) below root.
func readHost(root fs.FS) Header {
	line := func(name string) string {
		text, _ := fs.ReadFile(root, name)
		return strings.TrimSpace(string(text))
	}
	notes, _ := fs.ReadFile(root, "sys/kernel/notes")
	h := Header{
		Host:    line("proc/sys/kernel/hostname"),
		Kernel:  line("proc/sys/kernel/osrelease"),
		Machine: line("proc/sys/kernel/arch"),
		BootID:  line("proc/sys/kernel/random/boot_id"),
		Symbols: buildID(notes),
	}
	if h.Machine == "" {
		h.Machine = runtime.GOARCH
	}
	return h
}

// buildID finds, in hex, the note NT_GNU_BUILD_ID among those of an ELF file
// (elf(5), Nhdr), empty if it is not there.
func buildID(notes []byte) string {
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

func align4(n uint64) uint64 { return (n + 3) &^ 3 }
