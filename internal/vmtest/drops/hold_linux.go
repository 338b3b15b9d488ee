package drops

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"
)

// Of userfaultfd(2), on amd64 (include/uapi/linux/userfaultfd.h).
const (
	sysUserfaultfd = 323

	uffdAPI, uffdRegister      = 0xc018aa3f, 0xc020aa00
	uffdVersion, modeOfMissing = 0xaa, 1
)

// Hold writes to a connection from a page that is not there, until the end of the test: the
// kernel waits for the page with the connection locked.
func (ns *Namespace) Hold(fd int) {
	ns.t.Helper()
	ns.Do(func() error { return ns.hold(fd) })
}

// hold returns when the kernel waits for the page. It needs userfaultfd, as root.
func (ns *Namespace) hold(fd int) error {
	pages, _, errno := syscall.Syscall(sysUserfaultfd, syscall.O_CLOEXEC, 0, 0)
	if errno != 0 {
		return fmt.Errorf("userfaultfd: %w", errno)
	}
	page, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return err
	}
	api := [3]uint64{uffdVersion}
	register := [4]uint64{uint64(uintptr(unsafe.Pointer(&page[0]))), uint64(len(page)), modeOfMissing}
	ended := make(chan struct{})
	ns.Cleanup(func() error {
		err := syscall.Close(int(pages)) // the page is there now, of zeros
		<-ended
		return errors.Join(err, syscall.Munmap(page))
	})
	for _, request := range []struct {
		code uintptr
		arg  unsafe.Pointer
	}{{uffdAPI, unsafe.Pointer(&api)}, {uffdRegister, unsafe.Pointer(&register)}} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, pages, request.code, uintptr(request.arg)); errno != 0 {
			return fmt.Errorf("userfaultfd: %w", errno)
		}
	}
	go func() {
		defer close(ended)
		syscall.Write(fd, page)
	}()
	_, err = syscall.Read(int(pages), make([]byte, 32)) // struct uffd_msg, when it waits
	return err
}
