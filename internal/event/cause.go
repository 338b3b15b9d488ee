package event

import (
	"errors"
	"io/fs"
)

// WithoutPath returns the cause of an error of a file, for a message that names the file
// already: without the operation and the name that an [fs.PathError] adds. Other errors,
// and nil, are returned as they are.
func WithoutPath(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
