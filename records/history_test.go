// SPDX-License-Identifier: Apache-2.0

package records_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

func TestHistoryFindsWhatFitsTheQuery(t *testing.T) {
	reborn := records.ImageKey{Namespace: "team", Name: "debian", UID: "image-debian-again"}
	elsewhere := records.ImageKey{Namespace: "other", Name: "debian", UID: "image-elsewhere"}
	failed := ran(newBuild(debian, 2, 20), v1alpha1.BuildFailed, 21, 22)
	failed.Spec.Trigger.Reason = v1alpha1.TriggerSchedule
	failed.Status.Attempts[0].NodeName = "node-2"
	special := ran(newBuild(debian, 3, 30), v1alpha1.BuildSucceeded, 31, 32)
	special.Spec.Trigger.RequestedBy = "joe"
	special.Status.Artifacts[0].Digest = "sha256:special"
	builds := []*v1alpha1.ImageBuild{
		ran(newBuild(debian, 1, 10), v1alpha1.BuildSucceeded, 11, 12), failed, special,
		newBuild(reborn, 4, 40), newBuild(elsewhere, 5, 50),
	}
	queries := map[string]struct {
		query records.Query
		want  []string
	}{
		"everything":           {records.Query{}, []string{"debian-5", "debian-4", "debian-3", "debian-2", "debian-1"}},
		"namespace":            {records.Query{Namespace: "team"}, []string{"debian-4", "debian-3", "debian-2", "debian-1"}},
		"name of the image":    {records.Query{Namespace: "team", Image: "debian"}, []string{"debian-4", "debian-3", "debian-2", "debian-1"}},
		"UID of the image":     {records.Query{ImageUID: debian.UID}, []string{"debian-3", "debian-2", "debian-1"}},
		"UID, other namespace": {records.Query{Namespace: "other", ImageUID: debian.UID}, []string{}},
		"outcome":              {records.Query{Outcome: v1alpha1.BuildSucceeded}, []string{"debian-3", "debian-1"}},
		"trigger":              {records.Query{Trigger: v1alpha1.TriggerSchedule}, []string{"debian-2"}},
		"user":                 {records.Query{User: "joe"}, []string{"debian-3"}},
		"digest":               {records.Query{Digest: "sha256:special"}, []string{"debian-3"}},
		"node":                 {records.Query{Node: "node-2"}, []string{"debian-2"}},
		"since":                {records.Query{Since: at(30).Time}, []string{"debian-5", "debian-4", "debian-3"}},
		"until":                {records.Query{Until: at(30).Time}, []string{"debian-2", "debian-1"}},
		"several":              {records.Query{Namespace: "team", User: "jane", Outcome: v1alpha1.BuildFailed, Until: at(60).Time}, []string{"debian-2"}},
		"nobody's":             {records.Query{User: "nobody"}, []string{}},
		"not SQL":              {records.Query{Namespace: "team' OR '1'='1"}, []string{}},
	}
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		g.Expect(store.PutBuilds(ctx, builds)).To(Succeed())
		for name, c := range queries {
			page, err := store.History(ctx, c.query)
			g.Expect(err).NotTo(HaveOccurred(), name)
			g.Expect(names(page)).To(Equal(c.want), name)
			g.Expect(page.Continue).To(BeEmpty(), name)
		}
		_, err := store.History(ctx, records.Query{Image: "debian"})
		g.Expect(err).To(MatchError(records.ErrInvalid), "a name without its namespace")
	})
}

// Kubernetes keeps the time of creation in seconds: many builds have the same.
func TestPagesShowEachBuildOnceWhateverIsWrittenMeanwhile(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		random := rand.New(rand.NewPCG(1, 2))
		var builds []*v1alpha1.ImageBuild
		for i := range 60 {
			build := newBuild(debian, int64(i%20), random.IntN(4))
			build.UID = types.UID(fmt.Sprintf("%c%d", "aAbB-_"[random.IntN(6)], i))
			build.Name = string(build.UID)
			builds = append(builds, build)
		}
		g.Expect(store.PutBuilds(ctx, builds)).To(Succeed())
		slices.SortFunc(builds, func(a, b *v1alpha1.ImageBuild) int { // newest first, then by number and UID
			for _, order := range []int{b.CreationTimestamp.Compare(a.CreationTimestamp.Time), int(*b.Spec.Number - *a.Spec.Number)} {
				if order != 0 {
					return order
				}
			}
			return slices.Compare([]byte(b.UID), []byte(a.UID))
		})
		var want, got []string
		for _, build := range builds {
			want = append(want, build.Name)
		}
		query := records.Query{Namespace: "team", Paging: records.Paging{Limit: 7}}
		for pages := 1; ; pages++ {
			page := valueOf(store.History(ctx, query))(g)
			got = append(got, names(page)...)
			g.Expect(store.PutBuild(ctx, newBuild(debian, int64(1000+pages), 1000+pages))).To(Succeed())
			if query.Continue = page.Continue; query.Continue == "" {
				break
			}
		}
		g.Expect(got).To(Equal(want))
	})
}

func TestAPageThatEndsWithTheLastBuildIsTheLast(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		g.Expect(store.PutBuilds(ctx, []*v1alpha1.ImageBuild{newBuild(debian, 1, 1), newBuild(debian, 2, 2)})).To(Succeed())
		page := valueOf(store.History(ctx, records.Query{Paging: records.Paging{Limit: 2}}))(g)
		g.Expect(page.Items).To(HaveLen(2))
		g.Expect(page.Continue).To(BeEmpty())
	})
}

func TestAPageOfAnotherQuestionIsRefused(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		g.Expect(store.PutBuilds(ctx, []*v1alpha1.ImageBuild{newBuild(debian, 1, 1), newBuild(debian, 2, 2)})).To(Succeed())
		page := valueOf(store.History(ctx, records.Query{Namespace: "team", Paging: records.Paging{Limit: 1}}))(g)
		g.Expect(page.Continue).NotTo(BeEmpty())
		_, err := store.History(ctx, records.Query{Namespace: "team", Paging: records.Paging{Limit: 500, Continue: page.Continue}})
		g.Expect(err).NotTo(HaveOccurred(), "another limit is no other question")
		for name, query := range map[string]records.Query{
			"another namespace": {Namespace: "other", Paging: records.Paging{Continue: page.Continue}},
			"a further field":   {Namespace: "team", Since: noon, Paging: records.Paging{Continue: page.Continue}},
			"no token":          {Namespace: "team", Paging: records.Paging{Continue: "no token"}},
			"half a token":      {Namespace: "team", Paging: records.Paging{Continue: page.Continue[:len(page.Continue)/2]}},
			"negative":          {Namespace: "team", Paging: records.Paging{Limit: -1}},
			"too many":          {Namespace: "team", Paging: records.Paging{Limit: records.MaxLimit + 1}},
		} {
			_, err := store.History(ctx, query)
			g.Expect(err).To(MatchError(records.ErrInvalid), name)
		}
		_, err = store.Notes(ctx, debian.UID, records.Paging{Continue: page.Continue})
		g.Expect(err).To(MatchError(records.ErrInvalid), "of notes")
		_, err = store.ImageStats(ctx, records.ImageStatsQuery{Paging: records.Paging{Continue: page.Continue}})
		g.Expect(err).To(MatchError(records.ErrInvalid), "of reports")
	})
}

func TestTimesAreKeptToTheMicrosecond(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		build := newBuild(debian, 1, 0)
		build.CreationTimestamp.Time = time.Date(2026, 5, 4, 3, 2, 1, 123456789, time.FixedZone("east", 2*60*60))
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		g.Expect(valueOf(store.History(ctx, records.Query{}))(g).Items[0].Created).To(Equal(time.Date(2026, 5, 4, 1, 2, 1, 123456000, time.UTC)))
	})
}

// A token is untrusted input: any token is either refused or leads to a page.
func FuzzContinue(f *testing.F) {
	for _, key := range []string{`[1, 2, "x"]`, `[1, "x"]`, `[]`, `[1, 2]`, `null`, `{}`, `["x", 1, 2]`, `[null, null, null]`, `[1e400, 1, ""]`, `[1, 2, "\u0000"]`} {
		f.Add(key)
	}
	store := openStore(f, "sqlite://"+filepath.Join(f.TempDir(), "records.db"), records.Options{})
	g := NewWithT(f)
	g.Expect(store.PutBuilds(f.Context(), someBuilds(0, 3))).To(Succeed())
	for i := range 2 {
		g.Expect(store.AddNote(f.Context(), debian, records.Note{Author: "jane", Text: fmt.Sprint(i)})).Error().NotTo(HaveOccurred())
	}
	one := records.Paging{Limit: 1}
	builds := valueOf(store.History(f.Context(), records.Query{Paging: one}))(g)
	notes := valueOf(store.Notes(f.Context(), debian.UID, one))(g)
	f.Fuzz(func(t *testing.T, key string) {
		g := NewWithT(t)
		_, err := store.History(t.Context(), records.Query{Paging: records.Paging{Continue: withKey(g, builds.Continue, key)}})
		g.Expect(err).To(Or(BeNil(), MatchError(records.ErrInvalid)))
		_, err = store.Notes(t.Context(), debian.UID, records.Paging{Continue: withKey(g, notes.Continue, key)})
		g.Expect(err).To(Or(BeNil(), MatchError(records.ErrInvalid)))
	})
}

// withKey puts another key into a token.
func withKey(g *WithT, token, key string) string {
	decoded := valueOf(base64.RawURLEncoding.DecodeString(token))(g)
	before, _, found := strings.Cut(string(decoded), `"k":`)
	g.Expect(found).To(BeTrue())
	return base64.RawURLEncoding.EncodeToString([]byte(before + `"k":` + key + "}"))
}
