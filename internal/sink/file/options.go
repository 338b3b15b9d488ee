package file

import (
	"errors"
	"time"
)

// Options say when a file is rotated, and what becomes of the rotated files. The zero value
// never rotates it.
type Options struct {
	Size     int64         // rotate before the file is larger, in bytes; 0: whatever its size
	Age      time.Duration // rotate when the file is older and a further line comes; 0: however old it is
	Keep     int           // rotated files that are kept; 0: defaultKeep
	Compress Compression   // of rotated files
}

// defaultKeep is how many rotated files are kept if Options do not say it.
const defaultKeep = 10

// Rotates reports whether the file is ever rotated.
func (o *Options) Rotates() bool { return o.Size > 0 || o.Age > 0 }

// Check returns an error if there are options for rotated files and none that rotates any.
func (o *Options) Check() error {
	if (o.Keep > 0 || o.Compress != Uncompressed) && !o.Rotates() {
		return errors.New("give rotate or age: keep and compress are for rotated files")
	}
	return nil
}
