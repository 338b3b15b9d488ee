package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
)

// programVar makes this test binary a small program with a prompt.
const programVar = "TERM_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programVar) != "" {
		os.Exit(program())
	}
	os.Exit(m.Run())
}

// program repeats every line. It runs until SIGINT at "run", and leaves by a
// panic at "panic", at the end of the input and on SIGTERM.
func program() (code int) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	r, err := Open(Config{Stdin: os.Stdin, Stdout: os.Stdout, Prompt: prompt})
	if err != nil {
		fmt.Println("open:", err)
		return 1
	}
	defer func() {
		if e := recover(); e != nil {
			fmt.Println("panic:", e)
			code = 2
		}
	}()
	defer r.Close()
	for {
		line, err := r.ReadLine(ctx)
		switch {
		case errors.Is(err, io.EOF):
			fmt.Println("bye")
			return 0
		case err != nil:
			fmt.Println("error:", err)
			if !errors.Is(err, ErrInterrupt) {
				return 1
			}
		case line == "run":
			run()
		case line == "panic":
			panic("as asked")
		default:
			fmt.Printf("got %q\n", line)
		}
	}
}

func run() {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	defer signal.Stop(interrupted)
	fmt.Println("running")
	<-interrupted
	fmt.Println("stopped")
}

// launch runs program on a pty, which controls it.
func launch(t *testing.T) (*screen, *exec.Cmd) {
	t.Helper()
	s, tty := newPTY(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), programVar+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return s, cmd
}

// exits waits for the program's end and checks its exit code.
func exits(t *testing.T, cmd *exec.Cmd, code int) {
	t.Helper()
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d, want %d", got, code)
	}
}

func TestProgramSession(t *testing.T) {
	s, cmd := launch(t)
	s.until(prompt)
	s.send("start\r")
	s.until("got \"start\"\n" + prompt)
	s.send("\x03")
	s.until("^C\nerror: interrupt\n" + prompt)
	s.send("run\r")
	s.until("running\n")
	s.send("\x03") // a signal now
	s.until("stopped\n" + prompt)
	s.send("\x04")
	s.until(prompt + "\nbye\n")
	exits(t, cmd, 0)
}

func TestProgramCtrlZStopsNobody(t *testing.T) {
	stops := make(chan os.Signal, 8)
	signal.Notify(stops, syscall.SIGTSTP, syscall.SIGCONT)
	defer signal.Stop(stops)

	s, cmd := launch(t)
	s.until(prompt)
	s.send("a\x1a\x1b\x1ab\r")
	s.until("got \"ab\"\n" + prompt)
	s.send("\x04")
	exits(t, cmd, 0)
	select {
	case sig := <-stops:
		t.Errorf("the parent got %v", sig)
	default:
	}
}

func TestProgramRestoresTerminal(t *testing.T) {
	tests := []struct {
		name  string
		leave func(*screen, *exec.Cmd)
		last  string
		code  int
	}{
		{"panic", func(s *screen, _ *exec.Cmd) { s.send("panic\r") }, "panic: as asked\n", 2},
		{"sigterm", func(s *screen, cmd *exec.Cmd) {
			s.send("half")
			s.until("half")
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}, "half\nerror: terminated signal received\n", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, cmd := launch(t)
			s.until(prompt)
			tt.leave(s, cmd)
			s.until(tt.last)
			exits(t, cmd, tt.code)
			s.send("echo\r") // by the kernel, which a raw terminal would not
			s.until("echo\n")
		})
	}
}
