// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/records"
)

// locked is a build with a lock for each target, given as target and digest, one after the other.
func locked(name string, locks ...string) *v1alpha1.ImageBuild {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for i := 0; i < len(locks); i += 2 {
		artifact := v1alpha1.Artifact{Target: locks[i]}
		if locks[i+1] != "" {
			artifact.Documents = []v1alpha1.ArtifactDocument{{Type: v1alpha1.DocumentLock, Digest: locks[i+1], Verified: v1alpha1.ArtifactVerifiedContent}}
		}
		build.Status.Artifacts = append(build.Status.Artifacts, artifact)
	}
	return build
}

func TestTargetsWithTheSameTwoLocksAreCompared(t *testing.T) {
	from, to := locked("one", "d", "x", "a", "x", "b", "x", "c", "x", "gone", "x", "plain", ""), locked("two", "a", "y", "b", "z", "c", "y", "d", "x", "new", "y", "plain", "")
	var got []string
	for _, target := range lockedTargetsOf(from.Status.Artifacts, to.Status.Artifacts) {
		pair := "- "
		if target.from != nil {
			pair = target.from.Digest + " "
		}
		if target.to != nil {
			pair += target.to.Digest
		}
		got = append(got, pair+": "+strings.Join(target.names, " "))
	}
	if diff := cmp.Diff([]string{"x y: a c", "x z: b", "x x: d", "x : gone", "- y: new"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAFailingDatabaseIsAskedForOneLock(t *testing.T) {
	store := require.Value(records.Open(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "records.db"), records.Options{}))(t)
	require.NoError(t, store.Close())
	locks := reader{records: &history.Database{}, limiter: newLimiter()}.openLocks(diffResource, "two")
	locks.database, locks.unavailable = store, nil
	changes, message := packageChanges(t.Context(), locks, locked("one", "a", "v", "b", "w"), locked("two", "a", "x", "b", "y"))
	if len(changes) > 0 || locks.unavailable == nil || strings.Count(message, "database is closed") != 1 {
		t.Errorf("got %v, %s", changes, message)
	}
	locks.database = nil // another read would panic
	if _, again := packageChanges(t.Context(), locks, locked("one", "a", "v"), locked("two", "a", "x")); again != message {
		t.Errorf("got %s, then %s", message, again)
	}
}

// kept are the contents that a server keeps, by digest.
type kept map[string]string

func (k kept) Has(digest string) bool { return k[digest] != "" }

func (k kept) Open(_ context.Context, digest string) (io.ReadSeekCloser, error) {
	if !k.Has(digest) {
		return nil, fs.ErrNotExist
	}
	return struct {
		io.ReadSeeker
		io.Closer
	}{strings.NewReader(k[digest]), io.NopCloser(nil)}, nil
}

func TestALockThatIsNotRecordedIsReadFromTheArtifacts(t *testing.T) {
	const text = `{"version":1,"packages":[{"name":"a","version":"1","architecture":"all"}]}`
	good, damaged := contents.Digest([]byte(text)), contents.Digest([]byte("other"))
	locks := reader{records: &history.Database{}, kept: kept{good: text, damaged: text}, limiter: newLimiter()}.openLocks(packagesResource, "web-1")
	for digest, want := range map[string]bool{good: true, damaged: false, contents.Digest(nil): false} {
		lock, err := locks.lock(t.Context(), "web-1", &v1alpha1.ArtifactDocument{Digest: digest})
		if found := err == nil && len(lock.Packages) == 1; found != want {
			t.Errorf("%s: got %+v, %v", digest, lock, err)
		}
	}
}
