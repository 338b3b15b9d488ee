package vmtest

import (
	"bufio"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// wantedModules are the modules that a guest has, besides those that they need. A kernel may lack some
// of them or have them built in.
var wantedModules = []string{
	"drop_monitor", "netdevsim",
	"dummy", "veth", "bridge", "br_netfilter", "8021q", "tun", "vxlan", "openvswitch",
	"nf_tables", "nft_counter", "nft_objref", "nft_queue", "nfnetlink_queue", "nft_ct", "nft_limit", "nft_numgen",
	"nft_reject_inet", "nft_compat",
	"nf_conntrack", "nf_conntrack_netlink", "nf_conntrack_ftp", "nft_chain_nat", "nft_nat",
	"ip_tables", "iptable_filter", "iptable_raw", "iptable_mangle", "ipt_REJECT", "ip6_tables", "ip6table_filter", "xt_tcpudp",
	"sch_ingress", "sch_tbf", "sch_htb", "sch_hfsc", "sch_netem", "sch_fq", "sch_fq_codel",
	"cls_flower", "cls_matchall", "cls_bpf", "act_gact", "act_police", "act_mirred",
	"bonding", "ifb",
	"tcp_diag", "udp_diag", "raw_diag", "inet_diag", "netlink_diag", "af_packet_diag", "sctp",
	"xfrm_user", "esp4",
}

// addModules adds the wanted modules of k, and the two tables that modprobe reads, reduced to these
// modules: searching the whole tables takes seconds.
func addModules(a *archive, k Kernel) error {
	needs, err := readModuleNeeds(filepath.Join(k.Modules, "modules.dep"))
	if err != nil {
		return err
	}
	dir := path.Join("usr/lib/modules", k.Release)
	var dep strings.Builder
	names := make(map[string]bool)
	for _, file := range closure(needs, wantedModules) {
		a.file(path.Join(dir, file), filepath.Join(k.Modules, file))
		fmt.Fprintf(&dep, "%s: %s\n", file, strings.Join(needs[file], " "))
		names[moduleName(file)] = true
	}
	alias, err := moduleAliases(filepath.Join(k.Modules, "modules.alias"), names)
	if err != nil {
		return err
	}
	a.text(path.Join(dir, "modules.dep"), 0o100644, dep.String())
	a.text(path.Join(dir, "modules.alias"), 0o100644, alias)
	a.text(path.Join(dir, "modules.symbols"), 0o100644, "")
	return nil
}

// readModuleNeeds reads modules.dep: for the file of each module, the files of the modules that must
// be loaded before it.
func readModuleNeeds(name string) (map[string][]string, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, errSetup)
	}
	needs := make(map[string][]string)
	for line := range strings.Lines(string(content)) {
		if file, rest, ok := strings.Cut(line, ":"); ok {
			needs[file] = strings.Fields(rest)
		}
	}
	return needs, nil
}

// closure returns the files of the modules with these names and of those that they need, sorted.
func closure(needs map[string][]string, names []string) []string {
	var files []string
	for file, others := range needs {
		if slices.Contains(names, moduleName(file)) {
			files = append(append(files, file), others...)
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// moduleAliases returns the lines of modules.alias for modules with these names.
func moduleAliases(name string, modules map[string]bool) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("%w: %w", err, errSetup)
	}
	defer f.Close()
	var lines strings.Builder
	s := bufio.NewScanner(f)
	for s.Scan() {
		if fields := strings.Fields(s.Text()); len(fields) == 3 && modules[fields[2]] {
			fmt.Fprintln(&lines, s.Text())
		}
	}
	return lines.String(), s.Err()
}

// moduleName returns the name of the module in a file, with underscores for dashes: modprobe treats
// them alike.
func moduleName(file string) string {
	return strings.ReplaceAll(strings.TrimSuffix(path.Base(file), ".ko"), "-", "_")
}
