// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/debian/archive"
	"goldsmith.dev/goldsmith/builders/debian/tools"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

const (
	// probeSilence is how long a mirror may send nothing.
	probeSilence = 50 * time.Second
	// probeLimit is how long an answer may take. The pod of a probe has ten minutes.
	probeLimit = 8 * time.Minute
	// advisoriesLimit is how long reading changelogs may take.
	advisoriesLimit = 3 * time.Minute

	stageProbe = "probe"
)

// suitePattern matches the name of a suite. It cannot leave the directory dists of a mirror.
var suitePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+._-]*(/[A-Za-z0-9][A-Za-z0-9+._-]*)*$`)

// checkProbe returns what is wrong with a question about an archive.
func checkProbe(probe *render.InputProbe) error {
	var problems field.ErrorList
	path := field.NewPath("probe", "archive")
	if parsed, err := url.Parse(probe.Archive.URI); err != nil || parsed.Host == "" || !slices.Contains([]string{"http", "https"}, parsed.Scheme) {
		problems = append(problems, field.Invalid(path.Child("uri"), v1alpha1.HidePasswords(probe.Archive.URI), "must be a URL that begins with http:// or https://"))
	}
	if !suitePattern.MatchString(probe.Archive.Suite) {
		problems = append(problems, field.Invalid(path.Child("suite"), probe.Archive.Suite, "must be the name of a suite, such as trixie-security"))
	}
	return inputError(problems)
}

// probe answers a question about an archive: it writes a line for each package that has a newer version there.
func (b *build) probe(ctx context.Context) (answer *result.Probe, err error) {
	if err := checkProbe(b.input.Probe); err != nil {
		return nil, err
	}
	if err := b.makeWork(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.work)) }()
	ctx, cancel := context.WithTimeoutCause(ctx, probeLimit, fmt.Errorf("the mirror takes longer than %v", probeLimit))
	defer cancel()
	b.begin(stageProbe, 0)
	if answer, err = b.ask(ctx); err != nil {
		return nil, explainArchive(err)
	}
	return answer, nil
}

func (b *build) ask(ctx context.Context) (answer *result.Probe, err error) {
	probe := b.input.Probe
	keys, err := archive.ReadKeys(filepath.Join(b.tools, tools.Keyring))
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{Proxy: b.proxies(), DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := archive.Client{Transport: transport, Silence: probeSilence, Work: b.work}
	suite := archive.Suite{
		URI: probe.Archive.URI, Name: probe.Archive.Suite, Components: probe.Archive.Components,
		Known: probe.Release, Conditional: probe.Conditional,
		AcceptExpired: strings.HasPrefix(probe.Archive.URI, snapshots+"/"), // its release files have expired
	}
	release, err := client.Release(ctx, &suite, keys, b.now())
	if err != nil {
		return nil, err
	}
	answer = &result.Probe{Release: release.State, Unchanged: release.Unchanged}
	b.logf("%s %s is of %s", suite.URI, suite.Name, release.State.Date.UTC().Format(time.RFC3339))
	switch {
	case release.Unchanged:
		b.logf("the archive is unchanged")
		return answer, nil
	case release.NotAutomatic:
		b.logf("apt installs nothing from the archive by itself (NotAutomatic), so it has no updates")
		return answer, nil
	}
	indexes, err := client.Indexes(ctx, release, probe.Packages, b.logf)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, archive.Close(indexes)) }()
	updates, found, err := archive.Find(ctx, indexes, probe.Packages)
	if err != nil {
		return nil, err
	}
	asked := 0
	for _, names := range probe.Packages {
		asked += len(names)
	}
	b.logf("of %d packages, %d are not in the archive", asked, asked-found)
	var advisories map[archive.Update][]string
	if release.Security && len(updates) > 0 {
		limited, cancel := context.WithTimeoutCause(ctx, advisoriesLimit, fmt.Errorf("it takes longer than %v", advisoriesLimit))
		defer cancel()
		advisories = client.Advisories(limited, release, indexes, updates, b.logf)
	}
	for _, found := range updates {
		line := result.Update{
			Name: found.Name, Architecture: found.Architecture, From: found.From, To: found.Version,
			Security: release.Security, Advisories: advisories[found],
		}
		if err := b.printUpdate(line); err != nil {
			return nil, err
		}
	}
	answer.Updates = len(updates)
	return answer, nil
}

// printUpdate writes the line of an update to standard output.
func (b *build) printUpdate(line result.Update) error {
	text, err := json.Marshal(result.UpdateLine{Update: line})
	if err != nil {
		return fmt.Errorf("write an update: %w", err)
	}
	if len(text) > result.MaxUpdateLine {
		return fail(ReasonMirror, "the update of package %.100s to version %.100s is a line of %d bytes, more than %d", line.Name, line.To, len(text), result.MaxUpdateLine)
	}
	if _, err := b.log.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("write an update: %w", err)
	}
	return nil
}

// explainArchive returns the failure that an error of an archive means.
func explainArchive(err error) error {
	refused, ok := errors.AsType[*archive.Error](err)
	if !ok {
		return err
	}
	switch refused.Fault {
	case archive.NotThisArchive:
		return fail("NotAMirror", "%v", err)
	case archive.NoSuchComponent:
		return fail("UnknownComponent", "%v", err)
	case archive.WrongSignature:
		return fail("WrongSignature", "%v", err)
	case archive.Expired:
		return fail("ReleaseFileExpired", "%v", err)
	case archive.Older:
		return fail("ArchiveOlder", "%v", err)
	default:
		if isDiskFull(err) {
			return err
		}
		return fail(ReasonMirror, "%v", err)
	}
}
