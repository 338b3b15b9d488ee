package owner

import (
	"strings"
	"testing"
	"time"

	"dropwatch/internal/event"
)

// The pod is told by the container where the cgroup does not.
func TestLabelKnowsThePod(t *testing.T) {
	root := tree(t, map[string]string{"var/lib/docker/containers/" + c1 + "/config.v2.json": `{"Config":{"Labels":{"io.kubernetes.pod.uid":"` + uid + `"}}}`})
	p := place{container: event.Container{ID: c1}}
	want := place{container: event.Container{ID: c1, Runtime: "docker"}, pod: event.Pod{UID: uid}}
	if newHost(root).label(&p, time.Time{}); p != want {
		t.Errorf("%+v, want %+v", p, want)
	}
}

func TestLabels(t *testing.T) {
	const storage = "run/containers/storage/overlay-containers/" + c1 + "/userdata/config.json"
	pod := event.Pod{UID: uid, Namespace: "prod", Name: "api-5d4f"}
	kubelet := `"io.kubernetes.container.name":"api","io.kubernetes.pod.uid":"` + uid + `","io.kubernetes.pod.namespace":"prod","io.kubernetes.pod.name":"api-5d4f"`
	index := `[{"id":"` + c2 + `","names":["other"]},{"id":"` + c1 + `","names":["web","alias"]}]`
	for name, tt := range map[string]struct {
		files map[string]string
		want  labels
	}{
		"nobody knows it": {nil, labels{}},
		"docker": {map[string]string{
			"var/lib/docker/containers/" + c1 + "/config.v2.json": `{"Name":"/web","Config":{"Labels":null}}`,
		}, labels{runtime: "docker", name: "web"}},
		"docker for Kubernetes": {map[string]string{
			"var/lib/docker/containers/" + c1 + "/config.v2.json": `{"Name":"/k8s_api_api-5d4f_prod_1_0","Config":{"Labels":{` + kubelet + `}}}`,
		}, labels{"docker", "api", pod}},
		"k3s": {map[string]string{
			"run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/" + c1 + "/config.json": `{"annotations":{"io.kubernetes.cri.container-name":"api",
				"io.kubernetes.cri.sandbox-uid":"` + uid + `","io.kubernetes.cri.sandbox-name":"api-5d4f","io.kubernetes.cri.sandbox-namespace":"prod"}}`,
		}, labels{"containerd", "api", pod}},
		"cri-o":  {map[string]string{storage: `{"annotations":{` + kubelet + `}}`}, labels{"cri-o", "api", pod}},
		"podman": {map[string]string{storage: `{}`, "var/lib/containers/storage/overlay-containers/containers.json": index}, labels{runtime: "podman", name: "web"}},
		"podman, with --rm": {map[string]string{
			"var/lib/containers/storage/overlay-containers/containers.json":          "[]",
			"var/lib/containers/storage/overlay-containers/volatile-containers.json": index,
		}, labels{runtime: "podman", name: "web"}},
		"nerdctl": {map[string]string{
			"run/containerd/io.containerd.runtime.v2.task/default/" + c1 + "/config.json": `{"annotations":{"nerdctl/name":"web"}}`,
		}, labels{runtime: "containerd", name: "web"}},
		"docker, that keeps its files elsewhere": {map[string]string{
			"run/containerd/io.containerd.runtime.v2.task/moby/" + c1 + "/config.json": `{}`,
		}, labels{runtime: "docker"}},
		"a user's": {map[string]string{"home/ann/.local/share/containers/storage/overlay-containers/containers.json": index}, labels{runtime: "podman", name: "web"}},
		"no JSON": {map[string]string{
			"var/lib/docker/containers/" + c1 + "/config.v2.json": `{"Name":"/web"`, storage: "[]",
			"var/lib/containers/storage/overlay-containers/containers.json": "{}",
		}, labels{}},
		"too long": {map[string]string{
			"var/lib/docker/containers/" + c1 + "/config.v2.json": `{"Name":"/web"` + strings.Repeat(" ", maxFile) + "}",
		}, labels{}},
	} {
		if got := newHost(tree(t, tt.files)).readLabels(c1, time.Time{}); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
