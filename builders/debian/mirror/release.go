// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"
)

const (
	// inRelease is the name of the file that describes the indices of a suite.
	inRelease = "InRelease"
	// signed is how an InRelease begins.
	signed = "-----BEGIN PGP SIGNED MESSAGE-----"
	// archived is how a package begins.
	archived = "!<arch>\n"
)

var (
	byHashPattern = regexp.MustCompile(`/by-hash/([^/]+)/([^/]+)\z`)
	sumPattern    = regexp.MustCompile(`\A[0-9a-f]{64}\z`)
)

// expectation is what a file has to be.
type expectation struct {
	sum     string // SHA256 in hex; empty: any
	prefix  string
	problem string // of a file that is something else
}

func (e expectation) check(sum string, head []byte) error {
	if e.sum != "" && e.sum != sum || !bytes.HasPrefix(head, []byte(e.prefix)) {
		return errors.New(e.problem)
	}
	return nil
}

// expected returns what a file has to be. The error is why it cannot be kept, whatever it is.
func (m *Mirror) expected(wanted file) (expectation, error) {
	base := path.Base(wanted.path)
	switch hashed := byHashPattern.FindStringSubmatch(wanted.path); {
	case !strings.Contains(wanted.path, "/dists/"):
		if extension := path.Ext(base); extension == ".deb" || extension == ".udeb" {
			return expectation{prefix: archived, problem: "what the archive answers is not a package"}, nil
		}
		return expectation{}, nil
	case base == inRelease:
		return expectation{prefix: signed, problem: "what the archive answers is not signed"}, nil
	case hashed != nil && (hashed[1] != "SHA256" || !sumPattern.MatchString(hashed[2])):
		return expectation{}, refuse(http.StatusNotFound, "%s: only SHA256 is kept by hash", wanted)
	case hashed != nil:
		return expectation{sum: hashed[2], problem: "what the archive answers has another checksum than its name"}, nil
	}
	return m.described(wanted)
}

// described returns what the kept InRelease tells about an index: that of the suite that the file is in.
func (m *Mirror) described(wanted file) (expectation, error) {
	for suite := path.Dir(wanted.path); path.Base(suite) != "dists"; suite = path.Dir(suite) {
		release, err := m.open(file{wanted.host, path.Join(suite, inRelease)})
		if err != nil {
			return expectation{}, err
		}
		if release == nil {
			continue
		}
		defer func() { _ = release.Close() }()
		sum, err := describedSum(release, strings.TrimPrefix(wanted.path, suite+"/"))
		if err != nil {
			return expectation{}, refuse(http.StatusInternalServerError, "read %s: %v", release.Name(), err)
		}
		if sum == "" {
			return expectation{}, refuse(http.StatusNotFound, "the kept InRelease does not describe %s", wanted)
		}
		return expectation{sum: sum, problem: "the archive has another state than the kept InRelease: start the mirror with --refresh"}, nil
	}
	return expectation{}, refuse(http.StatusNotFound, "%s is not kept without its InRelease: fetch that first", wanted)
}

// logStates logs the state of each suite that is kept. Packages of a state that has expired cannot be installed, unless APT is told otherwise.
func (m *Mirror) logStates() error {
	releases, err := m.releases()
	if err != nil {
		return fmt.Errorf("read the kept states: %w", err)
	}
	for _, release := range releases {
		date, until, err := m.state(release)
		if err != nil {
			return fmt.Errorf("read the kept state %s: %w", release, err)
		}
		text := "the state of " + date
		if expiry, err := http.ParseTime(strings.Replace(until, "UTC", "GMT", 1)); err == nil {
			text += ", which APT refuses after " + until
			if time.Now().After(expiry) {
				text += ": it has expired, start the mirror with --refresh"
			}
		}
		m.options.Log.Printf("kept: %s: %s", release, text)
	}
	return nil
}

// state returns the fields Date and Valid-Until of a kept InRelease.
func (m *Mirror) state(release file) (date, until string, err error) {
	content, err := m.root.Open(release.name())
	if err != nil {
		return "", "", err
	}
	defer func() { _ = content.Close() }()
	lines := bufio.NewScanner(content)
	for lines.Scan() {
		switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
		case "Date":
			date = value
		case "Valid-Until":
			until = value
		}
	}
	return date, until, lines.Err()
}

// describedSum returns the SHA256 that an InRelease has for a file. It is empty if the InRelease does not describe the file.
func describedSum(release io.Reader, name string) (sum string, err error) {
	lines := bufio.NewScanner(release)
	section := ""
	for lines.Scan() {
		line := lines.Text()
		if !strings.HasPrefix(line, " ") {
			section = line
			continue
		}
		if fields := strings.Fields(line); section == "SHA256:" && len(fields) == 3 && fields[2] == name && sumPattern.MatchString(fields[0]) {
			return fields[0], nil
		}
	}
	return "", lines.Err()
}
