package owner

import (
	"cmp"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// maxFile is the size in bytes of the largest file about containers that is read.
const maxFile = 1 << 20

// readJSON decodes a file of a user, or of any user with [host.AnyOwner], into v. It returns false if
// that fails; v may then be filled in part.
func (f *finder) readJSON(name string, owner uint32, v any) bool {
	text, err := f.host.ReadForeign(name, host.Limits{Bytes: maxFile, Owner: owner})
	return err == nil && json.Unmarshal(text, v) == nil
}

// A containerKey identifies a container. The ID alone does not: users choose those of their own.
type containerKey struct {
	id   string
	user uint32 // who runs it; 0 if it is the system's
}

// The labels of a container are what the files of its runtime say.
type labels struct {
	runtime, name string
	pod           event.Pod
}

// label adds the names of the container and of its pod to a place.
func (f *finder) label(p *place, now time.Time) {
	if !isID(p.container.ID) {
		return
	}
	l := f.containers.get(containerKey{p.container.ID, p.user}, now)
	p.container.Name = l.name
	p.container.Runtime = cmp.Or(p.container.Runtime, l.runtime)
	p.pod.Name, p.pod.Namespace = l.pod.Name, l.pod.Namespace
	p.pod.UID = cmp.Or(p.pod.UID, l.pod.UID)
}

// readLabels looks for a container in the files of every runtime, as its cgroup may not say which one
// runs it. That of a user is looked for only in the storage of that user.
func (f *finder) readLabels(c containerKey, now time.Time) labels {
	if c.user != 0 {
		return f.rootless(c, now)
	}
	for _, read := range []func(id string, now time.Time) labels{f.docker, f.containerd, f.storage} {
		if l := read(c.id, now); l != (labels{}) {
			return l
		}
	}
	return labels{}
}

// docker reads what dockerd keeps of a container (config.v2.json).
func (f *finder) docker(id string, _ time.Time) labels {
	var c struct {
		Name   string
		Config struct{ Labels map[string]string }
	}
	if !f.readJSON(path.Join("var/lib/docker/containers", id, "config.v2.json"), host.AnyOwner, &c) {
		return labels{}
	}
	l := kubernetes("docker", c.Config.Labels)
	l.name = cmp.Or(l.name, strings.TrimPrefix(c.Name, "/"))
	return l
}

// containerdDirs are where containerd, alone or in k3s, has the bundles of running
// containers, each in a folder of its namespace.
var containerdDirs = []string{
	"run/containerd/io.containerd.runtime.v2.task", "run/k3s/containerd/io.containerd.runtime.v2.task",
}

// containerd reads the annotations of a container, which containerd's CRI (pkg/cri/annotations) or
// nerdctl has set. The containers in the namespace moby are Docker's.
func (f *finder) containerd(id string, _ time.Time) labels {
	const cri = "io.kubernetes.cri."
	for _, dir := range containerdDirs {
		namespaces, _ := f.host.Names(dir)
		slices.Sort(namespaces)
		for _, namespace := range namespaces {
			s, ok := f.readSpec(path.Join(dir, namespace, id, "config.json"))
			switch {
			case !ok:
				continue
			case namespace == "moby":
				return labels{runtime: "docker"}
			}
			return labels{"containerd", cmp.Or(s[cri+"container-name"], s["nerdctl/name"]), event.Pod{
				UID: s[cri+"sandbox-uid"], Namespace: s[cri+"sandbox-namespace"], Name: s[cri+"sandbox-name"],
			}}
		}
	}
	return labels{}
}

// readSpec returns the annotations of a container in a file of the OCI runtime.
func (f *finder) readSpec(name string) (annotations map[string]string, ok bool) {
	var spec struct {
		Annotations map[string]string `json:"annotations"`
	}
	ok = f.readJSON(name, host.AnyOwner, &spec)
	return spec.Annotations, ok
}

// storage reads the annotations that CRI-O sets for a container, or else its name in the storage of
// the system.
func (f *finder) storage(id string, now time.Time) labels {
	spec, _ := f.readSpec(path.Join("run/containers/storage/overlay-containers", id, "userdata/config.json"))
	if l := kubernetes("cri-o", spec); l.pod != (event.Pod{}) {
		return l
	}
	return podman(f.stores.get(store{dir: "var/lib/containers/storage", owner: host.AnyOwner}, now)[id])
}

// rootless reads the name of a container in the storage of its user.
func (f *finder) rootless(c containerKey, now time.Time) labels {
	home, _ := f.host.Home(c.user)
	if home == "" {
		return labels{}
	}
	return podman(f.stores.get(store{dir: path.Join(home, ".local/share/containers/storage"), owner: c.user}, now)[c.id])
}

// podman returns the labels of a container of podman; none if it has no name.
func podman(name string) labels {
	if name == "" {
		return labels{}
	}
	return labels{runtime: "podman", name: name}
}

// A store is a directory of containers/storage, the library of podman and CRI-O.
type store struct {
	dir   string // of the host
	owner uint32 // whose files are read; host.AnyOwner for all
}

// readStore reads the names of containers by ID, also of those that podman run --rm removes when they
// end, which are in a file of their own.
func (f *finder) readStore(s store, _ time.Time) map[string]string {
	names := make(map[string]string)
	for _, file := range []string{"volatile-containers.json", "containers.json"} {
		var index []struct {
			ID    string   `json:"id"`
			Names []string `json:"names"`
		}
		f.readJSON(path.Join(s.dir, "overlay-containers", file), s.owner, &index)
		for _, c := range index {
			if len(c.Names) > 0 {
				names[c.ID] = c.Names[0]
			}
		}
	}
	return names
}

// kubernetes returns what the labels say that the kubelet sets for a container.
func kubernetes(runtime string, l map[string]string) labels {
	return labels{runtime, l["io.kubernetes.container.name"], event.Pod{
		UID: l["io.kubernetes.pod.uid"], Namespace: l["io.kubernetes.pod.namespace"], Name: l["io.kubernetes.pod.name"],
	}}
}
