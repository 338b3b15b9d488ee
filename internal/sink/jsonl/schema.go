package jsonl

import _ "embed"

//go:embed schema.json
var schema string

// Schema returns the JSON Schema (2020-12) of a line, which dropwatch help json prints.
func Schema() string { return schema }
