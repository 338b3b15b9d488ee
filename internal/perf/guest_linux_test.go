package perf

import (
	"testing"

	"dropwatch/internal/vmtest"
)

func TestMain(m *testing.M) { vmtest.Main(m) }

// TestGuestFormat: tracefs is read on old kernels, too.
func TestGuestFormat(t *testing.T) { TestFormatFromEitherMount(t) }
