package settings_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/settings"
	"dropwatch/internal/vmtest"
)

func tree(files map[string]string) *host.Host {
	fs := fstest.MapFS{}
	for name, text := range files {
		fs[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return host.FS(fs)
}

// TestOriginOfAnInterface: files set sysctls of interfaces by a pattern, which leaves some
// names out, or by the default of new ones.
func TestOriginOfAnInterface(t *testing.T) {
	h := tree(map[string]string{
		"proc/sys/net/ipv4/conf/all/rp_filter":      "2\n",
		"proc/sys/net/ipv4/conf/eth0.100/rp_filter": "2\n",
		"proc/sys/net/ipv4/conf/eth0/rp_filter":     "1\n",
		"proc/sys/net/ipv4/conf/eth0/accept_local":  "1\n",
		"proc/sys/net/ipv4/conf/all/accept_local":   "1\n",
		"usr/lib/sysctl.d/50-default.conf":          "net.ipv4.conf.*.rp_filter = 2\n-net.ipv4.conf.all.rp_filter\n",
		"etc/sysctl.d/99-new.conf":                  "net.ipv4.conf.default.accept_local = 1\n",
	})
	r := settings.New(h)
	for _, test := range []struct{ name, ifname, origin string }{
		{"rp_filter", "", ""},
		{"rp_filter", "eth0.100", "/usr/lib/sysctl.d/50-default.conf:1"},
		{"rp_filter", "eth0", ""}, // set otherwise since
		{"accept_local", "eth0", "/etc/sysctl.d/99-new.conf:1"},
		{"accept_local", "", ""},
	} {
		if s, ok := r.Read("net.ipv4.conf.{ifname}."+test.name, test.ifname); !ok || s.Origin != test.origin {
			t.Errorf("%+v: got %+v", test, s)
		}
	}
}

func TestOrigin(t *testing.T) {
	h := tree(map[string]string{
		"proc/sys/net/core/somaxconn":               "4096\n",
		"proc/sys/net/ipv4/conf/all/rp_filter":      "2\n",
		"proc/sys/net/ipv4/conf/eth0.100/rp_filter": "1\n",
		"proc/sys/net/ipv4/tcp_mem":                 "1\t2\t3\n",
		"proc/sys/net/core/rmem_max":                "212992\n",
		"proc/sys/net/ipv4/ip_forward":              "1\n",
		"proc/sys/net/ipv4/tcp_syncookies":          "1\n",
		"usr/lib/sysctl.d/50-default.conf":          "# rp_filter\n-net.ipv4.conf.all.rp_filter = 2\nnet.ipv4.tcp_syncookies=0\n",
		"etc/sysctl.d/99-site.conf":                 "net.core.somaxconn = 1024\nnet/core/somaxconn=4096\nnet.ipv4.tcp_mem = 1 2   3\n",
		"usr/lib/sysctl.d/99-site.conf":             "net.core.rmem_max = 212992\n",
		"etc/sysctl.d/98-vlan.conf":                 "net/ipv4/conf/eth0.100/rp_filter=1\n",
		"etc/sysctl.conf":                           "net.ipv4.ip_forward = 0\n",
		"etc/sysctl.d/README":                       "net.ipv4.ip_forward = 1\n",
	})
	r := settings.New(h)
	for _, test := range []struct{ name, ifname, value, origin string }{
		{"net.core.somaxconn", "", "4096", "/etc/sysctl.d/99-site.conf:2"},
		{"net.ipv4.conf.{ifname}.rp_filter", "", "2", "/usr/lib/sysctl.d/50-default.conf:2"},
		{"net.ipv4.conf.{ifname}.rp_filter", "eth0.100", "1", "/etc/sysctl.d/98-vlan.conf:1"},
		{"net.ipv4.tcp_mem", "", "1 2 3", "/etc/sysctl.d/99-site.conf:3"},
		{"net.core.rmem_max", "", "212992", ""}, // the file is hidden by one of the same name
		{"net.ipv4.ip_forward", "", "1", ""},    // set otherwise since
		{"net.ipv4.tcp_syncookies", "", "1", ""},
	} {
		s, ok := r.Read(test.name, test.ifname)
		if !ok || s.Value != test.value || s.Origin != test.origin || s.About == nil {
			t.Errorf("%s: got %+v, want %s from %q", test.name, s, test.value, test.origin)
		}
	}
	if s, ok := r.Read("net.ipv4.no_such", ""); ok {
		t.Errorf("got %+v", s)
	}
	all := slices.DeleteFunc(r.All(), func(s settings.Setting) bool { return strings.HasPrefix(s.Name, "device.") })
	if len(all) != 6 {
		t.Errorf("%d settings of the host, want 6: %+v", len(all), all)
	}
}

// TestSettingsExist: the names are those of this kernel, or say until when they were.
func TestSettingsExist(t *testing.T) {
	if _, err := os.Stat("/proc/sys/net/core/netdev_max_backlog"); err != nil {
		vmtest.SkipOrFail(t, fmt.Errorf("not in the initial network namespace: %w", err))
	}
	needModule := regexp.MustCompile(`^net\.(bridge|netfilter)\.`)
	r := settings.New(host.New("/"))
	for _, name := range settings.Names() {
		if strings.HasPrefix(name, "device.") {
			continue
		}
		if _, ok := r.Read(name, "lo"); !ok && !needModule.MatchString(name) && !settings.OtherRelease(name) {
			t.Errorf("this kernel has no %s", name)
		}
	}
}

// TestEverywhere: of the value of all interfaces and that of one, the one counts that the kernel
// lets count.
func TestEverywhere(t *testing.T) {
	files := map[string]string{"etc/sysctl.d/9-new.conf": "net.ipv4.conf.default.rp_filter = 2\n"}
	for name, values := range map[string][3]string{ // of all, eth0 and eth1
		"ipv4/conf/X/rp_filter": {"1", "2", "0"}, "ipv4/conf/X/mc_forwarding": {"1", "1", "0"}, "ipv6/conf/X/forwarding": {"0", "1", "0"},
		"ipv6/conf/X/disable_ipv6": {"1", "0", "1"}, "ipv4/neigh/X/unres_qlen_bytes": {"212992", "4096", "212992"},
	} {
		for i, ifname := range []string{"all", "eth0", "eth1.5"} {
			if i == 0 && strings.Contains(name, "neigh") {
				ifname = "default"
			}
			files["proc/sys/net/"+strings.Replace(name, "X", ifname, 1)] = values[i] + "\n"
		}
	}
	r := settings.New(tree(files))
	for _, test := range []struct {
		name, eth0, eth1, origin string // the values that count, and who set that of eth0
		deviates                 bool
	}{
		{"net.ipv4.conf.{ifname}.rp_filter", "2", "1", "/etc/sysctl.d/9-new.conf:1", true},
		{"net.ipv4.conf.{ifname}.mc_forwarding", "1", "0", "", false},
		{"net.ipv6.conf.{ifname}.disable_ipv6", "0", "1", "", true},
		{"net.ipv4.neigh.{ifname}.unres_qlen_bytes", "4096", "212992", "", true},
	} {
		about, _ := settings.Find(test.name)
		s, ok := r.Everywhere(about)
		want := []settings.OnInterface{
			{"eth0", test.eth0, test.origin, about.Deviates(test.eth0)}, {"eth1.5", test.eth1, "", about.Deviates(test.eth1)},
		}
		if !ok || !slices.Equal(s.Interfaces, want) || s.Deviates() != test.deviates {
			t.Errorf("%s: %+v, deviates %t", test.name, s, s.Deviates())
		}
	}
	common, _ := settings.Find("net.ipv6.conf.{ifname}.forwarding")
	if s, ok := r.Everywhere(common); !ok || s.Value != "0" || s.Interfaces != nil {
		t.Errorf("the same counts on all interfaces, but got %+v", s)
	}
}

// TestChanges: of the value of all and of the interface the greater counts, so that a change of one may have no effect.
func TestChanges(t *testing.T) {
	for _, test := range []struct {
		all, own string
		changes  bool // if the interface's becomes 2
	}{
		{"0", "1", true}, {"1", "0", true}, {"1", "1", true}, {"0", "2", false}, {"2", "1", false}, {"2", "0", false},
	} {
		r := settings.New(tree(map[string]string{
			"proc/sys/net/ipv4/conf/all/rp_filter":  test.all + "\n",
			"proc/sys/net/ipv4/conf/eth0/rp_filter": test.own + "\n",
		}))
		both := r.ReadAll(event.Netns{}, settings.Deciding([]string{"net.ipv4.conf.{ifname}.rp_filter"}), "eth0")
		if got := both[0].Changes("2", both); got != test.changes {
			t.Errorf("all %s, own %s: 2 changes something: %t", test.all, test.own, got)
		}
	}
}

// TestOutvoted: the value that does not count is that of all, or that of the interface.
func TestOutvoted(t *testing.T) {
	for _, test := range []struct{ name, all, own, outvoted string }{
		{"rp_filter", "2", "1", "eth0"}, {"rp_filter", "0", "1", "all"}, {"rp_filter", "1", "1", ""},
		{"mc_forwarding", "1", "0", "all"}, {"forwarding", "0", "1", ""},
	} {
		r := settings.New(tree(map[string]string{
			"proc/sys/net/ipv4/conf/all/" + test.name:  test.all + "\n",
			"proc/sys/net/ipv4/conf/eth0/" + test.name: test.own + "\n",
		}))
		both := r.ReadAll(event.Netns{}, settings.Deciding([]string{"net.ipv4.conf.{ifname}." + test.name}), "eth0")
		var outvoted []string
		for i := range both {
			if both[i].Outvoted(both) != nil {
				outvoted = append(outvoted, both[i].Name)
			}
		}
		var want []string
		if test.outvoted != "" {
			want = []string{"net.ipv4.conf." + test.outvoted + "." + test.name}
		}
		if !slices.Equal(outvoted, want) {
			t.Errorf("%s, all %s, own %s: %q do not count", test.name, test.all, test.own, outvoted)
		}
	}
}

// TestDeviates: a limit that is lower than usual needs attention, and a switch that is set
// otherwise.
func TestDeviates(t *testing.T) {
	for _, test := range []struct {
		name, value string
		want        bool
	}{
		{"somaxconn", "128", true}, {"somaxconn", "4096", false}, {"somaxconn", "65535", false},
		{"tcp_rmem", "4096 131072 6291456", false}, {"tcp_rmem", "4096 87380 174760", true},
		{"tcp_syncookies", "0", true}, {"tcp_syncookies", "1", false},
		{"flow_limit_cpu_bitmap", "00000000,00000000", false}, {"flow_limit_cpu_bitmap", "00000000,00000004", true},
		{"ip_forward", "0", false}, {"nf_conntrack_max", "1", false},
	} {
		if about, _ := settings.Find(test.name); about.Deviates(test.value) != test.want {
			t.Errorf("%s = %s: want %t", test.name, test.value, test.want)
		}
	}
}

// TestCountersAreKnown: knowledge has the counters that settings name.
func TestCountersAreKnown(t *testing.T) {
	for _, name := range settings.Names() {
		about, _ := settings.Find(name)
		for _, id := range about.Counters {
			if _, known := knowledge.OfCounter(id, "", event.Netns{}); !known {
				t.Errorf("%s names the counter %s, of which nothing is known", name, id)
			}
		}
	}
}

// TestCommandsNameSettings: of a sysctl that a command reads or sets, something is known, unless it
// is a number of things that are there.
func TestCommandsNameSettings(t *testing.T) {
	sysctl := regexp.MustCompile(`\b(?:net|vm)\.[\w.{}/-]+`)
	for _, en := range knowledge.All() {
		for _, command := range slices.Concat(en.Check, en.Apply) {
			command, _, _ = strings.Cut(command, "  #")
			if !strings.HasPrefix(command, "sysctl ") || strings.Contains(command, " -r ") { // a pattern
				continue
			}
			for _, name := range sysctl.FindAllString(command, -1) {
				if about, _ := settings.Find(name); about == nil && !strings.HasSuffix(name, "_count") {
					t.Errorf("%s: nothing is known of %s in %q", en.Name, name, command)
				}
			}
		}
	}
}

// TestKnowledgeNamesSettings: what an explanation names can be read.
func TestKnowledgeNamesSettings(t *testing.T) {
	names := settings.Names()
	for _, en := range knowledge.All() {
		for _, name := range en.Settings {
			if !slices.Contains(names, settings.OfAll(name)) {
				t.Errorf("%s names the setting %s, of which nothing is known", en.Name, name)
			}
		}
	}
}

// TestFind: by the names that sysctl(8) takes, and by their last part.
func TestFind(t *testing.T) {
	for _, test := range []struct{ name, want, ifname string }{
		{"net.core.somaxconn", "net.core.somaxconn", ""},
		{"net/core/somaxconn", "net.core.somaxconn", ""},
		{"somaxconn", "net.core.somaxconn", ""},
		{"net.ipv4.conf.all.rp_filter", "net.ipv4.conf.{ifname}.rp_filter", ""},
		{"net.ipv4.conf.{ifname}.rp_filter", "net.ipv4.conf.{ifname}.rp_filter", ""},
		{"net.ipv4.conf.eth0/100.rp_filter", "net.ipv4.conf.{ifname}.rp_filter", "eth0.100"},
		{"net/ipv4/conf/eth0.100/rp_filter", "net.ipv4.conf.{ifname}.rp_filter", "eth0.100"},
		{"rp_filter", "net.ipv4.conf.{ifname}.rp_filter", ""},
		{"gc_thresh1", "net.ipv4.neigh.default.gc_thresh1", ""},
		{"gc_thresh3", "", ""}, // of IPv4 and of IPv6
		{"net.ipv4.conf..rp_filter", "", ""},
		{"axconn", "", ""},
		{"", "", ""},
	} {
		about, ifname := settings.Find(test.name)
		got := ""
		if about != nil {
			got = about.Name
		}
		if got != test.want || ifname != test.ifname {
			t.Errorf("%s: %s of %q, want %s of %q", test.name, got, ifname, test.want, test.ifname)
		}
	}
	for _, name := range settings.Names() {
		if about, ifname := settings.Find(name); about == nil || ifname != "" {
			t.Errorf("%s is not found", name)
		}
	}
}

func TestSuggest(t *testing.T) {
	for name, want := range map[string][]string{
		"gc_thresh3":         {"net.ipv4.neigh.default.gc_thresh3", "net.ipv6.neigh.default.gc_thresh3"},
		"net.core.somaxcon":  {"net.core.somaxconn"},
		"net/core/somaxxonn": {"net.core.somaxconn"},
		"somaxcon":           {"somaxconn"},
		"NO_SOCKT":           nil,
	} {
		if got := settings.Suggest(name); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
