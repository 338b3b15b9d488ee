package knowledge

import (
	"slices"
	"strings"

	"dropwatch/internal/suggest"
)

// maxSuggestions is how many names Suggest returns at most.
const maxSuggestions = 4

// Suggest returns known names that are like one that is not known, the closest first:
// those with few letters changed, then the shortest that contain it.
func Suggest(name string) []string {
	name = plain(name)
	if len(name) < 3 {
		return nil
	}
	var small, containing []string
	for k := range byName() {
		small = append(small, k)
		if strings.Contains(k, name) {
			containing = append(containing, k)
		}
	}
	slices.Sort(small)
	slices.SortFunc(containing, func(a, b string) int { return len(a)*1000 - len(b)*1000 + strings.Compare(a, b) })
	var names []string
	for _, k := range append(suggest.Nearest(name, small), containing...) {
		if known := byName()[k][0].Name; !slices.Contains(names, known) && len(names) < maxSuggestions {
			names = append(names, known)
		}
	}
	return names
}
