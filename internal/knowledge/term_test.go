package knowledge_test

import (
	"fmt"
	"testing"

	"dropwatch/internal/knowledge"
)

// TestTerms: every word by which an entry is classified is explained.
func TestTerms(t *testing.T) {
	for _, e := range knowledge.All() {
		for _, word := range []fmt.Stringer{e.Layer, e.Class, e.Severity} {
			if word != knowledge.AnyLayer && knowledge.Term(word.String()) == "" {
				t.Errorf("%s: %v is not explained", e.Name, word)
			}
		}
	}
	if got := knowledge.Term("NO_SOCKET"); got != "" {
		t.Errorf("a reason is explained as a term: %s", got)
	}
}
