// Package session keeps a run in a file, from which it can be run again: its
// drops, with the names they were given, its losses and its ledger.
//
// # The format, version 1
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
// So no frame can be changed, lost, doubled or out of order unnoticed. A writer
// ends a frame when the source pauses, and whenever it holds 64 KiB. The payload
// of the first frame is a JSON object, the Header with the names of its tags; a
// reader ignores names that it does not know. That of the others is a sequence of records, none
// of which spans two frames. A record begins with its kind, a byte:
//
//	1  event    a drop or a loss of drops
//	2  end      the run was ended, and its ledger; the last record of the file
//	3  restart  the tables below are empty again
//
// A file without an end is of a run that broke off: a writer that dies leaves all
// that it had flushed. It does not wait for the disk.
//
// A number is an unsigned varint, as in Protocol Buffers, if nothing else is
// said; a zigzag number is signed: 0, -1, 1, -2 are written as 0, 1, 2, 3. A text
// is a string of any bytes, which is written once: it is the index of a string in
// the table of strings, or else the number of strings in it, upon which length
// and bytes of a new string follow, which becomes the last of the table. Places
// in the code and call chains have a table each and are written likewise:
//
//	place  PC as uint64, little endian; look-up: 0 not tried, 1 not found,
//	       2 found; symbol, a text; offset; module, a text
//	chain  number of calls, at most 8192; a place for each
//
// The tables have a size: each string counts as its bytes and 32, each place as
// 64, each chain as 32 and 4 for each of its calls. If it is more than 1 MiB,
// the next record is a restart.
//
// # An event
//
// After its kind, an event has a set of fields as a number, the bits of which
// stand for what follows, in the order of the bits. A field that is not in the
// set is zero, the count 1. Fields without a form are only bits.
//
//	 0  time        nanoseconds since the time of the event before that has one,
//	                of the first since 1970, zigzag, modulo 2^64
//	 1  stamped     the time is the kernel's
//	 2  single      one packet was reported by itself, not in a summary
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
//	13  chain       the calls that led to the drop, a chain
//	14  command     the thread's name, a text
//	15  count       of packets
//	16  unseen      the source of packets did not show it, another did
//	17  origin      1 hardware, 2 one that the recorder did not know, 3 not stated;
//	                not in the set: software
//	18  trap        a text
//	19  trap group  a text
//	20  cookie      length; bytes
//	21  loss        it is a loss, at: 0 our socket, 1 the queue of a CPU, 2 what was
//	                unread at the end, 3 what could not be decoded, 4 the ring of a
//	                CPU, 5 full summaries, 6 lost summaries, 7 the filter in the
//	                kernel, which is none
//	22  namespace   inode number of the network namespace
//	23  its name    a text
//	24  cgroup      number of the control group
//	25  its path    a text
//	26  socket      cookie; inode; family; protocol; state; 1 if it is the receiver;
//	                local and remote address: length, 0, 4 or 16; bytes; port
//	27  process     that has the socket: its number; how sure that is: 0 unsure,
//	                1 likely, 2 certain
//	28  its name    a text
//	29  unit        of systemd, a text
//	30  container   its ID, a text
//	31  runtime     of the container, a text
//	32  its name    of the container, a text
//	33  pod         its UID, a text
//	34  pod's space its Kubernetes namespace, a text
//	35  its name    of the pod, a text
//	36  sureness    of the socket, which has to be there, as of the process
//
// Bits are only ever added. A reader that meets one that it does not know cannot
// tell where the event ends, and says that a newer dropwatch wrote the file.
//
// # The end
//
// After its kind, the end has its time as that of an event, and the ledger:
// shown, unseen, parts, then how many numbers follow, which are those of the
// losses in the order of bit 21. Shown, unseen and losses 0 to 6 are the sums of
// the events before; the parts, and what a stage rejected, which loss 7 holds
// too, are nowhere else.
package session
