package owner

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// tree makes files below a new folder. A text that begins with -> is a link.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		path = filepath.Join(root, path)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if to, link := strings.CutPrefix(text, "->"); err == nil && link {
			err = os.Symlink(to, path)
		} else if err == nil {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// processFiles adds a process to the files of a tree, with open files and a cgroup.
func processFiles(files map[string]string, pid int, comm, cgroup string, open ...string) {
	dir := "proc/" + strconv.Itoa(pid)
	files[dir+"/comm"] = comm + "\n"
	files[dir+"/cgroup"] = cgroup
	for i, link := range open {
		files[dir+"/fd/"+strconv.Itoa(i)] = "->" + link
	}
}

// hostFiles are of a host with services, a container of each kind, and process 30
// that has the socket 1 twice.
func hostFiles() map[string]string {
	files := make(map[string]string)
	processFiles(files, 1, "systemd", "0::/init.scope\n", "/dev/null", "socket:[2]", "socket:[3]")
	processFiles(files, 30, "nginx", "0::/system.slice/nginx.service\n", "socket:[1]", "pipe:[9]", "socket:[1]")
	processFiles(files, 31, "nginx", "0::/system.slice/nginx.service\n", "socket:[4]")
	processFiles(files, 32, "nginx", "0::/system.slice/nginx.service\n", "socket:[4]", "socket:[x]")
	processFiles(files, 40, "sshd", "0::/system.slice/sshd.service\n", "socket:[2]")
	processFiles(files, 50, "web", "1:name=systemd:/docker/"+c1+"\n", "socket:[5]")
	processFiles(files, 60, "api", "0::/kubepods/pod"+uid+"/"+c2+"\n", "socket:[6]")
	files["proc/self/ns/pid"], files["proc/sys/x"] = "->pid:[4026531836]", ""
	files["var/lib/docker/containers/"+c1+"/config.v2.json"] = `{"ID":"x","Name":"/shop-web-1","Config":{"Labels":{"a":"b"}}}`
	files["run/containerd/io.containerd.runtime.v2.task/k8s.io/"+c2+"/config.json"] = `{"ociVersion":"1","annotations":{
		"io.kubernetes.cri.container-name":"api","io.kubernetes.cri.sandbox-name":"api-5d4f","io.kubernetes.cri.sandbox-namespace":"prod"}}`
	return files
}

// known is an event of a socket that the kernel has named.
func known(inode uint64) *event.Event {
	e := &event.Event{Count: 1}
	e.Owner.Socket = &event.Socket{Cookie: 100 + inode, Inode: inode, Confidence: event.Certain}
	return e
}

// fill puts an event through a new stage of a host. No time passes while its files
// are read.
func fill(t *testing.T, root string, e *event.Event) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if !Stage(host.New(root))(e) {
			t.Error("rejected")
		}
	})
}

func TestStageNamesTheProcess(t *testing.T) {
	const certain, likely = event.Certain, event.Likely
	nginx := event.Owner{
		Process: event.Process{PID: 30, Comm: "nginx", Confidence: certain},
		Cgroup:  event.Cgroup{Path: "/system.slice/nginx.service"}, Unit: "nginx.service",
	}
	likelyNginx := nginx
	likelyNginx.Process.Confidence = likely
	workers := nginx
	workers.Process = event.Process{PID: 31, Comm: "nginx", Confidence: likely}
	tests := map[string]struct {
		socket event.Socket
		want   event.Owner
	}{
		"one has it, in two files":    {event.Socket{Cookie: 7, Inode: 1, Confidence: certain}, nginx},
		"the socket is only likely":   {event.Socket{Inode: 1, Confidence: likely}, likelyNginx},
		"nobody has it":               {event.Socket{Cookie: 7, Inode: 99, Confidence: certain}, event.Owner{}},
		"it has no file":              {event.Socket{Cookie: 7, Confidence: certain}, event.Owner{}},
		"nothing is known of it":      {event.Socket{}, event.Owner{}},
		"several have it: the lowest": {event.Socket{Cookie: 7, Inode: 4, Confidence: certain}, workers},
		"process 1 keeps it for a unit": {event.Socket{Cookie: 7, Inode: 2, Confidence: certain}, event.Owner{
			Process: event.Process{PID: 40, Comm: "sshd", Confidence: likely},
			Cgroup:  event.Cgroup{Path: "/system.slice/sshd.service"}, Unit: "sshd.service",
		}},
		"process 1 alone": {event.Socket{Cookie: 7, Inode: 3, Confidence: certain}, event.Owner{
			Process: event.Process{PID: 1, Comm: "systemd", Confidence: certain},
			Cgroup:  event.Cgroup{Path: "/init.scope"}, Unit: "init.scope",
		}},
		"in a container": {event.Socket{Cookie: 7, Inode: 5, Confidence: certain}, event.Owner{
			Process:   event.Process{PID: 50, Comm: "web", Confidence: certain},
			Container: event.Container{ID: c1, Runtime: "docker", Name: "shop-web-1"},
		}},
		"in a pod": {event.Socket{Cookie: 7, Inode: 6, Confidence: certain}, event.Owner{
			Process:   event.Process{PID: 60, Comm: "api", Confidence: certain},
			Cgroup:    event.Cgroup{Path: "/kubepods/pod" + uid + "/" + c2},
			Container: event.Container{ID: c2, Runtime: "containerd", Name: "api"},
			Pod:       event.Pod{UID: uid, Namespace: "prod", Name: "api-5d4f"},
		}},
	}
	root := tree(t, hostFiles())
	for name, tt := range tests {
		socket := tt.socket
		e := event.Event{Count: 1, Owner: event.Owner{Socket: &socket}}
		fill(t, root, &e)
		if e.Owner.Socket != &socket || socket != tt.socket {
			t.Errorf("%s: the socket is %+v", name, e.Owner.Socket)
		}
		if tt.want.Socket = &socket; e.Owner != tt.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, e.Owner, tt.want)
		}
	}
}

// In another PID namespace, others may have the socket.
func TestStageIsNotCertainFromInside(t *testing.T) {
	files := hostFiles()
	files["proc/self/ns/pid"] = "->pid:[4026532000]"
	e, want := known(1), event.Process{PID: 30, Comm: "nginx", Confidence: event.Likely}
	if fill(t, tree(t, files), e); e.Owner.Process != want {
		t.Errorf("got %+v, want %+v", e.Owner.Process, want)
	}
}

func TestStageLeavesAnEventWithoutAnOwnerAlone(t *testing.T) {
	e := event.Event{Count: 5, Reason: "NO_SOCKET"}
	if fill(t, tree(t, hostFiles()), &e); e.Owner != (event.Owner{}) || e.Netns != (event.Netns{}) {
		t.Errorf("got %+v, %+v", e.Owner, e.Netns)
	}
}

func TestStageFindsTheCgroupByItsID(t *testing.T) {
	files := hostFiles()
	files["proc/self/mountinfo"] = "25 20 0:24 / /sys/fs/cgroup ro - tmpfs tmpfs rw\n" +
		"30 25 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
	files["sys/fs/cgroup/unified/system.slice/cron.service/cgroup.procs"] = ""
	files["sys/fs/cgroup/unified/system.slice/docker-"+c1+".scope/cgroup.procs"] = ""
	root := tree(t, files)
	id := func(path string) uint64 {
		info, err := os.Stat(filepath.Join(root, "sys/fs/cgroup/unified", path))
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Ino
	}
	docker := "/system.slice/docker-" + c1 + ".scope"
	shop := event.Container{ID: c1, Runtime: "docker", Name: "shop-web-1"}
	if os.Getuid() != 0 { // then root has not made the group
		shop = event.Container{}
	}
	for name, tt := range map[string]struct {
		id, inode uint64
		want      event.Owner
	}{
		"the top": {id("/"), 0, event.Owner{Cgroup: event.Cgroup{Path: "/"}}},
		"a unit": {id("/system.slice/cron.service"), 0, event.Owner{
			Cgroup: event.Cgroup{Path: "/system.slice/cron.service"}, Unit: "cron.service",
		}},
		"of no group": {1 << 60, 0, event.Owner{}},
		"a container": {id(docker), 0, event.Owner{
			Cgroup: event.Cgroup{Path: docker}, Unit: "docker-" + c1 + ".scope",
			Container: shop,
		}},
		"the process is elsewhere": {id(docker), 1, event.Owner{
			Cgroup: event.Cgroup{Path: docker}, Unit: "nginx.service",
			Process: event.Process{PID: 30, Comm: "nginx", Confidence: event.Certain},
		}},
	} {
		e := known(tt.inode)
		e.Owner.Cgroup.ID, tt.want.Cgroup.ID = tt.id, tt.id
		fill(t, root, e)
		if tt.want.Socket = e.Owner.Socket; e.Owner != tt.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, e.Owner, tt.want)
		}
	}
}

func TestStageKeepsWhatWasKnownOfAClosedSocket(t *testing.T) {
	files := hostFiles()
	root := tree(t, files)
	synctest.Test(t, func(t *testing.T) {
		stage := Stage(host.New(root))
		e := known(1)
		stage(e)
		if err := os.RemoveAll(filepath.Join(root, "proc/30")); err != nil {
			t.Fatal(err)
		}
		nginx := event.Process{PID: 30, Comm: "nginx", Confidence: event.Likely}
		certain := event.Process{PID: 30, Comm: "nginx", Confidence: event.Certain}
		for _, step := range []struct {
			after time.Duration
			inode uint64
			want  event.Process
			unit  string
		}{
			{0, 0, nginx, "nginx.service"},                 // closed, the kernel's part lives on
			{9 * time.Second, 1, certain, "nginx.service"}, // not looked for again yet
			{20 * time.Second, 1, nginx, "nginx.service"},
			{19 * time.Second, 1, event.Process{}, "nginx.service"},
		} {
			time.Sleep(step.after)
			e := known(1)
			e.Owner.Socket.Inode = step.inode
			stage(e)
			if e.Owner.Process != step.want || e.Owner.Unit != step.unit {
				t.Errorf("%v later: %+v of %q, want %+v of %q", step.after, e.Owner.Process, e.Owner.Unit, step.want, step.unit)
			}
		}
		other := known(4)
		other.Owner.Socket.Cookie = 101 // the same address, of another socket
		if stage(other); other.Owner.Process.PID != 31 {
			t.Errorf("another socket at that address is of %+v", other.Owner.Process)
		}
		other = known(0)
		other.Owner.Socket.Cookie, other.Owner.Cgroup.ID = 101, 9
		if stage(other); other.Owner.Process.PID != 0 {
			t.Errorf("another of another cgroup is of %+v", other.Owner.Process)
		}
	})
}

// TestStageKnowsACountByItsCookie: a count of drops has no more of its socket.
func TestStageKnowsACountByItsCookie(t *testing.T) {
	root := tree(t, hostFiles())
	synctest.Test(t, func(t *testing.T) {
		stage := Stage(host.New(root))
		e := known(1)
		e.Owner.Cgroup.ID = 9
		stage(e)
		count := event.Event{Count: 5, Owner: event.Owner{Socket: &event.Socket{Cookie: 101}}}
		want := event.Process{PID: 30, Comm: "nginx", Confidence: event.Likely}
		if stage(&count); count.Owner.Process != want || count.Owner.Cgroup.ID != 9 {
			t.Errorf("%+v, want %+v in cgroup 9", count.Owner, want)
		}
	})
}
