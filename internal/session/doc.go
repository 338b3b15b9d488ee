// Package session writes a run to a file and replays it: its drops, with the names
// that were found for them, its losses and its ledger, and what the host counted
// meanwhile.
//
// # The format, versions 2 and 3
//
// A file begins with the eight bytes 89 44 57 53 0d 0a 1a 0a ("\x89DWS\r\n\x1a\n")
// and one byte, the version. Frames follow until the end of the file:
//
//	length    uint32, little endian: bytes of the payload, 1 to 1 MiB
//	checksum  uint32, little endian: CRC-32C of the payload, continued from the
//	          checksum of the frame before, of the first frame from that of the
//	          nine bytes above
//	payload
//
// So a frame that was changed, lost, doubled or moved is noticed. A writer ends a frame
// when the source pauses, and whenever it has 64 KiB. The payload of the first frame is
// a JSON object, the Header with the names of its tags; a reader ignores unknown names.
// The payload of each other frame is a sequence of records. A record begins with its
// kind, a byte:
//
//	1  event    a drop, a loss of drops, or what TCP did
//	2  end      the run was ended, and its ledger; the last record of the file
//	3  restart  the tables below are empty again
//
// Version 3 is version 2 with records of the host, see below. A file without them is of
// version 2, so that programs that know no other can read it.
//
// A file without an end is truncated: its writer died. It has all that was flushed. The
// writer does not wait for the disk (no fsync).
//
// Unless stated otherwise, a number is an unsigned varint, as in Protocol Buffers. A
// zigzag number is signed: 0, -1, 1, -2 are written as 0, 1, 2, 3. A text is a string of
// any bytes. Each is written out once: a text is its index in the table of strings; if
// that is the number of strings in the table, the length and the bytes of a new string
// follow, which is appended to the table. Places in the code and call chains are written
// in the same way, with a table each:
//
//	place  PC as uint64, little endian; look-up: 0 not tried, 1 not found,
//	       2 found; symbol, a text; offset; module, a text
//	chain  number of calls, at most 8192; a place for each
//
// The tables have a size in bytes: each string counts 32 and its length, each place 64,
// each chain 32 and 4 for each of its calls. When it is more than 1 MiB, the next record
// is a restart.
//
// A reader refuses a file whose texts, places and chains, written out wherever they are
// used, take more than 512 times its size plus 64 MiB.
//
// # An event
//
// After its kind, an event has a number whose bits say which fields follow, in the order
// of the bits. A field whose bit is not set is zero, or 1 if it is the count. Fields
// without a form below are only bits.
//
//	 0  time        nanoseconds since the time of the event before that has one,
//	                of the first since 1970, zigzag, modulo 2^64
//	 1  kernel's    the time is the kernel's
//	 2  individual  one packet was reported individually, not in a count
//	 3  PC          an address was given
//	 4  place       where in the code, a place
//	 5  kernel      the kernel's own name of the place, a text
//	 6  reason      a text
//	 7  protocol    ethertype
//	 8  data        bytes of the packet: link type (0 Ethernet, 1 network header);
//	                length; bytes
//	 9  length      of the packet before truncation
//	10  index       of the interface
//	11  interface   its name, a text
//	12  task        CPU; process; its number XOR that of the thread
//	13  chain       the stack trace, a chain
//	14  command     the thread's name, a text
//	15  count       of packets
//	16  trace only  the source of packets did not report it, a second source did
//	17  origin      1 hardware, 2 one that the recorder did not know, 3 not stated;
//	                not in the set: software
//	18  trap        a text
//	19  trap group  a text
//	20  cookie      length; bytes
//	21  loss        it is a loss: 0 at dropwatch's socket, 1 in the queue of a CPU,
//	                2 not read before stopping, 3 what could not be decoded, 4 in
//	                the ring of a CPU, 5 full summaries, 6 lost summaries, 7 not
//	                written by an output, 8 at the socket, not counted, 9 on a CPU not
//	                yet watched, 10 while no source was running
//	22  namespace   inode number of the network namespace
//	23  its name    a text
//	24  cgroup      number of the control group
//	25  its path    a text
//	26  socket      cookie; inode; family; protocol; state; 1 if it is the receiver;
//	                local and remote address: length, 0, 4 or 16; bytes; port
//	27  process     that has the socket open: its PID; the confidence: 0 unsure,
//	                1 likely, 2 certain
//	28  its name    a text
//	29  unit        of systemd, a text
//	30  container   its ID, a text
//	31  runtime     of the container, a text
//	32  its name    of the container, a text
//	33  pod         its UID, a text
//	34  pod's space its Kubernetes namespace, a text
//	35  its name    of the pod, a text
//	36  confidence  of the socket, as of the process; only with bit 26
//	37  pending     the owner was not found yet
//	38  aggregate   the drops were counted beside others of their kind that were
//	                reported individually
//	39  fragment    a further fragment of a packet whose drop is another event
//	40  undecided   a filter could not decide
//	41  kind        neither a drop nor a loss: 0 a retransmission, 1 what a filter
//	                rejected: drops, or with bit 49 events of TCP, or with bit 52 of
//	                points; 2 a reset, 3 what else a capture shows of TCP, 4 a point,
//	                5 a finding
//	42  segments    packets on the wire
//	43  harmless    why nothing was lost, a text
//	44  args        how many, at most 256; of each its name and its text, both a
//	                text; its number, which is its value if the text is empty
//	45  gap         nanoseconds that no source was running
//	46  type        to whom the packet was addressed: 1 this host, 2 broadcast, 3
//	                multicast, 4 another host, 5 outgoing, 6 looped back
//	47  traits      a set: 1 no payload, 2 for a packet socket, 4 in an error queue, 8
//	                a message for NFQUEUE, 16 for its interface's own MAC address
//	48  tag         VLAN tag that is not in the data: ethertype, and TCI
//	49  segment     of TCP: type, in the order of the names in help json, from 1;
//	                direction: 1 out, 2 in; bytes of payload; number in a capture
//	                file; state, as in tcp_states.h; congestion state, as in enum
//	                tcp_ca_state, plus 1; round-trip time in microseconds; segments
//	                that the connection has sent; expiries of the timer; 1 this host
//	                dropped it, 2 it did not, 3 not known; why not known, a text
//	50  connection  only with bit 49 and without data: which of the following are
//	                known, as event.Fields; source and destination: length, 0, 4 or
//	                16; bytes; both ports; sequence and acknowledgment number; flags
//	51  file        of the number in bit 49, if there are several, a text; only with that
//	52  point       the name of a point that was reached, or of which events were
//	                rejected or lost, a text
//	53  headers     only with bit 52 and without data: the number of the protocol
//	                behind IP, and what bit 50 has
//	54  drop        behind what TCP did, only with bit 49: the reason of what a reset
//	                answers, a text; index and name of the interface, and inode number
//	                and name of the network namespace, if they are others; the firewall's
//	                rule, and how sure that is; names and rule are texts
//	55  incident    of a finding, or of a loss of those: 1 if it is over; when it began, in
//	                nanoseconds since 1970, zigzag; nanoseconds that it lasted; events;
//	                the threshold; the window in nanoseconds; incidents before it without a
//	                report; the alert, its expression, what events are, the cause's ID,
//	                location and severity, the cause, and the fix, all texts. Without an
//	                alert it is of a diagnosis
//	56  reached     the last point that the packet of a drop had reached: its name, a
//	                text; values as in bit 44
//	57  detail      only of a finding with bit 55: its rank; layer, module, class, the
//	                firewall's rule, and how sure that is, all texts; how many facts, at
//	                most 256, of each its name and its text; then two lists of commands,
//	                to check and to fix: how many, at most 256, and those, all texts
//
// Bits are only ever added. A reader that meets an unknown bit does not know where the
// event ends, and reports that a newer dropwatch wrote the file.
//
// # The end
//
// After its kind, the end has its time as that of an event, and the ledger: shown,
// those that only a second source reported, harmless, fragments, rejected,
// undecided, nanoseconds that no source was running; then how many numbers follow, and
// those, of the losses in the order of bit 21. If the run had any events of TCP or of
// points, the part of the ledger of TCP follows: segments sent again, resets, others,
// rejected, lost. If it had any of points, theirs follows: shown, rejected, lost. If it
// had findings, the parts of TCP and points are there, and theirs follows: shown, lost. Rejected,
// undecided and fragments are at least the sums of the events before; all others are
// exactly these sums.
//
// # The host, in version 3
//
// After the kind of a record from 16 on follows its length in bytes. A reader skips
// such a record if it does not know its kind:
//
//	16  counters  a part of what the host counted at one time
//	17  answer    what the host answered to a question: length and bytes of the
//	              question, as package diagnose asks it; length and bytes of the
//	              answer, which is JSON. It replaces an earlier answer to the same
//	              question
//
// A snapshot of the counters is one record or several in a row. Each begins with a 0,
// the last with a 1. The rest are parts:
//
//	1  empty    the tables of counters and of their strings are empty
//	2  gone     how many, at most 64; the numbers of counters that are no longer there
//	3  changed  how many, at most 64; of each its number, and the change of its
//	            value, zigzag, modulo 2^64
//	4  new      how many, at most 64; counters, as below
//	5  end      the last part: time, as that of an event, but counted from that of the
//	            snapshot before; nanoseconds that the reading took; inode number of the
//	            network namespace of dropwatch; failures: how many, at most 128; of each
//	            the inode number and the name of the network namespace, the group
//	            that could not be read, the error, all three texts; 1 if a permission
//	            was missing
//
// Counters are numbered as they come, from 0. In a part, a number is written as the
// difference from the one before it. The texts of counters have a table of their own,
// which a restart does not empty; none is longer than 2048 bytes. A new counter begins with
// a number whose bits say what follows; what does not follow is zero, and for bits 0 to 3
// as of the new counter before:
//
//	 0  namespace  inode number of the network namespace, and its name, a text
//	 1  group      a text
//	 2  interface  its name, a text
//	 3  object     a text
//	    name       a text, always
//	    value      always
//	 4  limit      at which a level loses packets
//	 5  inode      of the socket that it is about
//	 6  sharing    how many sockets have the address of that
//	 7  about      a text
//	 8  hook       of netfilter, a text
//	 9  level      it is a level, not a total
//	10  part       another counter of the group counts the same
//	11  sparse     it is in no snapshot while it is 0
//	12  32 bits    its width
//
// A reader refuses counters that take more than 64 MiB, where each counts 192 bytes and each
// of their strings as above, and answers that take more than 16 MiB, where each counts 64
// bytes, its length and that of its question.
//
// # Version 1
//
// It has no bits beyond 37. Its losses are 0 to 6, and 7 for drops that a filter
// rejected. Drops that were not reported individually and that have a reason, a protocol,
// an interface or a namespace are treated as if bit 38 was set. Its ledger is: shown,
// those that only a second source reported, fragments, how many numbers follow, and
// those of bit 21.
package session
