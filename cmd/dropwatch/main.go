// Command dropwatch shows where the kernel drops packets, and why.
package main

import (
	"os"

	"dropwatch/internal/app"
)

func main() { os.Exit(app.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
