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

// The Images of a fleet: the first have no base, the next are based on these, and the others on those.
const (
	fleetBases   = 50
	fleetMiddles = 250
	fleetSize    = 1000
)

// fleetBase returns the base of an Image of a fleet, by its number. It is -1 if it has none.
func fleetBase(i int) int {
	switch {
	case i < fleetBases:
		return -1
	case i < fleetBases+fleetMiddles:
		return (i - fleetBases) % fleetBases
	}
	return fleetBases + (i-fleetBases-fleetMiddles)%fleetMiddles
}

// newFleet returns an environment without faults, in which each Image of a fleet is built. A twentieth of them installs ssl.
func newFleet() *environment {
	w := newEnvironment(schedule{}, newMemo(), newCoverage())
	w.peace, w.cluster, w.limits, w.nodeClock = true, false, queue.Limits{}, 0
	w.images, w.keys = table[*v1alpha1.Image]{}, nil
	w.openMirrors()
	w.installs = map[string][]string{}
	for i := range fleetSize {
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("f%d", i), Namespace: "x", UID: w.uid(), Generation: 1, CreationTimestamp: w.time()}}
		image.Spec.Builder.Name, image.Spec.Base.Reference = "mock", "debian"
		image.Spec.Targets = []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}}
		if base := fleetBase(i); base >= 0 {
			image.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: fmt.Sprintf("f%d", base)}}
		}
		image.Spec.Triggers = &v1alpha1.Triggers{OnPackageChange: &v1alpha1.PackageTrigger{}}
		v1alpha1.SetObjectDefaults_Image(image)
		w.installs[image.Name] = []string{"tls"}
		if i%20 == 3 {
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

// TestAFleetIsBuiltForOnePackage has no faults, and many Images.
func TestAFleetIsBuiltForOnePackage(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	w := newFleet()
	defer func() {
		if end, is := recover().(violation); is {
			t.Fatal(end.text)
		}
	}()
	w.works()
	w.checkMirrors()
	w.works()
	first := len(w.builds.all)
	if first != fleetSize {
		t.Fatalf("there are %d builds", first)
	}
	w.jobs, w.pods = table[*batchv1.Job]{}, table[*corev1.Pod]{} // which would only cost time
	w.start(0)
	w.updatePackage(1) // of stable-security
	w.checkMirrors()
	w.works()

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
		base := fleetBase(i)
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
