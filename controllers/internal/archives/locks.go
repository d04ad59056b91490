// SPDX-License-Identifier: Apache-2.0

package archives

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

const (
	// maxURI and maxSuite are the limits of an Archive.
	maxURI, maxSuite = 2048, 256
	// maxText is how long the name, the version and the architecture of a package may be.
	maxText = 256
	// maxVersions is how many versions of a package one lock asks for.
	maxVersions = 16
)

// readAgain is when a lock that could not be read is read again.
const readAgain = time.Minute

// pkg identifies a package of a lock.
type pkg struct{ name, version, architecture string }

// origin is a source of packages in a lock.
type origin struct {
	archive    name // of a builder
	components []string
	date       time.Time // of its release file, or zero
}

// name identifies an archive.
type name struct{ builder, uri, suite string }

// content is what the artifacts of a build are made of.
type content struct {
	origins  []origin
	packages map[pkg]bool
	names    map[named]bool // of these packages
	// unknown is why that is not known, for users.
	unknown string
	// final is whether that stays so.
	final  bool
	readAt time.Time
}

// named is a package, whatever its version.
type named struct{ name, architecture string }

// again is when the content is read again if it is unknown, or 0 for never.
func (c *content) again() time.Duration {
	if c.final {
		return 0
	}
	return readAgain
}

// locks knows the contents of builds. A lock never changes, so it is read once.
type locks struct {
	client versioned.Interface
	mu     sync.Mutex
	known  map[types.UID]*content
}

func newLocks(client versioned.Interface) *locks {
	return &locks{client: client, known: map[types.UID]*content{}}
}

// of returns the content of a build. An error is an error of the API.
func (l *locks) of(ctx context.Context, build *v1alpha1.ImageBuild, now time.Time) (*content, error) {
	if !hasLock(build) {
		return &content{final: true, unknown: fmt.Sprintf("build %s has no lock that the server has read: its builder writes none, or the image needs spec.output", build.Name)}, nil
	}
	l.mu.Lock()
	known := l.known[build.UID]
	l.mu.Unlock()
	if known != nil && (known.unknown == "" || known.final || now.Sub(known.readAt) < readAgain) {
		return known, nil
	}
	read, err := l.read(ctx, build)
	if err != nil {
		return nil, err
	}
	read.readAt = now
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[build.UID] = read
	return read, nil
}

// keep forgets the contents of all other builds.
func (l *locks) keep(builds map[types.UID]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for uid := range l.known {
		if !builds[uid] {
			delete(l.known, uid)
		}
	}
}

func (l *locks) read(ctx context.Context, build *v1alpha1.ImageBuild) (*content, error) {
	packages, err := l.client.ImagesV1alpha1().ImageBuilds(build.Namespace).GetPackages(ctx, build.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err): // the records lack it, or do not answer
		return &content{unknown: v1alpha1.CutMessage(fmt.Sprintf("the packages of build %s cannot be read: %v", build.Name, err))}, nil
	case err != nil:
		return nil, fmt.Errorf("read the packages of build %s: %w", build.Name, err)
	case packages.BuildUID != build.UID:
		return &content{unknown: fmt.Sprintf("build %s was replaced by another build of its name", build.Name)}, nil
	}
	read := &content{packages: map[pkg]bool{}, names: map[named]bool{}}
	for i := range packages.Locks {
		read.add(&packages.Locks[i].Lock, build.Spec.Inputs.Builder.Name)
	}
	if len(read.origins) == 0 {
		return &content{unknown: fmt.Sprintf("the lock of build %s names no source that can be checked: one with the address of a host", build.Name), final: true}, nil
	}
	return read, nil
}

func hasLock(build *v1alpha1.ImageBuild) bool {
	for i := range build.Status.Artifacts {
		if build.Status.Artifacts[i].ReadLock() != nil {
			return true
		}
	}
	return false
}

// add adds the packages of a lock, and the archives that they came from. Packages that belong to no distribution come from other sources.
func (c *content) add(lock *v1alpha1.Lock, builder string) {
	for i := range lock.Sources {
		source := &lock.Sources[i]
		if !checkable(source) {
			continue
		}
		of := origin{archive: name{builder, canonical(source.URI), source.Suite}}
		if source.Component != "" {
			of.components = []string{source.Component}
		}
		if source.Release != nil && source.Release.Date != nil {
			of.date = source.Release.Date.Time
		}
		c.origins = append(c.origins, of)
	}
	versions := map[named]int{}
	for i := range lock.Packages {
		one := &lock.Packages[i]
		its := named{one.Name, one.Architecture}
		if one.PURL != "" || !askable(one.Name) || !askable(one.Version) || !askable(one.Architecture) || versions[its] == maxVersions {
			continue
		}
		versions[its]++
		c.names[its] = true
		c.packages[pkg{one.Name, one.Version, one.Architecture}] = true
	}
}

// checkable reports whether the source of a lock can be an Archive.
func checkable(source *v1alpha1.PackageSource) bool {
	parsed, err := url.Parse(source.URI)
	return err == nil && parsed.Host != "" && len(source.URI) <= maxURI && len(source.Suite) <= maxSuite
}

// askable reports whether a text of a lock can be part of a question about an archive, which all Images share. So a strange lock, which a script of an
// image can make, does not spoil the question of others.
func askable(text string) bool { return len(text) <= maxText && !strings.ContainsAny(text, `"\<>&`) }

// canonical returns one spelling of the address of an archive.
func canonical(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" {
		return strings.TrimRight(address, "/")
	}
	parsed.Scheme, parsed.Host = strings.ToLower(parsed.Scheme), strings.ToLower(parsed.Host)
	if port := parsed.Port(); parsed.Scheme == "http" && port == "80" || parsed.Scheme == "https" && port == "443" {
		parsed.Host = strings.TrimSuffix(parsed.Host, ":"+port)
	}
	parsed.Path = strings.TrimRight(parsed.Path, "/")
	parsed.RawPath = ""
	return parsed.String()
}

// baseName returns the name of the build that a build is based on, or "".
func baseName(build *v1alpha1.ImageBuild) string {
	if resolved := build.Status.Resolved; resolved != nil && resolved.Base != nil {
		return resolved.Base.Name
	}
	return ""
}

// watched reports whether new packages start builds of an Image. The operator of a builder decides whether it checks archives.
func watched(image *v1alpha1.Image, builders inputs.Builders) (ok bool, unsupported string) {
	if image.Spec.Triggers == nil || image.Spec.Triggers.OnPackageChange == nil {
		return false, ""
	}
	builder, missing := builders.Lookup(image.Spec.Builder)
	switch {
	case missing != nil:
		return false, missing.Message
	case image.Spec.Builder.Name == "" || !builder.Capabilities.Probe:
		return false, "the builder checks no archives: use a builder that does, or remove triggers.onPackageChange (docs/builders.md)"
	}
	return true, ""
}
