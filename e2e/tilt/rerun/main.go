// SPDX-License-Identifier: Apache-2.0

// Command rerun supports Tilt's live update in an image with a single static program. It restarts the program, and
// unpacks tar archives. The images of the development loop are thus the released images with one more file. They need no
// base image, and the pods keep their read-only root.
//
//	rerun NAME ARGS…   run /live/NAME, or /NAME as long as there is no such file, until it ends; SIGHUP starts it again
//	rerun --restart    send that SIGHUP to process 1
//	tar -C DIR -x -f - unpack standard input, under this name only
//
// No released image contains rerun.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// grace is how long the program may take to end before it is killed: an edit should be live in seconds.
const grace = 2 * time.Second

func main() {
	code, err := run(os.Args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
	}
	os.Exit(code)
}

// run returns the exit code. argv[0] counts: it is how a container's tar is asked for.
func run(argv []string) (int, error) {
	switch {
	case filepath.Base(argv[0]) == "tar":
		return failure(unpack(argv[1:], os.Stdin))
	case len(argv) == 2 && argv[1] == "--restart":
		return failure(syscall.Kill(1, syscall.SIGHUP))
	case len(argv) < 2:
		return failure(fmt.Errorf("which program? usage: rerun NAME ARGS…"))
	}
	restart, stop := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(restart, syscall.SIGHUP)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	p := program{name: argv[1], args: argv[2:], root: "/", grace: grace, out: os.Stdout, errs: os.Stderr}
	return p.supervise(restart, stop)
}

func failure(err error) (int, error) {
	if err != nil {
		return 1, err
	}
	return 0, nil
}
