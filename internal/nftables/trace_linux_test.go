package nftables_test

import (
	"io"
	"testing"

	"dropwatch/internal/host"
	"dropwatch/internal/nftables"
	"dropwatch/internal/vmtest"
)

// TestEnableTracing: the kernel takes the rule, in a network namespace of its own.
func TestEnableTracing(t *testing.T) {
	vmtest.RequireRoot(t)
	var tracing io.Closer
	var rules *nftables.Ruleset
	err := host.InNewNetns(func() (err error) {
		if tracing, err = nftables.EnableTracing(); err == nil {
			rules, err = nftables.Read()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if d, ok := rules.Detail("ip dropwatch dropwatch handle 2", "", nil); !ok || d.Text != "meta nftrace set" {
		t.Errorf("%+v, %v", d, ok)
	}
	if err := tracing.Close(); err != nil {
		t.Error(err)
	}
}
