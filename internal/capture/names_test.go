package capture

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropwatch/internal/host"
	"dropwatch/internal/stage/filter"
)

const containerID = "3f9a1c20b7e44d0f8a6b5c4d3e2f10987654321fedcba98765432100aabbccdd"

// namesRunner returns a Runner on a host with a container, whose kernel has a few
// functions, and what it notes.
func namesRunner(t *testing.T) (*Runner, *bytes.Buffer) {
	t.Helper()
	root := t.TempDir()
	files := map[string]string{
		"proc/7/comm": "nginx\n", "proc/7/cgroup": "0::/docker/" + containerID + "\n", "proc/7/fd/none": "",
		"var/lib/docker/containers/" + containerID + "/config.v2.json": `{"Name":"/shop-web"}`,
		"symbols": "ffffffff81000000 T _stext\nffffffff81000800 T tcp_v4_rcv\nffffffff81001000 T udp_rcv\n" +
			"ffffffff81002000 T _etext\nffffffffc0000000 t ovs_drop\t[openvswitch]\n",
		"modules": "",
	}
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"proc/self/ns/pid": "pid:[4026531836]", "proc/7/ns/net": "net:[4026532177]"} {
		link = filepath.Join(root, link)
		if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(to, link)); err != nil {
			t.Fatal(err)
		}
	}
	var notes bytes.Buffer
	r := testRunner(t, nil)
	r.Notices, r.Host, r.Symbols = NewNotices(&notes), host.New(root), new(Symbols)
	r.Symbols.table.Symbols, r.Symbols.table.Modules = filepath.Join(root, "symbols"), filepath.Join(root, "modules")
	return r, &notes
}

// TestMissingNames: what an expression names and this host does not have is noted, with
// what may be meant.
func TestMissingNames(t *testing.T) {
	for expression, want := range map[string]string{
		"container shop-web":       "",
		"container Shop-Web":       "",
		"container " + containerID: "",
		"container 3f9a1c20b7e4":   "",
		"container 3f9a1c20b7e44d": "",
		"container shop-wbe":       "there is no container shop-wbe with a process now: did you mean shop-web?",
		"container 3f9a1c20":       "there is no container 3f9a1c20 with a process now: did you mean 3f9a1c20b7e4?",
		"container 3f9a1c20b7e5":   "there is no container 3f9a1c20b7e5 with a process now: did you mean 3f9a1c20b7e4?",
		"container api or container redis": "there is no container api with a process now\nthere is no container " +
			"redis with a process now",
		"container sh*":                         "",
		"netns shop-web":                        "", // by the container in it
		"netns init":                            "",
		"netns nosuch":                          "there is no network namespace nosuch now",
		"netns shop-wbe":                        "there is no network namespace shop-wbe now: did you mean shop-web?",
		"process ngnix":                         "there is no process ngnix now: did you mean nginx?",
		"function tcp_v4_rcv":                   "",
		"function tcp_v4_rvc":                   "there is no function tcp_v4_rvc in this kernel: did you mean tcp_v4_rcv?",
		"point == tcp_v4_rvc+0x1f":              "there is no function tcp_v4_rvc in this kernel: did you mean tcp_v4_rcv?",
		"stack has ucp_rcv":                     "there is no function ucp_rcv in this kernel: did you mean udp_rcv?",
		"function ovs_drop":                     "",
		"point blackhole_route":                 "", // a trap
		"function lo":                           "there is no function lo in this kernel: did you mean iface lo?",
		"point transprot":                       "there is no function transprot in this kernel: did you mean transport?",
		"point tcpp":                            "there is no function tcpp in this kernel: did you mean tcp, icmp or sctp?",
		"point NO_SOCKET":                       "there is no function NO_SOCKET in this kernel: did you mean reason NO_SOCKET?",
		"function tcp_v4_rcv or function xyzzy": "there is no function xyzzy in this kernel",
	} {
		t.Run(expression, func(t *testing.T) {
			r, notes := namesRunner(t)
			f, err := filter.Parse(expression)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.CheckNames(f); err != nil {
				t.Fatal(err)
			}
			r.CheckFunctions(f)
			if got := strings.TrimSuffix(strings.ReplaceAll(notes.String(), "dropwatch: ", ""), "\n"); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}
