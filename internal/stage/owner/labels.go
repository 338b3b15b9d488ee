package owner

import (
	"cmp"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dropwatch/internal/event"
)

// maxFile is how much is read of a file that is not a table.
const maxFile = 1 << 20

// readSome reads a file, no more of it than maxFile.
func readSome(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// readJSON reads a file into v. One that is not there, is too long or is no JSON
// leaves v as far as it came, and tells nothing.
func readJSON(path string, v any) bool {
	text, err := readSome(path)
	return err == nil && json.Unmarshal(text, v) == nil
}

// The labels of a container are what its runtime has in files.
type labels struct {
	runtime, name string
	pod           event.Pod
}

// label gives names to a container and its pod.
func (h *host) label(p *place, now time.Time) {
	if !isID(p.container.ID) {
		return
	}
	l := h.containers.get(p.container.ID, now)
	p.container.Name = l.name
	p.container.Runtime = cmp.Or(p.container.Runtime, l.runtime)
	p.pod.Name, p.pod.Namespace = l.pod.Name, l.pod.Namespace
	p.pod.UID = cmp.Or(p.pod.UID, l.pod.UID)
}

// readLabels asks for a container wherever a runtime may have it: its cgroup need
// not tell which it is of.
func (h *host) readLabels(id string, _ time.Time) labels {
	for _, read := range []func(string) labels{h.docker, h.containerd, h.storage} {
		if l := read(id); l != (labels{}) {
			return l
		}
	}
	return labels{}
}

// docker reads what dockerd keeps of a container (config.v2.json).
func (h *host) docker(id string) labels {
	var c struct {
		Name   string
		Config struct{ Labels map[string]string }
	}
	if !readJSON(filepath.Join(h.root, "var/lib/docker/containers", id, "config.v2.json"), &c) {
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

// containerd reads the annotations that its CRI (pkg/cri/annotations) or nerdctl
// gives a container. In the namespace moby there are only Docker's.
func (h *host) containerd(id string) labels {
	const cri = "io.kubernetes.cri."
	for _, dir := range containerdDirs {
		found, _ := filepath.Glob(filepath.Join(h.root, dir, "*", id, "config.json"))
		for _, path := range found {
			if filepath.Base(filepath.Dir(filepath.Dir(path))) == "moby" {
				return labels{runtime: "docker"}
			}
			s := readSpec(path)
			return labels{"containerd", cmp.Or(s[cri+"container-name"], s["nerdctl/name"]), event.Pod{
				UID: s[cri+"sandbox-uid"], Namespace: s[cri+"sandbox-namespace"], Name: s[cri+"sandbox-name"],
			}}
		}
	}
	return labels{}
}

// readSpec gives the annotations of a container as the OCI runtime has it.
func readSpec(path string) map[string]string {
	var spec struct {
		Annotations map[string]string `json:"annotations"`
	}
	readJSON(path, &spec)
	return spec.Annotations
}

// storageDirs are where containers/storage, the library of podman and CRI-O, has
// its containers: of root and of users.
var storageDirs = []string{
	"var/lib/containers/storage", "home/*/.local/share/containers/storage",
}

// storage reads the annotations that CRI-O gives a container, or else the name in an
// index of the storage, which is podman's: containers.json, or that of containers
// that are to be removed at their end, volatile-containers.json.
func (h *host) storage(id string) labels {
	spec := readSpec(filepath.Join(h.root, "run/containers/storage/overlay-containers", id, "userdata/config.json"))
	if l := kubernetes("cri-o", spec); l.pod != (event.Pod{}) {
		return l
	}
	for _, dir := range storageDirs {
		found, _ := filepath.Glob(filepath.Join(h.root, dir, "overlay-containers/*containers.json"))
		for _, path := range found {
			if name := storedName(path, id); name != "" {
				return labels{runtime: "podman", name: name}
			}
		}
	}
	return labels{}
}

// storedName looks a container up in an index.
func storedName(path, id string) string {
	var index []struct {
		ID    string   `json:"id"`
		Names []string `json:"names"`
	}
	readJSON(path, &index)
	for _, c := range index {
		if c.ID == id && len(c.Names) > 0 {
			return c.Names[0]
		}
	}
	return ""
}

// kubernetes reads the labels that the kubelet gives a container.
func kubernetes(runtime string, l map[string]string) labels {
	return labels{runtime, l["io.kubernetes.container.name"], event.Pod{
		UID: l["io.kubernetes.pod.uid"], Namespace: l["io.kubernetes.pod.namespace"], Name: l["io.kubernetes.pod.name"],
	}}
}
