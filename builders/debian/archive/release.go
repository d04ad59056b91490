// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// maxRelease is the maximum size in bytes of a release file. That of Debian has 140 kB.
	maxRelease = 8 << 20
	// maxSignature is the maximum size in bytes of a signature.
	maxSignature = 1 << 20
	// maxFuture is how far in the future a release file can be, as for apt.
	maxFuture = 10 * time.Second

	// maxETag and maxLastModified are limits of v1alpha1.ArchiveRelease.
	maxETag         = 256
	maxLastModified = 64

	// labelOfSecurity is the label of archives of security updates.
	labelOfSecurity = "Debian-Security"
)

// Suite is a suite of an archive, and what is known about it.
type Suite struct {
	URI, Name  string
	Components []string // none: all
	// Known is the state of the suite that was read before. Nil the first time.
	Known *v1alpha1.ArchiveRelease
	// Conditional asks only for a changed release file.
	Conditional bool
	// AcceptExpired accepts a release file that has expired.
	AcceptExpired bool
}

func (s *Suite) address(name string) string {
	return strings.TrimSuffix(s.URI, "/") + "/dists/" + s.Name + "/" + name
}

// Release is a release file that is verified.
type Release struct {
	State v1alpha1.ArchiveRelease
	// Unchanged reports that the file is that of Suite.Known. No other field but State is set then.
	Unchanged bool
	// Security reports whether the suite has security updates.
	Security bool
	// NotAutomatic reports that apt installs nothing from the suite by itself.
	NotAutomatic bool

	suite         *Suite
	components    []string
	architectures []string
	byHash        bool
	apart         bool // packages of architecture all are in an index of their own
	files         map[string]checksum
}

// ReadKeys reads a keyring.
func ReadKeys(file string) (openpgp.EntityList, error) {
	content, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the keys of archives: %w", err)
	}
	defer func() { _ = content.Close() }() // only read from
	keys, err := openpgp.ReadKeyRing(content)
	if err != nil {
		return nil, fmt.Errorf("read the keys of archives in %s: %w", file, err)
	}
	return keys, nil
}

// Release reads the release file of a suite. Only what one of the keys has signed is read.
func (c *Client) Release(ctx context.Context, suite *Suite, keys openpgp.EntityList, now time.Time) (*Release, error) {
	address := suite.address("InRelease")
	whole, reply, err := c.text(ctx, address, suite.conditions(), maxRelease)
	detached := errors.Is(err, errNotFound)
	if detached {
		address = suite.address("Release")
		whole, reply, err = c.text(ctx, address, suite.conditions(), maxRelease)
	}
	switch {
	case errors.Is(err, errNotFound):
		return nil, refuse(NotThisArchive, "%s and %s do not exist: the mirror has no suite %s", suite.address("InRelease"), address, suite.Name)
	case err != nil:
		return nil, err
	case reply.code == http.StatusNotModified && len(suite.conditions()) > 0:
		return &Release{State: *suite.Known, Unchanged: true}, nil
	case reply.code == http.StatusNotModified:
		return nil, refuse(Unavailable, "%s: 304 Not Modified, though the request had no condition", address)
	}
	signed, err := c.verified(ctx, suite, whole, detached, &packet.Config{Time: func() time.Time { return now }}, keys)
	if err != nil {
		return nil, err
	}
	release, err := suite.parse(address, signed, now)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(whole)
	release.State.SHA256 = fmt.Sprintf("%x", digest)
	release.State.ETag = validator(reply.header.Get("ETag"), maxETag)
	release.State.LastModified = validator(reply.header.Get("Last-Modified"), maxLastModified)
	if suite.Conditional && suite.Known != nil && suite.Known.SHA256 == release.State.SHA256 {
		return &Release{State: release.State, Unchanged: true}, nil
	}
	return release, nil
}

// conditions returns the headers of a conditional request.
func (s *Suite) conditions() http.Header {
	header := http.Header{}
	if !s.Conditional || s.Known == nil {
		return header
	}
	if s.Known.ETag != "" {
		header.Set("If-None-Match", s.Known.ETag)
	}
	if s.Known.LastModified != "" {
		header.Set("If-Modified-Since", s.Known.LastModified)
	}
	return header
}

// validator returns a header that can be stored, or "".
func validator(text string, limit int) string {
	if len(text) > limit || strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }) {
		return ""
	}
	return text
}

// verified returns the text of a release file that a signature covers.
func (c *Client) verified(ctx context.Context, suite *Suite, whole []byte, detached bool, config *packet.Config, keys openpgp.EntityList) ([]byte, error) {
	address, signed := suite.address("InRelease"), whole
	var signature io.Reader
	if detached {
		address = suite.address("Release.gpg")
		text, _, err := c.text(ctx, address, nil, maxSignature)
		switch {
		case errors.Is(err, errNotFound):
			return nil, refuse(WrongSignature, "%s does not exist: the release file is not signed", address)
		case err != nil:
			return nil, err
		}
		signature = bytes.NewReader(text)
		if block, err := armor.Decode(bytes.NewReader(text)); err == nil {
			signature = block.Body
		}
	} else {
		block, rest := clearsign.Decode(whole)
		if block == nil || !bytes.HasPrefix(whole, []byte("-----BEGIN PGP SIGNED MESSAGE-----")) || len(bytes.TrimSpace(rest)) > 0 {
			return nil, refuse(WrongSignature, "%s is not one signed text", address)
		}
		signed, signature = block.Bytes, block.ArmoredSignature.Body
	}
	if _, _, err := openpgp.VerifyDetachedSignature(keys, bytes.NewReader(signed), signature, config); err != nil {
		return nil, refuse(WrongSignature, "%s: no key of the keyring has signed it: %v", address, err)
	}
	return signed, nil
}

// parse reads a release file, and checks that it is one of the suite, and of the right time.
func (s *Suite) parse(address string, text []byte, now time.Time) (*Release, error) {
	fields, files := parseRelease(text)
	release := &Release{
		suite: s, files: files, components: strings.Fields(fields["Components"]), architectures: strings.Fields(fields["Architectures"]),
		byHash: fields["Acquire-By-Hash"] == "yes", Security: fields["Label"] == labelOfSecurity,
		NotAutomatic: fields["NotAutomatic"] == "yes",
	}
	release.apart = slices.Contains(release.architectures, "all") && fields["No-Support-for-Architecture-all"] != "Packages"
	if s.Name != fields["Suite"] && s.Name != fields["Codename"] {
		return nil, refuse(NotThisArchive, "%s is that of suite %q with the code name %q, not of %s", address, fields["Suite"], fields["Codename"], s.Name)
	}
	date, err := parseDate(fields["Date"])
	if err != nil {
		return nil, refuse(NotThisArchive, "%s: its date: %v", address, err)
	}
	release.State.Date = metav1.NewTime(date)
	switch until, err := parseDate(fields["Valid-Until"]); {
	case date.After(now.Add(maxFuture)):
		return nil, refuse(Expired, "%s is of %s, which is in the future", address, date.Format(time.RFC3339))
	case s.AcceptExpired || fields["Valid-Until"] == "":
	case err != nil:
		return nil, refuse(Expired, "%s: the end of its validity: %v", address, err)
	case until.Before(now):
		return nil, refuse(Expired, "%s has expired at %s", address, until.Format(time.RFC3339))
	}
	if s.Known != nil && date.Before(s.Known.Date.Time) {
		return nil, refuse(Older, "%s is of %s, older than that of %s, which the mirror had before", address, date.Format(time.RFC3339), s.Known.Date.UTC().Format(time.RFC3339))
	}
	for _, component := range s.Components {
		if !slices.ContainsFunc(release.components, func(has string) bool { return path.Base(has) == path.Base(component) }) {
			return nil, refuse(NoSuchComponent, "%s has no component %s, only %s", address, component, strings.Join(release.components, ", "))
		}
	}
	return release, nil
}

// parseRelease returns the fields of one line, and the files with their SHA-256, of a release file.
func parseRelease(text []byte) (fields map[string]string, files map[string]checksum) {
	fields, files = map[string]string{}, map[string]checksum{}
	section := ""
	for line := range bytes.Lines(text) {
		if len(bytes.TrimSpace(line)) == 0 {
			break // only the first paragraph is the release file
		}
		if !bytes.HasPrefix(line, []byte(" ")) {
			name, value, _ := strings.Cut(string(line), ":")
			if section = name; fields[name] == "" {
				fields[name] = strings.TrimSpace(value)
			}
			continue
		}
		words := strings.Fields(string(line))
		if section != "SHA256" || len(words) != 3 {
			continue
		}
		if size, err := strconv.ParseInt(words[1], 10, 64); err == nil && size >= 0 {
			files[words[2]] = checksum{sha256: words[0], size: size}
		}
	}
	return fields, files
}

// parseDate reads a time as a release file has it: in UTC.
func parseDate(text string) (date time.Time, err error) {
	for _, layout := range []string{"Mon, _2 Jan 2006 15:04:05 MST", "Mon, _2 Jan 2006 15:04:05 -0700"} {
		if date, err = time.Parse(layout, text); err == nil {
			return date.UTC(), nil
		}
	}
	return date, err
}
