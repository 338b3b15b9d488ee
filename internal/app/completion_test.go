package app

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shellScript writes the script for a shell to a file.
func shellScript(t *testing.T, dir, shell string) string {
	t.Helper()
	for _, s := range shells {
		if s.name != shell {
			continue
		}
		file := filepath.Join(dir, "completion."+shell)
		if err := os.WriteFile(file, []byte(s.script(newSyntax())), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	t.Fatalf("no shell %s", shell)
	return ""
}

// completions are what a shell has to offer for the last word of a line.
var completions = []struct {
	line string
	want string // sorted; empty: nothing
}{
	{"dropwatch d", "doctor dump"},
	{"dropwatch re", "record replay"},
	{"dropwatch watch --sou", "--source"},
	{"dropwatch watch -s ", "auto bpf netdm trace"},
	{"dropwatch watch --mode=s", "summary"},
	{"dropwatch watch -o ", "hw sw sw,hw"},
	{"dropwatch watch -d ", ""},
	{"dropwatch watch not port 22 --js", "--json"},
	{"dropwatch watch -w dr", "drops.pcap"},
	{"dropwatch record dr", "drops.pcap"},
	{"dropwatch --takeover record -s trace dr", "drops.pcap"},
	{"dropwatch record --in", "--include"},
	{"dropwatch replay dr", "drops.pcap"},
	{"dropwatch replay --write dr", "drops.pcap"},
	{"dropwatch replay drops.pcap --hex --su", "--summary"},
	{"dropwatch doctor --j", "--json"},
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

// TestBashFunction calls the function as bash does.
func TestBashFunction(t *testing.T) {
	dir := t.TempDir()
	script := shellScript(t, dir, "bash")
	for _, tt := range completions {
		// Bash has '=' as a word of its own.
		words := strings.Split(strings.ReplaceAll(tt.line, "=", " = "), " ")
		want := tt.want
		if want == "drops.pcap" {
			want = "compopt -o default" // bash itself completes it then
		}
		code := `set -u; source "$1"; shift; compopt() { echo "compopt $*"; }
			COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dropwatch; printf '%s\n' "${COMPREPLY[@]}"`
		args := append([]string{"--norc", "--noprofile", "-c", code, "bash", script}, words...)
		out, err := exec.Command("bash", args...).CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v", tt.line, err)
		}
		got := strings.Split(strings.TrimSpace(string(out)), "\n")
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", tt.line, got, want)
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
}

// typeKeys tries them in a shell on a terminal, where the programs are
// functions that tell their arguments.
func typeKeys(t *testing.T, shell string, args, setup []string) {
	if _, err := exec.LookPath(shell); err != nil {
		t.Skipf("%s is not installed", shell)
	}
	c := newConsole(t, nil, shell, args...)
	if err := os.WriteFile(filepath.Join(c.dir, "drops.pcap"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.onTerminal()
	setup = append(setup, "source "+shellScript(t, t.TempDir(), shell),
		`dropwatch() { echo "dropwatch<$*>"; }`, `dwdump() { echo "dwdump<$*>"; }`, "echo rea''dy")
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
		t.Skip("fish is not installed")
	}
	dir := t.TempDir()
	script := shellScript(t, t.TempDir(), "fish")
	if err := os.WriteFile(filepath.Join(dir, "drops.pcap"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
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
