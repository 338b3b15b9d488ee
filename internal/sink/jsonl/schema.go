package jsonl

import _ "embed"

//go:embed schema.json
var schema string

// Schema gives the JSON Schema (2020-12) of a line.
func Schema() string { return schema }
