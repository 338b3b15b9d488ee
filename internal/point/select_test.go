package point

import (
	"slices"
	"testing"
)

func TestSelect(t *testing.T) {
	for word, want := range map[string][]string{
		"udp_queue": {"udp_queue"}, "udp": {"udp_queue"}, "transport/socket": {"socket_queue"}, All: Names(),
	} {
		found, err := Select(word)
		var names []string
		for _, p := range found {
			names = append(names, p.Name)
		}
		if err != nil || !slices.Equal(names, want) {
			t.Errorf("%s: %q, %v, want %q", word, names, err, want)
		}
		if !slices.Contains(Words(), word) {
			t.Errorf("%s is not among the words", word)
		}
	}
	for word, want := range map[string]string{
		"udp_qeue": `unknown point "udp_qeue": did you mean udp_queue?`,
		"x":        `unknown point "x": dropwatch points lists them`,
		"hardware": "hardware has no points that can be probed",
	} {
		if _, err := Select(word); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", word, err, want)
		}
	}
}

func TestAdd(t *testing.T) {
	old, mine := Point{Name: "a"}, Point{Name: "a", Says: "mine"}
	if got := Add([]Point{old, {Name: "b"}}, mine, Point{Name: "c"}); len(got) != 3 || got[0].Says != "mine" || got[2].Name != "c" {
		t.Errorf("%+v", got)
	}
}
