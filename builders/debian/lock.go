// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/debian/dpkg"
	"goldsmith.dev/goldsmith/builders/debian/suite"
	"goldsmith.dev/goldsmith/jobs/lock"
	"goldsmith.dev/goldsmith/jobs/result"
)

// lockFile is the lock of all artifacts, which have the same packages.
const lockFile = "lock.json"

// planLists are directories of the plan. customize.sh puts the lists of apt there: those from before the scripts of the image, and those from after.
var planLists = []string{"lists", "lists.after"}

// writeLock writes the lock of the root file system beside the artifacts.
//
// A lock lists all packages or is left out. So a script that damages or removes the list of dpkg does not fail the build, and its artifacts do not
// claim to have no packages. The log tells why there is no lock.
func (b *build) writeLock(context.Context) error {
	content, packages, err := b.makeLock()
	if err != nil {
		b.logf("the artifacts have no lock: %v", err)
		return nil
	}
	if err := os.WriteFile(filepath.Join(b.output, lockFile), content, modeFile); err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	b.logf("%s lists %d packages", lockFile, packages)
	b.lock = &result.Content{File: lockFile}
	return nil
}

// makeLock returns the lock, and the number of its packages.
func (b *build) makeLock() (content []byte, packages int, err error) {
	made := v1alpha1.Lock{
		Version: v1alpha1.LockVersion, Tools: b.toolsDigest, Distribution: &v1alpha1.Distribution{ID: "debian", Version: suite.Version}, Sources: b.origins,
	}
	file, err := os.Open(b.rootFS())
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = file.Close() }() // only read from
	if made.Packages, err = dpkg.Read(file); err != nil {
		return nil, 0, err
	}
	if err := b.addDigests(made.Packages); err != nil {
		b.logf("packages in the lock have no SHA-256: %v", err)
	}
	if content, err = json.Marshal(made); err == nil {
		_, err = lock.Read(content)
	}
	return content, len(made.Packages), err
}

// addDigests adds the SHA-256 of packages that the lists of apt have. An image without a mirror has no lists.
func (b *build) addDigests(packages []v1alpha1.Package) (err error) {
	plan, err := os.OpenRoot(b.path(planDirectory))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plan.Close()) }()
	return dpkg.AddDigests(packages, plan, planLists...)
}

// origins returns the components of a suite, as a lock names them.
func (c *configuration) origins(from source, file releaseFile) []v1alpha1.PackageSource {
	var all []v1alpha1.PackageSource
	for _, component := range c.components {
		all = append(all, v1alpha1.PackageSource{
			URI: withoutSecrets(from.url), Suite: from.suite, Component: component,
			Release: &v1alpha1.ReleaseFile{Date: &metav1.Time{Time: file.date}, SHA256: file.digest},
		})
	}
	return all
}

// withoutSecrets returns a URL without its user and its query.
func withoutSecrets(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return "" // the URL was checked
	}
	parsed.User, parsed.RawQuery, parsed.Fragment = nil, "", ""
	return parsed.String()
}
