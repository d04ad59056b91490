// SPDX-License-Identifier: Apache-2.0

// Package mirror starts the mirror from which tests fetch the packages of Debian.
package mirror

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
)

// serving is the line in which the mirror tells its address.
var serving = regexp.MustCompile(`serving \S+ on (http://\S+)\n`)

// Directory returns where packages are kept: in the cache of the user.
func Directory() (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "goldsmith", "debian-mirror"), err
}

// Hosts returns the hosts from which packages are fetched.
func Hosts() []string { return []string{"deb.debian.org", "security.debian.org"} }

// Start serves the kept packages of Debian on an address of this machine, with the program of the builder debian. It returns the URL for
// http_proxy, and a function that ends the mirror. A package that is not kept yet is fetched, and kept for later runs. log receives the log of
// the mirror.
func Start(program, address string, log io.Writer) (url string, stop func() error, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("start the mirror of Debian: %w", err)
		}
	}()
	directory, err := Directory()
	if err != nil {
		return "", nil, err
	}
	arguments := []string{"mirror", "--dir", directory, "--listen", address + ":0"}
	for _, host := range Hosts() {
		arguments = append(arguments, "--allow", host)
	}
	command := exec.Command(program, arguments...)
	out, err := command.StderrPipe()
	if err != nil {
		return "", nil, err
	}
	if err := command.Start(); err != nil {
		return "", nil, err
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		_, _ = io.WriteString(log, line) // a test without its log still tests
		if found := serving.FindStringSubmatch(line); found != nil {
			url = found[1]
			break
		}
		if err != nil {
			return "", nil, errors.Join(command.Wait(), errors.New("it ended before it served: its log has the reason"))
		}
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(log, lines)
	}()
	return url, func() error {
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		<-copied
		return command.Wait()
	}, nil
}
