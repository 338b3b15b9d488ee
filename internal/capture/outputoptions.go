package capture

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dropwatch/internal/sink/elastic"
	"dropwatch/internal/sink/segments"
	"dropwatch/internal/sink/syslog"
)

// An OutputOption is a setting of an output, after its target.
type OutputOption struct {
	Name  string // before the equals sign
	Value string // what is after the equals sign, as usage shows it; empty: true or false, and true without it
	Help  string // a sentence
	set   func(o *Output, value string) error
}

// Usage is how the option is written: "link=TYPE".
func (p *OutputOption) Usage() string {
	if p.Value == "" {
		return p.Name
	}
	return p.Name + "=" + p.Value
}

// outputOptions are the options of all outputs, in the order of help.
var outputOptions = []OutputOption{
	{
		Name: "hex", Help: "Also write the bytes of packets.",
		set: func(o *Output, value string) error { return setBool(&o.Hex, value) },
	},
	{
		Name: "explain", Help: "Also write why packets were dropped, and in text how to fix it, also of the findings of alerts.",
		set: func(o *Output, value string) error { return setBool(&o.Explain, value) },
	},
	{
		Name: "harmless", Help: "Also write drops that lost nothing, which JSON always has.",
		set: func(o *Output, value string) error { return setBool(&o.Harmless, value) },
	},
	{
		Name: "link", Value: "TYPE", Help: "The link header of packets: *any*, *ethernet* or *raw*, as *--link* has them.",
		set: func(o *Output, value string) error { return o.Link.Set(value) },
	},
	{
		Name: "rotate", Value: "SIZE", Help: "Rotate the file before it is larger: bytes, or as in *500K*, *100M*, *2G*.",
		set: func(o *Output, value string) error { return setSize(&o.Log.Size, value) },
	},
	{
		Name: "age", Value: "TIME", Help: "Rotate the file when a line comes and it is older: as in *30m*, *24h*.",
		set: func(o *Output, value string) error { return setDuration(&o.Log.Age, value) },
	},
	{
		Name: "keep", Value: "NUMBER", Help: "Keep this number of rotated files; 10 if it is left out.",
		set: func(o *Output, value string) error { return setNumber(&o.Log.Keep, value) },
	},
	{
		Name: "compress", Help: "Compress rotated files with gzip or, as *compress=zstd*, with zstd.",
		set: func(o *Output, value string) error { return o.Log.Compress.Set(value) },
	},
	{
		Name: "size", Value: "SIZE", Help: "How much a recorder keeps: bytes, or as in *500M*; *64M* if it is left out.",
		set: func(o *Output, value string) error { return setRing(&o.Bytes, value) },
	},
	{
		Name: "facility", Value: "NAME", Help: "Of syslog: *daemon* if it is left out, or kern, user, local0 to local7.",
		set: func(o *Output, value string) (err error) {
			o.Syslog.Facility, err = syslog.ParseFacility(value)
			return err
		},
	},
	{
		Name: "format", Value: "PROGRAM",
		Help: "Only TCP retransmissions (no drops, no findings), as *tcptracer* or *pcapgazer* wrote them: their lines or, " +
			"of elastic, the fields of their documents, in indices of their names unless *index* or *daily* is given.",
		set: func(o *Output, value string) error { return o.TCPLog.Set(value) },
	},
	{
		Name: "url", Value: "URL", Help: "A further server of the same cluster, which is tried when another fails.",
		set: func(o *Output, value string) error { o.Elastic.URLs = append(o.Elastic.URLs, value); return nil },
	},
	elasticText("index", "NAME", "The data stream; *"+elastic.DefaultIndex+"* if it is left out.",
		func(e *elastic.Options) *string { return &e.Index }),
	elasticText("daily", "NAME", "Instead of a data stream, an index for each day of the events, in UTC: *NAME-YYYY.MM.DD*.",
		func(e *elastic.Options) *string { return &e.Daily }),
	{
		Name: "template", Value: "BOOL", Help: "With *false*, create no index template, which is created unless there is one.",
		set: func(o *Output, value string) error {
			create := true
			err := setBool(&create, value)
			o.Elastic.NoTemplate = !create
			return err
		},
	},
	elasticText("user", "NAME", "The user, whose password is in *password-file* or in the environment: "+elastic.PasswordVariable+".",
		func(e *elastic.Options) *string { return &e.User }),
	elasticText("password-file", "FILE", "It has the password.", func(e *elastic.Options) *string { return &e.PasswordFile }),
	elasticText("api-key-file", "FILE", "It has the API key; without it "+elastic.KeyVariable+" in the environment, if that is set.",
		func(e *elastic.Options) *string { return &e.KeyFile }),
	elasticText("ca", "FILE", "Certificates that the server's is checked against, instead of those of the host.",
		func(e *elastic.Options) *string { return &e.CA }),
	elasticText("cert", "FILE", "The certificate of this client.", func(e *elastic.Options) *string { return &e.Cert }),
	elasticText("cert-key", "FILE", "Its key.", func(e *elastic.Options) *string { return &e.CertKey }),
	elasticText("spool", "DIRECTORY", "Keep documents there until they are delivered, also over restarts. Without it they are kept in "+
		"memory, up to 32 MB.", func(e *elastic.Options) *string { return &e.Spool }),
	{
		Name: "spool-size", Value: "SIZE", Help: "The most that the spool takes; 1G if it is left out. What has no room is lost.",
		set: func(o *Output, value string) error { return setSize(&o.Elastic.SpoolSize, value) },
	},
	{
		Name: "count", Value: "NUMBER", Help: "Documents of a request; 1000 if it is left out.",
		set: func(o *Output, value string) error { return setNumber(&o.Elastic.Count, value) },
	},
	{
		Name: "bytes", Value: "SIZE", Help: "The most that a request has; 4M if it is left out.",
		set: func(o *Output, value string) error { return setSize(&o.Elastic.Bytes, value) },
	},
	{
		Name: "every", Value: "TIME", Help: "Send documents after this time, also if they are few; 1s if it is left out.",
		set: func(o *Output, value string) error { return setDuration(&o.Elastic.Every, value) },
	},
	{
		Name: "timeout", Value: "TIME", Help: "How long the answer to a request may take; 30s if it is left out.",
		set: func(o *Output, value string) error { return setDuration(&o.Elastic.Timeout, value) },
	},
}

// elasticText returns an option of Elasticsearch whose value is a text.
func elasticText(name, value, help string, field func(*elastic.Options) *string) OutputOption {
	return OutputOption{name, value, help, func(o *Output, value string) error { *field(&o.Elastic) = value; return nil }}
}

// OutputOptions returns the options of all outputs.
func OutputOptions() []OutputOption { return slices.Clone(outputOptions) }

// setBool sets an option that may be given without a value, which is true.
func setBool(to *bool, value string) error {
	switch value {
	case "", "true":
		*to = true
	case "false":
		*to = false
	default:
		return errors.New("give true or false")
	}
	return nil
}

// setSize parses a number of bytes. Fewer than a block of a file system are none to rotate by.
func setSize(to *int64, text string) error {
	const least, most = 4 << 10, 1 << 50
	digits, shift := text, 0
	for i, unit := range []string{"K", "M", "G", "T"} {
		if n, ok := strings.CutSuffix(text, unit); ok {
			digits, shift = n, 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(digits, 10, 51)
	if err != nil || n > most>>shift || n<<shift < least {
		return errors.New("give bytes, 4K or more, or as in 500K, 100M, 2G")
	}
	*to = int64(n << shift)
	return nil
}

// setRing parses the bytes of a recorder.
func setRing(to *int64, text string) error {
	if err := setSize(to, text); err != nil || *to < segments.MinBytes {
		return fmt.Errorf("give bytes, %dM or more, or as in 64M, 2G", segments.MinBytes>>20)
	}
	return nil
}

// setDuration sets a time from what [ParseDuration] accepts.
func setDuration(to *time.Duration, text string) (err error) {
	*to, err = ParseDuration(text)
	return err
}

// ParseDuration parses a time of a second or more, as the options of outputs have them.
func ParseDuration(text string) (time.Duration, error) {
	n, err := time.ParseDuration(text)
	if err != nil || n < time.Second {
		return 0, errors.New("give a time of 1s or more, as in 30m, 24h")
	}
	return n, nil
}

// setNumber sets an option to a number from 1 to 2^31-1: 0, which would be without a limit, is refused.
func setNumber(to *int, text string) error {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return errors.New("give a number from 1")
	}
	*to = int(n)
	return nil
}
