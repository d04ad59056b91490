// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"fmt"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/queue"
)

// fleetSize is how many Images a fleet has.
const fleetSize = 1000

// fleetBase returns the number of the base of an Image of a fleet. The first Images have none, which is -1. The next are based on these, and the others on
// those.
func fleetBase(i, size int) int {
	bases, middles := size/20, size/4
	switch {
	case i < bases:
		return -1
	case i < bases+middles:
		return (i - bases) % bases
	}
	return bases + (i-bases-middles)%middles
}

// newFleet returns an environment without faults, with a fleet. A fifth of the Images without a base, and a fiftieth of the others, install ssl.
func newFleet(size int) *environment {
	w := newEnvironment(schedule{}, newMemo(), newCoverage())
	w.peace, w.cluster, w.limits, w.nodeClock = true, false, queue.Limits{}, 0
	w.images, w.keys = table[*v1alpha1.Image]{}, nil
	w.openMirrors()
	w.installs = map[string][]string{}
	for i := range size {
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("f%d", i), Namespace: "x", UID: w.uid(), Generation: 1, CreationTimestamp: w.time()}}
		image.Spec.Builder.Name, image.Spec.Base.Reference = "mock", "debian"
		image.Spec.Targets = []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}}
		if base := fleetBase(i, size); base >= 0 {
			image.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: fmt.Sprintf("f%d", base)}}
		}
		image.Spec.Triggers = &v1alpha1.Triggers{OnPackageChange: &v1alpha1.PackageTrigger{}}
		v1alpha1.SetObjectDefaults_Image(image)
		w.installs[image.Name] = []string{"tls"}
		if i < size/20 && i%5 == 3 || i%50 == 3 {
			w.installs[image.Name] = []string{"tls", "ssl"}
		}
		put(w, &w.images, image)
	}
	w.start(0)
	return w
}

// works lets the controllers and the cluster work until nothing is left to do within a minute.
func (w *environment) works() {
	for end := w.now.Add(time.Minute); w.now.Before(end); w.now = w.now.Add(2 * time.Second) {
		for before := -1; before != w.version; {
			before = w.version
			for _, c := range w.process.controllers() {
				for name, ok := c.work.pick(0); ok; name, ok = c.work.pick(0) {
					w.process.reconcile(c, name)
				}
			}
			for w.clusterWorks() {
			}
			if w.deliverAll() || w.version != before {
				end = w.now.Add(time.Minute)
			}
		}
	}
}

// buildFleet builds each Image, and returns how many builds there are.
func (w *environment) buildFleet() int {
	w.works()
	w.checkMirrors()
	w.works()
	w.jobs, w.pods = table[*batchv1.Job]{}, table[*corev1.Pod]{} // which would only cost time
	w.start(0)
	w.works()
	return len(w.builds.all)
}

// changePackage publishes a newer ssl, and lets the Images be built that have it.
func (w *environment) changePackage() {
	w.updatePackage(1)
	w.checkMirrors()
	w.works()
}

// TestAFleetIsBuiltForOnePackage has no faults, and many Images.
func TestAFleetIsBuiltForOnePackage(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	w := newFleet(fleetSize)
	defer func() {
		if end, is := recover().(violation); is {
			t.Fatal(end.text)
		}
	}()
	first := w.buildFleet()
	if first != fleetSize {
		t.Fatalf("there are %d builds", first)
	}
	w.changePackage()

	built := map[types.UID]*v1alpha1.ImageBuild{}
	for _, build := range w.builds.all[first:] {
		uid := build.Spec.ImageRef.UID
		if built[uid] != nil {
			t.Errorf("%s is built again after %s", build.Name, built[uid].Name)
		}
		built[uid] = build
	}
	has := make([]bool, fleetSize)
	for i, image := range slices.Clone(w.images.all) {
		base := fleetBase(i, fleetSize)
		has[i] = slices.Contains(w.installs[image.Name], "ssl") || base >= 0 && has[base]
		build := built[image.UID]
		switch {
		case has[i] != (build != nil):
			t.Errorf("%s has ssl: %t, and its build is %v", image.Name, has[i], build)
		case build == nil || build.Status.Phase == v1alpha1.BuildSucceeded && base < 0:
		case build.Status.Phase != v1alpha1.BuildSucceeded:
			t.Errorf("%s is %s", build.Name, build.Status.Phase)
		case has[base] && build.Status.Resolved.Base.Name != built[w.images.all[base].UID].Name:
			t.Errorf("%s is based on %s, before its base was built", build.Name, build.Status.Resolved.Base.Name)
		}
	}
	t.Logf("%d of %d images were built, with %d versions of objects", len(built), fleetSize, w.version)
}

// BenchmarkFleet changes one package of a fleet of three layers, which a fifth of the Images has, and counts the writes of Images and builds. The figures
// of 1,000 Images beside 100 are a ratio.
func BenchmarkFleet(b *testing.B) {
	measure := func(size int) (perBuild, share float64) {
		w := newFleet(size)
		first := w.buildFleet()
		before := len(w.images.log) + len(w.builds.log)
		w.changePackage()
		built := float64(len(w.builds.all) - first)
		return float64(len(w.images.log)+len(w.builds.log)-before) / built, built / float64(size)
	}
	for b.Loop() {
		small, _ := measure(fleetSize / 10)
		large, share := measure(fleetSize)
		b.ReportMetric(large, "writes/build")
		b.ReportMetric(large/small, "writes/writes-of-100")
		b.ReportMetric(share, "builds/image")
	}
}
