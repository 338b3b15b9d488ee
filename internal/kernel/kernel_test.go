package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"syscall"
	"testing"
)

// answer is a message of the kernel.
func answer(typ, flags uint16, body ...byte) []byte {
	m := request(typ, flags, body)
	return append(m, make([]byte, align(len(m))-len(m))...)
}

// code is the body of a message that ends an answer.
func code(errno syscall.Errno) []byte {
	return binary.NativeEndian.AppendUint32(nil, uint32(-int32(errno)))
}

func TestEachMessage(t *testing.T) {
	const typ = 20
	cut := answer(typ, flagMulti, 1, 2, 3, 4)
	for name, test := range map[string]struct {
		datagram []byte
		want     string
		more     bool
		err      error // that it wraps
		fails    bool
	}{
		"the only one":      {answer(typ, 0, 'a', 'b', 'c'), "abc", false, nil, false},
		"parts":             {slices.Concat(answer(typ, flagMulti, 'a'), answer(typ, flagMulti, 'b')), "ab", true, nil, false},
		"the last part":     {slices.Concat(answer(typ, flagMulti, 'a'), answer(typeDone, flagMulti, code(0)...)), "a", false, nil, false},
		"without a code":    {answer(typeDone, flagMulti), "", false, nil, false},
		"nothing in it":     {slices.Concat(answer(typeNoop, 0), answer(typ, flagMulti, 'a')), "a", true, nil, false},
		"refused":           {answer(typeError, 0, code(syscall.EPERM)...), "", false, syscall.EPERM, true},
		"acknowledged":      {answer(typeError, 0, code(0)...), "", false, nil, false},
		"failed at the end": {answer(typeDone, flagMulti, code(syscall.EOPNOTSUPP)...), "", false, syscall.EOPNOTSUPP, true},
		"cut short":         {cut[:len(cut)-1], "", false, nil, true},
		"no header":         {cut[:7], "", false, nil, true},
		"shorter than its header": {
			append(binary.NativeEndian.AppendUint32(nil, 8), make([]byte, 12)...), "", false, nil, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			more, err := eachMessage(test.datagram, func(m []byte) error { got.Write(m); return nil })
			wrong := (err != nil) != test.fails || test.err != nil && !errors.Is(err, test.err)
			if got.String() != test.want || more != test.more || wrong {
				t.Errorf("got %q, more %t, error %v", &got, more, err)
			}
		})
	}
}

// TestStop: a message that cannot be used ends the answer.
func TestStop(t *testing.T) {
	var got int
	wrong := errors.New("wrong")
	two := slices.Concat(answer(20, flagMulti, 'a'), answer(20, flagMulti, 'b'))
	if more, err := eachMessage(two, func([]byte) error { got++; return wrong }); more || !errors.Is(err, wrong) || got != 1 {
		t.Errorf("%d messages, more %t, error %v", got, more, err)
	}
}
