// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/debian/tools"
	"goldsmith.dev/goldsmith/builders/disk"
	"goldsmith.dev/goldsmith/builders/oci"
	"goldsmith.dev/goldsmith/jobs/progress"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
	"goldsmith.dev/goldsmith/jobs/sourcefiles"
)

const (
	exitFailed     = 1
	exitUsage      = 2
	exitTerminated = 128 + int(syscall.SIGTERM)

	reasonInternal = "Internal"
)

// Main runs the builder and returns its exit code. getenv looks up the variables of the builder contract, TMPDIR, and those that name
// proxies. SIGTERM and the end of ctx end the builder. It takes no arguments.
func Main(ctx context.Context, getenv func(string) string, stdout, stderr io.Writer, args []string) int {
	if len(args) > 0 {
		// A failure to write the log cannot be reported anywhere.
		_, _ = fmt.Fprintf(stderr, "debian builder: it takes no arguments: its input is the file that $%s names\n", render.EnvInput)
		return exitUsage
	}
	if err := skipCalls(); err != nil { // a container without seccomp
		_, _ = fmt.Fprintf(stdout, "the build waits for the disk, and cannot change owners in a user namespace: %v\n", err) // as above
	}
	return runIn(ctx, "/", getenv, stdout, stderr)
}

// runIn runs the builder with the tools of a directory.
func runIn(ctx context.Context, tools string, getenv func(string) string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	reporting := progress.New(getenv)
	defer reporting.Close()
	b := &build{
		getenv: getenv, log: stdout, report: reporting.Report,
		tools: tools, output: getenv(render.EnvOutput), now: time.Now,
	}
	said, err := b.answer(ctx)
	if ctx.Err() != nil {
		b.logf("told to end")
		return exitTerminated
	}
	code := 0
	if err != nil {
		b.logf("%v", err)
		said = result.Result{Version: result.Version, Outcome: result.OutcomeFailed, Failure: failureOf(err)}
		code = exitFailed
	}
	if err := WriteResult(getenv(render.EnvResult), said); err != nil {
		_, _ = fmt.Fprintf(stderr, "debian builder: %v\n", err)
		return exitFailed
	}
	return code
}

// answer does what the input asks for, and returns the result of a success.
func (b *build) answer(ctx context.Context) (said result.Result, err error) {
	said.Version, said.Outcome = result.Version, result.OutcomeSucceeded
	if b.input, err = readInput(b.getenv(render.EnvInput)); err != nil {
		return said, err
	}
	if b.input.Probe != nil {
		said.Probe, err = b.probe(ctx)
	} else {
		said.Artifacts, err = b.run(ctx)
		said.Resolved = b.resolved
	}
	return said, err
}

// failureOf returns what the result says about an error.
func failureOf(err error) *result.Failure {
	if known, ok := errors.AsType[*failure](err); ok {
		return &known.Failure
	}
	if isDiskFull(err) {
		return NewFailure(ReasonDiskFull, err.Error())
	}
	return NewFailure(reasonInternal, err.Error())
}

func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// build is one run of the builder.
type build struct {
	getenv func(string) string
	log    io.Writer
	report func(stage string, percent int, message string)
	tools  string // the directory with the programs
	// toolsDigest tells which tools made an artifact: others can make other bytes.
	toolsDigest string
	output      string // for artifacts
	work        string // for everything else
	now         func() time.Time

	input  *render.Input
	config *configuration
	files  map[string]file     // that the image declares, by their names in the input
	source *sourcefiles.Source // nil without one
	ids    disk.Identifiers
	// time is that of everything in the image.
	time time.Time
	// releases are the digests of the release files of the mirror, in the order of its suites.
	releases []string
	origins  []v1alpha1.PackageSource // where packages come from
	lock     *result.Content          // of all artifacts; nil if there is none
	shared   string                   // names what all machines share

	advancing sync.Mutex
	percent   int    // of the last report
	installed func() // ends what tells how far the installation is
	keeping   bool   // another run of mmdebstrap follows

	simulated []result.ResolvedPackage // what apt would install
	resolved  *result.Resolved         // the answer, instead of artifacts
}

// The stages, each with the percentage of the build that is done when it begins. Most of the time goes into packages.
const (
	stageBase     = "base"
	stageMirror   = "mirror"
	stagePackages = "packages"
	stageDisk     = "disk"
	stageOCI      = "oci"
	stageConvert  = "qcow2"

	percentBase     = 0
	percentMirror   = 3
	percentPackages = 5
	percentDisk     = 85
	percentOCI      = 90 // targets are sorted, so it comes before
	percentConvert  = 95
)

// run makes an artifact for each target.
func (b *build) run(ctx context.Context) (artifacts []result.Artifact, err error) {
	if b.config, err = newConfiguration(b.input); err != nil {
		return nil, err
	}
	ofSource, err := b.readFiles(ctx)
	defer func() { err = errors.Join(err, b.source.Close()) }()
	if err != nil {
		return nil, err
	}
	if b.ids, err = disk.NewIdentifiers(b.input, ofSource); err != nil {
		return nil, err
	}
	digest, err := os.ReadFile(filepath.Join(b.tools, tools.Digest))
	if err != nil {
		return nil, fmt.Errorf("read the digest of the tools: %w", err)
	}
	b.toolsDigest = strings.TrimSpace(string(digest))
	if err = b.makeWork(); err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(b.work) }() // Goldsmith deletes what is left
	defer func() {
		if err != nil {
			err = b.addDiskSpace(err)
		}
	}()
	b.logf("build %s/%s, attempt %d: Debian %s, packages: %d, files: %d, targets: %s", b.input.Build.Namespace, b.input.Build.Name,
		b.input.Attempt, release, len(b.config.packages), len(b.files), strings.Join(targetNames(b.input), ", "))
	if b.input.Resolve {
		return nil, b.resolve(ctx)
	}
	steps := []func(context.Context) error{b.makeRootFS, b.writeLock, b.findShared}
	if b.hasTarget(isDisk) {
		steps = append(steps, b.makeDisk)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	for _, target := range b.input.Targets {
		artifact, err := b.artifact(ctx, target)
		if err != nil {
			return nil, err
		}
		artifacts = append(artifacts, artifact)
	}
	if !b.hasTarget(func(format v1alpha1.ArtifactFormat) bool { return format == v1alpha1.ArtifactFormatRaw }) {
		err = os.RemoveAll(b.disk())
	}
	return artifacts, err
}

// makeWork makes the directory for the work.
func (b *build) makeWork() (err error) {
	if b.work, err = os.MkdirTemp(cmp.Or(b.getenv("TMPDIR"), os.TempDir()), "debian-"); err != nil {
		return fmt.Errorf("make a directory for the build: %w", err)
	}
	return nil
}

func (b *build) hasTarget(is func(v1alpha1.ArtifactFormat) bool) bool {
	return slices.ContainsFunc(b.input.Targets, func(target render.InputTarget) bool { return is(target.Format) })
}

func isDisk(format v1alpha1.ArtifactFormat) bool { return format != v1alpha1.ArtifactFormatOCI }

// artifact makes the artifact of a target, of the root file system and of the disk.
func (b *build) artifact(ctx context.Context, target render.InputTarget) (result.Artifact, error) {
	made := result.Artifact{
		Target:      target.Name,
		Lock:        b.lock,
		Annotations: map[string]string{"debian.release": release, "debian.time": b.time.Format(time.RFC3339), "debian.tools": b.toolsDigest},
	}
	if b.shared != "" {
		made.Annotations["debian.shared"] = b.shared
	}
	switch target.Format {
	case v1alpha1.ArtifactFormatRaw:
		made.File = filepath.Base(b.disk())
		return made, nil
	case v1alpha1.ArtifactFormatQCOW2:
		b.begin(stageConvert, percentConvert)
		made.File = "disk.qcow2"
		return made, b.command(ctx, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", "-o", "compression_type=zstd",
			b.disk(), filepath.Join(b.output, made.File))
	case v1alpha1.ArtifactFormatOCI:
		b.begin(stageOCI, percentOCI)
		made.File, made.MediaType = "image.tar", result.MediaTypeLayout
		image := oci.Image{RootFS: b.rootFS(), Architecture: architecture, Cmd: []string{"/bin/bash"}, Time: b.time, Work: b.work}
		return made, image.Write(filepath.Join(b.output, made.File))
	}
	return made, fmt.Errorf("target %s: the builder makes no such artifact", target.Name)
}

// begin tells users that a stage begins.
func (b *build) begin(stage string, percent int) {
	b.logf("== %s", stage)
	b.advancing.Lock()
	defer b.advancing.Unlock()
	b.percent = percent
	b.report(stage, percent, "")
}

func (b *build) logf(format string, args ...any) {
	_, _ = io.WriteString(b.log, v1alpha1.HidePasswords(fmt.Sprintf(format+"\n", args...))) // a failure to write the log cannot be reported anywhere
}

func (b *build) path(name string) string { return filepath.Join(b.work, name) }

func readInput(path string) (*render.Input, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	return render.ParseInput(text)
}

func targetNames(input *render.Input) []string {
	names := make([]string, len(input.Targets))
	for i, target := range input.Targets {
		names[i] = target.Name
	}
	slices.Sort(names)
	return names
}
