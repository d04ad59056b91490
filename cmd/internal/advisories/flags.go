// SPDX-License-Identifier: Apache-2.0

// Package advisories has the flag for advisories, and reads them again when they change. Servers share it. Package jobs/advisories knows the
// formats. The package never writes a file.
package advisories

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/jobs/advisories"
)

const flag = "advisories"

// Flags are the value of the flag. The zero value is no advisories.
type Flags struct {
	// Sources are files and addresses.
	Sources []string

	reader *Reader
}

// AddTo adds the flag.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.Sources, flag, nil,
		"`file` or https:// or http:// URL with advisories about vulnerabilities, which the server reads again when they change: "+
			"the JSON of Debian's security tracker, OSV (an entry, an array, JSON lines or a zip archive), or OpenVEX; "+
			"whoever can change what http:// answers can hide vulnerabilities; repeatable (default: none)")
}

// Check reports why a source is refused. It reads no source.
func (f *Flags) Check() error {
	_, err := f.parse()
	return err
}

// CheckFiles reads the files of valid flags as a Reader does, and returns an error for each that it cannot read. It requests no address.
func (f *Flags) CheckFiles(ctx context.Context) (problems []error) {
	sources, err := f.parse()
	if err != nil { // Check reports it
		return nil
	}
	reader := newReader(sources)
	for _, one := range sources {
		if one.address != nil {
			continue
		}
		if _, err := reader.readFile(ctx, one); err != nil {
			problems = append(problems, fmt.Errorf("--%s %s: %w: correct the path, or replace the file", flag, one.place, err))
		}
	}
	return problems
}

func (f *Flags) parse() (sources []*source, err error) {
	var seen []string
	for _, text := range f.Sources {
		its, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("--%s %w", flag, err)
		}
		if slices.Contains(seen, its.place) {
			return nil, fmt.Errorf("--%s %s: is there twice: set it once", flag, its.name)
		}
		seen = append(seen, its.place)
		sources = append(sources, its)
	}
	return sources, nil
}

// parse reads one value of the flag. The error names the value without credentials.
func parse(text string) (*source, error) {
	if !strings.Contains(text, "://") {
		path, err := filepath.Abs(text)
		if err != nil || text == "" {
			return nil, fmt.Errorf("%q: must be the path of a file, or a URL", text)
		}
		return &source{place: path, name: filepath.Base(path)}, nil
	}
	address, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("has no valid URL: write https://host/path")
	}
	plain := *address
	plain.User, plain.RawQuery, plain.Fragment = nil, "", ""
	if address.Scheme != "https" && address.Scheme != "http" || address.Host == "" {
		return nil, fmt.Errorf("%s: must be a file, or a URL with https:// or http://", plain.String())
	}
	return &source{place: text, name: plain.String(), address: address}, nil
}

// Open returns the reader of the sources, which reads nothing before its Run. It returns nil if there are no sources, and the same reader each time.
func (f *Flags) Open() (*Reader, error) {
	if f.reader != nil {
		return f.reader, nil
	}
	sources, err := f.parse()
	if err != nil || len(sources) == 0 {
		return nil, err
	}
	f.reader = newReader(sources)
	return f.reader, nil
}

func newReader(sources []*source) *Reader {
	return &Reader{sources: sources, clock: clock.RealClock{}, client: newClient(), memory: advisories.MaxMemory, reading: make(chan struct{}, 1)}
}

// Advisories returns the advisories for a server, or nil if there are no sources.
func (f *Flags) Advisories() (imagebuild.Advisories, error) {
	reader, err := f.Open()
	if err != nil || reader == nil {
		return nil, err // not a nil of the type of the reader
	}
	return reader, nil
}
