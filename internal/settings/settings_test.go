package settings_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"dropwatch/internal/host"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/settings"
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
	if all := r.All(); len(all) != 6 {
		t.Errorf("%d settings of the host, want 6: %+v", len(all), all)
	}
}

// TestSettingsExist: the names are those of this kernel, or say until when they were.
func TestSettingsExist(t *testing.T) {
	if _, err := os.Stat("/proc/sys/net/core/netdev_max_backlog"); err != nil {
		t.Skipf("not in the initial network namespace: %v", err)
	}
	needModule := regexp.MustCompile(`^net\.(bridge|netfilter)\.`)
	r := settings.New(host.New("/"))
	for _, name := range settings.Names() {
		if _, ok := r.Read(name, "lo"); !ok && !needModule.MatchString(name) && settings.Until(name) == "" {
			t.Errorf("this kernel has no %s", name)
		}
	}
}

// TestKnowledgeNamesSettings: what an explanation names can be read.
func TestKnowledgeNamesSettings(t *testing.T) {
	names := settings.Names()
	for _, en := range knowledge.All() {
		for _, name := range en.Settings {
			if !slices.Contains(names, strings.Replace(name, "{ifname}", "all", 1)) {
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
