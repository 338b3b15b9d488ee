package app

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/vmtest"
)

// shellScript writes the script for a shell to a file.
func shellScript(t *testing.T, dir, shell string) string {
	t.Helper()
	script, err := testProgram(t).CompletionScript(shell)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "completion."+shell)
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// completions are what a shell has to offer for the last word of a line.
var completions = []struct {
	line string
	want string // sorted; empty: nothing
}{
	{"dropwatch d", "diagnose doctor dump"},
	{"dropwatch re", "record replay retrans"},
	{"dropwatch watch --sou", "--source"},
	{"dropwatch watch -s ", "auto bpf netdm trace"},
	{"dropwatch watch --mode=s", "summary"},
	{"dropwatch watch -o ", "hw sw sw,hw"},
	{"dropwatch watch -d ", ""},
	{"dropwatch watch not port 22 --js", "--json"},
	{"dropwatch watch -w dr", "drops.pcap"},
	{"dropwatch record dr", "drops.pcap"},
	{"dropwatch --takeover record -s trace dr", "drops.pcap"},
	{"dropwatch record --inc", "--include"},
	{"dropwatch replay dr", "drops.pcap"},
	{"dropwatch replay --write dr", "drops.pcap"},
	{"dropwatch replay drops.pcap --hex --su", "--summary"},
	{"dropwatch doctor --j", "--json"},
	{"dropwatch doctor ", ""}, // not even a dash
	{"dropwatch watch iface l", "lo"},
	{"dropwatch watch port 53 and not iface == l", "lo"},
	{"dropwatch watch iface lo and origin s", "sw"},
	{"dropwatch watch tcp.fl", "tcp.flags"},
	{"dropwatch replay drops.pcap reas", "reason"},
	{"dropwatch top netn", "netns netns.inode"},
	{"dropwatch top ni", "night"}, // a recording, of any name
	{"dropwatch top ./ni", "./night"},
	{"dropwatch top night reas", "reason"},
	{"dropwatch top dr", "drops.pcap"}, // that is none, but there is nothing else
	{"dropwatch top iface l", "lo"},
	{"dropwatch explain no_so", "no_socket"},
	{"dropwatch explain NO_SO", "NO_SOCKET"},
	{"dropwatch explain tcp_v4_rc", "tcp_v4_rcv"},
	{"dropwatch help fi", "filter"},
	{"dropwatch help do", "doctor"},
	{"dropwatch com", "completion"},
	{"dropwatch -l ", "kas list none"},
	{"dropwatch --lmethod n", "none"},
	{"dropwatch -l kas ver", "version"},
	{"dropwatch --lmethod=none hel", "help"},
	{"dropwatch --dem", "--demangle"},
	{"dropwatch dump --o", "--origin"},
	{"dropwatch dump -o ", "hw sw"},
	{"dropwatch dump --origin=s", "sw"},
	{"dropwatch dump -q --ta", "--takeover"},
	{"dropwatch dump -t ", ""},
	{"dropwatch completion ", "bash fish zsh"},
	{"dropwatch completion z", "zsh"},
	{"dropwatch help --m", "--man"},
	{"dropwatch completion --h", "--help"},
	{"dropwatch bogus ", ""},
	{"dwdump -o ", "hw sw"},
	{"dwdump --pas", "--passive"},
	{"dwdump dum", ""},
	{"dropwatch dump -w dr", "drops.pcap"},
	{"dwdump --write dr", "drops.pcap"},
}

// completedFiles puts a recording and another file into a directory, which it returns.
func completedFiles(t *testing.T, dir string) string {
	t.Helper()
	recording, err := os.ReadFile("../../testdata/session-files/v2.session")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"drops.pcap": nil, "night": recording} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// bashDriver calls the function as bash does, without the package
// bash-completion.
const bashDriver = `set -u; source "$1"; shift; compopt() { echo "compopt $*"; }
type() { [[ $* == "-t compopt" ]] && echo builtin || builtin type "$@"; }
COLUMNS=80 COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); __start_dropwatch; printf '%s\n' "${COMPREPLY[@]}"`

// TestBashFunction: bash completes names of files itself, unless it is told not
// to.
func TestBashFunction(t *testing.T) {
	dir := completedFiles(t, t.TempDir())
	script := shellScript(t, dir, "bash")
	for _, tt := range completions {
		// Bash has '=' as a word of its own.
		words := strings.Split(strings.ReplaceAll(tt.line, "=", " = "), " ")
		args := append([]string{"--norc", "--noprofile", "-c", bashDriver, "bash", script, tt.line}, words...)
		cmd := exec.Command("bash", args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v", tt.line, err)
		}
		text, noFiles := strings.CutPrefix(string(out), "compopt +o default\n")
		var got []string
		for line := range strings.Lines(text) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), " ") // a description may follow
			got = append(got, word)
		}
		slices.Sort(got)
		joined := strings.TrimSpace(strings.Join(got, " "))
		if files := !noFiles && joined == ""; files != (tt.want == "drops.pcap") || !files && joined != tt.want {
			t.Errorf("%q: %q, files %t, want %q", tt.line, joined, files, tt.want)
		}
	}
}

// keys are lines typed with Tab, and the arguments that the program gets.
var keys = []struct{ typed, program, args string }{
	{"dropwatch com\tf\t\n", "dropwatch", "completion fish"},
	{"dropwatch -l n\tdu\t-o h\t\n", "dropwatch", "-l none dump -o hw"},
	{"dropwatch dump -w dr\t\n", "dropwatch", "dump -w drops.pcap"},
	{"dwdump -q --tak\t\n", "dwdump", "-q --takeover"},
	{"dwdump -o s\t-w dr\t\n", "dwdump", "-o sw -w drops.pcap"},
	{"dropwatch help --m\t\n", "dropwatch", "help --man"},
	{"dropwatch help js\t\n", "dropwatch", "help json"},
	{"dropwatch w\t-s tr\t-m p\t\n", "dropwatch", "watch -s trace -m packet"},
	{"dropwatch watch port 22 --js\t\n", "dropwatch", "watch port 22 --json"},
	{"dropwatch rep\tdr\t--su\t\n", "dropwatch", "replay drops.pcap --summary"},
	{"dropwatch rec\t--st\tdr\t\n", "dropwatch", "record --stack drops.pcap"},
	{"dropwatch top ni\treas\t\n", "dropwatch", "top night reason"},
	{"dropwatch top dr\t\n", "dropwatch", "top drops.pcap"},
	{"dropwatch top iface l\t\n", "dropwatch", "top iface lo"},
	{"dropwatch expl\tno_so\t\n", "dropwatch", "explain no_socket"},
	{"dropwatch expl\tNO_SO\t\n", "dropwatch", "explain NO_SOCKET"},
}

// typeKeys tries them in a shell on a terminal, where the programs are
// functions that tell their arguments.
func typeKeys(t *testing.T, shell string, args, setup []string) {
	if _, err := exec.LookPath(shell); err != nil {
		vmtest.SkipOrFail(t, err)
	}
	c := newConsole(t, nil, shell, args...)
	completedFiles(t, c.dir)
	c.onTerminal()
	setup = append(setup, "source "+shellScript(t, t.TempDir(), shell),
		`dropwatch() { case $1 in __c*) command dropwatch "$@" ;; *) echo "dropwatch<$*>" ;; esac; }`,
		`dwdump() { case $1 in __c*) command dwdump "$@" ;; *) echo "dwdump<$*>" ;; esac; }`, "echo rea''dy")
	c.send(strings.Join(setup, "\n") + "\n").expect("ready")
	for _, k := range keys {
		c.send(k.typed).expect(k.program + "<" + k.args + ">")
	}
	c.send("exit\n").wait(0)
}

func TestBashKeys(t *testing.T) {
	typeKeys(t, "bash", []string{"--norc", "--noprofile", "-i"}, []string{"bind 'set bell-style none'"})
}

func TestZshKeys(t *testing.T) {
	typeKeys(t, "zsh", []string{"-f", "-i"}, []string{"autoload -U compinit", "compinit -u -D"})
}

// TestFish asks fish for what it would offer.
func TestFish(t *testing.T) {
	if _, err := exec.LookPath("fish"); err != nil {
		vmtest.SkipOrFail(t, err)
	}
	dir := completedFiles(t, t.TempDir())
	script := shellScript(t, t.TempDir(), "fish")
	for _, tt := range completions {
		cmd := exec.Command("fish", "--no-config", "-c", `source $argv[1]; complete -C $argv[2]`, script, tt.line)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v", tt.line, err)
		}
		var got []string
		for line := range strings.Lines(string(out)) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			if word == "" {
				continue
			}
			if i := strings.Index(word, "="); i >= 0 {
				word = word[i+1:]
			}
			got = append(got, word)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%q: %q, want %q", tt.line, got, tt.want)
		}
	}
}
