package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/host"
	"dropwatch/internal/source/netdm"
	"dropwatch/netlink"
)

// TestNotBuilt: where the kernel's options say that there is no drop monitor, modprobe is not advised.
func TestNotBuilt(t *testing.T) {
	const words = "this kernel was built without CONFIG_NET_DROP_MONITOR"
	for options, want := range map[string]bool{"CONFIG_NET=y\n": true, "CONFIG_NET_DROP_MONITOR=m\n": false, "": false} {
		root := t.TempDir()
		err := errors.Join(
			os.MkdirAll(root+"/proc/sys/kernel", 0o755), os.MkdirAll(root+"/boot", 0o755),
			os.WriteFile(root+"/proc/sys/kernel/osrelease", []byte("6.1\n"), 0o600),
			os.WriteFile(root+"/boot/config-6.1", []byte(options), 0o600),
		)
		if err != nil {
			t.Fatal(err)
		}
		m := Monitor{Open: noMonitor, Host: host.New(root)}
		_, err = m.Session()
		if err = Advise(err); !errors.Is(err, netlink.ErrNoFamily) || (err.Error() == words) != want {
			t.Errorf("%q: %v", options, err)
		}
	}
}

// TestAdvise: each of these says what to do, once, and is still the error it was.
func TestAdvise(t *testing.T) {
	if Advise(nil) != nil {
		t.Error("advice without an error")
	}
	for err, want := range map[error]string{
		netlink.ErrNoFamily:            "modprobe drop_monitor",
		netlink.ErrConfigurePermission: "CAP_NET_ADMIN",
		netlink.ErrJoinPermission:      "CAP_SYS_ADMIN besides",
		netlink.ErrUnsupported:         "5.4",
		netdm.ErrSwitchedOff:           "status",
		syscall.ENOSPC:                 "free space",
		syscall.EMFILE:                 "ulimit -n",
		syscall.ENFILE:                 "fs.file-max",
		syscall.EPIPE:                  "the reader closed the pipe",
	} {
		wrapped := fmt.Errorf("try: %w", err)
		got := Advise(wrapped)
		if !errors.Is(got, err) || !strings.HasPrefix(got.Error(), wrapped.Error()+": ") || !strings.Contains(got.Error(), want) {
			t.Errorf("Advise(%v) = %v, want %q in it", wrapped, got, want)
		}
		if again := Advise(fmt.Errorf("again: %w", got)); again.Error() != "again: "+got.Error() {
			t.Errorf("advised twice: %v", again)
		}
	}
	inUse := Advise(&netdm.InUseError{Holder: "in use by x", Err: netlink.ErrMonitoring})
	if want := "monitoring is on, in use by x: end it there"; !strings.HasPrefix(inUse.Error(), want) {
		t.Errorf("Advise: %v, want %q", inUse, want)
	}
	if err := Advise(fs.ErrInvalid); err != fs.ErrInvalid {
		t.Errorf("Advise: %v", err)
	}
}

// TestEach: joined errors are told apart, and none is there twice.
func TestEach(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	tests := map[string]struct {
		err  error
		want string
	}{
		"none":             {nil, "[]"},
		"one":              {a, "[a]"},
		"two":              {errors.Join(a, b), "[a b]"},
		"nested":           {errors.Join(errors.Join(a, b), nil, errors.New("c")), "[a b c]"},
		"twice":            {errors.Join(a, errors.New("a")), "[a]"},
		"wrapped before":   {errors.Join(fmt.Errorf("w: %w", a), a), "[w: a]"},
		"with other words": {fmt.Errorf("%w and %w", a, b), "[a and b]"},
	}
	for name, tt := range tests {
		if got := fmt.Sprint(SplitErrors(tt.err)); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
