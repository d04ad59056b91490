// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// batch is how many builds PutBuilds writes in one transaction.
const batch = 100

const (
	buildColumns = "uid, namespace, name, image_uid, image_name, number, trigger_reason, trigger_message, requested_by, phase, class, reason, " +
		"message, attempts, created, queued, started, completed, duration, queue_time, hold, finished, resource_version, one_off, contents, revocation, source"
	attemptColumns = "build_uid, number, job_name, pod_name, node_name, started, completed, duration, outcome, class, reason, message, exit_code"
	// newer is when a write replaces the recorded build. A build's resource version only grows, unless the objects are restored from a
	// backup, which Restored handles. The same version replaces the record if the legal hold differs, so that a repetition corrects an
	// older write. A finished build may become unfinished, because a backup may be older than its end.
	newer = `WHERE excluded.resource_version > builds.resource_version
		OR excluded.resource_version = builds.resource_version AND excluded.hold <> builds.hold`
)

// PutBuild records a build with its attempts, artifacts and tests, in one transaction. A version that is older than the recorded one
// changes nothing, except that its legal hold is recorded: no build loses a legal hold because of an old message.
func (s *Store) PutBuild(ctx context.Context, build *v1alpha1.ImageBuild) error {
	return s.putBuilds(ctx, fmt.Sprintf("record build %s/%s", build.Namespace, build.Name), []*v1alpha1.ImageBuild{build})
}

// PutBuilds records many builds as PutBuild does, 100 in each transaction. If it fails, the builds of earlier transactions are
// recorded, and the call can be repeated.
func (s *Store) PutBuilds(ctx context.Context, builds []*v1alpha1.ImageBuild) error {
	for some := range slices.Chunk(builds, batch) {
		if err := s.putBuilds(ctx, fmt.Sprintf("record %d builds", len(some)), some); err != nil {
			return err
		}
	}
	return nil
}

// BuildDeleted records when a build was deleted, or now if the time is zero. The first recorded time counts. It does nothing
// for a build that is not recorded.
func (s *Store) BuildDeleted(ctx context.Context, uid types.UID, at time.Time) error {
	return s.deleted(ctx, "builds", uid, at)
}

func (s *Store) putBuilds(ctx context.Context, operation string, builds []*v1alpha1.ImageBuild) error {
	byUID := map[string]*v1alpha1.ImageBuild{}
	var holds []string
	var images []ImageKey
	for _, build := range builds {
		if build.UID == "" || build.Namespace == "" || build.Name == "" {
			return fmt.Errorf("%s: %w: set the namespace, name and UID of the build", operation, ErrInvalid)
		}
		uid := string(build.UID)
		if other := byUID[uid]; other == nil || supersedes(build, other) { // a statement may write a row but once
			byUID[uid] = build
		}
		if v1alpha1.UnderLegalHold(build) {
			holds = append(holds, uid)
		}
		if ref := build.Spec.ImageRef; ref != nil {
			images = append(images, ImageKey{Namespace: build.Namespace, Name: ref.Name, UID: ref.UID})
		}
	}
	return s.change(ctx, operation, func(ctx context.Context, tx database) error {
		if err := know(ctx, tx, slices.Clone(images)...); err != nil {
			return err
		}
		var written []*v1alpha1.ImageBuild
		for uids := range slices.Chunk(slices.Sorted(maps.Keys(byUID)), s.dialect.rowsPerStatement) { // sorted: two writers cannot wait for each other
			some, err := upsertBuilds(ctx, tx, byUID, uids)
			if err != nil {
				return err
			}
			written = append(written, some...)
		}
		for some := range slices.Chunk(written, s.dialect.rowsPerStatement) {
			if err := putParts(ctx, tx, some); err != nil {
				return err
			}
		}
		return recordHolds(ctx, tx, holds)
	})
}

// supersedes reports whether a build of a batch has a newer version than another. It equals the SQL condition newer.
func supersedes(build, other *v1alpha1.ImageBuild) bool {
	return version(build) > version(other)
}

// upsertBuilds writes builds, and returns those that were newer than the recorded versions.
func upsertBuilds(ctx context.Context, tx database, builds map[string]*v1alpha1.ImageBuild, uids []string) ([]*v1alpha1.ImageBuild, error) {
	var rows [][]any
	for _, uid := range uids {
		row, err := buildRow(builds[uid])
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	statement, args := insertion("builds", buildColumns, rows)
	return collect(ctx, tx, func(scan scanner) (*v1alpha1.ImageBuild, error) {
		var uid string
		if err := scan(&uid); err != nil {
			return nil, err
		}
		if builds[uid] == nil {
			return nil, fmt.Errorf("%w: UID %q of a build cannot be stored", ErrInvalid, uid)
		}
		return builds[uid], nil
	}, statement+" ON CONFLICT (uid) DO UPDATE SET "+fromExcluded(buildColumns)+" "+newer+" RETURNING uid", args...)
}

// fromExcluded sets every column but the first, which is the key.
func fromExcluded(columns string) string {
	var set []string
	for _, column := range strings.Split(columns, ", ")[1:] {
		set = append(set, column+" = excluded."+column)
	}
	return strings.Join(set, ", ")
}

// recordHolds records legal holds, even if the recorded builds are newer.
func recordHolds(ctx context.Context, tx database, uids []string) error {
	if len(uids) == 0 {
		return nil
	}
	_, err := execute(ctx, tx, "UPDATE builds SET hold = 1 WHERE hold = 0 AND uid IN ("+placeholders(0, len(uids))+")", anySlice(uids)...)
	return err
}

func buildRow(build *v1alpha1.ImageBuild) ([]any, error) {
	status := build.Status
	var revocation, source []byte
	var err error
	if status.Revoked != nil {
		if revocation, err = json.Marshal(status.Revoked); err != nil {
			return nil, fmt.Errorf("encode the revocation of build %s: %w", build.UID, err)
		}
	}
	if resolved := status.Resolved; resolved != nil && resolved.Source != nil {
		if source, err = json.Marshal(resolved.Source); err != nil {
			return nil, fmt.Errorf("encode the source of build %s: %w", build.UID, err)
		}
	}
	image, trigger, failure := v1alpha1.ImageReference{}, v1alpha1.BuildTrigger{}, v1alpha1.BuildFailure{}
	if build.Spec.ImageRef != nil {
		image = *build.Spec.ImageRef
	}
	if build.Spec.Trigger != nil {
		trigger = *build.Spec.Trigger
	}
	if status.Failure != nil {
		failure = *status.Failure
	}
	var number int64
	if build.Spec.Number != nil {
		number = *build.Spec.Number
	}
	created := build.CreationTimestamp.Time
	queued, started, completed := timeOf(status.QueuedTime), timeOf(status.StartTime), timeOf(status.CompletionTime)
	took, ended := status.Duration()
	waited, begun := build.QueueTime()
	return []any{
		string(build.UID), build.Namespace, build.Name, string(image.UID), image.Name, number, string(trigger.Reason), trigger.Message,
		indexable(trigger.RequestedBy), string(status.Phase), string(failure.Class), string(failure.Reason), failure.Message, int64(status.AttemptsToMake()),
		microsOrZero(created), micros(queued), micros(started), micros(completed), length(took, ended), length(waited, begun),
		boolean(v1alpha1.UnderLegalHold(build)), boolean(status.Phase.Finished()), version(build), boolean(build.IsOneOff()),
		boolean(len(filesOf(&build.Spec, &build.Status)) > 0), string(revocation), string(source),
	}, nil
}

// putParts replaces the attempts, artifacts and tests of builds.
func putParts(ctx context.Context, tx database, builds []*v1alpha1.ImageBuild) error {
	var uids []string
	var documents, attempts, artifacts, tests [][]any
	for _, build := range builds {
		uids = append(uids, string(build.UID))
		document, err := documentRow(build.UID, &build.Spec, &build.Status)
		if err != nil {
			return err
		}
		documents = append(documents, document)
		for i := range build.Status.Attempts {
			attempts = append(attempts, attemptRow(build, &build.Status.Attempts[i]))
		}
		for _, artifact := range build.Status.Artifacts {
			var lock string
			if document := artifact.Document(v1alpha1.DocumentLock); document != nil {
				lock = document.Digest
			}
			artifacts = append(artifacts, []any{string(build.UID), artifact.Target, artifact.Digest, artifact.SizeBytes, artifact.MediaType, lock})
		}
		for i := range build.Status.Tests {
			if test := &build.Status.Tests[i]; test.Outcome != "" {
				tests = append(tests, testRow(build.UID, test))
			}
		}
	}
	for _, part := range []struct {
		table, columns string
		rows           [][]any
	}{
		{"documents", "build_uid, spec, status", documents},
		{"attempts", attemptColumns, attempts},
		{"artifacts", "build_uid, target, digest, size_bytes, media_type, lock", artifacts},
		{"tests", "build_uid, name, outcome, gates, duration", tests},
	} {
		if _, err := execute(ctx, tx, "DELETE FROM "+part.table+" WHERE build_uid IN ("+placeholders(0, len(uids))+")", anySlice(uids)...); err != nil {
			return err
		}
		for rows := range slices.Chunk(part.rows, batch) { // a build may have twenty attempts: statements have a limit of arguments
			statement, args := insertion(part.table, part.columns, rows)
			if _, err := execute(ctx, tx, statement, args...); err != nil {
				return err
			}
		}
	}
	return nil
}

func documentRow(uid types.UID, spec *v1alpha1.ImageBuildSpec, status *v1alpha1.ImageBuildStatus) ([]any, error) {
	specText, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("encode the spec of build %s: %w", uid, err)
	}
	statusText, err := json.Marshal(status)
	if err != nil {
		return nil, fmt.Errorf("encode the status of build %s: %w", uid, err)
	}
	return []any{string(uid), string(specText), string(statusText)}, nil
}

func testRow(uid types.UID, test *v1alpha1.TestStatus) []any {
	var took time.Duration
	if test.Duration != nil {
		took = max(0, test.Duration.Duration)
	}
	return []any{string(uid), test.Name, string(test.Outcome), boolean(test.Gates), took.Microseconds()}
}

func attemptRow(build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt) []any {
	var failure v1alpha1.BuildFailure
	if of := build.Status.AttemptFailure(attempt); of != nil {
		failure = *of
	}
	var exitCode any
	if failure.ExitCode != nil {
		exitCode = int64(*failure.ExitCode)
	}
	started, completed := attempt.StartTime.Time, timeOf(attempt.CompletionTime)
	return []any{
		string(build.UID), int64(attempt.Number), attempt.JobName, attempt.PodName, attempt.NodeName, micros(started), micros(completed),
		elapsed(started, completed), string(attempt.Outcome), string(failure.Class), string(failure.Reason), failure.Message, exitCode,
	}
}
