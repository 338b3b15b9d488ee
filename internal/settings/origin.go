package settings

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"dropwatch/internal/host"
)

// An origin is where a file sets a sysctl. Where is a file and a line, as in /etc/sysctl.d/90-net.conf:3.
type origin struct{ value, where string }

// dirs are where files of sysctl.d(5) are, the first of which hides those of the same
// name in the others.
var dirs = []string{"etc/sysctl.d", "run/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d", "lib/sysctl.d"}

// maxFile is how long a file of sysctl.d may be, in bytes.
const maxFile = 1 << 20

// readOrigins reads which file sets which sysctl last, in the order of sysctl --system:
// by name of the file, /etc/sysctl.conf at the end.
func readOrigins(h *host.Host) map[string]origin {
	found := make(map[string]string) // the file of each name
	for _, dir := range dirs {
		names, _ := h.Names(dir)
		for _, name := range names {
			if _, hidden := found[name]; !hidden && strings.HasSuffix(name, ".conf") {
				found[name] = path.Join(dir, name)
			}
		}
	}
	var files []string
	for name := range found {
		files = append(files, name)
	}
	slices.Sort(files)
	origins := make(map[string]origin)
	for _, name := range files {
		readOriginFile(h, found[name], origins)
	}
	readOriginFile(h, "etc/sysctl.conf", origins)
	return origins
}

// readOriginFile adds what a file sets. One that cannot be read sets nothing.
func readOriginFile(h *host.Host, file string, into map[string]origin) {
	text, err := h.ReadForeign(file, host.Limits{Bytes: maxFile, Owner: host.AnyOwner})
	if err != nil {
		return
	}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "-"), "=")
		switch {
		case strings.HasPrefix(line, "#"), strings.HasPrefix(line, ";"):
			continue
		case !ok && strings.HasPrefix(line, "-"): // patterns leave this name out
			into[canonical(strings.TrimSpace(name))] = origin{}
			continue
		case !ok:
			continue
		}
		into[canonical(strings.TrimSpace(name))] = origin{
			value: strings.Join(strings.Fields(value), " "), where: fmt.Sprintf("/%s:%d", file, number),
		}
	}
}

// canonical is a name with dots: sysctl.d takes slashes between the parts as well,
// where a dot is one of the name.
func canonical(name string) string {
	if i := strings.IndexAny(name, "./"); i >= 0 && name[i] == '/' {
		return strings.NewReplacer(".", "/", "/", ".").Replace(name)
	}
	return name
}

// originOf is where a sysctl got its value; nothing if no file sets it to that. A
// pattern with * is less than the exact name. An interface that no file names got what
// conf.default had when it was made.
func (r *Reader) originOf(name, value string) string {
	value = strings.Join(strings.Fields(value), " ")
	if o, ok := r.origins[name]; ok {
		return o.of(value)
	}
	for pattern, o := range r.origins {
		match, _ := path.Match(pattern, strings.ReplaceAll(name, "/", "-")) // where * does not match a slash
		if match && o.value == value {
			return o.where
		}
	}
	if part := perInterface.FindStringSubmatch(name); part != nil && part[2] != "all" {
		return r.origins[part[1]+"default"+part[3]].of(value)
	}
	return ""
}

// perInterface matches the name of a sysctl that each interface has for itself.
var perInterface = regexp.MustCompile(`^(net\.ipv[46]\.(?:conf|neigh)\.)([^.]+)(\.[^.]+)$`)

// of returns where the value was set, nothing if it is another now: somebody has changed it since.
func (o origin) of(value string) string {
	if o.value == value {
		return o.where
	}
	return ""
}
