package top

// Help is the text of the help key, and a part of `dropwatch top --help`.
const Help = `Keys
  up down j k    select a row            pgup pgdown home end
  enter l right  more about the row: cause, settings, fix, flows, last
                 packets, stack
  ] [ n N        in there: the next row, the previous row
  esc left q     back; in the table q quits, and ctrl-c quits anywhere
  s > .  < ,     sort by the next column, by the previous column
  r              reverse the order
  1 ... 9        group by location, reason, interface, owner, netns, protocol
                 (1 to 6); with --retrans by peer, direction, type, lost,
                 owner, interface, netns, reason, location; or no longer
                 (g shows which are on)
  / f            show only what an expression matches; an empty one (ctrl-u,
                 enter) shows all
  p space        pause the screen; counting continues
  w              save the last events to a recording, for dropwatch replay
  ctrl-l         redraw
  h ? f1         this help

What is shown
  DROPS/S        in the last full second; SEGS/S: segments on the wire
  MINUTE         the last minute, each row scaled to its own maximum
  OWNER          pod, container, unit or process that the packet belongs to;
                 ? after it: likely, not certain (of drops that were only
                 counted, it is that of the packets reported)
  DIR            out: this host sent the segment again, or a RST; in: the peer
                 did, although what it sent again had arrived
  TYPE           why: fast, rto, tlp, syn, synack, as in dropwatch retrans
  LOST           whether this host dropped the segment before; unknown: not all
                 drops are known; REASON and LOCATION are those of the drop
  ~              before a number: samples only; more drops of this kind were
                 counted without an owner and are in the row without one
  (other)        kinds of drops that there was no room for
  red, bold      traffic is lost that should not be
  yellow         it depends on what was wanted, or it was sent again and not
                 lost here (without colour: plain)
  faint          noise: nothing that anybody needs is lost

  A filter keeps the counts of the rows that it shows. If the expression needs
  the packet, such as a port or an address, it counts the packets that are
  kept, and those to come; drops that were only counted are undecided. Give
  such an expression on the command line for exact counts.

  When paused, rows, details and what is saved are those of that moment.`
