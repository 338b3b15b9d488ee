package app

import (
	"errors"

	"dropwatch/internal/perf"
)

// canProbe returns why functions of this kernel cannot be probed, nil if they can.
func canProbe() error {
	p, err := perf.OpenProbes()
	return errors.Join(err, p.Close())
}
