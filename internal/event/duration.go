package event

import (
	"strings"
	"time"
)

// Duration formats a time as people write it, without the units at its end that are zero: "10s",
// "5m", "1h30m".
func Duration(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = strings.TrimSuffix(text, zero[1:])
		}
	}
	return text
}
