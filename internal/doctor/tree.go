package doctor

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxFile bounds in bytes what is read of a file. The longest is modules.dep.
const maxFile = 4 << 20

// A tree is the host's file system.
type tree struct{ fs.FS }

// text reads a file whole, without space around it.
func (t tree) text(name string) (string, error) {
	f, err := t.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := readAll(f)
	return strings.TrimSpace(string(b)), err
}

// readAll reads at most maxFile; more is an error.
func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(b) > maxFile {
		return nil, fmt.Errorf("longer than %d bytes", maxFile)
	}
	return b, err
}

func (t tree) sysctl(name string) (string, error) { return t.text("proc/sys/" + name) }

func (t tree) exists(name string) bool {
	_, err := fs.Stat(t.FS, name)
	return err == nil
}

// lineWith tells whether a file has a line that want accepts.
func (t tree) lineWith(name string, want func(line string) bool) bool {
	text, _ := t.text(name)
	return slices.ContainsFunc(strings.Split(text, "\n"), want)
}

// field gives what follows "name:" at the start of a line.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// initialInodes are the numbers of namespaces that no other ever has
// (include/linux/proc_ns.h PROC_USER_INIT_INO, PROC_PID_INIT_INO).
var initialInodes = map[string]string{"user": "user:[4026531837]", "pid": "pid:[4026531836]"}

// initial tells whether we are in the initial user or pid namespace; yes where
// it cannot be told.
func (t tree) initial(namespace string) bool {
	link, err := fs.ReadLink(t.FS, "proc/self/ns/"+namespace)
	return err != nil || link == initialInodes[namespace]
}

// cpus counts those that are online, by their lines in proc/stat.
func (t tree) cpus() int {
	text, _ := t.text("proc/stat")
	return strings.Count(text, "\ncpu")
}

// lockable is RLIMIT_MEMLOCK in KiB, as proc/self/limits tells it.
func (t tree) lockable() int {
	const name = "Max locked memory"
	text, _ := t.text("proc/self/limits")
	_, rest, _ := strings.Cut(text, name)
	soft, _, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	if soft == "unlimited" {
		return math.MaxInt
	}
	n, _ := strconv.Atoi(soft)
	return n >> 10
}

// inContainer goes by what container runtimes do and leave behind.
func (t tree) inContainer() bool {
	return !t.initial("pid") || !t.initial("user") || t.exists(".dockerenv") || t.exists("run/.containerenv")
}

// loaded tells whether the module drop_monitor is.
func (t tree) loaded() bool {
	return t.lineWith("proc/modules", func(l string) bool { return strings.HasPrefix(l, "drop_monitor ") })
}

// hasModule tells whether a list of modules, dep or builtin, names one.
func (t tree) hasModule(release, list, name string) bool {
	return t.lineWith("lib/modules/"+release+"/modules."+list, func(l string) bool {
		path, _, _ := strings.Cut(l, ":")
		return strings.Contains(path, "/"+name+".ko")
	})
}

// distribution gives ID and ID_LIKE of os-release(5).
func (t tree) distribution() []string {
	text, _ := t.text("etc/os-release")
	var names []string
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key == "ID" || key == "ID_LIKE" {
			names = append(names, strings.Fields(strings.Trim(value, `"'`))...)
		}
	}
	return names
}

// options are what a kernel was built with.
type options struct {
	path   string
	values map[string]string // by CONFIG_NAME; what is not there is not set
}

// set tells how an option is, y or m; empty if it is not.
func (o options) set(name string) string { return o.values["CONFIG_"+name] }

// findOptions reads the first configuration of a kernel that can be read.
func (t tree) findOptions(release string) (options, error) {
	var why []string
	for _, path := range []string{"proc/config.gz", "boot/config-" + release, "lib/modules/" + release + "/config"} {
		o, err := t.readOptions(path)
		if err == nil {
			return o, nil
		}
		if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
			err = failed.Err // which names the path already
		}
		why = append(why, fmt.Sprintf("/%s: %v", path, err))
	}
	return options{}, errors.New(strings.Join(why, ", "))
}

func (t tree) readOptions(path string) (options, error) {
	f, err := t.Open(path)
	if err != nil {
		return options{}, err
	}
	defer f.Close()
	values, err := parseOptions(f, strings.HasSuffix(path, ".gz"))
	return options{"/" + path, values}, err
}

// parseOptions reads the lines CONFIG_NAME=value of a .config.
func parseOptions(r io.Reader, zipped bool) (map[string]string, error) {
	if zipped {
		z, err := gzip.NewReader(bufio.NewReader(r))
		if err != nil {
			return nil, err
		}
		r = z
	}
	text, err := readAll(r)
	if err != nil {
		return nil, err
	}
	values := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && strings.HasPrefix(name, "CONFIG_") {
			values[name] = value
		}
	}
	if len(values) == 0 {
		return nil, errors.New("it has no options")
	}
	return values, nil
}
