// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/jobs/signing"
)

// IsPath reports whether an argument can only be the name of a file: names of Images, channels and builds have no dots. KIND/NAME is an
// object, unless a file of that name exists.
func IsPath(argument string) bool {
	switch strings.Count(argument, "/") {
	case 0:
		return strings.Contains(argument, ".")
	case 1:
		_, _, err := client.SplitName(argument)
		return strings.HasPrefix(argument, ".") || strings.HasPrefix(argument, "/") || err != nil && IsRegular(argument)
	}
	return true
}

// IsRegular reports whether a path is that of a file.
func IsRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// OpenFile opens a file that an argument names. It opens a pipe only by the name that a shell gives it: others wait for a writer, and devices may have no
// end.
func OpenFile(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !strings.HasPrefix(path, "/dev/fd/") && path != "/dev/stdin" {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	return os.Open(path)
}

// ErrTooLarge reports that a file has more bytes than ReadFile reads.
var ErrTooLarge = errors.New("has more than")

// ReadFile reads a file that an argument names, of at most so many bytes.
func ReadFile(path string, most int64) ([]byte, error) {
	file, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // was only read
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s %w %d bytes", path, ErrTooLarge, most)
	}
	return text, err
}

// HashFile reads a file that an argument names, which can be larger than the memory.
func HashFile(ctx context.Context, path string) (*signing.File, error) {
	file, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // was only read
	read, err := signing.ReadFile(&interruptible{ctx, file})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return read, nil
}

// DigestOf returns the digest of a file: "sha256:" and 64 hex digits. It ends with the context.
func DigestOf(ctx context.Context, file io.Reader) (string, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, &interruptible{ctx, file}); err != nil {
		return "", err
	}
	return fmt.Sprintf("sha256:%x", sum.Sum(nil)), nil
}

// interruptible is a file whose reads end with the context.
type interruptible struct {
	ctx  context.Context //nolint:containedctx // of the one command that reads the file
	file io.Reader
}

// Read implements io.Reader.
func (i *interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.file.Read(p)
}

// Made is an artifact of a build.
type Made struct {
	Build    *v1alpha1.ImageBuild
	Artifact *v1alpha1.Artifact
}

// ByDigest returns the artifacts with a digest, the newest first: those of builds, and then those that Images have of deleted builds.
func ByDigest(ctx context.Context, connection *client.Connection, digest string) ([]Made, error) {
	builds, err := connection.ListBuilds(ctx, connection.Namespace, fields.OneTermEqualSelector("status.phase", string(v1alpha1.BuildSucceeded)))
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(builds, func(a, b v1alpha1.ImageBuild) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), strings.Compare(b.Name, a.Name))
	})
	images, _, err := connection.ListImages(ctx, connection.Namespace, io.Discard)
	if err != nil && !apierrors.IsForbidden(err) {
		return nil, err
	}
	for i := range images {
		for _, name := range recordedBuilds(&images[i]) {
			if build := Recorded(&images[i], name); build != nil && !slices.ContainsFunc(builds, func(each v1alpha1.ImageBuild) bool { return each.Name == name }) {
				builds = append(builds, *build)
			}
		}
	}
	var all []Made
	for i := range builds {
		for j := range builds[i].Status.Artifacts {
			if artifact := &builds[i].Status.Artifacts[j]; artifact.Digest == digest {
				all = append(all, Made{&builds[i], artifact})
			}
		}
	}
	return all, nil
}

// recordedBuilds returns the names of the builds whose artifacts the status of an Image has.
func recordedBuilds(image *v1alpha1.Image) (names []string) {
	if latest := image.Status.LatestSuccessful; latest != nil {
		names = append(names, latest.Name)
	}
	for _, channel := range image.Status.Channels {
		names = append(names, channel.Build)
	}
	return names
}
