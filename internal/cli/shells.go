package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Shells are the shells for which there is a completion script.
var Shells = []string{"bash", "zsh", "fish"}

// CompletionScript returns the script for one of Shells. It asks the program itself
// for words at each completion, so it need not be renewed with a new version.
func (p *Program) CompletionScript(shell string) (string, error) {
	root := (&commandLine{Program: p}).cobra()
	var b strings.Builder
	var err error
	switch shell {
	case "bash":
		b.WriteString(fmt.Sprintf(bashHead, p.Name))
		err = root.GenBashCompletionV2(&b, true)
		fmt.Fprintf(&b, "complete -o default -F __start_%s %s\n", p.Name, p.Alias)
	case "zsh":
		err = writeZsh(root, p, &b)
	case "fish":
		err = writeFish(root, p, &b)
	default:
		return "", fmt.Errorf("unknown shell %q: give one of: %s", shell, strings.Join(Shells, ", "))
	}
	return b.String(), err
}

// bashHead defines _get_comp_words_by_ref, the one function of the package
// bash-completion that cobra's script needs, for hosts without that package. It
// returns the words of the line as the shell splits them: bash also breaks them at
// = and :, which -n "=:" undoes.
const bashHead = `# Load it with: source <(%s completion bash)

declare -F _get_comp_words_by_ref >/dev/null || _get_comp_words_by_ref() {
    local line=${COMP_LINE:0:COMP_POINT} i=0 joined=
    words=() cword=0
    for ((i = 0; i <= COMP_CWORD; i++)); do
        joined=${COMP_WORDS[i]}
        while [[ ${COMP_WORDS[i + 1]-} == [=:]* && $i -lt $COMP_CWORD && $line != "$joined "* ]] ||
            [[ $joined == *[=:] && $i -lt $COMP_CWORD && $line != "$joined "* ]]; do
            i=$((i + 1))
            joined+=${COMP_WORDS[i]}
        done
        words+=("$joined")
        line=${line#"$joined"}
        line=${line#"${line%%%%[![:space:]]*}"}
    done
    cword=$((${#words[@]} - 1))
    cur=${words[cword]}
    prev=${words[cword - 1]-}
}

`

// writeZsh writes cobra's script, extended to the program's other name.
func writeZsh(root *cobra.Command, p *Program, w io.Writer) error {
	var b strings.Builder
	if err := root.GenZshCompletion(&b); err != nil {
		return err
	}
	text := strings.Replace(b.String(), "#compdef "+p.Name, "#compdef "+p.Name+" "+p.Alias, 1)
	define := fmt.Sprintf("compdef _%s %s", p.Name, p.Name)
	text = strings.Replace(text, define+"\n", define+" "+p.Alias+"\n", 1)
	_, err := io.WriteString(w, text)
	return err
}

// writeFish writes cobra's script, extended to the program's other name.
func writeFish(root *cobra.Command, p *Program, w io.Writer) error {
	var b strings.Builder
	if err := root.GenFishCompletion(&b, true); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if rest, ok := strings.CutPrefix(line, "complete -c "+p.Name+" "); ok {
			line += "complete -c " + p.Alias + " " + rest
		} else if rest, ok := strings.CutPrefix(line, "complete -k -c "+p.Name+" "); ok {
			line += "complete -k -c " + p.Alias + " " + rest
		}
		if _, err := io.WriteString(w, line); err != nil {
			return err
		}
	}
	return nil
}
