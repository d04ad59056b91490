// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/e2e/require"
	database "goldsmith.dev/goldsmith/records"
)

// missed is how many builds there are that the database has to be told of.
const missed = 10_000

// BenchmarkCatchUp measures how long it takes a database that is empty to be told of all builds, and, the second time, to be told
// what it knows.
func BenchmarkCatchUp(b *testing.B) {
	builds := newListed(missed)
	measured, err := metrics.NewRecords(prometheus.NewRegistry(), builds, nil, clock.RealClock{})
	require.NoError(b, err)
	for name, known := range map[string]bool{"empty": false, "known": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				store, err := database.Open(b.Context(), "sqlite://"+filepath.Join(b.TempDir(), "records.db"), database.Options{})
				require.NoError(b, err)
				k := &keeper{reconciler: &reconciler{cache: builds, memory: newMemory()}}
				k.Clock, k.Metrics = clock.RealClock{}, measured
				if known {
					require.NoError(b, k.catchUp(b.Context(), store))
				}
				b.StartTimer()
				require.NoError(b, k.catchUp(b.Context(), store))
				b.StopTimer()
				require.NoError(b, store.Close())
				b.StartTimer()
			}
			b.ReportMetric(float64(missed)*float64(b.N)/b.Elapsed().Seconds(), "builds/s")
		})
	}
}

// listed is a cache of builds that have finished.
type listed struct {
	client.Reader
	builds []v1alpha1.ImageBuild
}

func newListed(count int) *listed {
	l := &listed{}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range count {
		started, completed := metav1.NewTime(begin.Add(time.Duration(i)*time.Minute)), metav1.NewTime(begin.Add(time.Duration(i+1)*time.Minute))
		number := int64(i + 1)
		l.builds = append(l.builds, v1alpha1.ImageBuild{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace, Name: fmt.Sprintf("web-%d", number), UID: types.UID(fmt.Sprintf("%08x-0000-4000-8000-000000000000", i)),
				ResourceVersion: strconv.Itoa(i + 1), CreationTimestamp: started,
			},
			Spec: v1alpha1.ImageBuildSpec{
				Number: &number, ImageRef: &v1alpha1.ImageReference{Name: "web", UID: "web"},
				Trigger: &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerSchedule, Message: "by the schedule"},
				Inputs: v1alpha1.BuildInputs{
					Builder: v1alpha1.BuilderReference{Name: "mock"}, Base: v1alpha1.Base{Reference: "debian:bookworm"},
					Parameters: []v1alpha1.Parameter{{Name: "edition", Value: strconv.Itoa(i)}, {Name: "steps", Value: "3"}},
					Targets:    []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
				},
			},
			Status: v1alpha1.ImageBuildStatus{
				Phase: v1alpha1.BuildSucceeded, Finished: true, StartTime: &started, CompletionTime: &completed,
				Attempts: []v1alpha1.BuildAttempt{{
					Number: 1, JobName: fmt.Sprintf("web-%d-1", number), PodName: fmt.Sprintf("web-%d-1-abcde", number), NodeName: "node",
					StartTime: started, CompletionTime: &completed, Outcome: v1alpha1.AttemptSucceeded,
				}},
				Artifacts: []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: fmt.Sprintf("sha256:%064x", i), SizeBytes: 1 << 30}},
			},
		})
	}
	return l
}

// Get finds no namespace.
func (l *listed) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return apierrors.NewNotFound(corev1.Resource("namespaces"), namespace)
}

// List lists the builds, and the image that they are of: it is not gone.
func (l *listed) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	switch list := list.(type) {
	case *v1alpha1.ImageBuildList:
		list.Items = l.builds
	case *v1alpha1.ImageList:
		list.Items = []v1alpha1.Image{{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web", UID: "web"}}}
	}
	return nil
}
