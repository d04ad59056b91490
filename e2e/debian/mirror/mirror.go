// SPDX-License-Identifier: Apache-2.0

// Package mirror starts apt-cacher-ng, from which tests fetch the packages of Debian.
package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// startLimit is how long apt-cacher-ng may take until it listens.
const startLimit = 30 * time.Second

// Start serves the packages of Debian on an address of this machine, with the configuration in a directory of the repository. It returns the
// URL for http_proxy, and a function that ends the server. A package that is not kept yet is fetched, and kept for later runs in the cache of
// the user. log receives what the server prints.
func Start(configuration, address string, log io.Writer) (url string, stop func() error, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", nil, fmt.Errorf("start apt-cacher-ng: %w", err)
	}
	directory := filepath.Join(cache, "goldsmith", "apt-cacher-ng")
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return "", nil, fmt.Errorf("start apt-cacher-ng: %w", err)
	}
	port, err := freePort(address)
	if err != nil {
		return "", nil, fmt.Errorf("start apt-cacher-ng: %w", err)
	}
	command := exec.Command("/usr/sbin/apt-cacher-ng", "-c", configuration,
		"CacheDir="+directory, "LogDir="+directory, "SocketPath=", "BindAddress="+address, "Port="+strconv.Itoa(port))
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return "", nil, fmt.Errorf("start apt-cacher-ng, a package of Debian: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait() // a signal ends it, which is no failure
		close(ended)
	}()
	stop = func() error {
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		<-ended
		return nil
	}
	host := net.JoinHostPort(address, strconv.Itoa(port))
	err = wait.PollUntilContextTimeout(context.Background(), 50*time.Millisecond, startLimit, true, func(context.Context) (bool, error) {
		select {
		case <-ended:
			return false, errors.New("it ended")
		default:
		}
		connection, refused := net.Dial("tcp", host)
		if refused != nil {
			return false, nil //nolint:nilerr // it does not listen yet
		}
		return true, connection.Close()
	})
	if err != nil {
		_ = command.Process.Kill() // it may have ended
		return "", nil, fmt.Errorf("wait for apt-cacher-ng: %w", err)
	}
	return "http://" + host, stop, nil
}

// freePort returns a port of the address on which nobody listens. apt-cacher-ng knows no ports above 32767.
func freePort(address string) (int, error) {
	const first, last, tries = 20000, 32767, 100
	var err error
	for range tries {
		var listener net.Listener
		port := first + rand.IntN(last-first+1)
		if listener, err = net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port))); err == nil {
			return port, listener.Close()
		}
	}
	return 0, err
}
