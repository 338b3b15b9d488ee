package conntrack

import (
	"errors"
	"io/fs"
	"net/netip"
	"syscall"
	"testing"

	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

func TestMain(m *testing.M) { vmtest.Main(m) }

// tuple is that of datagrams.
func tuple(src, dst string) Tuple {
	return Tuple{Protocol: syscall.IPPROTO_UDP, Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst)}
}

// TestFind: before and after translation, in a zone, and none.
func TestFind(t *testing.T) {
	vmtest.RequireRoot(t)
	find(t)
}

// TestGuestFind: other kernels have other attributes.
func TestGuestFind(t *testing.T) { find(t) }

func find(t *testing.T) {
	ns := drops.NewNamespace(t)
	ns.Run("nft", "table ip t { chain zone { type filter hook output priority -300; udp dport 77 ct zone set 5; };"+
		" chain out { type nat hook output priority -100; udp dport 9 dnat to 127.0.0.1:10; };"+
		" chain in { type nat hook postrouting priority 100; udp dport 10 snat to 127.0.0.3; }; }")
	fd := ns.Socket(syscall.SOCK_DGRAM)
	ns.Do(func() error {
		err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: 4000, Addr: [4]byte{127, 0, 0, 1}})
		for _, to := range []*syscall.SockaddrInet4{{Port: 9, Addr: [4]byte{127, 0, 0, 2}}, {Port: 77, Addr: [4]byte{127, 0, 0, 1}}} {
			err = errors.Join(err, syscall.Sendto(fd, []byte("x"), 0, to))
		}
		return err
	})
	const translated = "destination NAT to 127.0.0.1:10, source NAT to 127.0.0.3:4000"
	for _, test := range []struct{ name, src, dst, nat string }{
		{"before", "127.0.0.1:4000", "127.0.0.2:9", translated},
		{"after", "127.0.0.3:4000", "127.0.0.1:10", translated},
		{"the answer", "127.0.0.1:10", "127.0.0.3:4000", translated},
		{"the answer, translated", "127.0.0.2:9", "127.0.0.1:4000", translated},
		{"in a zone", "127.0.0.1:4000", "127.0.0.1:77", ""},
	} {
		ns.Do(func() error {
			e, err := Find(tuple(test.src, test.dst), 2)
			zoned := test.nat == ""
			if err != nil || e.NAT != test.nat || (e.Zone == 5) != zoned || e.State == "" {
				t.Errorf("%s: %v, %v", test.name, e, err)
			}
			return nil
		})
	}
	ns.Do(func() error {
		if e, err := Find(tuple("127.0.0.1:4000", "127.0.0.1:78"), 2); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("none: %v, %v", e, err)
		}
		if e, err := Find(tuple("127.0.0.1:4000", "127.0.0.1:77"), maxDump+1); !errors.Is(err, ErrTooMany) {
			t.Errorf("too many: %v, %v", e, err)
		}
		return nil
	})
}
