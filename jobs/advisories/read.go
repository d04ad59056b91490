// SPDX-License-Identifier: Apache-2.0

package advisories

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// The formats of advisories.
const (
	FormatDebianTracker = "DebianTracker"
	FormatOSV           = "OSV"
	FormatOpenVEX       = "OpenVEX"
)

const (
	// MaxBytes is the maximum size of advisories after decompression. All entries of OSV for Debian have about 1 GiB.
	MaxBytes = 4 << 30
	// MaxZipBytes is the maximum size of a zip archive.
	MaxZipBytes = 512 << 20
	// MaxMemory is about how much memory the advisories of one source may need, and those of all sources. Those of the tracker need 40 MiB.
	MaxMemory = 512 << 20
	// maxEntry is the maximum size of one entry, and maxItems that of a list in it, which could need a hundred times its size in memory.
	maxEntry = 8 << 20
	maxItems = 100_000
	// maxDirectory is the maximum size of the directory of a zip archive: about 400,000 entries.
	maxDirectory = 32 << 20
	// peeked is how much is read before the format is known.
	peeked = 64 << 10
	// MaxDescription is the maximum number of characters of a description.
	MaxDescription = 300
	// maxID is the maximum length of an ID or a version, and maxIDs the maximum number of IDs of one entry.
	maxID  = 128
	maxIDs = 2000
)

// Set is what one source of advisories has. It never changes, and is safe for concurrent use.
type Set struct {
	// Format is the format.
	Format string
	// Entries is the number of vulnerabilities or statements that were read.
	Entries int
	// Ignored is the number of entries of OSV that are about no package of Debian.
	Ignored int
	// Skipped is the number of entries that cannot be read, and Problem is that of the first of them. The packages that they name are unmatched.
	Skipped int
	Problem string

	tracker    map[string][]trackerEntry // by source package
	osv        map[string][]affected     // by source package
	releases   map[string]bool           // of Debian, that advisories are about
	statements map[string][]*statement   // by each ID of the vulnerability
	used       int64                     // about how many bytes they need
}

// Memory returns about how many bytes the Set needs.
func (s *Set) Memory() int64 { return s.used }

// builder makes a Set, within the limit of memory.
type builder struct {
	Set
	memory  int64             // the maximum of used
	texts   map[string]string // that several entries share
	entries *metered
}

var (
	errTooLarge = fmt.Errorf("advisories have more than %d GiB: use those of one distribution", MaxBytes>>30)
	errEntry    = fmt.Errorf("an entry has more than %d MiB", maxEntry>>20)
	errMemory   = fmt.Errorf("advisories need more than %d MiB of memory: use those of one distribution", MaxMemory>>20)
	errNothing  = errors.New("there is no advisory in it")
)

// Source is the content of a source: a file, for instance.
type Source interface {
	io.Reader
	io.ReaderAt
}

// ReadFile reads advisories whose size is known, which may be a zip archive.
func ReadFile(content Source, size int64) (*Set, error) {
	start := make([]byte, 4)
	if n, _ := content.ReadAt(start, 0); IsZip(start[:n]) {
		return readZip(content, size)
	}
	return Read(content)
}

// IsZip reports whether the first bytes are those of a zip archive.
func IsZip(start []byte) bool {
	return bytes.HasPrefix(start, []byte("PK\x03\x04")) || bytes.HasPrefix(start, []byte("PK\x05\x06"))
}

// Read reads advisories. It recognises their format, which may be compressed by gzip, but is no zip archive.
func Read(content io.Reader) (*Set, error) {
	return newBuilder().read(content)
}

func (b *builder) read(content io.Reader) (*Set, error) {
	start := bufio.NewReader(content)
	if magic, _ := start.Peek(2); bytes.Equal(magic, []byte("\x1f\x8b")) {
		unzipped, err := gzip.NewReader(start)
		if err != nil {
			return nil, fmt.Errorf("decompress the advisories: %w", err)
		}
		content = unzipped
	} else {
		content = start
	}
	if err := b.stream(content); err != nil {
		return nil, err
	}
	return b.finish()
}

func newBuilder() *builder {
	return &builder{
		Set:    Set{tracker: map[string][]trackerEntry{}, osv: map[string][]affected{}, releases: map[string]bool{}, statements: map[string][]*statement{}},
		memory: MaxMemory, texts: map[string]string{}, entries: &metered{total: MaxBytes, limit: maxEntry},
	}
}

// finish returns the Set. A file without entries is refused: it says nothing, and would look as if nothing were vulnerable.
func (b *builder) finish() (*Set, error) {
	if b.Entries == 0 {
		if b.Skipped > 0 {
			return nil, fmt.Errorf("%w: %d entries make no sense, the first: %s", errNothing, b.Skipped, b.Problem)
		}
		return nil, errNothing
	}
	set := b.Set
	return &set, nil
}

// metered limits how much is read, for one entry and in all.
type metered struct {
	io.Reader
	entry, total int64 // what is left
	limit        int64 // of an entry
}

// Read reads, or fails if the limit is reached.
func (m *metered) Read(into []byte) (int, error) {
	if m.entry <= 0 {
		return 0, errEntry
	}
	if m.total <= 0 {
		return 0, errTooLarge
	}
	n, err := m.Reader.Read(into[:min(int64(len(into)), m.entry, m.total)])
	m.entry -= int64(n)
	m.total -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = readError{err}
	}
	return n, err
}

// readError is an error of what the advisories are read from, not of their format.
type readError struct{ error }

// Unwrap returns the cause.
func (e readError) Unwrap() error { return e.error }

// next allows another entry.
func (m *metered) next() { m.entry = m.limit }

// stream reads one stream of JSON: an object of the tracker, an array of entries, or entries one after the other.
func (b *builder) stream(content io.Reader) error {
	buffered := bufio.NewReaderSize(content, peeked)
	start, err := buffered.Peek(peeked)
	if err != nil && !errors.Is(err, io.EOF) {
		return explain(readError{err}, int64(len(start)))
	}
	if bytes.HasPrefix(start, []byte("\xef\xbb\xbf")) {
		start = start[3:]
		_, _ = buffered.Discard(3) // was peeked
	}
	format, list, err := recognise(start)
	if err != nil {
		return err
	}
	if b.Format == "" {
		b.Format = format
	} else if b.Format != format {
		return fmt.Errorf("the first entry is of the format %s, a later one is of %s: use a source for each format", b.Format, format)
	}
	b.entries.Reader = buffered
	b.entries.next()
	decoder := json.NewDecoder(b.entries)
	if format == FormatDebianTracker {
		err = b.readTracker(decoder)
	} else {
		err = b.readEntries(decoder, list)
	}
	if err != nil {
		return explain(err, decoder.InputOffset())
	}
	return nil
}

// explain adds the place to an error about JSON.
func explain(err error, offset int64) error {
	switch {
	case errors.Is(err, errEntry), errors.Is(err, errTooLarge), errors.Is(err, errMemory):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the advisories end in the middle of an entry, after %d bytes: get them again", offset)
	case errors.As(err, new(readError)):
		return fmt.Errorf("read the advisories: %w", err)
	}
	return fmt.Errorf("the advisories are no JSON of a known format, at byte %d: %w", offset, err)
}

var (
	osvFields = map[string]bool{
		"schema_version": true, "id": true, "modified": true, "published": true, "withdrawn": true, "aliases": true, "upstream": true, "related": true,
		"summary": true, "details": true, "severity": true, "affected": true, "references": true, "credits": true, "database_specific": true,
	}
	vexFields = map[string]bool{
		"@context": true, "@id": true, "author": true, "role": true, "timestamp": true, "last_updated": true, "version": true, "tooling": true, "statements": true,
	}
)

// recognise returns the format of a stream by its first field, and whether it is an array.
func recognise(start []byte) (format string, list bool, err error) {
	const known = "the JSON of Debian's security tracker, OSV (an entry, an array, JSON lines or a zip archive), or OpenVEX"
	if len(bytes.TrimSpace(start)) == 0 {
		return "", false, fmt.Errorf("it is empty, must be %s", known)
	}
	decoder := json.NewDecoder(bytes.NewReader(start))
	token, err := decoder.Token()
	if err == nil && token == json.Delim('[') {
		list = true
		token, err = decoder.Token()
		if err == nil && token == json.Delim(']') {
			return "", true, errNothing
		}
	}
	if err != nil || token != json.Delim('{') {
		return "", false, fmt.Errorf("it begins with %q, must be %s", v1alpha1.CutMessage(string(start[:min(len(start), 20)])), known)
	}
	field, err := decoder.Token()
	if err != nil {
		return "", false, fmt.Errorf("it is no JSON, must be %s: %w", known, err)
	}
	name, ok := field.(string)
	switch {
	case !ok:
		return "", false, errNothing
	case osvFields[name]:
		return FormatOSV, list, nil
	case vexFields[name]:
		return FormatOpenVEX, list, nil
	case !list:
		return FormatDebianTracker, list, nil
	}
	return "", list, fmt.Errorf("its first entry begins with the field %q, must be %s", v1alpha1.CutMessage(name), known)
}

// readEntries reads entries of OSV or OpenVEX.
func (b *builder) readEntries(decoder *json.Decoder, list bool) error {
	if list {
		if _, err := decoder.Token(); err != nil {
			return err
		}
	}
	for !list || decoder.More() {
		b.entries.next()
		err := b.readEntry(decoder)
		switch {
		case errors.Is(err, io.EOF) && !list:
			return nil
		case errors.As(err, new(*json.UnmarshalTypeError)):
			b.skip(err.Error())
		case err != nil:
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the end of the array")
	}
	return nil
}

func (b *builder) readEntry(decoder *json.Decoder) error {
	if b.Format == FormatOpenVEX {
		document := vexDocument{}
		if err := decoder.Decode(&document); err != nil {
			return err
		}
		return b.addDocument(&document)
	}
	entry := osvEntry{}
	err := decoder.Decode(&entry)
	if errors.As(err, new(*json.UnmarshalTypeError)) {
		return b.unjudgedOSV(&entry, err.Error())
	}
	if err != nil {
		return err
	}
	return b.addEntry(&entry)
}

// readZip reads a zip archive of entries.
func readZip(content io.ReaderAt, size int64) (*Set, error) {
	if size > MaxZipBytes {
		return nil, fmt.Errorf("the zip archive has more than %d MiB: use that of one distribution", MaxZipBytes>>20)
	}
	limited := &limitedDirectory{content, maxDirectory}
	files, err := zip.NewReader(limited, size)
	if err != nil {
		return nil, fmt.Errorf("read the directory of the zip archive: %w", err)
	}
	limited.left = MaxBytes
	b := newBuilder()
	for _, file := range files.File {
		if !strings.HasSuffix(file.Name, ".json") {
			continue
		}
		if err := b.zipped(file); err != nil {
			return nil, fmt.Errorf("%s in the zip archive: %w", v1alpha1.CutMessage(file.Name), err)
		}
	}
	return b.finish()
}

func (b *builder) zipped(file *zip.File) error {
	content, err := file.Open()
	if err != nil {
		return fmt.Errorf("open it: %w", err)
	}
	defer func() { _ = content.Close() }() // only read from
	return b.stream(content)
}

// limitedDirectory limits how much of a zip archive is read before its entries.
type limitedDirectory struct {
	io.ReaderAt
	left int64
}

// ReadAt reads, or fails if the limit is reached.
func (l *limitedDirectory) ReadAt(into []byte, offset int64) (int, error) {
	if l.left -= int64(len(into)); l.left < 0 {
		return 0, fmt.Errorf("it has more than %d MiB: use the archive of one distribution", maxDirectory>>20)
	}
	return l.ReaderAt.ReadAt(into, offset) //nolint:wrapcheck // a reader passes on io.EOF
}

// list is a list of at most maxItems items.
type list[T any] []T

// UnmarshalJSON reads one item after the other.
func (l *list[T]) UnmarshalJSON(content []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	if token, err := decoder.Token(); err != nil || token != json.Delim('[') {
		var none []T
		return json.Unmarshal(content, &none) //nolint:wrapcheck // null, or a wrong type
	}
	for decoder.More() {
		if len(*l) == maxItems {
			return fmt.Errorf("an entry has a list of more than %d items", maxItems)
		}
		var item T
		if err := decoder.Decode(&item); err != nil {
			return err //nolint:wrapcheck // of the same entry
		}
		*l = append(*l, item)
	}
	return nil
}

// know remembers that advisories are about a release of Debian.
func (b *builder) know(release string) {
	if !b.releases[release] {
		b.releases[b.intern(release)] = true
		b.used += textSize
	}
}

// skip counts an entry that cannot be read.
func (b *builder) skip(problem string) {
	if b.Skipped++; b.Problem == "" {
		b.Problem = v1alpha1.CutMessage(problem)
	}
}

// store counts memory.
func (b *builder) store(bytes int) error {
	if b.used += int64(bytes); b.used > b.memory {
		return errMemory
	}
	return nil
}

// intern returns one copy of a text that many entries have, such as a version.
func (b *builder) intern(text string) string {
	if shared, known := b.texts[text]; known {
		return shared
	}
	text = strings.Clone(text) // not with all of the entry
	b.texts[text] = text
	b.used += int64(len(text)) + textSize
	return text
}

// textSize is the size of a text without its characters.
const textSize = 16

// describe shortens a description to one line of printable characters.
func (b *builder) describe(text string) string { return b.intern(cutText(text, MaxDescription)) }

// cutText makes a text one line of printable characters, and cuts it to so many.
func cutText(text string, characters int) string {
	if len(text) > 4*characters {
		text = text[:4*characters] // as many as these characters can have
	}
	text = v1alpha1.CutMessage(strings.ToValidUTF8(text, ""))
	runes := []rune(text)
	if len(runes) <= characters {
		return text
	}
	return strings.TrimSpace(string(runes[:characters-1])) + "…"
}

// validID reports whether a text can be an ID, a version, or the name of a package.
func validID(text string) bool {
	return text != "" && len(text) <= maxID && v1alpha1.Printable(text) && !strings.Contains(text, " ")
}
