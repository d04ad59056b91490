// SPDX-License-Identifier: Apache-2.0

package records_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

// buildsVariable sets the number of builds in a large history. Defaults to a million.
const buildsVariable = "GOLDSMITH_BENCH_BUILDS"

// onEachForTiming measures on an empty store of each kind. The PostgreSQL server waits for its disk, as SQLite does.
func onEachForTiming(b *testing.B, measure func(*testing.B, *records.Store)) {
	b.Helper()
	options := records.Options{Timeout: 10 * time.Minute}
	b.Run("SQLite", func(b *testing.B) {
		measure(b, openStore(b, "sqlite://"+filepath.Join(b.TempDir(), "records.db"), options))
	})
	b.Run("PostgreSQL", func(b *testing.B) {
		g := NewWithT(b)
		server, err := newPostgres(b.Context())
		b.Cleanup(func() { g.Expect(server.remove()).To(Succeed()) })
		g.Expect(err).NotTo(HaveOccurred())
		address := valueOf(server.newDatabase(b.Context()))(g)
		store := valueOf(records.Open(b.Context(), address, options))(g)
		measure(b, store)
		g.Expect(store.Close()).To(Succeed())
	})
}

// BenchmarkRecord is one finished build after the other, each in a transaction of its own.
func BenchmarkRecord(b *testing.B) {
	onEachForTiming(b, func(b *testing.B, store *records.Store) {
		g := NewWithT(b)
		var count int
		var slowest []time.Duration
		for b.Loop() {
			build := someBuilds(count, count+1)[0]
			begin := time.Now()
			g.Expect(store.PutBuild(b.Context(), build)).To(Succeed())
			slowest = append(slowest, time.Since(begin))
			count++
		}
		b.ReportMetric(float64(count)/b.Elapsed().Seconds(), "builds/s")
		reportPercentiles(b, slowest)
	})
}

// BenchmarkCatchUp is 10,000 builds that the database has not heard of, and the same again.
func BenchmarkCatchUp(b *testing.B) {
	const missed = 10_000
	onEachForTiming(b, func(b *testing.B, store *records.Store) {
		g := NewWithT(b)
		var unknown, known time.Duration
		for round := 0; b.Loop(); round++ {
			builds := someBuilds(round*missed, (round+1)*missed)
			begin := time.Now()
			g.Expect(store.PutBuilds(b.Context(), builds)).To(Succeed())
			unknown += time.Since(begin)
			begin = time.Now()
			g.Expect(store.PutBuilds(b.Context(), builds)).To(Succeed())
			known += time.Since(begin)
		}
		b.ReportMetric(unknown.Seconds()/float64(b.N), "s/unknown")
		b.ReportMetric(known.Seconds()/float64(b.N), "s/known")
	})
}

// BenchmarkLargeHistory reads from a million builds of 1000 images.
func BenchmarkLargeHistory(b *testing.B) {
	builds := 1_000_000
	if text := os.Getenv(buildsVariable); text != "" {
		var err error
		builds, err = strconv.Atoi(text)
		NewWithT(b).Expect(err).NotTo(HaveOccurred())
	}
	onEachForTiming(b, func(b *testing.B, store *records.Store) {
		begin := time.Now()
		makeHistory(b, store, builds)
		b.Logf("made %d builds in %s", builds, time.Since(begin).Round(time.Second))
		image := types.UID("image-17")
		for _, c := range []struct {
			name  string
			query records.Query
		}{
			{"everything", records.Query{}},
			{"namespace", records.Query{Namespace: "team-7"}},
			{"image", records.Query{Namespace: "team-7", ImageUID: image}},
			{"name of an image", records.Query{Namespace: "team-7", Image: "image-17"}},
			{"failures of a namespace", records.Query{Namespace: "team-7", Outcome: v1alpha1.BuildFailed}},
			{"user", records.Query{User: "user-3"}},
			{"schedule", records.Query{Trigger: v1alpha1.TriggerSchedule}},
			{"an outcome that there is not", records.Query{Namespace: "team-7", Outcome: v1alpha1.BuildCancelled}},
			{"a digest that one build made", records.Query{Digest: "sha256:500"}},
			{"a node that a thousandth ran on", records.Query{Node: "node-3"}},
		} {
			b.Run(c.name, func(b *testing.B) { readPages(b, store, c.query) })
		}
		month := records.Window{Since: noon.Add(time.Duration(builds-30*24*60) * time.Minute)}
		reports := func(window records.Window, images ...types.UID) func(context.Context) error {
			return func(ctx context.Context) error {
				_, err := store.ImageStats(ctx, records.ImageStatsQuery{Images: images, Window: window})
				return err
			}
		}
		for _, c := range []struct {
			name string
			read func(context.Context) error
		}{
			{"a build", func(ctx context.Context) error { _, err := store.Build(ctx, "team-7", "build-17"); return err }},
			{"a report on an image", reports(records.Window{}, image)},
			{"a report on an image's month", reports(month, image)},
			{"reports on 100 images", reports(records.Window{})},
			{"reports on 100 images' month", reports(month)},
		} {
			b.Run(c.name, func(b *testing.B) { readAgain(b, c.read) })
		}
	})
}

// BenchmarkLocks is 10,000 builds of 20 images. Each build has a lock of 300 packages, three of which are new.
func BenchmarkLocks(b *testing.B) {
	const images, builds = 20, 500
	onEachForTiming(b, func(b *testing.B, store *records.Store) {
		g, ctx := NewWithT(b), b.Context()
		var digests []string
		var took []time.Duration
		var size int
		for image := range images {
			packages := newArchive(uint64(image))
			lock, key := packages.lock(300), records.ImageKey{Namespace: "team", Name: fmt.Sprint("image-", image), UID: types.UID(fmt.Sprint("image-", image))}
			for number := range builds {
				packages.next(lock, 3)
				content := contentOf(g, lock)
				begin := time.Now()
				digests = append(digests, putLock(ctx, g, store, key.UID, content))
				took = append(took, time.Since(begin))
				size += len(content)
				build := ran(newBuild(key, int64(number), number), v1alpha1.BuildSucceeded, number+1, number+2)
				build.Status.Artifacts[0].Documents = []v1alpha1.ArtifactDocument{{Type: v1alpha1.DocumentLock, Digest: digests[len(digests)-1]}}
				g.Expect(store.PutBuild(ctx, build)).To(Succeed())
			}
		}
		b.Run("write", func(b *testing.B) {
			for b.Loop() { // they are written already
			}
			b.ReportMetric(float64(size)/images/builds, "lock-B/build")
			b.ReportMetric(float64(valueOf(store.Count(ctx, "SELECT SUM(LENGTH(content)) FROM locks"))(g))/images/builds, "content-B/build")
			b.ReportMetric(float64(valueOf(store.Count(ctx, storedBytes(b)))(g))/images/builds, "stored-B/build")
			reportPercentiles(b, took)
		})
		next := 0
		b.Run("read", func(b *testing.B) {
			readAgain(b, func(ctx context.Context) error {
				next = (next + 7919) % len(digests)
				_, err := store.Lock(ctx, digests[next])
				return err
			})
		})
		b.Run("expire", func(b *testing.B) {
			store.SetClock(clocktesting.NewFakePassiveClock(noon.AddDate(10, 0, 0)))
			readAgain(b, func(ctx context.Context) error { _, err := store.Expire(ctx, records.Rules{}); return err })
			g.Expect(countLocks(ctx, g, store, "1 = 1")).To(BeEquivalentTo(len(digests)))
		})
	})
}

// storedBytes returns the query for the bytes of the table of locks and its indexes.
func storedBytes(b *testing.B) string {
	if strings.Contains(b.Name(), "PostgreSQL") {
		return "SELECT pg_total_relation_size('locks')"
	}
	return "SELECT SUM(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name = 'locks')"
}

// readPages reads one page after the other, and begins again at the end.
func readPages(b *testing.B, store *records.Store, query records.Query) {
	g := NewWithT(b)
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		page, err := store.History(b.Context(), query)
		took = append(took, time.Since(begin))
		g.Expect(err).NotTo(HaveOccurred())
		query.Continue = page.Continue
	}
	reportPercentiles(b, took)
}

func readAgain(b *testing.B, read func(context.Context) error) {
	g := NewWithT(b)
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		g.Expect(read(b.Context())).To(Succeed())
		took = append(took, time.Since(begin))
	}
	reportPercentiles(b, took)
}

func reportPercentiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	for _, percent := range []int{50, 99} {
		value := took[(len(took)*percent+99)/100-1]
		b.ReportMetric(float64(value.Microseconds())/1000, fmt.Sprintf("p%d-ms", percent))
	}
}

// makeHistory fills the tables without going through the store: one build a minute, of 1000 images in 10 namespaces, of which
// one in ten has failed.
func makeHistory(b *testing.B, store *records.Store, builds int) {
	g := NewWithT(b)
	numbers := fmt.Sprintf("WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < %d) ", builds)
	minute := time.Minute.Microseconds()
	if strings.Contains(b.Name(), "SQLite") { // or it writes each page of each index again and again
		g.Expect(store.Execute(b.Context(), "PRAGMA cache_size = -2000000")).To(Succeed())
	}
	for _, statement := range []string{
		`WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
		INSERT INTO images (uid, namespace, name) SELECT 'image-' || i, 'team-' || (i % 10), 'image-' || i FROM n`,
		numbers + fmt.Sprintf(`INSERT INTO builds (uid, namespace, name, image_uid, image_name, number, trigger_reason, trigger_message, requested_by, phase,
			class, reason, message, attempts, created, queued, started, completed, duration, queue_time, hold, finished, resource_version, deleted)
		SELECT 'build-' || i, 'team-' || (i %% 10), 'image-' || (i %% 1000) || '-' || (i / 1000), 'image-' || (i %% 1000), 'image-' || (i %% 1000), i / 1000,
			CASE WHEN i %% 3 = 0 THEN 'Schedule' ELSE 'Manual' END, 'because', 'user-' || (i %% 97), CASE WHEN i %% 11 = 0 THEN 'Failed' ELSE 'Succeeded' END,
			CASE WHEN i %% 11 = 0 THEN 'User' ELSE '' END, CASE WHEN i %% 11 = 0 THEN 'BuilderFailed' ELSE '' END, '', 1 + i %% 2,
			%[1]d + i * %[2]d, %[1]d + i * %[2]d, %[1]d + i * %[2]d + 1000000, %[1]d + i * %[2]d + 1000000 * (2 + i %% 613), 1000000 * (1 + i %% 613),
			1000000, 0, 1, i, %[1]d + i * %[2]d FROM n`, noon.UnixMicro(), minute),
		numbers + `INSERT INTO documents (build_uid, spec, status) SELECT 'build-' || i, '{"inputs": {}}', '{}' FROM n`,
		numbers + `INSERT INTO attempts (build_uid, number, job_name, pod_name, node_name, outcome, class, reason, message)
		SELECT 'build-' || i, 1, 'job-' || i, 'pod-' || i, 'node-' || (i % 1009), '', '', '', '' FROM n`,
		numbers + `INSERT INTO artifacts (build_uid, target, digest, size_bytes, media_type) SELECT 'build-' || i, 'linux/amd64/raw', 'sha256:' || i, 1, '' FROM n`,
	} {
		g.Expect(store.Execute(b.Context(), statement)).To(Succeed())
	}
	// Both databases have done this after some time of use.
	g.Expect(store.Expire(b.Context(), records.Rules{})).Error().NotTo(HaveOccurred())
	if strings.Contains(b.Name(), "PostgreSQL") {
		g.Expect(store.Execute(b.Context(), "VACUUM ANALYZE")).To(Succeed())
	}
}
