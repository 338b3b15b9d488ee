package knowledge

import "strings"

// terms are the words by which entries are classified, each with what it means.
var terms = map[string]string{
	Hardware.String():  "a layer: devices, drivers and their rings.",
	Link.String():      "a layer: frames, bridges, queueing disciplines.",
	Network.String():   "a layer: IP, routes, neighbours, firewalls.",
	Transport.String(): "a layer: TCP, UDP and other protocols with sockets.",

	Policy.String():   "a class of drops: a rule or a limit that somebody set asked for it.",
	Error.String():    "a class of drops: the packet, or what it needs, is wrong: a checksum, a header, a route, a neighbour.",
	NoBuffer.String(): "a class of drops: a queue, a buffer or a table was full.",
	Local.String():    "a class of drops: the packet was for this host, which did not want it: no socket, a closed connection.",

	Noise.String(): "a severity: nothing that anybody needs is lost.",
	Maybe.String(): "a severity: it depends on what was wanted whether it matters.",
	Harm.String():  "a severity: traffic is lost that should not be.",
}

// Term says what a layer, class or severity means, by its name in any case; it is empty for
// other words.
func Term(name string) string { return terms[strings.ToLower(name)] }
