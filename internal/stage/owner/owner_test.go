package owner

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
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

// ask puts an event through a new stage of a host, while whose files are read no
// time passes.
func ask(t *testing.T, root string, e *event.Event) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if !Stage(root)(e) {
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
		ask(t, root, &e)
		if e.Owner.Socket != &socket || socket != tt.socket {
			t.Errorf("%s: the socket is %+v", name, e.Owner.Socket)
		}
		if tt.want.Socket = &socket; e.Owner != tt.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, e.Owner, tt.want)
		}
	}
}

// In a PID namespace of our own, others may have the socket.
func TestStageIsNotCertainFromInside(t *testing.T) {
	files := hostFiles()
	files["proc/self/ns/pid"] = "->pid:[4026532000]"
	e, want := known(1), event.Process{PID: 30, Comm: "nginx", Confidence: event.Likely}
	if ask(t, tree(t, files), e); e.Owner.Process != want {
		t.Errorf("got %+v, want %+v", e.Owner.Process, want)
	}
}

func TestStageLeavesAnEventWithoutAnOwnerAlone(t *testing.T) {
	e := event.Event{Count: 5, Reason: "NO_SOCKET"}
	if ask(t, tree(t, hostFiles()), &e); e.Owner != (event.Owner{}) || e.Netns != (event.Netns{}) {
		t.Errorf("got %+v, %+v", e.Owner, e.Netns)
	}
}

func TestStageFindsTheCgroupByItsID(t *testing.T) {
	files := hostFiles()
	files["proc/self/mountinfo"] = "25 20 0:24 / /sys/fs/cgroup ro - tmpfs tmpfs rw\n30 25 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
	files["sys/fs/cgroup/unified/system.slice/cron.service/cgroup.procs"] = ""
	files["sys/fs/cgroup/unified/system.slice/docker-"+c1+".scope/cgroup.procs"] = ""
	root := tree(t, files)
	id := func(path string) uint64 {
		info, err := os.Stat(filepath.Join(root, "sys/fs/cgroup/unified", path))
		if err != nil {
			t.Fatal(err)
		}
		return inodeOf(info)
	}
	docker := "/system.slice/docker-" + c1 + ".scope"
	for name, tt := range map[string]struct {
		id, inode uint64
		want      event.Owner
	}{
		"the top":     {id("/"), 0, event.Owner{Cgroup: event.Cgroup{Path: "/"}}},
		"a unit":      {id("/system.slice/cron.service"), 0, event.Owner{Cgroup: event.Cgroup{Path: "/system.slice/cron.service"}, Unit: "cron.service"}},
		"of no group": {1 << 60, 0, event.Owner{}},
		"a container": {id(docker), 0, event.Owner{
			Cgroup: event.Cgroup{Path: docker}, Unit: "docker-" + c1 + ".scope",
			Container: event.Container{ID: c1, Runtime: "docker", Name: "shop-web-1"},
		}},
		"the process is elsewhere": {id(docker), 1, event.Owner{
			Cgroup: event.Cgroup{Path: docker}, Unit: "nginx.service",
			Process: event.Process{PID: 30, Comm: "nginx", Confidence: event.Certain},
		}},
	} {
		e := known(tt.inode)
		e.Owner.Cgroup.ID, tt.want.Cgroup.ID = tt.id, tt.id
		ask(t, root, e)
		if tt.want.Socket = e.Owner.Socket; e.Owner != tt.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, e.Owner, tt.want)
		}
	}
}

func TestStageKeepsWhatWasKnownOfAClosedSocket(t *testing.T) {
	files := hostFiles()
	root := tree(t, files)
	synctest.Test(t, func(t *testing.T) {
		stage := Stage(root)
		e := known(1)
		stage(e)
		if err := os.RemoveAll(filepath.Join(root, "proc/30")); err != nil {
			t.Fatal(err)
		}
		nginx := event.Process{PID: 30, Comm: "nginx", Confidence: event.Likely}
		for _, step := range []struct {
			after time.Duration
			inode uint64
			want  event.Process
			unit  string
		}{
			{0, 0, nginx, "nginx.service"}, // closed, the kernel's part lives on
			{9 * time.Second, 1, event.Process{PID: 30, Comm: "nginx", Confidence: event.Certain}, "nginx.service"}, // not looked for again yet
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

// counted counts the readings of the holders.
func counted(h *host) *atomic.Int32 {
	n, read := new(atomic.Int32), h.holders.read
	h.holders.read = func() map[uint64]holder {
		n.Add(1)
		return read()
	}
	return n
}

func TestStageDoesNotScanForEachNewSocket(t *testing.T) {
	root := tree(t, hostFiles())
	synctest.Test(t, func(t *testing.T) {
		h := newHost(root)
		scans := counted(h)
		for i := range uint64(10_000) {
			h.own(known(1000+i), time.Now())
			time.Sleep(100 * time.Microsecond)
		}
		if n := scans.Load(); n != 10 {
			t.Errorf("%d scans in a second of new sockets, want 10", n)
		}
		if len(h.answers) > most || len(h.holders.wanted) > most {
			t.Errorf("%d answers, %d wanted, want %d at most", len(h.answers), len(h.holders.wanted), most)
		}
	})
}

func TestStageRemembersWhatIsNotThere(t *testing.T) {
	root := tree(t, hostFiles())
	synctest.Test(t, func(t *testing.T) {
		h := newHost(root)
		scans := counted(h)
		for range 20 {
			h.own(known(99), time.Now())
			time.Sleep(500 * time.Millisecond)
		}
		if n := scans.Load(); n != 2 {
			t.Errorf("%d scans in 10 s for a socket that nobody has, want 2", n)
		}
	})
}

// TestReadingIsWaitedForOnlyBriefly has a host that takes half a second to read.
func TestReadingIsWaitedForOnlyBriefly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var scans atomic.Int32
		h := newHost(t.TempDir())
		h.holders.read = func() map[uint64]holder {
			scans.Add(1)
			time.Sleep(500 * time.Millisecond)
			return map[uint64]holder{1: {pid: 30}}
		}
		var pids []uint32
		var stood time.Duration
		for range 40 {
			e, began := known(1), time.Now()
			h.own(e, began)
			stood += time.Since(began)
			pids = append(pids, e.Owner.Process.PID)
			time.Sleep(time.Second)
		}
		if pids[0] != 0 || pids[1] != 30 {
			t.Errorf("processes %d, want none at first, and 30 then", pids[:2])
		}
		// It takes 0.5 s, so 25 s pass until the next may begin.
		if n := scans.Load(); n > 2 || stood > time.Duration(n)*patience {
			t.Errorf("%d scans and %v of waiting in 40 s", n, stood)
		}
		time.Sleep(time.Second) // the last ends
	})
}

func TestStageNamesTheProcessOnceItIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t.TempDir())
		h.holders.read = func() map[uint64]holder {
			time.Sleep(50 * time.Millisecond)
			return map[uint64]holder{1: {pid: 30}}
		}
		for _, step := range []struct {
			after time.Duration
			want  uint32
		}{{0, 0}, {20 * time.Millisecond, 0}, {60 * time.Millisecond, 30}} {
			time.Sleep(step.after)
			e := known(1)
			if h.own(e, time.Now()); e.Owner.Process.PID != step.want {
				t.Errorf("%v later: process %d, want %d", step.after, e.Owner.Process.PID, step.want)
			}
		}
	})
}

func TestReadingIsNotBegunTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var scans atomic.Int32
		h := newHost(t.TempDir())
		h.holders.read = func() map[uint64]holder {
			scans.Add(1)
			time.Sleep(time.Minute)
			return nil
		}
		for i := range uint64(50) {
			h.own(known(1+i), time.Now())
			time.Sleep(time.Second)
		}
		if n := scans.Load(); n != 1 {
			t.Errorf("%d scans at once, want 1", n)
		}
		time.Sleep(time.Minute) // it ends
	})
}

// TestStageLooksAgain has a process and a container that take other names, and a
// socket that is opened.
func TestStageLooksAgain(t *testing.T) {
	files := netFiles()
	root := tree(t, files)
	write := func(path, text string) {
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		stage := Stage(root)
		web := func() event.Owner {
			e := known(5)
			stage(e)
			return e.Owner
		}
		opened := func() bool {
			e := event.Event{Count: 1, Netns: event.Netns{Inode: 77}}
			e.Packet.Flow = packetOf("192.0.2.9", 6000, "192.0.2.1", 81, tcp)
			stage(&e)
			return e.Owner.Socket != nil
		}
		web()
		opened()
		write("proc/50/comm", "worker\n")
		write("var/lib/docker/containers/"+c1+"/config.v2.json", `{"Name":"/renamed"}`)
		write("proc/30/net/tcp", strings.ReplaceAll(files["proc/30/net/tcp"], ":0050", ":0051"))
		time.Sleep(999 * time.Millisecond)
		if o := web(); o.Process.Comm != "web" || opened() {
			t.Errorf("%q already, or the socket is found", o.Process.Comm)
		}
		time.Sleep(time.Millisecond)
		if o := web(); o.Process.Comm != "worker" || o.Container.Name != "shop-web-1" || !opened() {
			t.Errorf("%q in %q after a second, or the socket is not found", o.Process.Comm, o.Container.Name)
		}
		time.Sleep(9 * time.Second)
		if o := web(); o.Container.Name != "renamed" {
			t.Errorf("container %q after ten seconds", o.Container.Name)
		}
	})
}

func TestTableIsOfNoUseWhenItIsOld(t *testing.T) {
	root := tree(t, netFiles())
	synctest.Test(t, func(t *testing.T) {
		h := newHost(root)
		for _, step := range []struct {
			after time.Duration
			want  bool
		}{{0, true}, {staleAge - 1, true}, {1, false}} {
			time.Sleep(step.after)
			e := event.Event{Count: 1, Netns: event.Netns{Inode: 77}}
			e.Packet.Flow = packetOf("192.0.2.9", 6000, "192.0.2.1", 80, tcp)
			if h.own(&e, time.Now()); (e.Owner.Socket != nil) != step.want {
				t.Errorf("%v later: %+v", step.after, e.Owner.Socket)
			}
			h.pace.next = time.Now().Add(time.Hour) // others take their time
		}
	})
}

// TestStageKnowsACountByItsCookie: a count of drops has no more of its socket.
func TestStageKnowsACountByItsCookie(t *testing.T) {
	root := tree(t, hostFiles())
	synctest.Test(t, func(t *testing.T) {
		stage := Stage(root)
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

// TestTablesShareTheirPace has many namespaces, whose tables take long to read.
func TestTablesShareTheirPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		pace := new(pace)
		for range 100 {
			r := reading[int]{pace: pace}
			r.renew(func() int {
				time.Sleep(time.Minute)
				return 1
			})
		}
		if stood := time.Since(began); stood != patience {
			t.Errorf("100 readings at once are waited for %v, want %v", stood, patience)
		}
		time.Sleep(time.Minute) // the one ends
	})
}

func TestStageNamesTheNamespace(t *testing.T) {
	files := hostFiles()
	files["proc/1/ns/net"] = "->net:[77]"
	files["proc/2/ns/net"] = "->net:[77]"
	files["proc/30/ns/net"] = "->net:[88]"
	files["proc/50/ns/net"] = "->net:[99]"
	files["proc/60/ns/net"] = "->net:[111]"
	files["proc/61/ns/net"] = "->net:[99]" // not the lowest there
	files["run/netns/blue"], files["var/run/netns/x"] = "", ""
	root := tree(t, files)
	if err := os.Link(filepath.Join(root, "run/netns/blue"), filepath.Join(root, "var/run/netns/azure")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(root, "run/netns/blue"))
	if err != nil {
		t.Fatal(err)
	}
	for inode, want := range map[uint32]string{
		77:                    "init",
		4026531833:            "init",
		88:                    "", // of a process that is in no container
		99:                    "shop-web-1",
		111:                   "api-5d4f",
		123:                   "",
		0:                     "",
		uint32(inodeOf(info)): "blue",
	} {
		e := event.Event{Count: 1, Netns: event.Netns{Inode: inode}}
		if ask(t, root, &e); e.Netns.Name != want {
			t.Errorf("namespace %d is %q, want %q", inode, e.Netns.Name, want)
		}
	}
	e := event.Event{Count: 1, Netns: event.Netns{Inode: 77, Name: "own"}}
	if ask(t, root, &e); e.Netns.Name != "own" {
		t.Errorf("the source's name was changed to %q", e.Netns.Name)
	}
}

// In a PID namespace of our own, the thread 2 can be any.
func TestStageKnowsNoInitialNamespaceFromInside(t *testing.T) {
	root := tree(t, map[string]string{"proc/self/ns/pid": "->pid:[4026532000]", "proc/2/ns/net": "->net:[77]"})
	e := event.Event{Count: 1, Netns: event.Netns{Inode: 77}}
	if ask(t, root, &e); e.Netns.Name != "" {
		t.Errorf("name %q, want none", e.Netns.Name)
	}
}

// The pod is told by the container where the cgroup does not.
func TestLabelKnowsThePod(t *testing.T) {
	root := tree(t, map[string]string{"var/lib/docker/containers/" + c1 + "/config.v2.json": `{"Config":{"Labels":{"io.kubernetes.pod.uid":"` + uid + `"}}}`})
	p := place{container: event.Container{ID: c1}}
	want := place{container: event.Container{ID: c1, Runtime: "docker"}, pod: event.Pod{UID: uid}}
	if newHost(root).label(&p, time.Time{}); p != want {
		t.Errorf("%+v, want %+v", p, want)
	}
}

func TestLabels(t *testing.T) {
	const storage = "run/containers/storage/overlay-containers/" + c1 + "/userdata/config.json"
	pod := event.Pod{UID: uid, Namespace: "prod", Name: "api-5d4f"}
	kubelet := `"io.kubernetes.container.name":"api","io.kubernetes.pod.uid":"` + uid + `","io.kubernetes.pod.namespace":"prod","io.kubernetes.pod.name":"api-5d4f"`
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
			"var/lib/docker/containers/" + c1 + "/config.v2.json": `{"Name":"/k8s_api_api-5d4f_prod_1_0","Config":{"Labels":{` + kubelet + `}}}`,
		}, labels{"docker", "api", pod}},
		"k3s": {map[string]string{
			"run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/" + c1 + "/config.json": `{"annotations":{"io.kubernetes.cri.container-name":"api",
				"io.kubernetes.cri.sandbox-uid":"` + uid + `","io.kubernetes.cri.sandbox-name":"api-5d4f","io.kubernetes.cri.sandbox-namespace":"prod"}}`,
		}, labels{"containerd", "api", pod}},
		"cri-o":  {map[string]string{storage: `{"annotations":{` + kubelet + `}}`}, labels{"cri-o", "api", pod}},
		"podman": {map[string]string{storage: `{}`, "var/lib/containers/storage/overlay-containers/containers.json": index}, labels{runtime: "podman", name: "web"}},
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
		"a user's": {map[string]string{"home/ann/.local/share/containers/storage/overlay-containers/containers.json": index}, labels{runtime: "podman", name: "web"}},
		"no JSON": {map[string]string{
			"var/lib/docker/containers/" + c1 + "/config.v2.json": `{"Name":"/web"`, storage: "[]",
			"var/lib/containers/storage/overlay-containers/containers.json": "{}",
		}, labels{}},
		"too long": {map[string]string{
			"var/lib/docker/containers/" + c1 + "/config.v2.json": `{"Name":"/web"` + strings.Repeat(" ", maxFile) + "}",
		}, labels{}},
	} {
		if got := newHost(tree(t, tt.files)).readLabels(c1, time.Time{}); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestStageDoesNotAllocateForWhatItHasMet(t *testing.T) {
	root := tree(t, netFiles())
	synctest.Test(t, func(t *testing.T) {
		stage, packet := Stage(root), packetOf("192.0.2.9", 4000, "192.0.2.1", 80, tcp)
		socket := *known(1).Owner.Socket
		var e event.Event
		tell := func() {
			e = event.Event{Count: 1, Netns: event.Netns{Inode: 77}}
			e.Owner.Socket = &socket
			stage(&e)
			e.Owner, e.Packet.Flow = event.Owner{}, packet
			stage(&e)
		}
		tell()
		if n := testing.AllocsPerRun(100, tell); n != 0 {
			t.Errorf("%v allocations for two events, want none", n)
		}
		if s := e.Owner.Socket; s == nil || s.Inode != 11 {
			t.Errorf("got %+v", s)
		}
	})
}
