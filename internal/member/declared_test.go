package member

import (
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
)

// firewall is a kernel without types of modules, with those members of struct netns_ipv4.
func firewall(t *testing.T, names ...string) *Types {
	table := &btf.Struct{Name: "xt_table", Size: 32, Members: members(0, "name", array(charT, 32))}
	var of []btf.Member
	for _, name := range names {
		of = append(of, members(0, name, pointer(table))...)
	}
	kernel := specOf(t, table, &btf.Struct{Name: "sk_buff", Size: 8, Members: members(0, "_nfct", ulongT)},
		&btf.Struct{Name: "nf_hook_state", Size: 1, Members: members(0, "hook", ucharT)},
		&btf.Struct{Name: "netns_ipv4", Size: 8, Members: of}, intT, uintT)
	types := fixtureTypes(t)
	types.kernel = func() (*btf.Spec, error) { return kernel, nil }
	types.modules = func() ([]string, error) { return nil, nil }
	return types
}

// TestDeclared: functions of modules are known where their types are not, with the prototype that the kernel has.
func TestDeclared(t *testing.T) {
	old := firewall(t, "iptable_filter")
	for name, want := range map[string]string{
		"ip_tables:ipt_do_table": "unsigned int ipt_do_table(struct sk_buff *skb, struct nf_hook_state *state, struct xt_table *table)",
		"nf_conntrack_in":        "unsigned int nf_conntrack_in(struct sk_buff *skb, struct nf_hook_state *state)",
		"__nf_conntrack_confirm": "int __nf_conntrack_confirm(struct sk_buff *skb)",
	} {
		f, err := old.Function(name)
		if err != nil || f.String() != want {
			t.Errorf("%s: %v, %v", name, f, err)
			continue
		}
		if module, _, ok := strings.Cut(name, ":"); ok && f.Module != module {
			t.Errorf("%s: module %q", name, f.Module)
		}
	}
	f, err := old.Function("ip6t_do_table")
	if err != nil {
		t.Fatal(err)
	}
	if e := compiled(t, f, "table->name"); e.Show != Text || e.Loads[0].Arg != 2 {
		t.Errorf("%+v", e)
	}
	for name, types := range map[string]*Types{
		"ipt_do_table":         firewall(t), // of which the prototype is another
		"__nf_conntrack_alloc": old,         // made of types that it does not have
		"nft_do_chain":         old,
	} {
		if f, err := types.Function(name); err == nil || !strings.Contains(err.Error(), "no types for a function "+name) {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
}
