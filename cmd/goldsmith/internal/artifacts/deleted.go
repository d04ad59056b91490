// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

// FindWithDeleted returns the build of an argument as Find does, or with a UID the build of the name and this UID. Of a deleted build, it returns what
// is known.
func FindWithDeleted(ctx context.Context, connection *client.Connection, argument, uid string, stderr io.Writer) (*v1alpha1.ImageBuild, error) {
	if uid != "" {
		return findByUID(ctx, connection, argument, uid)
	}
	build, err := Find(ctx, connection, argument, stderr)
	if deleted, ok := errors.AsType[*client.DeletedBuildError](err); ok {
		_, err := fmt.Fprintf(stderr, "build %s was deleted: its packages are those in the records\n", deleted.Record.Name)
		return deletedBuild(connection, deleted.Record.Name, deleted.Record.UID), err
	}
	if err != nil || build.UID != "" {
		return build, err
	}
	// The status of an Image has the artifacts of some deleted builds, without their UIDs.
	if deleted, ok := errors.AsType[*client.DeletedBuildError](connection.NotFound(ctx, client.ImageBuild, build.Name)); ok {
		build.UID = deleted.Record.UID
	}
	return build, nil
}

// CheckUID refuses a UID for an argument that names an image. Without a UID, any argument is right.
func CheckUID(argument, uid string) error {
	if uid == "" {
		return nil
	}
	kind, name, err := client.SplitName(argument)
	if err != nil {
		return err
	}
	if kind == client.Image || strings.Contains(name, "@") {
		return fmt.Errorf("--uid selects a build, but %s is an image: name a build, or omit --uid", argument)
	}
	return nil
}

func findByUID(ctx context.Context, connection *client.Connection, argument, uid string) (*v1alpha1.ImageBuild, error) {
	if err := CheckUID(argument, uid); err != nil {
		return nil, err
	}
	_, name, err := client.SplitName(argument)
	if err != nil {
		return nil, err
	}
	build, err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case client.IsNotFound(err, "imagebuilds", name) || err == nil && string(build.UID) != uid:
		return deletedBuild(connection, name, types.UID(uid)), nil
	case err != nil:
		return nil, fmt.Errorf("look for build %s: %w", name, err)
	}
	return build, nil
}

func deletedBuild(connection *client.Connection, name string, uid types.UID) *v1alpha1.ImageBuild {
	return &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: connection.Namespace, Name: name, UID: uid}}
}
