// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"path/filepath"
	"strconv"

	"goldsmith.dev/goldsmith/builders/debian/kept"
	"goldsmith.dev/goldsmith/jobs/local"
)

// The variables with the directory that packages are kept in for later builds, and the limit of its size in bytes. Nothing is kept without them.
const (
	envKept    = "DEBIAN_BUILDER_KEPT"
	envKeptMax = "DEBIAN_BUILDER_KEPT_MAX"
)

// keptSocket is the name of a socket in the temporary directory of a build.
const keptSocket = "kept.sock"

// serveKept serves, while this process runs, what a build keeps. It returns the path of the socket in the sandbox, or "" if the build keeps nothing.
func serveKept(getenv func(string) string, log io.Writer) (socket string, err error) {
	store := &kept.Store{Directory: getenv(envKept)}
	outside, namespace := getenv(envTemporary), getenv(local.EnvNamespace)
	if store.Directory == "" || outside == "" || namespace == "" {
		return "", nil
	}
	if store.Max, err = strconv.ParseInt(getenv(envKeptMax), 10, 64); err != nil {
		return "", fmt.Errorf("%s: %w", envKeptMax, err)
	}
	if store.Max <= 0 {
		return "", store.Trim()
	}
	// The path of a socket has at most 107 bytes, so it names an open directory.
	directory, err := os.Open(outside)
	if err != nil {
		return "", err
	}
	defer func() { _ = directory.Close() }() // only looked up in
	name := filepath.Join("/proc/self/fd", strconv.Itoa(int(directory.Fd())), keptSocket)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return "", err
	}
	listener.SetUnlinkOnClose(false) // the path is another file then; the builder removes the socket
	server := &kept.Server{Store: store, Namespace: namespace, Log: log}
	go func() {
		if err := server.Serve(listener); err != nil {
			_, _ = fmt.Fprintf(log, "nothing is kept for later builds: %v\n", err) // as in complain
		}
	}()
	return path.Join(temporary, keptSocket), nil
}
