// SPDX-License-Identifier: Apache-2.0

package history

import (
	"cmp"
	"context"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// RecordLock records the lock of an artifact of a build, as the subresource attest does. It is for a caller in the process of the server,
// which has read the lock with package lock. RecordLock does nothing if the connection is nil, which means no database.
func RecordLock(ctx context.Context, connection Connection, build *v1alpha1.ImageBuild, content []byte) error {
	if connection == nil {
		return nil
	}
	store, err := connection.Store()
	if err != nil {
		return err
	}
	of := build.UID
	if image := build.Spec.ImageRef; image != nil {
		of = cmp.Or(image.UID, of)
	}
	return store.PutLock(ctx, of, contents.Digest(content), content)
}

// RecordLock records the lock of an artifact of a build in the database, if there is one. Call it after Prepare.
func (d *Database) RecordLock(ctx context.Context, build *v1alpha1.ImageBuild, content []byte) error {
	return RecordLock(ctx, d.connection, build, content)
}
