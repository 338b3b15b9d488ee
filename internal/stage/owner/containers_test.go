package owner

import (
	"slices"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// TestContainers: a container is named once, however many processes it has.
func TestContainers(t *testing.T) {
	files := hostFiles()
	processFiles(files, 51, "worker", "1:name=systemd:/docker/"+c1+"\n")
	got := Containers(host.New(tree(t, files)))
	want := []event.Container{{ID: c1, Name: "shop-web-1", Runtime: "docker"}, {ID: c2, Name: "api", Runtime: "containerd"}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
