// SPDX-License-Identifier: Apache-2.0

package records_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

// archive is an archive of packages, whose hashes are as random as real ones.
type archive struct{ random *rand.Rand }

func newArchive(seed uint64) archive { return archive{rand.New(rand.NewPCG(seed, seed))} }

// lock returns a lock of a number of packages.
func (a archive) lock(packages int) *v1alpha1.Lock {
	lock := &v1alpha1.Lock{Version: v1alpha1.LockVersion, Distribution: &v1alpha1.Distribution{ID: "debian", Version: "13"}}
	for i := range packages {
		name := fmt.Sprintf("lib%c%d", 'a'+rune(a.random.IntN(26)), i)
		lock.Packages = append(lock.Packages, v1alpha1.Package{
			Name: name, Architecture: "amd64", Source: &v1alpha1.SourcePackage{Name: name}, Licence: []string{"GPL-2+", "Expat", "BSD-3-clause"}[a.random.IntN(3)],
		})
		a.update(&lock.Packages[i])
	}
	a.release(lock)
	return lock
}

// next updates some packages of a lock to their next version.
func (a archive) next(lock *v1alpha1.Lock, packages int) {
	for range packages {
		a.update(&lock.Packages[a.random.IntN(len(lock.Packages))])
	}
	a.release(lock)
}

func (a archive) update(one *v1alpha1.Package) {
	one.Version = fmt.Sprintf("%d.%d.%d-%d", a.random.IntN(5), a.random.IntN(30), a.random.IntN(30), a.random.IntN(9))
	one.Source.Version, one.SHA256 = one.Version, a.hash()
}

func (a archive) release(lock *v1alpha1.Lock) {
	lock.Sources = []v1alpha1.PackageSource{{URI: "http://deb.debian.org/debian", Suite: "trixie", Component: "main", Release: &v1alpha1.ReleaseFile{SHA256: a.hash()}}}
}

func (a archive) hash() string {
	sum := make([]byte, sha256.Size)
	for i := range sum {
		sum[i] = byte(a.random.Uint32())
	}
	return hex.EncodeToString(sum)
}

func contentOf(g *WithT, lock *v1alpha1.Lock) []byte {
	return valueOf(json.Marshal(lock))(g)
}

func sha(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

func putLock(ctx context.Context, g *WithT, store *records.Store, image types.UID, content []byte) (digest string) {
	g.THelper()
	g.Expect(store.PutLock(ctx, image, sha(content), content)).To(Succeed())
	return sha(content)
}

func countLocks(ctx context.Context, g *WithT, store *records.Store, condition string) int64 {
	g.THelper()
	return valueOf(store.Count(ctx, "SELECT COUNT(*) FROM locks WHERE "+condition))(g)
}

func TestALockIsReadAsItWasWritten(t *testing.T) {
	packages := newArchive(1)
	large := contentOf(NewWithT(t), packages.lock(v1alpha1.MaxLockPackages))
	nearly := slices.Concat(large[:1000], []byte("changed"), large[1007:])
	largest := slices.Concat(large, bytes.Repeat([]byte(" "), v1alpha1.MaxLockBytes-len(large)))
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		for _, content := range [][]byte{[]byte("x"), []byte("NUL \x00 and invalid \xff\xfe\n"), large, nearly, largest} {
			for range 2 {
				digest := putLock(ctx, g, store, debian.UID, content)
				g.Expect(bytes.Equal(valueOf(store.Lock(ctx, digest))(g), content)).To(BeTrue(), digest)
			}
		}
		g.Expect(countLocks(ctx, g, store, "base IS NULL")).To(Equal(int64(3)))
		g.Expect(countLocks(ctx, g, store, "base IS NOT NULL AND LENGTH(content) < 3000")).To(Equal(int64(2)))

		g.Expect(errorOf(store.Lock(ctx, sha(nil)))).To(MatchError(records.ErrNotFound))
		for digest, content := range map[string][]byte{
			sha(nil): nil, sha([]byte("x")): []byte("y"), "": []byte("x"), sha(append(largest, ' ')): append(largest, ' '),
		} {
			g.Expect(store.PutLock(ctx, debian.UID, digest, content)).To(MatchError(records.ErrInvalid), digest)
		}
	})
}

// The locks of two targets have few hashes in common.
func TestConsecutiveLocksAreSmall(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		packages := newArchive(2)
		targets := []*v1alpha1.Lock{packages.lock(300), packages.lock(300)}
		written := map[string][]byte{}
		const builds = 40
		for range builds {
			for _, target := range targets {
				packages.next(target, 3)
				content := contentOf(g, target)
				written[putLock(ctx, g, store, debian.UID, content)] = content
			}
		}
		for digest, content := range written {
			g.Expect(bytes.Equal(valueOf(store.Lock(ctx, digest))(g), content)).To(BeTrue())
		}
		g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM locks d JOIN locks b ON b.digest = d.base WHERE b.base IS NOT NULL")).To(BeZero())
		g.Expect(countLocks(ctx, g, store, "base IS NOT NULL")).To(BeNumerically(">", 2*builds*3/4))
		stored := valueOf(store.Count(ctx, "SELECT SUM(LENGTH(content)) FROM locks"))(g)
		g.Expect(stored).To(BeNumerically("<", 2*builds*2500), "bytes")

		packages.next(targets[0], 3)
		putLock(ctx, g, store, "another image", contentOf(g, targets[0]))
		g.Expect(countLocks(ctx, g, store, "image_uid = 'another image' AND base IS NULL")).To(Equal(int64(1)), "whole, because its builds expire alone")
	})
}

func TestADamagedLockIsAnErrorAndNoBase(t *testing.T) {
	encoder := valueOf(zstd.NewWriter(nil))(NewWithT(t))
	bomb := encoder.EncodeAll(make([]byte, v1alpha1.MaxLockBytes+1), nil)
	other := encoder.EncodeAll([]byte("another lock"), nil)
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		packages := newArchive(3)
		lock := packages.lock(50)
		whole := putLock(ctx, g, store, debian.UID, contentOf(g, lock))
		packages.next(lock, 1)
		delta := putLock(ctx, g, store, debian.UID, contentOf(g, lock))
		g.Expect(countLocks(ctx, g, store, "base IS NOT NULL")).To(Equal(int64(1)))
		for name, damage := range map[string]struct {
			content []byte
			cause   error
		}{"noise": {[]byte("noise"), zstd.ErrMagicMismatch}, "a bomb": {bomb, zstd.ErrDecoderSizeExceeded}, "another lock": {other, nil}, "nothing": {[]byte{}, nil}} {
			g.Expect(store.Execute(ctx, "UPDATE locks SET content = $1 WHERE digest = $2", damage.content, whole)).To(Succeed())
			for _, digest := range []string{whole, delta} {
				err := errorOf(store.Lock(ctx, digest))
				g.Expect(err).To(MatchError(records.ErrDamaged), "%s: %s", name, digest)
				if damage.cause != nil {
					g.Expect(err).To(MatchError(damage.cause), "%s: %s", name, digest)
				}
			}
		}
		repaired := contentOf(g, lock)
		packages.next(lock, 1)
		for _, content := range [][]byte{contentOf(g, lock), repaired} {
			g.Expect(store.Lock(ctx, putLock(ctx, g, store, debian.UID, content))).To(Equal(content))
		}
	})
}

func TestExpireDeletesLocksThatNoArtifactNames(t *testing.T) {
	const month = 31 * day
	clock := clocktesting.NewFakePassiveClock(noon)
	onEach(t, records.Options{Clock: clock}, func(g *WithT, ctx context.Context, store *records.Store) {
		clock := clocktesting.NewFakePassiveClock(noon)
		store.SetClock(clock)
		packages := newArchive(4)
		lock := packages.lock(50)
		put := func() string { return putLock(ctx, g, store, debian.UID, contentOf(g, lock)) }
		left := func() (left []string) {
			return valueOf(store.Texts(ctx, "SELECT digest FROM locks"))(g)
		}
		expire := func(rules records.Rules) records.Expired { return valueOf(store.Expire(ctx, rules))(g) }
		name := func(number int64, digests ...string) *v1alpha1.ImageBuild {
			build := ran(newBuild(debian, number, 0), v1alpha1.BuildSucceeded, 1, 2)
			build.Status.Artifacts = nil
			for i, digest := range digests {
				build.Status.Artifacts = append(build.Status.Artifacts, v1alpha1.Artifact{Target: fmt.Sprint(i), Documents: []v1alpha1.ArtifactDocument{
					{Type: v1alpha1.DocumentSBOM, Digest: sha([]byte("sbom"))}, {Type: v1alpha1.DocumentLock, Digest: digest},
				}})
			}
			g.Expect(store.PutBuild(ctx, build)).To(Succeed())
			return build
		}
		base := put()
		packages.next(lock, 1)
		named := put()
		packages.next(lock, 1)
		unnamed := put()
		g.Expect(countLocks(ctx, g, store, "base IS NOT NULL")).To(Equal(int64(2)))
		build := name(1, named, named)
		running := putLock(ctx, g, store, "", []byte("of a running build"))

		clock.SetTime(noon.Add(month))
		g.Expect(expire(records.Rules{})).To(BeZero())
		g.Expect(putLock(ctx, g, store, "", []byte("of a running build"))).To(Equal(running), "another build has it too")
		clock.SetTime(noon.Add(month + time.Second))
		g.Expect(expire(records.Rules{})).To(Equal(records.Expired{Locks: 1}))
		g.Expect(left()).To(ConsistOf(base, named, running), "without %s", unnamed)

		// The delta is deleted with the record of its build, and then its base.
		g.Expect(store.BuildDeleted(ctx, build.UID, noon)).To(Succeed())
		g.Expect(expire(records.Rules{Default: records.Retention{Succeeded: day}})).To(Equal(records.Expired{Builds: 1, Locks: 1}))
		g.Expect(left()).To(ConsistOf(base, running))
		g.Expect(expire(records.Rules{})).To(Equal(records.Expired{Locks: 1}))

		// A base that is used again is as young as its delta.
		base = put()
		clock.SetTime(noon.Add(2*month + 2*time.Second))
		packages.next(lock, 1)
		delta := put()
		g.Expect(store.Execute(ctx, "DELETE FROM locks WHERE digest = $1", delta)).To(Succeed())
		g.Expect(expire(records.Rules{})).To(Equal(records.Expired{Locks: 1}))
		g.Expect(left()).To(ConsistOf(base))
	})
}

// A running build can upload any number of locks, of which its artifacts name at most a few.
func TestABuildCannotFillTheDatabase(t *testing.T) {
	onEach(t, records.Options{Clock: clocktesting.NewFakePassiveClock(noon)}, func(g *WithT, ctx context.Context, store *records.Store) {
		packages := newArchive(7)
		other := putLock(ctx, g, store, "another image", contentOf(g, packages.lock(2)))
		named := packages.lock(2)
		build := ran(newBuild(debian, 1, 0), v1alpha1.BuildSucceeded, 1, 2)
		build.Status.Artifacts = []v1alpha1.Artifact{{Target: "linux/amd64/raw", Documents: []v1alpha1.ArtifactDocument{{
			Type: v1alpha1.DocumentLock, Verified: v1alpha1.ArtifactVerifiedContent, Digest: putLock(ctx, g, store, debian.UID, contentOf(g, named)),
		}}}}
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		for range 102 {
			putLock(ctx, g, store, debian.UID, contentOf(g, packages.lock(2)))
		}
		const noBase = " AND NOT EXISTS (SELECT 1 FROM locks d WHERE d.base = locks.digest)"
		g.Expect(countLocks(ctx, g, store, "image_uid = '"+string(debian.UID)+"'"+noBase)).To(BeNumerically("<=", 101))
		for _, kept := range []string{other, sha(contentOf(g, named))} {
			g.Expect(store.Lock(ctx, kept)).NotTo(BeEmpty())
		}
	})
}

func TestExpireWorksThroughManyLocks(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(noon.Add(32 * day))
	onEach(t, records.Options{Clock: clock}, func(g *WithT, ctx context.Context, store *records.Store) {
		putLock(ctx, g, store, "", []byte("x"))
		g.Expect(store.Execute(ctx, "UPDATE locks SET written = $1", noon.UnixMicro())).To(Succeed())
		g.Expect(store.Execute(ctx, `INSERT INTO locks (digest, image_uid, written, content)
			WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) SELECT 'sha256:' || i, '', written, content FROM n, locks`)).To(Succeed())
		g.Expect(store.Execute(ctx, "UPDATE locks SET base = 'sha256:1' WHERE digest = 'sha256:2'")).To(Succeed())
		g.Expect(store.Expire(ctx, records.Rules{})).To(Equal(records.Expired{Locks: 1200}))
		g.Expect(store.Expire(ctx, records.Rules{})).To(Equal(records.Expired{Locks: 1}))
	})
}

func TestManyMayWriteLocksOfAnImageAtTheSameTime(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		packages := newArchive(5)
		lock := packages.lock(50)
		var contents [][]byte
		for range 8 {
			packages.next(lock, 1)
			contents = append(contents, contentOf(g, lock))
		}
		putLock(ctx, g, store, debian.UID, contents[0])
		failures := make(chan error, 4*len(contents))
		var writing sync.WaitGroup
		for range 4 {
			for _, content := range contents {
				writing.Go(func() { failures <- store.PutLock(ctx, debian.UID, sha(content), content) })
			}
		}
		writing.Wait()
		close(failures)
		for err := range failures {
			g.Expect(err).NotTo(HaveOccurred())
		}
		g.Expect(countLocks(ctx, g, store, "1 = 1")).To(Equal(int64(len(contents))))
		for _, content := range contents {
			g.Expect(store.Lock(ctx, sha(content))).To(Equal(content))
		}
	})
}
