package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// complete is a verb's ValidArgsFunction. The shell completes file names itself,
// when the directive is ShellCompDirectiveDefault.
func (v *Verb) complete(_ *cobra.Command, before []string, word string) ([]string, cobra.ShellCompDirective) {
	if v.File && len(before) == 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	if v.Words == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	found := withPrefix(v.Words(before), word)
	if v.OrFile != nil && len(before) == 0 { // where nothing is found, the shell goes on with all files
		return append(found, v.OrFile(word)...), cobra.ShellCompDirectiveDefault
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeFlag returns the completion of a flag's values. A flag whose value is
// called file in its usage is completed with file names.
func completeFlag(f *pflag.Flag, values func() []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		if name, _ := pflag.UnquoteUsage(f); name == "file" {
			return nil, cobra.ShellCompDirectiveDefault
		}
		if values == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return withPrefix(values(), word), cobra.ShellCompDirectiveNoFileComp
	}
}

// withPrefix returns the words that begin with prefix. One in capitals, as the name of
// a reason is, may be typed in small letters, and then goes on in these.
func withPrefix(words []string, prefix string) (found []string) {
	for _, w := range words {
		small := strings.ToLower(w)
		switch {
		case strings.HasPrefix(w, prefix):
			found = append(found, w)
		case w == strings.ToUpper(w) && strings.HasPrefix(small, prefix):
			found = append(found, small)
		}
	}
	return found
}
