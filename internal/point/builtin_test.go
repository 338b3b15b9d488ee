package point

import (
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/knowledge"
)

// TestBuiltin: each point is complete, has a place in the tree, and speaks only of what it reads.
func TestBuiltin(t *testing.T) {
	seen := make(map[string]bool)
	for _, p := range Builtin() {
		if err := p.Check(); err != nil {
			t.Error(err)
		}
		if seen[p.Name] {
			t.Errorf("there are two points %s", p.Name)
		}
		seen[p.Name] = true
		if _, ok := knowledge.ParseNode(p.Name); ok {
			t.Errorf("%s is a layer or a module, too", p.Name)
		}
		if _, ok := knowledge.ParseNode(p.Layer.String() + "/" + p.Module); !ok {
			t.Errorf("%s: the tree has no %v/%s", p.Name, p.Layer, p.Module)
		}
		for _, name := range p.Counters {
			if !slices.ContainsFunc(knowledge.Lookup(name), func(e *knowledge.Entry) bool { return e.Kind == knowledge.Counter }) {
				t.Errorf("%s: there is no counter %s", p.Name, name)
			}
		}
		for _, name := range p.Drops {
			if !slices.ContainsFunc(knowledge.Lookup(name), func(e *knowledge.Entry) bool {
				return e.Name == name && (e.Kind == knowledge.Reason || e.Kind == knowledge.Function)
			}) {
				t.Errorf("%s: there is no reason or function %s", p.Name, name)
			}
		}
		if p.Says == "" {
			t.Errorf("%s says nothing", p.Name)
		}
		for _, f := range p.Forms() {
			checkHoles(t, &f)
		}
	}
}

// checkHoles checks that a form reads all that the point says, but for the rule where nf_tables does not say it, and that of
// iptables, which the source adds.
func checkHoles(t *testing.T, p *Point) {
	added := map[string][]string{"nft_do_chain": {"handle"}, "ipt_do_table": {"chain", "rule", "text"}}[p.Functions[0]]
	for _, h := range hole.FindAllStringSubmatch(p.Says, -1) {
		known := slices.ContainsFunc(p.Args, func(a Arg) bool { return a.Name == h[1] })
		if !known && !slices.Contains(added, h[1]) {
			t.Errorf("%s says {%s}, which its form for %v does not read", p.Name, h[1], p.Functions)
		}
	}
	if strings.Contains(p.When, "$retval") && p.At != Return {
		t.Errorf("%s: the condition %s is one at return", p.Name, p.When)
	}
}

// TestForms: each form is a point of its own, in the order in which they are tried.
func TestForms(t *testing.T) {
	p, ok := Lookup("rp_filter")
	if !ok {
		t.Fatal("no rp_filter")
	}
	forms := p.Forms()
	if len(forms) != 2 || forms[0].When != p.When || forms[1].When != "$retval == -18" || forms[1].Or != nil || forms[1].Says != p.Says {
		t.Errorf("%+v", forms)
	}
}

func TestText(t *testing.T) {
	for name, test := range map[string]struct {
		values map[string]string
		want   string
	}{
		"tcp_accept_queue": {map[string]string{"qlen": "129", "limit": "128"}, "SYN refused on port ?: accept queue 129 of 128"},
		"tcp_syn_queue": {map[string]string{"qlen": "4", "limit": "3", "port": "9", "certain": "true"},
			"SYN refused on port 9: SYN queue 4 of 3, and net.ipv4.tcp_syncookies is 0"},
		"netfilter_drop": {map[string]string{"hook": "NF_INET_LOCAL_IN", "in": "eth0"},
			"dropped by netfilter at hook NF_INET_LOCAL_IN, in eth0, out ?"},
	} {
		p, _ := Lookup(name)
		if got := p.Text(func(name string) (string, bool) { v, ok := test.values[name]; return v, ok }); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// TestDoubt: what is not certain is not said as if it were.
func TestDoubt(t *testing.T) {
	p := Point{Says: "refused at {qlen}", Doubt: ", or not at {qlen}"}
	for certain, want := range map[string]string{
		"false": "refused at 3, or not at 3", "0": "refused at 3, or not at 3", "true": "refused at 3", "": "refused at 3",
	} {
		got := p.Text(func(name string) (string, bool) {
			if name == Certain {
				return certain, certain != ""
			}
			return "3", true
		})
		if got != want {
			t.Errorf("certain %q: %q, want %q", certain, got, want)
		}
	}
}

func TestLookup(t *testing.T) {
	if p, ok := Lookup("udp_queue"); !ok || p.Layer != knowledge.Transport || p.Module != "udp" {
		t.Errorf("%+v, %v", p, ok)
	}
	if p, ok := Lookup("udp_qeue"); ok {
		t.Errorf("%+v", p)
	}
}

// TestExplaining: the points of drops are found by a reason, or by a function where the kernel gives none.
func TestExplaining(t *testing.T) {
	for drops, want := range map[string][]string{
		"IP_RPFILTER": {"rp_filter"}, "ip_rcv_finish_core": {"rp_filter", "martian_source"}, "NO_SOCKET": nil,
		"NETFILTER_DROP": {"iptables", "nftables", "nftables_policy", "conntrack_drop", "conntrack_helper"},
		"SOCKET_BACKLOG": {"tcp_backlog"},
	} {
		var got []string
		for _, p := range Explaining(drops) {
			got = append(got, p.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", drops, got, want)
		}
	}
}
