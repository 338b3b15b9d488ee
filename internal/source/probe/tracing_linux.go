package probe

import (
	"fmt"
	"io"
	"strings"

	"dropwatch/internal/host"
	"dropwatch/internal/nftables"
)

// A tracing is what has nf_tables call its functions for traces. The zero tracing does not.
type tracing struct{ on io.Closer }

// enableFor turns it on if a site needs it.
func (t *tracing) enableFor(of *site) error {
	if t.on != nil || !strings.HasPrefix(of.function.Name, "__nft_trace_") {
		return nil
	}
	err := host.InNewNetns(func() (err error) {
		t.on, err = nftables.EnableTracing()
		return err
	})
	if err != nil {
		return fmt.Errorf("%s is called only while nftables traces: %w", of.function.Name, err)
	}
	return nil
}

// Close turns it off.
func (t *tracing) Close() error {
	if t.on == nil {
		return nil
	}
	on := t.on
	t.on = nil
	return on.Close()
}
