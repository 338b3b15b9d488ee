package host

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// A Lockdown is a level of the kernel's lockdown (security/lockdown/lockdown.c).
type Lockdown string

// The levels. Integrity refuses what changes the kernel's memory, such as modules without a
// signature. Confidentiality also refuses what reads it: BPF, perf and tracefs.
const (
	LockdownNone            Lockdown = "none"
	LockdownIntegrity       Lockdown = "integrity"
	LockdownConfidentiality Lockdown = "confidentiality"
)

// securityfs is the directory where securityfs is mounted.
const securityfs = "sys/kernel/security"

// Lockdown reads the level: [LockdownNone] if the kernel was built without lockdown. The error
// matches [fs.ErrNotExist] if securityfs is not mounted, and so the level is not known.
func (h *Host) Lockdown() (Lockdown, error) {
	text, err := h.Text(securityfs + "/lockdown")
	if err == nil {
		return parseLockdown(text), nil
	}
	if names, _ := h.Names(securityfs); errors.Is(err, fs.ErrNotExist) && len(names) > 0 {
		return LockdownNone, nil
	}
	return "", err
}

// parseLockdown reads the level in brackets: "none integrity [confidentiality]".
func parseLockdown(text string) Lockdown {
	_, level, _ := strings.Cut(text, "[")
	level, _, _ = strings.Cut(level, "]")
	return Lockdown(level)
}

// Locked reports whether the kernel is known to be locked down to a level.
func (h *Host) Locked(level Lockdown) bool {
	is, err := h.Lockdown()
	return err == nil && is == level
}

// A Version is the version of a kernel; 0.0 if it is not known.
type Version struct {
	Major, Minor int // 6 and 12 of Linux 6.12
}

// ParseVersion reads the first two numbers of a release such as 6.12.8-amd64.
func ParseVersion(release string) (v Version) {
	if n, _ := fmt.Sscanf(release, "%d.%d", &v.Major, &v.Minor); n != 2 {
		return Version{}
	}
	return v
}

// Before reports whether the kernel is known to be older.
func (v Version) Before(major, minor int) bool {
	return v.Major > 0 && (v.Major < major || v.Major == major && v.Minor < minor)
}

// KernelOptions are the options that a kernel was built with.
type KernelOptions struct {
	File   string            // path of the file that they were read from
	Values map[string]string // "y", "m" or another value by name without CONFIG_; only those that are set
}

// KernelOptions reads the options of the kernel of that release from the first file that has
// them. The error says of each file why not.
func (h *Host) KernelOptions(release string) (KernelOptions, error) {
	var why []string
	for _, name := range []string{"proc/config.gz", "boot/config-" + release, "lib/modules/" + release + "/config"} {
		values, err := h.kernelOptions(name)
		if err == nil {
			return KernelOptions{"/" + name, values}, nil
		}
		if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
			err = failed.Err // without the path, which would be there twice
		}
		why = append(why, fmt.Sprintf("/%s: %v", name, err))
	}
	return KernelOptions{}, errors.New(strings.Join(why, ", "))
}

// kernelOptions reads the options in one file.
func (h *Host) kernelOptions(name string) (map[string]string, error) {
	b, err := h.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return parseKernelOptions(strings.NewReader(string(b)), strings.HasSuffix(name, ".gz"))
}

// parseKernelOptions reads the lines CONFIG_NAME=value of a .config. If it is zipped, by gzip,
// no more than [MaxFile] bytes may come out.
func parseKernelOptions(r io.Reader, zipped bool) (map[string]string, error) {
	if zipped {
		z, err := gzip.NewReader(bufio.NewReader(r))
		if err != nil {
			return nil, err
		}
		r = z
	}
	text, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err == nil && len(text) > MaxFile {
		err = fmt.Errorf("%w: over %d bytes", ErrTooLong, MaxFile)
	}
	if err != nil {
		return nil, err
	}
	values := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if name, is := strings.CutPrefix(name, "CONFIG_"); ok && is {
			values[name] = value
		}
	}
	if len(values) == 0 {
		return nil, errors.New("no kernel options in it")
	}
	return values, nil
}

// BuiltWithout reports whether the running kernel is known to lack an option, which is without
// CONFIG_.
func (h *Host) BuiltWithout(option string) bool {
	options, err := h.KernelOptions(h.Release())
	return err == nil && options.Values[option] == ""
}

// ModuleLoaded reports whether a module is loaded.
func (h *Host) ModuleLoaded(name string) bool {
	return h.hasLine("proc/modules", func(l string) bool { return strings.HasPrefix(l, name+" ") })
}

// HasModule reports whether a list of the modules of a release, "dep" or "builtin", contains
// one.
func (h *Host) HasModule(release, list, name string) bool {
	return h.hasLine("lib/modules/"+release+"/modules."+list, func(l string) bool {
		file, _, _ := strings.Cut(l, ":")
		return strings.Contains(file, "/"+name+".ko")
	})
}

// HasFileSystem reports whether the kernel has a type of file system that needs no block
// device, such as tracefs.
func (h *Host) HasFileSystem(name string) bool {
	return h.hasLine("proc/filesystems", func(l string) bool { return strings.TrimSuffix(l, "\n") == "nodev\t"+name })
}

// hasLine reports whether want returns true for a line of a file.
func (h *Host) hasLine(name string, want func(line string) bool) bool {
	text, _ := h.ReadFile(name)
	for line := range strings.Lines(string(text)) {
		if want(line) {
			return true
		}
	}
	return false
}

// ShowsSymbolAddresses reports whether /proc/kallsyms shows addresses to this process
// (kallsyms_show_value, kernel/kallsyms.c), which means that any of them is not 0; the first
// is 0 on some architectures anyway.
func (h *Host) ShowsSymbolAddresses() (bool, error) {
	f, err := h.open("proc/kallsyms")
	if err != nil {
		return false, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		address, _, _ := strings.Cut(lines.Text(), " ")
		if strings.Trim(address, "0") != "" {
			return true, nil
		}
	}
	return false, lines.Err()
}
