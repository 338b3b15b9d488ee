package acceptance

import (
	"os"
	"testing"

	"dropwatch/internal/vmtest"
)

func TestMain(m *testing.M) {
	vmtest.Main(m)
}

// TestKernels runs the TestGuest functions of all packages on every kernel.
func TestKernels(t *testing.T) {
	vmtest.Suite{
		Module:   "dropwatch",
		Programs: map[string]string{dropwatchPath: "dropwatch/cmd/dropwatch"},
		Flags:    []string{"-trimpath", "-tags", "nethttpomithttp2", "-ldflags", "-s -w"}, // as make build does
		Seconds: map[string]int{
			"acceptance": 4, "source.bpf": 10, "source.correlate": 5, "source.follow": 4, "source.retrans": 12,
			"source.trace": 4, "zoo": 18,
		},
		Env:     []string{"DROPWATCH_ZOO"},
		Counted: os.Getenv("DROPWATCH_COUNTED") == "1",
		Checks: map[string]func(t *testing.T, out string){
			"acceptance/TestGuestCaptures":  checkCaptures,
			"acceptance/TestGuestWatchFile": checkWatch,
		},
	}.Run(t)
}
