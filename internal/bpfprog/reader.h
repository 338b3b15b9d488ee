/* SPDX-License-Identifier: MIT
 *
 * When a program wakes the reader of its ring: when it sleeps, and when the ring
 * fills. A wakeup costs the CPU more than a record. */
#ifndef READER_H
#define READER_H

enum reader_state {
	SLEEPING,
	POLLING, /* it reads the ring at intervals */
	WOKEN,	 /* it has been woken before that */
};

volatile const __u32 wakeup_level; /* bytes in the ring from which on the reader is woken */

/* Set by the reader while the program runs. */
volatile enum reader_state reader;

/* wakeup gives the flag that wakes the reader, if it sleeps or if the ring fills
 * faster than it polls. */
INLINE __u64 wakeup(void *ring)
{
	enum reader_state state = reader;
	if (state == SLEEPING) {
		reader = POLLING;
		return BPF_RB_FORCE_WAKEUP;
	}
	if (state == POLLING && ringbuf_query(ring, BPF_RB_AVAIL_DATA) > wakeup_level) {
		reader = WOKEN;
		return BPF_RB_FORCE_WAKEUP;
	}
	return BPF_RB_NO_WAKEUP;
}

#endif
