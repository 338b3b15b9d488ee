package top

// Help is what the help key shows.
const Help = `Keys
  up down j k    select a row            pgup pgdown home end
  enter l right  more about the row: its flows, last packets, stack
  esc left q     back; in the table q ends the run, and ctrl-c does so always
  s > .  < ,     sort by the next column, by the one before
  r              reverse the order
  1 ... 6        group by place, reason, interface, owner, netns, protocol,
                 or no longer (g says which are on)
  / f            show only what an expression wants; an empty one shows all
  p space        pause: the screen stands still, counting goes on
  w              save the last drops to a session file, for dropwatch replay
  ctrl-l         draw the screen anew
  h ? f1         this help

What is shown
  DROPS/S        in the last second that is over
  MINUTE         the last one, each row by its own highest value
  OWNER          pod, container, unit or process that the packet was of;
                 ~ in front: likely, not certain (of drops that were only
                 counted, it is that of the packets seen)
  (other)        kinds of drops that there was no room for

  A filter counts from when it was set. A drop that was only counted has no
  packet: a filter that asks for addresses or ports hides it, and one that asks
  for an owner if the kernel did not name the socket. Give such an expression
  on the command line to have the counts themselves exact.

  When paused, rows, details and what is saved are those of that moment.`
