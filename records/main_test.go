// SPDX-License-Identifier: Apache-2.0

package records_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

// shared is the PostgreSQL server of all tests that do no harm to it. There is none with -short: see needPostgres.
var shared *postgres

// These make this program open the database that they name, and nothing else, or write to it without end.
const (
	openVariable  = "GOLDSMITH_RECORDS_TEST_OPEN"
	writeVariable = "GOLDSMITH_RECORDS_TEST_WRITE"
)

func TestMain(m *testing.M) {
	if address := os.Getenv(openVariable); address != "" {
		os.Exit(openAndClose(address))
	}
	if address := os.Getenv(writeVariable); address != "" {
		os.Exit(writeWithoutEnd(address))
	}
	os.Exit(run(m))
}

func writeWithoutEnd(address string) int {
	store, err := records.Open(context.Background(), address, records.Options{})
	for i := 0; err == nil; i++ {
		if err = store.PutBuilds(context.Background(), someBuilds(i, i+1)); err == nil {
			_, err = fmt.Println(i + 1)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func run(m *testing.M) int {
	if flag.Parse(); testing.Short() {
		return m.Run()
	}
	var err error
	shared, err = newPostgres(context.Background(), "fsync=off")
	defer func() {
		if err := shared.remove(); err != nil {
			fmt.Fprintln(os.Stderr, "remove the PostgreSQL server:", err)
		}
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "start a PostgreSQL server:", err)
		return 1
	}
	return m.Run()
}

func openAndClose(address string) int {
	store, err := records.Open(context.Background(), address, records.Options{})
	if err == nil {
		err = store.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// databases are those that everything here has to be true of. Each function returns the address of an empty one.
func databases() map[string]func(testing.TB) string {
	all := map[string]func(testing.TB) string{
		"SQLite":     func(t testing.TB) string { return "sqlite://" + filepath.Join(t.TempDir(), "records.db") },
		"PostgreSQL": newPostgresDatabase,
	}
	if testing.Short() {
		delete(all, "PostgreSQL")
	}
	return all
}

func newPostgresDatabase(t testing.TB) string {
	t.Helper()
	needPostgres(t)
	address, err := shared.newDatabase(t.Context())
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return address
}

// needPostgres is called by each test of PostgreSQL alone: tests with -short need nothing but Go.
func needPostgres(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs PostgreSQL: run it without -short")
	}
}

// onEach runs a test on an empty store of each kind.
func onEach(t *testing.T, options records.Options, test func(*WithT, context.Context, *records.Store)) {
	t.Helper()
	for name, newAddress := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			test(g, t.Context(), openStore(t, newAddress(t), options))
		})
	}
}

func openStore(t testing.TB, address string, options records.Options) *records.Store {
	t.Helper()
	g := NewWithT(t)
	store := valueOf(records.Open(t.Context(), address, options))(g)
	t.Cleanup(func() { g.Expect(store.Close()).To(Succeed()) })
	return store
}

// noon is when everything begins.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func at(minutes int) metav1.Time {
	return metav1.NewTime(noon.Add(time.Duration(minutes) * time.Minute))
}

func later(minutes int) *metav1.Time { return new(at(minutes)) }

var debian = records.ImageKey{Namespace: "team", Name: "debian", UID: "image-debian"}

// newBuild returns a build that waits.
func newBuild(image records.ImageKey, number int64, created int) *v1alpha1.ImageBuild {
	return &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: image.Namespace, Name: fmt.Sprintf("%s-%d", image.Name, number), UID: types.UID(fmt.Sprintf("%s-%d", image.UID, number)),
			CreationTimestamp: at(created), ResourceVersion: "100",
		},
		Spec: v1alpha1.ImageBuildSpec{
			ImageRef: &v1alpha1.ImageReference{Name: image.Name, UID: image.UID},
			Number:   &number,
			Trigger:  &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual, Message: "please", RequestedBy: "jane"},
			Inputs: v1alpha1.BuildInputs{
				Builder: v1alpha1.BuilderReference{Name: "mock"}, Base: v1alpha1.Base{Reference: "debian:bookworm"},
				Targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
			},
		},
		Status: v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildQueued, QueuedTime: later(created)},
	}
}

// ran sets the phase of a build, the times of its start and its completion, and its attempts.
func ran(build *v1alpha1.ImageBuild, phase v1alpha1.BuildPhase, started, completed int) *v1alpha1.ImageBuild {
	build.ResourceVersion = "200"
	build.Status.Phase, build.Status.Finished = phase, true
	build.Status.StartTime, build.Status.CompletionTime = later(started), later(completed)
	attempt := v1alpha1.BuildAttempt{
		Number: 1, JobName: build.Name + "-1", PodName: build.Name + "-1-x", NodeName: "node-1",
		StartTime: at(started), CompletionTime: later(completed), Outcome: v1alpha1.AttemptOutcome(phase),
	}
	switch phase {
	case v1alpha1.BuildSucceeded:
		build.Status.Artifacts = []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: "sha256:" + strings.Repeat("a", 64), SizeBytes: 7, MediaType: "application/x-raw"}}
	case v1alpha1.BuildFailed:
		build.Status.Failure = &v1alpha1.BuildFailure{
			Class: v1alpha1.FailureUser, Reason: v1alpha1.ReasonBuilderFailed, Message: "it broke", ExitCode: new(int32(3)), LogTail: "…",
		}
		attempt.Failure = build.Status.Failure.DeepCopy()
	case v1alpha1.BuildCancelled:
		build.Status.Failure = &v1alpha1.BuildFailure{Class: v1alpha1.FailureCancelled, Reason: v1alpha1.ReasonCancelRequested}
	}
	build.Status.Attempts = []v1alpha1.BuildAttempt{attempt}
	return build
}

func recordHolds(build *v1alpha1.ImageBuild) *v1alpha1.ImageBuild {
	build.Labels = map[string]string{v1alpha1.LabelLegalHold: v1alpha1.LegalHold}
	return build
}

func names(page *records.Page[records.Entry]) []string {
	found := []string{}
	for _, entry := range page.Items {
		found = append(found, entry.Name)
	}
	return found
}

// valueOf returns the value of a call that has to succeed: valueOf(call())(g).
func valueOf[T any](value T, err error) func(*WithT) T {
	return func(g *WithT) T {
		g.THelper()
		g.Expect(err).NotTo(HaveOccurred())
		return value
	}
}

// errorOf returns the error of a call that also returns a value.
func errorOf[T any](_ T, err error) error { return err }
