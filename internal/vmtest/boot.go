package vmtest

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// consoleTail is how much of a failed guest's console an error shows.
const consoleTail = 8000

// accelerator emulates all CPUs of a guest in one thread. With a thread for each CPU, two guests
// on two cores take twice as long to boot, and now and then a kernel dies while it patches its
// own code or waits for its timer.
const accelerator = "tcg,thread=single"

// cpuModel is everything that qemu can emulate except cmpxchg16b: in qemu 7.2 it corrupts the
// flags, of which Linux 6.12 dies in kmalloc. And except what a kernel does without when it is not
// there, and takes long to emulate: strings copied byte by byte (erms, fsrm), checks of each access to
// memory (smap, smep, pku) and a fifth level of page tables.
const cpuModel = "max,-cx16,-erms,-fsrm,-smap,-smep,-pku,-la57"

// kernelArgs keep the console short and end the guest at a panic. The kernel's checks of its clocks
// are off, as they fail on a busy host. The others save a third of the CPU time: a program is at the
// same addresses each time it runs, so that what qemu has translated of it serves again.
const kernelArgs = "console=ttyS0 quiet panic=-1 no_timer_check tsc=reliable norandmaps mitigations=off init_on_alloc=0"

// A Guest is one boot of one kernel, to run one command as root.
type Guest struct {
	Kernel  Kernel            // to boot
	Command string            // for busybox sh, whose applets come before programs in PATH: write /sbin/ip
	Files   map[string]string // paths on the host, by the path in the guest
	Output  io.Writer         // gets both output streams of the command while it runs; nil discards them
	Out     string            // directory of the host for the files that the command leaves in /out; "" discards them

	CPUs   int // 0 means 2
	Memory int // in MiB; 0 means 512

	// Counted makes every instruction of the guest take a nanosecond of its clock, whatever else runs on the host, so that
	// it measures instructions. It is meant for one CPU: those that wait for work cost nothing, but all count together.
	Counted bool
}

// Run boots the guest, waits for the command and returns its exit status. An error means that the
// guest itself failed (no qemu, a panic) or that ctx ended first; it has the end of the console.
func (g Guest) Run(ctx context.Context) (status int, err error) {
	dir, err := os.MkdirTemp("", "vmtest-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := writeRoot(filepath.Join(dir, "root"), g); err != nil {
		return 0, err
	}
	if err := g.boot(ctx, dir); err != nil {
		return 0, fmt.Errorf("booting %s: %w%s", g.Kernel.Release, err, console(dir))
	}
	status, err = readResult(filepath.Join(dir, "result"), g.Out)
	if err != nil {
		return 0, fmt.Errorf("running in %s: it ended before the command did: %w%s", g.Kernel.Release, err, console(dir))
	}
	return status, nil
}

// boot runs qemu with the root in dir, and leaves console and result there.
func (g Guest) boot(ctx context.Context, dir string) error {
	var stderr bytes.Buffer
	clock, clockArg := g.clock()
	args := []string{
		"-accel", accelerator, "-cpu", cpuModel,
		"-smp", strconv.Itoa(cmp.Or(g.CPUs, 2)),
		"-m", strconv.Itoa(cmp.Or(g.Memory, 512)),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-kernel", g.Kernel.Image, "-initrd", filepath.Join(dir, "root"),
		"-append", kernelArgs + clockArg,
		"-serial", "file:" + filepath.Join(dir, "console"),
		"-serial", "stdio",
		"-serial", "file:" + filepath.Join(dir, "result"),
	}
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64", append(args, clock...)...)
	qemu.Stdout = g.Output
	qemu.Stderr = &stderr
	qemu.WaitDelay = time.Second
	err := qemu.Run()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("%w: %w", err, errSetup)
	case err != nil:
		return fmt.Errorf("qemu: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return nil
}

// clock returns the options of qemu for the clock of the guest, and how fast it is, for the guest's kernel.
func (g Guest) clock() (options []string, kernelArg string) {
	if g.Counted {
		return []string{"-icount", "shift=0,sleep=off"}, " tsc_early_khz=1000000"
	}
	return nil, clockArg()
}

// console returns the end of the guest's console, with a heading, for an error.
func console(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, "console"))
	if err != nil || len(text) == 0 {
		return ""
	}
	if len(text) > consoleTail {
		text = text[len(text)-consoleTail:]
	}
	return "\nconsole:\n" + strings.ToValidUTF8(strings.ReplaceAll(string(text), "\r", ""), "?")
}

// readResult unpacks the tar that the guest has made of /out into dir, and returns the exit status
// in it.
func readResult(name, dir string) (status int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	status = -1
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		switch {
		case errors.Is(err, io.EOF) && status >= 0:
			return status, nil
		case errors.Is(err, io.EOF):
			return 0, errors.New("no exit status")
		case err != nil:
			return 0, fmt.Errorf("reading its files: %w", err)
		case filepath.Clean(h.Name) == ".status":
			if _, err := fmt.Fscan(r, &status); err != nil {
				return 0, fmt.Errorf("reading its exit status: %w", err)
			}
		case dir != "":
			if err := extract(r, h, dir); err != nil {
				return 0, err
			}
		}
	}
}

// extract writes a directory or a regular file of a tar, below dir whatever its name is. It ignores
// other types.
func extract(r io.Reader, h *tar.Header, dir string) error {
	name := filepath.Join(dir, filepath.Join("/", h.Name))
	switch h.Typeflag {
	case tar.TypeDir:
		return os.MkdirAll(name, 0o755)
	case tar.TypeReg:
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := io.Copy(f, r); err != nil {
			return fmt.Errorf("copying %s out of the guest: %w", h.Name, err)
		}
		return f.Close()
	}
	return nil
}
