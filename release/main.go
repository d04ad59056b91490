// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(mainWithCode())
}

func mainWithCode() int {
	options := options{plan: everything(), log: os.Stdout}
	flag.StringVar(&options.checkout, "checkout", "..", "directory of the checkout")
	flag.StringVar(&options.output, "output", "../dist", "directory to write; one of an earlier release is replaced")
	flag.StringVar(&options.version, "version", "", "version of the release, such as v0.1.0")
	flag.StringVar(&options.address, "address", "", "URL below which the files of releases are downloaded, without the version")
	flag.StringVar(&options.registry, "registry", "", "registry and repository below which the container images are pulled")
	flag.StringVar(&options.signingKey, "signing-key", "", "file with the private key that signs the checksums; without it, the release is unsigned")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := release(ctx, &options); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		return 1
	}
	return 0
}
