package app

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/vmtest"
)

// fillDisk leaves no room on a disk. Free makes it again.
func fillDisk(t *testing.T, dir string) (free func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "fill"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	return func() {
		if err := os.Remove(f.Name()); err != nil {
			t.Error(err)
		}
	}
}

// resident returns how much memory a process has, in KiB.
func resident(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindStringSubmatch(string(status))[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestServiceThroughTrouble: a service is reloaded while its disk is full and while it is not, is
// killed, and begun again. Each drop is in the file or counted as lost, the recorder can be read at
// any time, and memory and open files stay as they are.
func TestServiceThroughTrouble(t *testing.T) {
	vmtest.RequireRoot(t)
	disk := t.TempDir()
	if err := syscall.Mount("small", disk, "tmpfs", 0, "size=8m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	config, lines, ring := t.TempDir()+"/service.toml", disk+"/lines.json", disk+"/ring"
	text := fmt.Sprintf("source = 'netdm'\noutput = ['json:%s', 'recorder:%s,size=4M']\n", lines, ring)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() *serviceRun {
		return &serviceRun{config: config, lines: lines, verbRun: startVerb(t, "packets", "-l", "none", "run", "--config", config)}
	}
	size := func() int64 {
		info, err := os.Stat(lines)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}

	s := start()
	memory := 0 // after the second time
	for i := range 5 {
		failed := func() int { return strings.Count(s.stderr.String(), "write to "+lines+": no space left on device") }
		earlier, free := failed(), fillDisk(t, disk)
		await(t, "lines cannot be written", func() bool { return failed() > earlier })
		s.reload(t)
		s.reload(t)
		free()
		before := size()
		await(t, "lines are written again", func() bool { return size() > before })
		s.reload(t)
		if i == 1 {
			memory = resident(t, s.cmd.Process.Pid)
		}
	}
	await(t, fmt.Sprintf("it has no more than %d KiB of memory", memory*3/2), func() bool {
		return resident(t, s.cmd.Process.Pid) <= memory*3/2
	})
	if code := s.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d: %s", code, &s.stderr)
	}
	checkLedgers(t, s)

	killed := start()
	before := size()
	await(t, "lines are written", func() bool { return size() > before })
	killed.signal(t, syscall.SIGKILL)
	killed.end(t, 0)
	again := start()
	if code := again.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d: %s", code, &again.stderr)
	}
	if text := last(t, "--dir", ring, "-S"); !strings.Contains(text, "\ntotal ") {
		t.Errorf("the recorder cannot be read: %s", text)
	}
}

// checkLedgers checks that the runs of a service have shown what is in its file, that each lost only
// what that did not take, and that each but the first says how long no source was running.
func checkLedgers(t *testing.T, s *serviceRun) {
	t.Helper()
	said, shown, lost := s.stderr.String(), 0, 0
	runs := regexp.MustCompile(`(?m)^total \d+: (\d+) shown, (\d+) lost$`).FindAllStringSubmatch(said, -1)
	for _, run := range runs {
		n, _ := strconv.Atoi(run[1])
		shown += n
		n, _ = strconv.Atoi(run[2])
		lost += n
	}
	written := strings.Count(s.written(), `"kind":"drop"`)
	gaps := strings.Count(said, "no source was running for ")
	if shown != written || lost == 0 || gaps != len(runs)-1 || len(runs) != s.starts() {
		t.Errorf("%d drops shown in %d runs and %d written, %d lost, %d gaps: %s", shown, len(runs), written, lost, gaps, said)
	}
}
