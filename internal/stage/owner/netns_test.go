package owner

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"dropwatch/internal/event"
)

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
		77:                                       "init",
		4026531833:                               "init",
		88:                                       "", // of a process that is in no container
		99:                                       "shop-web-1",
		111:                                      "api-5d4f",
		123:                                      "",
		0:                                        "",
		uint32(info.Sys().(*syscall.Stat_t).Ino): "blue",
	} {
		e := event.Event{Count: 1, Netns: event.Netns{Inode: inode}}
		if fill(t, root, &e); e.Netns.Name != want {
			t.Errorf("namespace %d is %q, want %q", inode, e.Netns.Name, want)
		}
	}
	e := event.Event{Count: 1, Netns: event.Netns{Inode: 77, Name: "own"}}
	if fill(t, root, &e); e.Netns.Name != "own" {
		t.Errorf("the source's name was changed to %q", e.Netns.Name)
	}
}

// In another PID namespace, the thread 2 can be any.
func TestStageKnowsNoInitialNamespaceFromInside(t *testing.T) {
	root := tree(t, map[string]string{"proc/self/ns/pid": "->pid:[4026532000]", "proc/2/ns/net": "->net:[77]"})
	e := event.Event{Count: 1, Netns: event.Netns{Inode: 77}}
	if fill(t, root, &e); e.Netns.Name != "" {
		t.Errorf("name %q, want none", e.Netns.Name)
	}
}
