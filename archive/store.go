// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/archive/s3"
)

const (
	// defaultTimeout of one operation of the store.
	defaultTimeout = time.Minute
	// stripes is the number of locks for builds. Builds that share a lock wait for each other.
	stripes = 64
	// fileScheme of the URLs of directories.
	fileScheme = "file"
)

// Options of a Store. The zero value has the defaults.
type Options struct {
	// Clock is the clock for expiry and for the time of seals. Defaults to the system's clock.
	Clock clock.PassiveClock
	// Timeout of one operation of the store, such as reading or writing one chunk. Defaults to one minute. Operations on a
	// directory cannot be interrupted, so the timeout is checked between them.
	Timeout time.Duration
	// Clouds opens buckets of gs:// and azblob://: see archive/clouds. Defaults to an error, in programs without clients for them.
	Clouds Opener
}

// Store is an archive of logs. It is safe for concurrent use.
type Store struct {
	objects
	location string
	clock    clock.PassiveClock
	codecs   codecs
	// builds has the locks for build.json. Each lock is for several builds.
	builds [stripes]chan struct{}
}

// Open opens the archive at a URL:
//
//	file:///directory                     created with mode 0700 if it is missing
//	s3://bucket?region=…&endpoint=…       credentials and other settings as for the AWS SDKs, such as AWS_*: see package s3
//	gs://bucket                           application default credentials; with Options.Clouds
//	azblob://container                    AZURE_STORAGE_*; with Options.Clouds
//	mem://                                in memory, separate for each Store
//
// gs:// and azblob:// take the query parameters of gocloud.dev, s3:// those of package s3, and all three prefix=a/folder/. Open sends no request to the store:
// Ping does. Both fail with ErrNewer for an archive of a newer program, Open only for a directory. Errors name the scheme, and never the query or the
// credentials in it.
func Open(ctx context.Context, address string, options Options) (*Store, error) {
	u, err := parse(address)
	if err != nil {
		return nil, err
	}
	if options.Timeout <= 0 {
		options.Timeout = defaultTimeout
	}
	b := &bucket{timeout: options.Timeout}
	if u.Scheme == fileScheme {
		if b.Bucket, err = openDirectory(u); err == nil {
			err = checkFormat(ctx, b)
		}
	} else {
		b.Bucket, err = openService(ctx, u, options.Clouds)
	}
	if err != nil {
		return nil, fmt.Errorf("open the log archive %s: %w", location(u), err)
	}
	return newStore(b, location(u), options), nil
}

// Check reports why Open refuses a URL. It creates no directory. The opener is that of Options.
func Check(ctx context.Context, address string, clouds Opener) error {
	u, err := parse(address)
	if err != nil {
		return err
	}
	if u.Scheme == fileScheme {
		_, err = directoryOf(u)
	} else if opened, failed := openService(ctx, u, clouds); failed != nil {
		err = failed
	} else {
		err = opened.Close()
	}
	if err != nil {
		return fmt.Errorf("open the log archive %s: %w", location(u), err)
	}
	return nil
}

// DirectoryOf returns the directory of a URL that Check accepts, or "" for a bucket of a service.
func DirectoryOf(address string) string {
	u, err := parse(address)
	if err != nil || u.Scheme != fileScheme {
		return ""
	}
	found, _ := directoryOf(u)
	return string(found)
}

func parse(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("open the log archive: not a URL; " + allowed)
	}
	return u, nil
}

func newStore(o objects, location string, options Options) *Store {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	s := &Store{objects: o, location: location, clock: options.Clock}
	for i := range s.builds {
		s.builds[i] = make(chan struct{}, 1)
	}
	return s
}

// allowed lists the allowed URLs.
const allowed = "allowed are file:///directory, s3://bucket, gs://bucket and azblob://container"

// openService opens a bucket.
func openService(ctx context.Context, u *url.URL, clouds Opener) (Bucket, error) {
	var open Opener
	switch u.Scheme {
	case "s3":
		open = func(_ context.Context, u *url.URL) (Bucket, error) { return s3.Open(u) }
	case "mem":
		open = openMemory
	case "gs", "azblob":
		open = clouds
	default:
		return nil, fmt.Errorf("unknown scheme %q; %s", u.Scheme, allowed)
	}
	if u.User != nil {
		return nil, errors.New("remove the credentials from the URL")
	}
	if (u.Host == "") != (u.Scheme == "mem") || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("the URL must name a bucket without a path: to set a folder, add ?prefix=a/folder/")
	}
	if open == nil {
		return nil, fmt.Errorf("this program does not read %s:// archives: use s3:// or file://, or run goldsmith-apiserver and "+
			"goldsmith-controller, which read every cloud", u.Scheme)
	}
	u.RawQuery = u.Query().Encode() // without quotes and spaces, which would end the query in the text of an error
	b, err := open(ctx, u)
	if err != nil {
		return nil, errors.New(withoutValues(oneLine(err.Error()), u))
	}
	return b, nil
}

// location is the URL without its possibly secret parts.
func location(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// withoutValues removes the values of a URL's query from a text, the longest first, because a value may contain another value. What is as
// short as a word such as "true" is no secret, and in other words.
func withoutValues(text string, u *url.URL) string {
	values := slices.Concat(slices.Collect(maps.Values(u.Query()))...)
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	for _, v := range values {
		if len(v) > len("true") {
			text = strings.ReplaceAll(text, v, "…")
		}
	}
	return text
}

// String is the archive's URL without its query.
func (s *Store) String() string { return s.location }

// Close ends the use of the archive. Writers and readers fail afterwards.
func (s *Store) Close() error { return s.close() }

// Ping returns nil if the archive answers, and ErrNewer if a newer program has written it.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.ping(ctx); err != nil {
		return err
	}
	return checkFormat(ctx, s)
}

// lockBuild locks a build's build.json within this process until unlock is called.
func (s *Store) lockBuild(ctx context.Context, key string) (unlock func(), err error) {
	lock := s.builds[stripe(key)]
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// stripe is FNV-1a of a key.
func stripe(key string) uint32 {
	hash := uint32(2166136261)
	for i := range len(key) {
		hash = (hash ^ uint32(key[i])) * 16777619
	}
	return hash % stripes
}
