// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// ImageKey identifies an Image by its name and UID.
type ImageKey struct {
	Namespace string
	Name      string
	UID       types.UID
}

const imageColumns = "uid, namespace, name, generation, resource_version, created, hold, keep_succeeded, keep_failed, keep_files"

// PutImage records an Image, with its fixes, its legal hold and the retention of its records. Expire uses both once the Image is
// deleted. A version that is older than the recorded one changes nothing, except that its legal hold is recorded. Errors:
// ErrInvalid.
func (s *Store) PutImage(ctx context.Context, image *v1alpha1.Image) error {
	key := ImageKey{Namespace: image.Namespace, Name: image.Name, UID: image.UID}
	keep := RetentionOf(image)
	return s.change(ctx, fmt.Sprintf("record image %s/%s", image.Namespace, image.Name), func(ctx context.Context, tx database) error {
		if err := errors.Join(key.check(), keep.check()); err != nil {
			return err
		}
		statement, args := insertion("images", imageColumns, [][]any{{
			string(image.UID), image.Namespace, image.Name, image.Generation, version(image), microsOrZero(image.CreationTimestamp.Time),
			boolean(v1alpha1.UnderLegalHold(image)), keep.Succeeded.Microseconds(), keep.Failed.Microseconds(), keep.Files.Microseconds(),
		}})
		written, err := execute(ctx, tx, statement+" ON CONFLICT (uid) DO UPDATE SET "+fromExcluded(imageColumns)+
			" WHERE excluded.resource_version >= images.resource_version", args...)
		if err == nil && written > 0 {
			var expired int64
			if keep.Succeeded > 0 {
				expired = s.cutoff(keep.Succeeded)
			}
			err = putFixes(ctx, tx, image, expired)
		}
		if err != nil || !v1alpha1.UnderLegalHold(image) {
			return err
		}
		_, err = execute(ctx, tx, "UPDATE images SET hold = 1 WHERE uid = $1 AND hold = 0", string(image.UID))
		return err
	})
}

// ImageDeleted records when an Image was deleted, or now if the time is zero. The first recorded time counts. It does nothing
// for an Image that is not recorded.
func (s *Store) ImageDeleted(ctx context.Context, uid types.UID, at time.Time) error {
	return s.deleted(ctx, "images", uid, at)
}

// DeletedImage is an Image whose deletion is recorded.
type DeletedImage struct {
	ImageKey
	Deleted time.Time
}

// DeletedImages returns the Images whose deletion is recorded, the last deleted one first. It selects a namespace, the UID of the
// namespace that they belong to, and a name, unless these are empty. Errors: ErrInvalid for an invalid page.
func (s *Store) DeletedImages(ctx context.Context, namespace string, namespaceUID types.UID, name string, paging Paging) (*Page[DeletedImage], error) {
	limit, err := paging.limit()
	if err != nil {
		return nil, err
	}
	asked := question("deleted images", namespace, namespaceUID, name)
	var last int64
	var uid string
	more, err := paging.readKey(asked, &last, &uid)
	if err != nil {
		return nil, err
	}
	var matching conditions
	matching.add("deleted IS NOT NULL")
	if namespace != "" {
		matching.add("namespace = ?", namespace)
	}
	if namespaceUID != "" {
		matching.add("namespace_uid = ?", string(namespaceUID))
	}
	if name != "" {
		matching.add("name = ?", name)
	}
	if more {
		matching.add("(deleted, uid) < (?, ?)", last, uid)
	}
	text := "SELECT namespace, name, uid, deleted FROM images" + matching.whereClause() + " ORDER BY deleted DESC, uid DESC LIMIT " + matching.arg(limit)
	images, err := fetch(ctx, s, "list the deleted images", func(scan scanner) (image DeletedImage, err error) {
		var deleted int64
		err = scan(&image.Namespace, &image.Name, &image.UID, &deleted)
		image.Deleted = time.UnixMicro(deleted).UTC()
		return image, err
	}, text, matching.args...)
	if err != nil {
		return nil, err
	}
	return pageOf(images, limit, asked, func(image DeletedImage) []any { return []any{image.Deleted.UnixMicro(), image.UID} })
}

func (s *Store) deleted(ctx context.Context, table string, uid types.UID, at time.Time) error {
	if at.IsZero() {
		at = s.clock.Now()
	}
	return s.change(ctx, fmt.Sprintf("record the deletion of %s of %s", uid, table), func(ctx context.Context, tx database) error {
		_, err := execute(ctx, tx, "UPDATE "+table+" SET deleted = $1 WHERE uid = $2 AND deleted IS NULL", at.UnixMicro(), string(uid))
		return err
	})
}

func (k ImageKey) check() error {
	if k.Namespace == "" || k.Name == "" || k.UID == "" {
		return fmt.Errorf("%w: set the namespace, name and UID of the image", ErrInvalid)
	}
	return nil
}

// know ensures that each Image has a record, before records that belong to the Image are written.
func know(ctx context.Context, tx database, images ...ImageKey) error {
	slices.SortFunc(images, func(a, b ImageKey) int { return strings.Compare(string(a.UID), string(b.UID)) }) // two writers cannot wait for each other
	images = slices.CompactFunc(images, func(a, b ImageKey) bool { return a.UID == b.UID })
	var rows [][]any
	for _, image := range images {
		if err := image.check(); err != nil {
			return err
		}
		rows = append(rows, []any{string(image.UID), image.Namespace, image.Name})
	}
	if len(rows) == 0 {
		return nil
	}
	statement, args := insertion("images", "uid, namespace, name", rows)
	_, err := execute(ctx, tx, statement+" ON CONFLICT (uid) DO NOTHING", args...)
	return err
}

// lockImage locks the record of an Image until the end of the transaction. The next transaction with this lock sees the
// writes of this one.
func lockImage(ctx context.Context, tx database, image types.UID) error {
	_, err := execute(ctx, tx, "UPDATE images SET hold = hold WHERE uid = $1", string(image))
	return err
}

// lockUnheld prevents other writes of the record of an Image until the end of the transaction. It returns whether the record
// exists and is not under legal hold.
func lockUnheld(ctx context.Context, tx database, uid string) (unheld bool, err error) {
	count, err := execute(ctx, tx, "UPDATE images SET hold = hold WHERE uid = $1 AND hold = 0", uid)
	return count > 0, err
}

// version is the resource version of an object as a number, to compare versions. It is 0 if the object has none.
func version(object metav1.Object) int64 { return number(object.GetResourceVersion()) }

func number(resourceVersion string) int64 {
	number, err := strconv.ParseInt(resourceVersion, 10, 64)
	if err != nil {
		return 0
	}
	return number
}
