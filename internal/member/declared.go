package member

import (
	"errors"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// A declaration is the prototype of a function of a module, for kernels that have no types of
// modules: those before 5.11, and those built without them.
type declaration struct {
	result string // its type, in C
	args   []Arg
	old    string // a member of struct netns_ipv4 without which the kernel has another prototype; empty: it has this one
}

var (
	packetArg    = Arg{"skb", "struct sk_buff *"}
	hookArg      = Arg{"state", "struct nf_hook_state *"}
	oldTable     = declaration{"unsigned int", []Arg{packetArg, hookArg, {"table", "struct xt_table *"}}, "iptable_filter"}
	declarations = map[string]declaration{
		"ipt_do_table":           oldTable,                                        // net/ipv4/netfilter/ip_tables.c
		"ip6t_do_table":          oldTable,                                        // net/ipv6/netfilter/ip6_tables.c
		"nf_conntrack_in":        {"unsigned int", []Arg{packetArg, hookArg}, ""}, // net/netfilter/nf_conntrack_core.c
		"__nf_conntrack_confirm": {"int", []Arg{packetArg}, ""},
		"__nf_conntrack_alloc": {"struct nf_conn *", []Arg{
			{"net", "struct net *"}, {"zone", "struct nf_conntrack_zone *"}, {"orig", "struct nf_conntrack_tuple *"},
			{"repl", "struct nf_conntrack_tuple *"}, {"gfp", "unsigned int"}, {"hash", "unsigned int"},
		}, ""},
	}
)

// declared returns the prototype of a function that is known without the kernel's types for it,
// and the types that it is made of. It returns false if there is none.
func (t *Types) declared(name string) (proto *btf.FuncProto, kernel *btf.Spec, ok bool) {
	d, ok := declarations[name]
	if !ok {
		return nil, nil, false
	}
	kernel, err := t.specOf("")
	if err != nil || d.old != "" && !hasMember(kernel, "netns_ipv4", d.old) {
		return nil, nil, false
	}
	proto = new(btf.FuncProto)
	proto.Return, err = t.typeNamed(kernel, d.result)
	for _, a := range d.args {
		typ, typeErr := t.typeNamed(kernel, a.Type)
		err = errors.Join(err, typeErr)
		proto.Params = append(proto.Params, btf.FuncParam{Name: a.Name, Type: typ})
	}
	return proto, kernel, err == nil
}

// hasMember reports whether a struct of the kernel has a member, also in an unnamed struct or union. It is false if
// there is no such struct.
func hasMember(spec *btf.Spec, of, name string) bool {
	typ, err := typeIn(spec, "struct "+of)
	if err != nil {
		return false
	}
	members, _ := membersOf(typ)
	_, ok := find(members, name)
	return ok
}

// typeNamed returns a type, or a pointer to one, by its name in C.
func (t *Types) typeNamed(spec *btf.Spec, name string) (btf.Type, error) {
	base := strings.TrimRight(name, " *")
	typ, err := t.named(spec, base)
	if n, ok := keywordInts[base]; ok && errors.Is(err, btf.ErrNotFound) {
		typ, err = keywordType(base, n), nil
	}
	for range strings.Count(name, "*") {
		typ = &btf.Pointer{Target: typ}
	}
	return typ, err
}
