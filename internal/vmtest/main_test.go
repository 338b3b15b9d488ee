package vmtest_test

import (
	"testing"

	"dropwatch/internal/vmtest"
)

func TestMain(m *testing.M) {
	vmtest.Main(m)
}

// TestKernels runs the TestGuest functions of this package on every kernel.
func TestKernels(t *testing.T) {
	vmtest.Suite{
		Programs: map[string]string{ours: "dropwatch/cmd/dropwatch"},
		Skips:    map[string]vmtest.Skip{},
		Check: func(t *testing.T, _ vmtest.Kernel, out string) {
			checkCaptures(t, out)
			checkWatch(t, out)
		},
	}.Run(t)
}
