package capture

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropwatch/internal/host"
	"dropwatch/internal/point"
	"dropwatch/internal/vmtest"
)

// TestKernelFunctions: by their names without the compiler's suffix. A point is typed by the same names, with it.
func TestKernelFunctions(t *testing.T) {
	r, _ := namesRunner(t)
	text := "ffffffff81000000 T _stext\nffffffff81000800 t ip_rcv.isra.0\nffffffff81002000 T _etext\n"
	if err := os.WriteFile(r.Symbols.table.Symbols, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	has, err := r.KernelFunctions()
	if err != nil || !has("ip_rcv") || has("udp_rcv") {
		t.Errorf("%v", err)
	}
	typed, err := r.KernelPoints()
	if err != nil {
		t.Fatal(err)
	}
	_, err = typed(&point.Point{Form: point.Form{Functions: []string{"ip_rcv"}}})
	if err == nil || !strings.HasPrefix(err.Error(), "this kernel has function ip_rcv only as ip_rcv.isra.0, ") {
		t.Errorf("%v", err)
	}
	r.Symbols = new(Symbols)
	r.Symbols.table.Symbols = filepath.Join(t.TempDir(), "none")
	_, err = r.KernelFunctions()
	const want = "cannot tell which functions this kernel has: "
	if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "locations") {
		t.Errorf("without symbols: %v", err)
	}
	if _, again := r.KernelPoints(); again == nil || again.Error() != err.Error() {
		t.Errorf("points without symbols: %v", again)
	}
}

// TestKernelReasons: those of a subsystem are there while its module is.
func TestKernelReasons(t *testing.T) {
	r, _ := namesRunner(t)
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "sys/module/openvswitch"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.Host = host.New(root)
	has, err := r.KernelReasons()
	if err != nil {
		vmtest.SkipOrFail(t, err)
	}
	for name, want := range map[string]bool{
		"NO_SOCKET": true, "STRANGE": false, "OVS_DROP_LAST_ACTION": true, "RX_DROP_U_REPLAY": false,
		"XDP_EXCEPTIO": false,
	} {
		if has(name) != want {
			t.Errorf("%s: %v, want %v", name, !want, want)
		}
	}
}
