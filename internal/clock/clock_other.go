//go:build !linux

package clock

import "time"

// Present returns the present moment by the wall clock.
func Present() Moment { return Moment{Wall: time.Now().Round(0)} }
