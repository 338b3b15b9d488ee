package vmtest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/vmtest"
)

// newest returns the kernel to test the booting itself on.
func newest(t *testing.T) vmtest.Kernel {
	t.Helper()
	kernels := vmtest.RequireKernels(t)
	return kernels[len(kernels)-1]
}

func TestRunReturnsOutputStatusAndFiles(t *testing.T) {
	t.Parallel()
	var output strings.Builder
	in := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(in, []byte("brought along\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	g := vmtest.Guest{
		Kernel:  newest(t),
		Command: "echo out; echo err >&2; mkdir /out/dir; cat /bin/in >/out/dir/file; nproc; exit 7",
		Files:   map[string]string{"/bin/in": in},
		Output:  &output,
		Out:     t.TempDir(),
		CPUs:    1,
	}
	status, err := g.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if status != 7 || output.String() != "out\nerr\n1\n" {
		t.Errorf("exit status %d, output %q", status, output.String())
	}
	file, err := os.ReadFile(filepath.Join(g.Out, "dir", "file"))
	if err != nil || string(file) != "brought along\n" {
		t.Errorf("file: %q, %v", file, err)
	}
}

// TestRunClock: the clock of a guest is not faster than the host's, however busy the host was when the
// guest began.
func TestRunClock(t *testing.T) {
	t.Parallel()
	const asleep = 2 * time.Second
	var heard []time.Time
	output := writerFunc(func(b []byte) (int, error) {
		heard = append(heard, time.Now())
		return len(b), nil
	})
	_, err := vmtest.Guest{Kernel: newest(t), Command: "echo; sleep 2; echo", Output: output}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if took := heard[len(heard)-1].Sub(heard[0]); took < asleep*9/10 {
		t.Errorf("%v in the guest took %v", asleep, took)
	}
}

// A writerFunc is an io.Writer.
type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(b []byte) (int, error) { return w(b) }

func TestRunReportsPanic(t *testing.T) {
	t.Parallel()
	_, err := vmtest.Guest{Kernel: newest(t), Command: "echo c >/proc/sysrq-trigger; sleep 60"}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "Kernel panic") {
		t.Errorf("error %v, want the panic", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	tooLate := errors.New("too late")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Second, tooLate)
	defer cancel()
	_, err := vmtest.Guest{Kernel: newest(t), Command: "sleep 60"}.Run(ctx)
	if !errors.Is(err, tooLate) {
		t.Errorf("error %v, want %v", err, tooLate)
	}
}
