// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"slices"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// filesOf returns the files of a build, wherever its spec and its status have them.
func filesOf(spec *v1alpha1.ImageBuildSpec, status *v1alpha1.ImageBuildStatus) (files []map[string]string) {
	if source := spec.Inputs.Source; source != nil && source.Inline != nil {
		files = append(files, source.Inline.Files)
	}
	if spec.Pinned != nil {
		files = append(files, spec.Pinned.Files)
	}
	if status.Resolved != nil {
		files = append(files, status.Resolved.Files)
	}
	return slices.DeleteFunc(files, func(some map[string]string) bool { return len(some) == 0 })
}

// summarize replaces the contents of files by summaries in the records of deleted builds that are not under legal hold, and
// counts the builds. The change of the builds comes first, because it locks them: a concurrent write of a build follows it.
func summarize(ctx context.Context, tx database, uids []any) (int64, error) {
	locked, err := collect(ctx, tx, func(scan scanner) (uid any, err error) {
		var text string
		return text, scan(&text)
	}, "UPDATE builds SET contents = 0 WHERE contents = 1 AND hold = 0 AND deleted IS NOT NULL AND uid IN ("+placeholders(0, len(uids))+") RETURNING uid", uids...)
	if err != nil || len(locked) == 0 {
		return 0, err
	}
	builds, err := collect(ctx, tx, scanRecord, selectRecords+" WHERE b.uid IN ("+placeholders(0, len(locked))+")", locked...)
	if err != nil {
		return 0, err
	}
	for _, build := range builds {
		files := filesOf(&build.Spec, &build.Status)
		if len(files) == 0 {
			continue
		}
		for _, some := range files {
			for name, content := range some {
				some[name] = contents.Summary(content)
			}
		}
		row, err := documentRow(build.UID, &build.Spec, &build.Status)
		if err != nil {
			return 0, err
		}
		if _, err := execute(ctx, tx, "UPDATE documents SET spec = $2, status = $3 WHERE build_uid = $1", row...); err != nil {
			return 0, err
		}
	}
	return int64(len(locked)), nil
}
