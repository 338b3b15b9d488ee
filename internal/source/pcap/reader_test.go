package pcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/packet"
)

var (
	little = binary.LittleEndian
	big    = binary.BigEndian
)

// readAll returns the packets of a file, and the error at its end.
func readAll(file []byte) (packets []packed, links []packet.CaptureLink, err error) {
	f, err := newReader(bytes.NewReader(file))
	if err != nil {
		return nil, nil, err
	}
	defer f.close()
	for {
		var r record
		if err := f.next(&r); err == io.EOF {
			return packets, links, nil
		} else if err != nil {
			return packets, links, err
		}
		packets = append(packets, packed{r.time, string(r.data), r.wire})
		links = append(links, r.link)
	}
}

// same compares packets, whose times may be cut to a resolution.
func same(t *testing.T, name string, got, want []packed, resolution time.Duration) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d packets, want %d", name, len(got), len(want))
		return
	}
	for i, p := range want {
		if p.at = p.at.Truncate(resolution); !got[i].at.Equal(p.at) || got[i].data != p.data || got[i].wire != p.wire {
			t.Errorf("%s: packet %d: %v, want %v", name, i, got[i], p)
		}
	}
}

func TestFormats(t *testing.T) {
	for name, tt := range map[string]struct {
		file       []byte
		resolution time.Duration
	}{
		"pcap":                   {pcapFile(little, 1e6, somePackets), time.Microsecond},
		"pcap, big endian":       {pcapFile(big, 1e6, somePackets), time.Microsecond},
		"pcap, nanoseconds":      {pcapFile(little, 1e9, somePackets), 1},
		"pcap, ns, big endian":   {pcapFile(big, 1e9, somePackets), 1},
		"pcapng":                 {pcapngFile(little, blockEnhanced, somePackets), 1},
		"pcapng, big endian":     {pcapngFile(big, blockEnhanced, somePackets), 1},
		"pcapng, obsolete block": {pcapngFile(little, blockObsolete, somePackets), 1},
		"gzip":                   {gzipped(t, pcapFile(little, 1e9, somePackets)), 1},
		"zstd":                   {zstandard(t, pcapngFile(big, blockEnhanced, somePackets)), 1},
		"gzip in two parts": {
			append(gzipped(t, pcapFile(little, 1e9, somePackets[:2])), gzipped(t, pcapFile(little, 1e9, somePackets)[24+28+19:])...), 1,
		},
	} {
		got, links, err := readAll(tt.file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		same(t, name, got, somePackets, tt.resolution)
		for _, l := range links {
			if l != 1 {
				t.Errorf("%s: link type %d", name, l)
			}
		}
	}
}

// TestInterfaces has two sections in different byte orders, whose interfaces have link types and times of
// their own.
func TestInterfaces(t *testing.T) {
	at := time.Unix(1000, 250_000_000)
	p := packed{at, "x", 1}
	w := writer{AppendByteOrder: little}
	w.section()
	w.device(1, 0)
	w.device(101, 0, optResol, "\x00", optOffset, "\x00\x01\x00\x00\x00\x00\x00\x00")
	w.device(276, 0, optResol, "\x82") // a quarter of a second
	w.packet(blockEnhanced, 0, 1000_250_000, p)
	w.packet(blockEnhanced, 1, 744, p)
	w.packet(blockEnhanced, 2, 4001, p)
	w.AppendByteOrder = big
	w.section()
	w.device(113, 2)
	w.packet(blockEnhanced, 0, 1000_250_000, p)
	w.packet(blockSimple, 0, 0, packed{at, "abc", 3})
	got, links, err := readAll(w.b)
	if err != nil {
		t.Fatal(err)
	}
	whole := packed{time.Unix(1000, 0), "x", 1}
	same(t, "interfaces", got, []packed{p, whole, p, p, {at, "ab", 3}}, 1)
	for i, want := range []packet.CaptureLink{1, 101, 276, 113, 113} {
		if links[i] != want {
			t.Errorf("packet %d has link type %d, want %d", i, links[i], want)
		}
	}
}

// TestCutAnywhere reads files that end early: all packets before, and then an error with the offset, unless
// the cut is between two packets.
func TestCutAnywhere(t *testing.T) {
	for name, file := range map[string][]byte{
		"pcap":   pcapFile(little, 1e9, somePackets),
		"pcapng": pcapngFile(big, blockEnhanced, somePackets),
		"gzip":   gzipped(t, pcapFile(little, 1e9, somePackets)),
		"zstd":   zstandard(t, pcapFile(little, 1e9, somePackets)),
	} {
		whole := 0
		for n := range file {
			got, _, err := readAll(file[:n])
			switch {
			case err == nil:
				whole++
			case !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrNotCapture):
				t.Errorf("%s, %d bytes: %v", name, n, err)
			case n > 0 && !strings.Contains(err.Error(), "(at byte "):
				t.Errorf("%s, %d bytes: no offset: %v", name, n, err)
			}
			same(t, name, got, somePackets[:len(got)], 1)
		}
		if want := map[string]int{"pcap": 4, "pcapng": 6}[name]; whole != want {
			t.Errorf("%s: %d cuts are no error, want %d", name, whole, want)
		}
	}
}

func TestDamaged(t *testing.T) {
	pcapHead := pcapFile(little, 1e6, somePackets[:1])
	change := func(file []byte, at int, to ...byte) []byte {
		file = bytes.Clone(file)
		copy(file[at:], to)
		return file
	}
	ng := pcapngFile(little, blockEnhanced, somePackets[:1])
	packetAt, resolutionAt := len(ng)-44, bytes.Index(ng, []byte{optResol, 0, 1, 0})+4
	w := writer{AppendByteOrder: little}
	w.section()
	w.packet(blockSimple, 0, 0, somePackets[0])
	bad := gzipped(t, pcapHead)
	for name, tt := range map[string]struct {
		file []byte
		is   error
		want string
	}{
		"empty":                    {nil, ErrNotCapture, "it is empty"},
		"text":                     {[]byte("hello, world"), ErrNotCapture, "(at byte 0)"},
		"bzip2":                    {[]byte("BZh91AY"), ErrUnsupported, "bzip2 is not supported: decompress it"},
		"modified pcap":            {change(pcapHead, 0, 0x34, 0xcd, 0xb2, 0xa1), ErrUnsupported, "editcap"},
		"pcap version":             {change(pcapHead, 4, 9), ErrUnsupported, "version 9 of the pcap format"},
		"a packet of 4 GB":         {change(pcapHead, 24+8, 255, 255, 255, 255), ErrCorrupt, "more than 262144 (at byte 24)"},
		"pcapng version":           {change(ng, 12, 2), ErrUnsupported, "version 2 of the pcapng format"},
		"byte order":               {change(ng, 8, 1), ErrCorrupt, "a section has no byte order (at byte 0)"},
		"section length":           {change(ng, 4, 24), ErrCorrupt, "a section header has a length of 24"},
		"block length":             {change(ng, packetAt+4, 45), ErrCorrupt, "a block has a length of 45"},
		"block of 3 GB":            {change(ng, packetAt+4, 0, 0, 0, 0xc0), ErrCorrupt, "a block of type 6 has 3221225472 bytes"},
		"end of a block":           {change(ng, len(ng)-4, 1), ErrCorrupt, "a block of 44 bytes ends with a length of 1"},
		"no such interface":        {change(ng, packetAt+8, 1), ErrCorrupt, "a packet is of interface 1 of 1"},
		"captured more":            {change(ng, packetAt+20, 13), ErrCorrupt, "a packet of 13 bytes does not fit"},
		"resolution":               {change(ng, resolutionAt, 40), ErrUnsupported, "a resolution of times of 0x28"},
		"simple without interface": {w.b, ErrCorrupt, "interface 0 of none"},
		"gzip checksum":            {change(bad, len(bad)-8, bad[len(bad)-8]^1), ErrCorrupt, "invalid checksum (at byte 52 of"},
		"zstd":                     {append([]byte{0x28, 0xb5, 0x2f, 0xfd}, "nonsense, and more of it"...), nil, "(at byte"},
	} {
		_, _, err := readAll(tt.file)
		if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %v with %q", name, err, tt.is, tt.want)
		}
	}
}

// TestTimes reads times at the limits of what numbers can say.
func TestTimes(t *testing.T) {
	for name, tt := range map[string]struct {
		i     capturing
		stamp uint64
		want  time.Time
	}{
		"half a second":          {capturing{units: 1 << 1}, 3, time.Unix(1, 500_000_000)},
		"the finest":             {capturing{units: 1 << 63}, 1<<63 + 1<<62, time.Unix(1, 500_000_000)},
		"beyond the year 9999":   {capturing{units: 1}, 1 << 63, time.Unix(253402300799, 0)},
		"before 1970":            {capturing{units: 1, offset: -10}, 5, time.Unix(0, 0)},
		"offset":                 {capturing{units: 10, offset: 100}, 25, time.Unix(102, 500_000_000)},
		"offset without a sense": {capturing{units: 1, offset: -1 << 63}, 5, time.Unix(5, 0)},
	} {
		if got := tt.i.at(tt.stamp); !got.Equal(tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// FuzzReader reads anything: packets and then an error or the end, without a packet larger than may be.
func FuzzReader(f *testing.F) {
	for _, file := range [][]byte{
		pcapFile(little, 1e6, somePackets), pcapFile(big, 1e9, somePackets), pcapngFile(little, blockEnhanced, somePackets),
		pcapngFile(big, blockObsolete, somePackets), pcapngFile(little, blockSimple, somePackets),
		gzipped(f, pcapFile(little, 1e6, somePackets)), zstandard(f, pcapFile(little, 1e6, somePackets)),
	} {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		packets, _, err := readAll(file)
		for _, p := range packets {
			if len(p.data) > maxPacket || p.at.Year() > 9999 {
				t.Fatalf("a packet of %d bytes at %v", len(p.data), p.at)
			}
		}
		if err == nil && len(file) < 4 {
			t.Fatal("a file without a magic number was read")
		}
	})
}
