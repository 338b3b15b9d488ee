package app

import (
	"context"
	"errors"
	"time"

	"dropwatch/internal/pipeline"
	"dropwatch/internal/sink/sampled"
	"dropwatch/internal/stage/decode"
	"dropwatch/internal/stage/owner"
	"dropwatch/internal/stage/resolve"
)

// A capture is one run of a verb: from a source to a sink.
type capture struct {
	demand   demand
	duration time.Duration                                          // 0: no limit
	count    uint64                                                 // drops; 0: no limit
	file     string                                                 // that the sink writes; empty: none
	sink     func(from string, file outFile) (pipeline.Sink, error) // from names the source

	// show runs feed, which feeds the sink; nil if there is nothing else to do.
	show func(ctx context.Context, feed func(context.Context) error) error
}

// run runs it until a signal or a limit, which is how it ends. The file keeps
// what it holds until drops can be had.
func (c *capture) run(ctx context.Context, a *App) (err error) {
	ctx, stop := a.signals.interruptible(ctx)
	defer stop()
	file, err := a.reserve(ctx, c.file)
	if err != nil {
		return err
	}
	defer func() { err = pipeline.Also(err, file.Close()) }()
	stages := a.stages()
	from, err := a.supply(ctx, c.demand)
	if err != nil {
		file.abandon()
		if ctx.Err() != nil { // that is how it was to end
			return errDone
		}
		return err
	}
	defer from.undo()
	into, err := c.begin(from.name, file)
	if err != nil {
		from.close()
		return advise(err)
	}
	a.announce(from)
	a.checkReasons(c.demand.filter)
	return c.stream(ctx, from, stages, into)
}

// stream lets drops flow until a limit.
func (c *capture) stream(ctx context.Context, from *supply, stages []pipeline.Stage, into pipeline.Sink) error {
	if c.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.duration)
		defer cancel()
	}
	if from.most > 0 {
		into = sampled.New(into, from.most)
	}
	feed := func(ctx context.Context) error {
		return flow(ctx, &pipeline.Pipeline{Source: from, Stages: append(stages, from.stage), Sink: into, Limit: c.count})
	}
	if c.show == nil {
		return feed(ctx)
	}
	return c.show(ctx, feed)
}

func (c *capture) begin(from string, file outFile) (pipeline.Sink, error) {
	if err := file.begin(); err != nil {
		return nil, err
	}
	return c.sink(from, file)
}

// flow runs a pipeline to its end, for which a limit is as good as a signal.
func flow(ctx context.Context, p *pipeline.Pipeline) error {
	_, err := p.Run(ctx)
	if err == nil || errors.Is(err, pipeline.ErrLimit) {
		return errDone
	}
	return advise(err)
}

// stages give drops all that can be found out about them.
func (a *App) stages() []pipeline.Stage {
	return append(
		a.symbols(), resolve.Parts(), resolve.Interfaces(new(resolve.HostInterfaces).Name), resolve.Tasks(resolve.HostTask),
		decode.Packets(), owner.Stage("/"),
	)
}

// symbols names places, if that is wanted.
func (a *App) symbols() []pipeline.Stage {
	if a.lookup == nil {
		return nil
	}
	a.lookup.load()
	return []pipeline.Stage{a.lookup.stage()}
}
