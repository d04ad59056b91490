// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"errors"
	"fmt"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// maxAhead is how far ahead the date of an archive may be. Later checks refuse earlier dates.
const maxAhead = 24 * time.Hour

// Answer is what a builder has found out about the packages that it was asked for.
type Answer struct {
	*result.Answer
	// Asked are these packages.
	Asked map[Package]bool
}

// ReadAnswer reads the answer of a builder that has ended, by its message, its exit code and its log. The error is for users.
func ReadAnswer(message string, exitCode int32, log io.Reader, asked *render.InputProbe) (Answer, error) {
	judged, failed := result.ParseProbe(message, exitCode, log, asked.Packages)
	switch {
	case failed != nil:
		return Answer{}, errors.New(failed.Message)
	case judged.Unchanged && !asked.Conditional:
		return Answer{}, errors.New("the builder left out the packages, although it was asked for them without a condition: correct the builder")
	}
	read := Answer{judged, map[Package]bool{}}
	for architecture, names := range asked.Packages {
		for name, versions := range names {
			for _, version := range versions {
				read.Asked[Package{name, version, architecture}] = true
			}
		}
	}
	return read, nil
}

// Add adds the answers of a check at a time to the status of an Archive. The updates of packages that no answer is about stay. An error, which is for
// users, means that the check failed: then the status stays as it was.
func (d *Demand) Add(status *v1alpha1.ArchiveStatus, answers []Answer, now time.Time) error {
	first := map[Package]metav1.Time{} // when each new version was first seen
	for _, update := range status.Updates {
		key := Package{update.Name, update.To, update.Architecture}
		if since, seen := first[key]; !seen || update.Since.Before(&since) {
			first[key] = update.Since
		}
	}
	release := answers[0].Release
	for _, answer := range answers {
		if answer.Release.Date.Before(&release.Date) {
			release = answer.Release // of the first of them, so that the next check sees what changed meanwhile
		}
	}
	switch {
	case release.Date.Sub(now) > maxAhead:
		return fmt.Errorf("the archive is of %s, in the future: correct the clock of its mirror, or that of this machine", release.Date.UTC().Format(time.RFC3339))
	case status.Release != nil && release.Date.Before(&status.Release.Date):
		return fmt.Errorf("the archive is of %s, older than in an earlier check (%s): its mirror may be outdated",
			release.Date.UTC().Format(time.RFC3339), status.Release.Date.UTC().Format(time.RFC3339))
	}
	answered := map[Package]bool{}
	var found []v1alpha1.PackageUpdate
	for _, answer := range answers {
		for one := range answer.Asked {
			answered[one] = !answer.Unchanged
		}
		for _, update := range answer.Updates {
			update.Since = release.Date
			if since, seen := first[Package{update.Name, update.To, update.Architecture}]; seen {
				update.Since = since
			}
			found = append(found, update)
		}
	}
	unlisted := 0
	for one := range d.Packages {
		if !answered[one] {
			unlisted = int(status.UpdateCount) - len(status.Updates)
		}
	}
	for _, update := range status.Updates {
		if !answered[Package{update.Name, update.From, update.Architecture}] {
			found = append(found, update)
		}
	}
	at := metav1.NewTime(now.Truncate(time.Second))
	status.Release, status.LastCheckTime, status.LastAttemptTime, status.ConsecutiveFailures = &release, &at, &at, 0
	status.Updates, status.UpdateCount = found, int32(len(found)+unlisted) //nolint:gosec // of packages of locks
	d.Report(status)
	return nil
}
