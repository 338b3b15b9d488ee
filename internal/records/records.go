// Package records writes files that consist of records, none of which is left
// half written where that can be helped.
package records

import "io"

// Write writes b, in which records end at ends, and says how many went out
// whole. What follows the last record, or is there without any, is not counted.
// After an error a file ends with a whole record, and nothing more may be
// written to it.
func Write(w io.Writer, b []byte, ends []int) (whole int, err error) {
	n, err := w.Write(b)
	if n == len(b) {
		return len(ends), err
	}
	length := 0
	for whole < len(ends) && ends[whole] <= n {
		length = ends[whole]
		whole++
	}
	takeBack(w, n-length)
	return whole, err
}

// takeBack removes the last n bytes, if w is a file. It need not have begun with
// us: >> appends.
func takeBack(w io.Writer, n int) {
	f, ok := w.(interface {
		io.Seeker
		Truncate(size int64) error
	})
	if !ok || n == 0 {
		return
	}
	if at, err := f.Seek(0, io.SeekCurrent); err == nil { // a pipe has no place
		_ = f.Truncate(at - int64(n))
	}
}
