package app

import (
	"context"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/config"
)

// service is the verb that runs a configuration file.
func (a *App) service(d *defaults) *cli.Verb {
	var path string
	f := cli.NewFlags()
	f.StringVar(&path, "config", "", "read this `file`; without it "+config.DefaultPath+", or only defaults if that does not exist")
	return &cli.Verb{
		Name: "run", Args: "[options]", Short: "do what a configuration file says, until it is ended",
		Long: `Catch drops as a configuration file says, until Ctrl-C or SIGTERM. A table by
location and reason then follows on standard error, with what was lost.
dropwatch config prints a file with all settings.`,
		Examples: []string{"dropwatch run", "dropwatch run --config dropwatch.toml"},
		Manual:   manVerbs["run"], Flags: f,
		Run: func(ctx context.Context, args cli.Args) error {
			if f.Changed("config") && path == "" {
				return usageError("run: --config has an empty file name: name a file, or leave --config out")
			}
			c, err := config.Read(a.runner.Host, path)
			if err != nil {
				return err
			}
			spec := c.Spec
			fill(&spec, d, "run", args)
			spec.Outputs = append(spec.Outputs, capture.Output{Format: capture.Table, Stderr: true})
			return a.run(ctx, spec)
		},
	}
}
