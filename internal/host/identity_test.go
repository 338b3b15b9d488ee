package host

import (
	"encoding/binary"
	"runtime"
	"slices"
	"testing"
	"testing/fstest"
)

// note encodes one of an ELF file.
func note(name, desc string, kind uint32) (b []byte) {
	for _, n := range []uint32{uint32(len(name)), uint32(len(desc)), kind} {
		b = binary.NativeEndian.AppendUint32(b, n)
	}
	for _, s := range []string{name, desc} {
		b = append(b, s...)
		b = append(b, make([]byte, -len(b)&3)...)
	}
	return b
}

func TestIdentity(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	got := FS(fstest.MapFS{
		"proc/sys/kernel/hostname":       file("router\n"),
		"proc/sys/kernel/osrelease":      file("6.12.0-1-amd64\n"),
		"proc/sys/kernel/arch":           file("x86_64\n"),
		"proc/sys/kernel/random/boot_id": file("f1c6e3a5-0000-4000-8000-3c0a6fc1aaaa\n"),
		"sys/kernel/notes":               file(string(note("GNU\x00", "\xe4\xf1\x8d", 3))),
	}).Identity()
	want := Identity{"router", "6.12.0-1-amd64", "x86_64", "f1c6e3a5-0000-4000-8000-3c0a6fc1aaaa", "e4f18d"}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if none := FS(fstest.MapFS{}).Identity(); none != (Identity{Machine: runtime.GOARCH}) {
		t.Errorf("of a host that says nothing: %+v", none)
	}
}

func TestBuildID(t *testing.T) {
	xen, linux, id := note("Xen\x00", "12345", 3), note("Linux\x00", "\x01\x01", 4), note("GNU\x00", "\xab\xcd", 3)
	tests := map[string]struct {
		notes []byte
		want  string
	}{
		"none":             {nil, ""},
		"first":            {slices.Concat(id, xen), "abcd"},
		"last":             {slices.Concat(xen, linux, id), "abcd"},
		"others only":      {slices.Concat(xen, linux), ""},
		"another of GNU":   {note("GNU\x00", "\xab", 1), ""},
		"cut":              {id[:13], ""},
		"cut padding":      {id[:18], "abcd"},
		"a cut padding":    {slices.Concat(xen[:21]), ""},
		"lengths that lie": {[]byte("\xff\xff\xff\xff\xff\xff\xff\xff\x03\x00\x00\x00GNU\x00"), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := ParseBuildID(tt.notes); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
