package owner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
)

// The numbers of the table: containers, and pods in both spellings.
const (
	c1      = "3f0c9d1c7a5e4b2f8d6a1e0b9c8d7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e"
	c2      = "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"
	uid     = "74c13223-5a00-11e9-b385-42010a80018d"
	uidUnit = "74c13223_5a00_11e9_b385_42010a80018d"
	hash    = "7d9a1c3e5f7b9d1a3c5e7f9b1d3a5c7e" // of a static pod
)

func TestParsePath(t *testing.T) {
	unit := func(name string) place { return place{unit: name} }
	container := func(unit, runtime, id string) place {
		return place{unit: unit, container: event.Container{ID: id, Runtime: runtime}}
	}
	named := func(unit, runtime, name string) place {
		return place{unit: unit, container: event.Container{ID: name, Runtime: runtime, Name: name}}
	}
	inPod := func(runtime, id, uid string) place {
		return place{container: event.Container{ID: id, Runtime: runtime}, pod: event.Pod{UID: uid}}
	}
	of := func(user uint32, id string) place {
		return place{unit: "user@1000.service", user: user, container: event.Container{ID: id, Runtime: "podman"}}
	}
	with := func(unit string, p place) place {
		p.unit = unit
		return p
	}
	kind := "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" + uidUnit + ".slice/cri-containerd-" + c1 + ".scope"
	for path, want := range map[string]place{
		"":              {},
		"/":             {},
		"/system.slice": {},
		"/init.scope":   unit("init.scope"),

		"/system.slice/nginx.service":                                           unit("nginx.service"),
		"/system.slice/system-getty.slice/getty@tty1.service":                   unit("getty@tty1.service"),
		"/system.slice/system-postgresql.slice/postgresql@16-main.service/work": unit("postgresql@16-main.service"),
		`/system.slice/dev-disk\x2dby\x2dlabel-swap.swap`:                       unit(`dev-disk\x2dby\x2dlabel-swap.swap`),
		"/system.slice/sshd.socket":                                             unit("sshd.socket"),
		"/system.slice/run-r0f2e.scope":                                         unit("run-r0f2e.scope"),
		"/system.slice/run-u12.service":                                         unit("run-u12.service"),
		"/system.slice/_cpu.service":                                            unit("cpu.service"),
		"/user.slice/user-1000.slice/session-3.scope":                           unit("session-3.scope"),
		"/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service":   unit("user@1000.service"),
		"/../../system.slice/cron.service":                                      unit("cron.service"),
		"/system.slice/foo@.service":                                            {}, // a template is no unit
		"/system.slice/.service":                                                {},
		"/system.slice/a b.service":                                             {},
		"/batch/nginx.service":                                                  {}, // not systemd's
		"/process_api/8f4b8269adf9f271d00a76f264b63fd9":                         {},

		"/docker/" + c1:                         container("", "docker", c1),
		"/docker/" + c1 + "/init":               container("", "docker", c1),
		"/docker/" + c1 + "/docker/" + c2:       container("", "docker", c2),
		"/docker/buildkit":                      {},
		"/" + c1:                                container("", "", c1),
		"/system.slice/docker-" + c1 + ".scope": container("docker-"+c1+".scope", "docker", c1),
		"/system.slice/docker-" + c1 + ".scope/system.slice/a.mount": container("docker-"+c1+".scope", "docker", c1),
		"/system.slice/docker.service":                               unit("docker.service"),
		"/system.slice/docker-" + c1[:12] + ".scope":                 unit("docker-" + c1[:12] + ".scope"),
		"/system.slice/docker-" + strings.ToUpper(c1) + ".scope":     unit("docker-" + strings.ToUpper(c1) + ".scope"),
		"/system.slice/nerdctl-" + c1 + ".scope":                     container("nerdctl-"+c1+".scope", "containerd", c1),
		"/ecs/" + hash + "/" + c1:                                    container("", "", c1),
		"/actions_job/" + c1:                                         container("", "", c1),

		"/kubepods/burstable/pod" + uid + "/" + c1:  inPod("", c1, uid),
		"/kubepods/besteffort/pod" + uid:            inPod("", "", uid),
		"/docker/" + c2 + "/kubepods/pod" + uid:     inPod("", "", uid), // not in the outer container alone
		"/kubepods/pod" + hash + "/" + c1:           inPod("", c1, hash),
		"/kubepods/pod" + uid + "/crio-" + c1:       inPod("cri-o", c1, uid),
		"/kubepods/burstable/podnot-one-of-these/x": {},
		"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uidUnit + ".slice/cri-containerd-" + c1 + ".scope": with(
			"cri-containerd-"+c1+".scope", inPod("containerd", c1, uid)),
		"/kubepods.slice/kubepods-pod" + uidUnit + ".slice/crio-" + c1 + ".scope": with(
			"crio-"+c1+".scope", inPod("cri-o", c1, uid)),
		"/kubepods.slice/kubepods-pod" + uidUnit + ".slice/crio-" + c1 + ".scope/container": with(
			"crio-"+c1+".scope", inPod("cri-o", c1, uid)),
		"/kubepods.slice/kubepods-pod" + uidUnit + ".slice/crio-conmon-" + c1 + ".scope": with(
			"crio-conmon-"+c1+".scope", inPod("", "", uid)),
		"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + uidUnit + ".slice/docker-" + c1 + ".scope": with(
			"docker-"+c1+".scope", inPod("docker", c1, uid)),
		"/system.slice/containerd.service/kubepods-burstable-pod" + uidUnit + ".slice:cri-containerd:" + c1: with(
			"containerd.service", inPod("containerd", c1, uid)),
		"/docker/" + c2 + kind: inPod("containerd", c1, uid),

		"/machine.slice/libpod-" + c1 + ".scope":                                           container("libpod-"+c1+".scope", "podman", c1),
		"/machine.slice/libpod-" + c1 + ".scope/container":                                 container("libpod-"+c1+".scope", "podman", c1),
		"/machine.slice/machine-libpod_pod_" + c2 + ".slice/libpod-" + c1 + ".scope":       container("libpod-"+c1+".scope", "podman", c1),
		"/machine.slice/libpod-conmon-" + c1 + ".scope":                                    unit("libpod-conmon-" + c1 + ".scope"),
		"/libpod_parent/libpod-" + c1:                                                      container("", "podman", c1),
		"/system.slice/web.service/libpod-payload-" + c1:                                   container("web.service", "podman", c1),
		"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + c1 + ".scope": of(1000, c1),

		"/lxc.payload.web": named("", "lxc", "web"),
		"/lxc.payload.web/system.slice/nginx.service": named("", "lxc", "web"),
		"/lxc.payload/web":                            named("", "lxc", "web"),
		"/lxc/web_1":                                  named("", "lxc", "web_1"),
		"/lxc.monitor.web":                            {},
		"/lxc/a\x1b[2J":                               {}, // none makes that

		"/machine.slice/machine-web.scope":                           named("machine-web.scope", "systemd-nspawn", "web"),
		`/machine.slice/machine-web\x2d1.scope/payload`:              named(`machine-web\x2d1.scope`, "systemd-nspawn", "web-1"),
		`/machine.slice/machine-a\x.scope`:                           unit(`machine-a\x.scope`),
		"/machine.slice/systemd-nspawn@web.service/payload":          named("systemd-nspawn@web.service", "systemd-nspawn", "web"),
		`/machine.slice/machine-qemu\x2d3\x2dubuntu.scope/libvirt/x`: unit(`machine-qemu\x2d3\x2dubuntu.scope`),
	} {
		if got := parsePath(path, len(path)); got != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", path, got, want)
		}
	}
}

func TestProcessPlace(t *testing.T) {
	docker := place{container: event.Container{ID: c1, Runtime: "docker"}}
	tests := map[string]struct {
		lines, path string
		where       place
	}{
		"nothing":        {"", "", place{}},
		"version 2":      {"0::/system.slice/cron.service\n", "/system.slice/cron.service", place{unit: "cron.service"}},
		"a path with :":  {"0::/a:b/c\n", "/a:b/c", place{}},
		"cut off":        {"0:", "", place{}},
		"version 1 only": {"2:cpu,cpuacct:/docker/" + c1 + "\n1:name=systemd:/docker/" + c1 + "\n", "", docker},
		"both, and version 2 not in use": {
			"4:memory:/docker/" + c1 + "\n1:name=systemd:/docker/" + c1 + "\n0::/system.slice/containerd.service\n",
			"/system.slice/containerd.service", docker,
		},
		"systemd's hierarchy has the unit": {
			"2:cpu:/docker/" + c1 + "\n1:name=systemd:/system.slice/a.service\n0::/\n", "/",
			place{unit: "a.service", container: docker.container},
		},
	}
	for name, tt := range tests {
		f := newFinder(host.New(tree(t, map[string]string{"proc/7/cgroup": tt.lines})))
		if p := f.readProcess(7, time.Time{}); p.cgroup != tt.path || p.place != tt.where {
			t.Errorf("%s: %q, %+v, want %q, %+v", name, p.cgroup, p.place, tt.path, tt.where)
		}
	}
}

// TestParsePathOfAUser: groups that a user may have made are no containers of a
// system's runtime.
func TestParsePathOfAUser(t *testing.T) {
	const manager = "/user.slice/user-1000.slice/user@1000.service"
	mine := place{unit: "user@1000.service"}
	podman := place{unit: "user@1000.service", user: 1000, container: event.Container{ID: c1, Runtime: "podman"}}
	for path, want := range map[string]place{
		manager + "/docker-" + c1 + ".scope":                                    mine,
		manager + "/docker/" + c1:                                               mine,
		manager + "/" + c1:                                                      mine,
		manager + "/kubepods/pod" + uid + "/" + c1:                              mine,
		manager + "/cri-containerd-" + c1 + ".scope":                            mine,
		manager + "/lxc.payload.web":                                            mine,
		manager + "/machine.slice/machine-web.scope":                            mine,
		manager + "/user@0.service/docker-" + c1 + ".scope":                     mine,
		manager + "/user@1001.service/libpod-" + c1 + ".scope":                  podman,
		manager + "/user.slice/libpod-" + c1 + ".scope/container":               podman,
		manager + "/user.slice/libpod-" + c1 + ".scope/docker-" + c2 + ".scope": podman,
		manager + "/app.slice/libpod-conmon-" + c1 + ".scope":                   mine,
		"/user.slice/user-0.slice/user@0.service/user.slice/docker-" + c1: {
			unit: "user@0.service", container: event.Container{ID: c1, Runtime: "docker"},
		},
		"/../.." + manager + "/docker-" + c1 + ".scope":             mine,
		"/docker/" + c2 + manager + "/docker-" + c1 + ".scope":      {container: event.Container{ID: c2, Runtime: "docker"}},
		"/system.slice/user@1000.service.d/docker-" + c1 + ".scope": {container: event.Container{ID: c1, Runtime: "docker"}},
	} {
		if got := parsePath(path, len(path)); got != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", path, got, want)
		}
	}
	const path = "/system.slice/build.service/docker-"
	for rooted, want := range map[int]event.Container{2: {}, 3: {ID: c1, Runtime: "docker"}} {
		if got := parsePath(path+c1+".scope", rooted); got.container != want {
			t.Errorf("of which %d parts are root's: %+v, want %+v", rooted, got.container, want)
		}
	}
}

// TestProcessInAGroupOfAUser: whoever owns a group makes those below it, whatever
// names they have, and moves only processes of its own into them.
func TestProcessInAGroupOfAUser(t *testing.T) {
	vmtest.RequireRoot(t)
	const top, delegated = "sys/fs/cgroup", "/system.slice/build.service"
	const rootlessGroup = "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + c1 + ".scope"
	files := map[string]string{"proc/self/mountinfo": "30 25 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"}
	status := func(uid int) string { return fmt.Sprintf("Uid:\t%d\t%d\t0\t0\nCapEff:\t0\n", uid, uid) }
	processFiles(files, 7, "fake", "0::"+delegated+"/docker-"+c1+".scope\n")
	processFiles(files, 8, "true", "0::/system.slice/docker-"+c1+".scope\n")
	for pid, uid := range map[int]int{10: 1000, 11: 100_005, 12: 0, 13: 1001} {
		processFiles(files, pid, "web", "0::"+rootlessGroup+"\n")
		files[fmt.Sprintf("proc/%d/status", pid)] = status(uid)
	}
	for _, group := range []string{delegated + "/docker-" + c1 + ".scope", "/system.slice/docker-" + c1 + ".scope/sub", rootlessGroup} {
		files[top+group+"/cgroup.procs"] = ""
	}
	files["etc/passwd"], files["etc/subuid"] = "ann:x:1000:5::/home/ann:/bin/sh\n", "bob:200000:10\nann:100000:65536\n"
	root := tree(t, files)
	err := errors.Join(os.Chown(filepath.Join(root, top, delegated), 1000, -1),
		os.Chown(filepath.Join(root, top, "/system.slice/docker-"+c1+".scope"), 100_000, -1)) // of the container's root
	if err != nil {
		t.Fatal(err)
	}
	docker, podman := event.Container{ID: c1, Runtime: "docker"}, event.Container{ID: c1, Runtime: "podman"}
	for pid, want := range map[uint32]event.Container{7: {}, 8: docker, 10: podman, 11: podman, 12: {}, 13: {}} {
		if p := newFinder(host.New(root)).readProcess(pid, time.Time{}); p.container != want {
			t.Errorf("process %d is in %+v, want %+v", pid, p.container, want)
		}
	}
}

// FuzzParsePath: whatever stands for a container or a pod is safe to make a file
// name of, and an ID where the runtime has IDs.
func FuzzParsePath(f *testing.F) {
	for _, path := range []string{
		"/docker/" + c1, "/system.slice/docker-" + c1 + ".scope", "/lxc.payload.web", `/machine.slice/machine-w\x2d1.scope`,
		"/kubepods.slice/kubepods-pod" + uidUnit + ".slice:cri-containerd:" + c1, "/kubepods/pod" + uid, "/../_a@b.service",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p := parsePath(path, len(path))
		numbered := p.container.Runtime != "lxc" && p.container.Runtime != "systemd-nspawn"
		if id := p.container.ID; id != "" && numbered && !isID(id) || strings.Contains(id, "/") {
			t.Errorf("%q: container %q", path, id)
		}
		if uid := p.pod.UID; uid != "" && strings.Trim(uid, "0123456789abcdef-") != "" {
			t.Errorf("%q: pod %q", path, uid)
		}
		if p.container.ID == "" && p.container != (event.Container{}) {
			t.Errorf("%q: %+v without an ID", path, p.container)
		}
	})
}
