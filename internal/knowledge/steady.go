package knowledge

// What to do about losses that go on at the same rate: whatever holds packets is full all the time, so that more room
// fills as well.
const (
	steadyReader = "The loss is steady: a larger buffer fills as well. Make the program read faster (more threads, or more sockets " +
		"with SO_REUSEPORT), or send it less."
	steadyLink = "The loss is steady: a longer queue or a larger burst fills as well, and adds delay. Send less, or raise the rate of " +
		"the link or the shaper."
	steadyCPU = "The loss is steady: a longer backlog fills as well. Spread the load over CPUs (RSS, RPS), or send less. netdev_budget " +
		"does not help."
	steadyTap = "The loss is steady: a longer queue fills as well. Give that program more CPU, or add queues."
)
