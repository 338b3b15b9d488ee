package counters

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	"dropwatch/internal/host"
)

// ErrHeld is the error of [Reader.Connections] if the kernel does not say, or did not in time, what a connection has sent. Before
// Linux 6.9 it is then that of all that is read of sockets, too, while a helper waits for that connection.
var ErrHeld = errors.New("a system call holds a TCP connection, which does not say what it has sent until the call ends")

// Limits of the helper: until it has begun, until more comes, and until it has ended once it is killed. On a host that
// is busy a process may not run for a second, and so seem to be held.
const (
	helperStart = 10 * time.Second
	helperWait  = 3 * time.Second
	helperEnd   = time.Second
)

// A served is what a helper tells: a connection or, if it is empty, that another question to the kernel follows.
type served struct {
	Connection
	End  bool // there are no more
	Held bool // there are more, but one of them is held
}

// ServeConnections is what the process of [Reader.Helper] does: it writes the connections in all network namespaces of a host
// for who has started it.
func ServeConnections(h *host.Host, w io.Writer) error {
	r := Reader{Host: h, Netns: func(uint32, host.Netns) bool { return true }}
	encoder := json.NewEncoder(w)
	err := r.eachConnection(context.Background(), func(c *Connection) error { return encoder.Encode(&served{Connection: *c}) })
	if err != nil && !errors.Is(err, ErrHeld) {
		return err
	}
	return encoder.Encode(&served{End: err == nil, Held: err != nil})
}

// waiting is how many helpers wait for a connection that is held and keep all others that ask for sockets waiting.
var waiting atomic.Int32

// askHelper has another process read the connections. If that does not go on it is left behind, see leave: the kernel
// keeps it until the connection that it asks for is not held any more, and would so keep this process.
func (r *Reader) askHelper(ctx context.Context) (all []Connection, err error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	helper := exec.Command(r.Helper[0])
	helper.Args, helper.Stdout = r.Helper[1:], in
	helper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is not for it
	err = helper.Start()
	in.Close()
	if err != nil {
		return nil, err
	}
	defer r.leave(helper)
	limit := helperStart
	for decoder := json.NewDecoder(out); ctx.Err() == nil; limit = helperWait {
		var c served
		err := errors.Join(out.SetReadDeadline(time.Now().Add(limit)), decoder.Decode(&c))
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) || c.Held:
			return all, ErrHeld
		case err != nil || c.End:
			return all, err
		case c.Local.IsValid():
			all = append(all, c.Connection)
		}
	}
	return all, ctx.Err()
}

// leave kills a helper. One that has not ended in time waits in the kernel, and is left behind: until it has ended,
// sockets asks for nothing where the kernel answers one at a time.
func (r *Reader) leave(helper *exec.Cmd) {
	_ = helper.Process.Kill()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = helper.Wait()
	}()
	select {
	case <-ended:
		return
	case <-time.After(helperEnd):
	}
	if host.ParseVersion(r.Host.Release()).Before(6, 9) { // sock_diag: remove sock_diag_mutex
		waiting.Add(1)
		go func() {
			<-ended // never, perhaps
			waiting.Add(-1)
		}()
	}
}
