package app

import (
	"cmp"
	"fmt"
	"maps"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// A scope is which network namespaces something is of, and what others there are; empty: none.
type scope struct{ in, others string }

// ownScope is dropwatch's own network namespace, with how many others there are.
func (a *App) ownScope() scope {
	all, own := a.runner.Host.NetworkNamespaces(), a.runner.Host.Netns()
	where := scopeOf(cmp.Or(netnsName(all[own]), fmt.Sprint(own)))
	delete(all, own)
	maps.DeleteFunc(all, func(_ uint32, n host.Netns) bool { return !n.Seen() })
	if n := uint64(len(all)); n > 0 {
		where.others = event.Plural(n, "other network namespace")
	}
	return where
}

// scopeOf is that of a value of --netns.
func scopeOf(netns string) scope {
	if netns == "all" {
		return scope{in: "all network namespaces"}
	}
	return scope{in: "network namespace " + event.Quote(netns)}
}

// netnsName is what a network namespace is called; empty if it has no name.
func netnsName(n host.Netns) string {
	if n.Initial {
		return event.InitNetns
	}
	return n.Name
}
