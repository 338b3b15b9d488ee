package owner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
)

// The container names the pod where the cgroup does not.
func TestLabelKnowsThePod(t *testing.T) {
	root := tree(t, map[string]string{
		"var/lib/docker/containers/" + c1 + "/config.v2.json": `{"Config":{"Labels":{"io.kubernetes.pod.uid":"` + uid + `"}}}`,
	})
	p := place{container: event.Container{ID: c1}}
	want := place{container: event.Container{ID: c1, Runtime: "docker"}, pod: event.Pod{UID: uid}}
	if newFinder(host.New(root)).label(&p, time.Time{}); p != want {
		t.Errorf("%+v, want %+v", p, want)
	}
}

func TestLabels(t *testing.T) {
	const storage = "run/containers/storage/overlay-containers/" + c1 + "/userdata/config.json"
	pod := event.Pod{UID: uid, Namespace: "prod", Name: "api-5d4f"}
	kubelet := `"io.kubernetes.container.name":"api","io.kubernetes.pod.uid":"` + uid +
		`","io.kubernetes.pod.namespace":"prod","io.kubernetes.pod.name":"api-5d4f"`
	index := `[{"id":"` + c2 + `","names":["other"]},{"id":"` + c1 + `","names":["web","alias"]}]`
	for name, tt := range map[string]struct {
		files map[string]string
		want  labels
	}{
		"nobody knows it": {nil, labels{}},
		"docker": {map[string]string{
			"var/lib/docker/containers/" + c1 + "/config.v2.json": `{"Name":"/web","Config":{"Labels":null}}`,
		}, labels{runtime: "docker", name: "web"}},
		"docker for Kubernetes": {map[string]string{
			"var/lib/docker/containers/" + c1 + "/config.v2.json": `{"Name":"/k8s_api_api-5d4f_prod_1_0",
				"Config":{"Labels":{` + kubelet + `}}}`,
		}, labels{"docker", "api", pod}},
		"k3s": {map[string]string{
			"run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/" + c1 + "/config.json": `{"annotations":{
				"io.kubernetes.cri.container-name":"api","io.kubernetes.cri.sandbox-uid":"` + uid + `",
				"io.kubernetes.cri.sandbox-name":"api-5d4f","io.kubernetes.cri.sandbox-namespace":"prod"}}`,
		}, labels{"containerd", "api", pod}},
		"cri-o": {map[string]string{storage: `{"annotations":{` + kubelet + `}}`}, labels{"cri-o", "api", pod}},
		"podman": {map[string]string{
			storage: `{}`, "var/lib/containers/storage/overlay-containers/containers.json": index,
		}, labels{runtime: "podman", name: "web"}},
		"podman, with --rm": {map[string]string{
			"var/lib/containers/storage/overlay-containers/containers.json":          "[]",
			"var/lib/containers/storage/overlay-containers/volatile-containers.json": index,
		}, labels{runtime: "podman", name: "web"}},
		"nerdctl": {map[string]string{
			"run/containerd/io.containerd.runtime.v2.task/default/" + c1 + "/config.json": `{"annotations":{"nerdctl/name":"web"}}`,
		}, labels{runtime: "containerd", name: "web"}},
		"docker, that keeps its files elsewhere": {map[string]string{
			"run/containerd/io.containerd.runtime.v2.task/moby/" + c1 + "/config.json": `{}`,
		}, labels{runtime: "docker"}},
		"a user's, which is no evidence": {map[string]string{
			"etc/passwd": "ann:x:1000:1000::/home/ann:/bin/sh\n",
			"home/ann/.local/share/containers/storage/overlay-containers/containers.json": index,
		}, labels{}},
		"no JSON": {map[string]string{
			"var/lib/docker/containers/" + c1 + "/config.v2.json": `{"Name":"/web"`, storage: "[]",
			"var/lib/containers/storage/overlay-containers/containers.json": "{}",
		}, labels{}},
		"too long": {map[string]string{
			"var/lib/docker/containers/" + c1 + "/config.v2.json": `{"Name":"/web"` + strings.Repeat(" ", maxFile) + "}",
		}, labels{}},
	} {
		if got := newFinder(host.New(tree(t, tt.files))).readLabels(containerKey{id: c1}, time.Time{}); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

// rootless is where a user has containers of podman's.
const rootless = "home/ann/.local/share/containers/storage/overlay-containers/"

// TestLabelsOfAUser: only a regular file of that user, and of a length that is one,
// is evidence for containers of that user.
func TestLabelsOfAUser(t *testing.T) {
	me := uint32(os.Getuid())
	if me == 0 {
		me = 1000
	}
	index := `[{"id":"` + c1 + `","names":["web"]}]`
	passwd := fmt.Sprintf("root:x:0:0::/root:/bin/sh\nann:x:%d:5::/home/ann:/bin/sh\n", me)
	for name, tt := range map[string]struct {
		user    uint32
		prepare func(file string) error
		want    string
	}{
		"the user's":          {me, func(file string) error { return os.WriteFile(file, []byte(index), 0o644) }, "web"},
		"of a user not there": {me + 1, func(file string) error { return os.WriteFile(file, []byte(index), 0o644) }, ""},
		"a FIFO":              {me, func(file string) error { return syscall.Mkfifo(file, 0o644) }, ""},
		"a device":            {me, func(file string) error { return os.Symlink("/dev/zero", file) }, ""},
		"huge": {me, func(file string) error {
			return os.WriteFile(file, []byte(index+strings.Repeat(" ", maxFile)), 0o644)
		}, ""},
		"sparse": {me, func(file string) error {
			return errors.Join(os.WriteFile(file, nil, 0o644), os.Truncate(file, 1<<40))
		}, ""},
	} {
		root := tree(t, map[string]string{"etc/passwd": passwd, rootless + "x": ""})
		file := filepath.Join(root, rootless, "containers.json")
		if err := errors.Join(tt.prepare(file), os.Lchown(file, int(me), -1)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		got := newFinder(host.New(root)).readLabels(containerKey{c1, tt.user}, time.Time{})
		if got.name != tt.want || time.Since(began) > 5*time.Second {
			t.Errorf("%s: %+v after %v, want %q", name, got, time.Since(began), tt.want)
		}
	}
}

// TestLabelsOfAnotherUsersFile: a link of a user's to a file of another is no evidence.
func TestLabelsOfAnotherUsersFile(t *testing.T) {
	vmtest.RequireRoot(t)
	index := `[{"id":"` + c1 + `","names":["secret"]}]`
	root := tree(t, map[string]string{"etc/passwd": "ann:x:1000:5::/home/ann:/bin/sh\n", "root/containers.json": index, rootless + "x": ""})
	link := filepath.Join(root, rootless, "containers.json")
	if err := os.Symlink(filepath.Join(root, "root/containers.json"), link); err != nil {
		t.Fatal(err)
	}
	f := newFinder(host.New(root))
	if got := f.readLabels(containerKey{c1, 1000}, time.Time{}); got != (labels{}) {
		t.Errorf("root's file says %+v of a container of another's", got)
	}
	if err := os.Chown(filepath.Join(root, "root/containers.json"), 1000, 5); err != nil {
		t.Fatal(err)
	}
	if got := newFinder(host.New(root)).readLabels(containerKey{c1, 1000}, time.Time{}); got.name != "secret" {
		t.Errorf("the user's own file is not read: %+v", got)
	}
}

// TestLabelsDoNotWaitForAFIFO: each file about containers is a FIFO that nobody
// writes to.
func TestLabelsDoNotWaitForAFIFO(t *testing.T) {
	files := hostFiles()
	fifos := []string{
		"var/lib/docker/containers/" + c1 + "/config.v2.json",
		"run/containerd/io.containerd.runtime.v2.task/k8s.io/" + c1 + "/config.json",
		"run/containers/storage/overlay-containers/" + c1 + "/userdata/config.json",
		"var/lib/containers/storage/overlay-containers/containers.json",
		"etc/passwd",
	}
	for _, name := range fifos {
		delete(files, name)
		files[filepath.Dir(name)+"/x"] = ""
	}
	root := tree(t, files)
	for _, name := range fifos {
		if err := syscall.Mkfifo(filepath.Join(root, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan event.Owner)
	go func() {
		e := known(5)
		Stage(host.New(root))(e)
		done <- e.Owner
	}()
	select {
	case o := <-done:
		if want := (event.Container{ID: c1, Runtime: "docker"}); o.Container != want || o.Process.PID != 50 {
			t.Errorf("%+v of %+v, want %+v", o.Container, o.Process, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the stage hangs")
	}
}
