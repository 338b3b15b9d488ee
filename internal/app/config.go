package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/config"
	"dropwatch/internal/doctor"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/perf"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/source/netdm"
	"dropwatch/internal/source/probe"
	"dropwatch/internal/source/trace"
	"dropwatch/internal/systemd"
)

// config is the verb that prints a configuration file, checks one, or prints a unit that runs it.
func (a *App) config() *cli.Verb {
	var check, path string
	var unit bool
	f := cli.NewFlags()
	f.StringVar(&check, "check", "", "check this `file` instead, as run reads it")
	f.BoolVar(&unit, "systemd", false, "print a unit for systemd instead, which runs the file with the capabilities that it needs")
	addConfigFlag(f, &path)
	return &cli.Verb{
		Name: "config", Args: "[options]", Short: "print a configuration file for run, or check one",
		Long: `Print a configuration file for dropwatch run with all settings: what each means,
and its default. With --check, say what is wrong in a file, and at which line.
With --systemd, print a unit that runs a file with few privileges.`,
		Examples: []string{
			"dropwatch config > dropwatch.toml", "dropwatch config --check /etc/dropwatch.toml",
			"dropwatch config --systemd > dropwatch.service",
		},
		Manual: manVerbs["config"], Flags: f, InSession: true,
		Run: func(context.Context, cli.Args) error {
			switch {
			case unit && f.Changed("check"):
				return usageError("config: --systemd and --check cannot be combined")
			case f.Changed("check") && check == "":
				return usageError("config: --check has an empty file name: name a file")
			case f.Changed("config") && !unit:
				return usageError("config: --config needs --systemd")
			case f.Changed("config") && path == "":
				return errNoConfigName("config")
			case unit:
				return a.printUnit(path)
			case !f.Changed("check"):
				return a.write(config.Text())
			}
			return a.checkConfig(check)
		},
	}
}

// checkConfig reads a file as run does, and says that it can be used, or why not. Names that this host does not have now
// are only warned about, as they may come; files that outputs cannot write to are errors.
func (a *App) checkConfig(path string) error {
	checks := config.Checks{Run: a.checkNames, Alert: a.checkNames, Outputs: capture.CheckFiles}
	if _, err := config.Read(a.runner.Host, path, checks); err != nil {
		return err
	}
	return a.write(fmt.Sprintf("%s can be used\n", event.Escape(path)))
}

// sourceNeeds is what each source needs. With auto it is bpf: a unit for another has to name that.
var sourceNeeds = map[string]host.Requirements{"auto": bpf.Needs, "bpf": bpf.Needs, "netdm": netdm.Needs, "trace": trace.Needs}

// printUnit prints a unit that runs a file with this program. Path is that of the configuration, empty for the default;
// it is made absolute, as a unit runs in /. The unit is not for another host: the capabilities that a source needs
// depend on the kernel.
func (a *App) printUnit(path string) error {
	c, err := config.Read(a.runner.Host, path, config.Checks{})
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the path of this program: %w", err)
	}
	u := systemd.Unit{Command: []string{program, "run"}}
	if path != "" {
		if path, err = filepath.Abs(path); err != nil {
			return err
		}
		u.Command = append(u.Command, "--config", path)
	}
	needs := []host.Requirements{sourceNeeds[c.Spec.Input.Source]}
	if len(c.Spec.Input.Points) > 0 {
		needs = append(needs, probe.Needs, bpf.Needs) // by which conditions cost less
		u.Writable = []string{perf.Tracing}
	}
	for _, c := range doctor.ServiceCapabilities(a.runner.Host, needs...) {
		u.Capabilities = append(u.Capabilities, c.String())
	}
	return a.write(u.String())
}
