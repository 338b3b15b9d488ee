package app

import (
	"context"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/config"
	"dropwatch/internal/service"
	"dropwatch/internal/sink/alert"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/systemd"
)

// service is the verb that runs a configuration file.
func (a *App) service(d *defaults) *cli.Verb {
	var path string
	f := cli.NewFlags()
	addConfigFlag(f, &path)
	return &cli.Verb{
		Name: "run", Args: "[options]", Short: "do what a configuration file says, until it is ended",
		Long: `Catch drops as a configuration file says, until Ctrl-C or SIGTERM. A table by
location and reason then follows on standard error, with what was lost.
SIGHUP makes it read the file again: a wrong one changes nothing.
dropwatch config prints a file with all settings, dropwatch config --systemd a
unit that runs it.`,
		Examples: []string{"dropwatch run", "dropwatch run --config dropwatch.toml"},
		Manual:   manVerbs["run"], Flags: f,
		Run: func(ctx context.Context, args cli.Args) error {
			if f.Changed("config") && path == "" {
				return errNoConfigName("run")
			}
			manager, err := systemd.Connect()
			if err != nil {
				return err
			}
			defer manager.Close()
			var spec capture.Spec
			fill(&spec, d, "run", args)
			s := &service.Service{Runner: a.runner, Manager: manager, Command: spec.Command, Alerts: alert.NewSink(alert.Options{
				Host: a.runner.Host.Identity().Name, Ask: capture.DiagnosedHost(a.runner.Host), Notify: a.runner.Notices.Text,
				GoesOn: service.GoesOn,
			})}
			s.Load = func() (*config.Config, error) {
				c, err := a.readConfig(path)
				if err == nil {
					c.Spec.Input.Takeover = c.Spec.Input.Takeover || d.takeover
				}
				return c, err
			}
			return s.Run(ctx)
		},
	}
}

// readConfig reads a configuration to be run, of which every expression can match on this host. It warns about
// names in the expressions of alerts that do not exist now; about others the run does.
func (a *App) readConfig(path string) (*config.Config, error) {
	return config.Read(a.runner.Host, path, config.Checks{
		Run: a.runner.CheckReasons, Alert: a.checkNames, Outputs: capture.CheckFiles,
	})
}

// checkNames warns about names in an expression that do not exist now. The error says that it cannot match.
func (a *App) checkNames(f *filter.Filter) error {
	err := a.runner.CheckNames(f)
	if err == nil {
		a.runner.CheckFunctions(f)
	}
	return err
}

// addConfigFlag adds --config.
func addConfigFlag(f *pflag.FlagSet, path *string) {
	f.StringVar(path, "config", "", "the configuration `file`; without it "+config.DefaultPath+", or only defaults if that does not exist")
}

// errNoConfigName says that a verb got an empty name.
func errNoConfigName(verb string) error {
	return usagef("%s: --config has an empty file name: name a file, or leave --config out", verb)
}
