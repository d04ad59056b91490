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

// Start serves the kept packages of Debian on an address of this machine, with the program of the builder debian. It returns the URL for
// http_proxy, and a function that ends the mirror. What is not kept yet is fetched, and kept for later runs in the cache of the user. log
// receives the log of the mirror.
func Start(program, address string, log io.Writer) (url string, stop func() error, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("start the mirror of Debian: %w", err)
		}
	}()
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", nil, err
	}
	command := exec.Command(program, "mirror", "--dir", filepath.Join(cache, "goldsmith", "debian-mirror"), "--listen", address+":0",
		"--allow", "deb.debian.org", "--allow", "security.debian.org")
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
