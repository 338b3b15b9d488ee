package app

import (
	"context"
	"fmt"

	"dropwatch/internal/cli"
	"dropwatch/internal/config"
	"dropwatch/internal/event"
)

// config is the verb that prints a configuration file, or checks one.
func (a *App) config() *cli.Verb {
	var check string
	f := cli.NewFlags()
	f.StringVar(&check, "check", "", "check this `file` instead, as run reads it")
	return &cli.Verb{
		Name: "config", Args: "[options]", Short: "print a configuration file for run, or check one",
		Long: `Print a configuration file for dropwatch run with all settings: what each means,
and its default. With --check, say what is wrong in a file, and at which line.`,
		Examples: []string{"dropwatch config > dropwatch.toml", "dropwatch config --check /etc/dropwatch.toml"},
		Manual:   manVerbs["config"], Flags: f, InSession: true,
		Run: func(context.Context, cli.Args) error {
			if !f.Changed("check") {
				return a.write(config.Text())
			}
			if check == "" {
				return usageError("config: --check has an empty file name: name a file")
			}
			if _, err := config.Read(a.runner.Host, check); err != nil {
				return err
			}
			return a.write(fmt.Sprintf("%s can be used\n", event.Escape(check)))
		},
	}
}
