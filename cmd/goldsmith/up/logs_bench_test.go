// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// followers is how many clients read a log at the same time.
const followers = 100

// printingBuilder prints a number of bytes, and does not end by itself.
const printingBuilder = `#!/bin/sh
yes "a line of a log that says the same as the one before" | head -c %d
echo
exec sleep 3600
`

// BenchmarkFollowers measures how long many clients take to open the log of a running build, and how much memory each client
// costs the server. Then as many clients read the archived log. Each client reads only the first byte.
func BenchmarkFollowers(b *testing.B) {
	for _, size := range []int{1 << 20, 16 << 20} {
		b.Run(fmt.Sprintf("%dMiB", size>>20), func(b *testing.B) {
			for b.Loop() {
				measureFollowers(b, size)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func measureFollowers(b *testing.B, size int) {
	directory := b.TempDir()
	path := filepath.Join(directory, "printing")
	require.NoError(b, os.WriteFile(path, fmt.Appendf(nil, printingBuilder, size), 0o700))
	server := startBench(b, executable(b), filepath.Join(directory, "data"), []string{"--memory", "--builder", "printing=" + path})
	defer server.terminate(b)
	server.inputs.Builder.Name = "printing"
	require.NoError(b, server.createBuild("once"))
	server.await(b, func(build *v1alpha1.ImageBuild) bool { return build.Status.Phase == v1alpha1.BuildRunning })
	server.skipLog(b, size)
	server.follow(b, "live", "true")

	builds := server.images.ImagesV1alpha1().ImageBuilds("default")
	if _, err := builds.Cancel(b.Context(), "once", &v1alpha1.CancelRequest{}, metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
	server.await(b, func(build *v1alpha1.ImageBuild) bool {
		return meta.IsStatusConditionTrue(build.Status.Conditions, v1alpha1.BuildLogArchived)
	})
	server.follow(b, "archived", "false")
}

// await waits until wanted returns true for the build.
func (s *bench) await(b *testing.B, wanted func(*v1alpha1.ImageBuild) bool) {
	b.Helper()
	err := wait.PollUntilContextTimeout(s.ctx, 100*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		build, err := s.images.ImagesV1alpha1().ImageBuilds("default").Get(ctx, "once", metav1.GetOptions{})
		return err == nil && wanted(build), err
	})
	if err != nil {
		b.Fatalf("waiting for the build: %v", err)
	}
}

// log opens the log of the build.
func (s *bench) log(b *testing.B, follow string) io.ReadCloser {
	b.Helper()
	log, err := s.images.ImagesV1alpha1().RESTClient().Get().Namespace("default").Resource("imagebuilds").Name("once").SubResource("log").
		Param("follow", follow).Stream(s.ctx)
	require.NoError(b, err)
	return log
}

// skipLog returns once a number of bytes of the log were printed.
func (s *bench) skipLog(b *testing.B, size int) {
	b.Helper()
	log := s.log(b, "true")
	if _, err := io.CopyN(io.Discard, log, int64(size)); err != nil {
		b.Fatal(err)
	}
	require.NoError(b, log.Close())
}

// follow lets many clients read the first byte, one after the other, and measures the server while no client reads on.
func (s *bench) follow(b *testing.B, name, follow string) {
	b.Helper()
	s.awaitSettled(b)
	before := s.liveHeap(b)
	var first []float64
	for range followers {
		start := time.Now()
		log := s.log(b, follow)
		if _, err := io.ReadFull(log, make([]byte, 1)); err != nil {
			b.Fatal(err)
		}
		first = append(first, milliseconds(time.Since(start)))
		defer func() { _ = log.Close() }() // the server stops first
	}
	report(b, first, name+"-first-byte")
	b.ReportMetric((s.liveHeap(b)-before)/followers/1024, name+"-KiB/reader")
}
