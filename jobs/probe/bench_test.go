// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// shelf is an API of Images whose builds are named NAME-1. It has all contents in memory.
type shelf struct {
	images   map[string]*v1alpha1.Image
	builds   map[string][]v1alpha1.ImageBuild // by Image
	contents map[types.UID]*Content
	archives map[string]*v1alpha1.Archive
}

func (s *shelf) Image(_ context.Context, _, name string) (*v1alpha1.Image, error) {
	return s.images[name], nil
}

func (s *shelf) Build(_ context.Context, _, name string) (*v1alpha1.ImageBuild, error) {
	if builds := s.builds[name[:len(name)-len("-1")]]; len(builds) > 0 {
		return &builds[0], nil
	}
	return nil, nil
}

func (s *shelf) BuildsOf(_ context.Context, image *v1alpha1.Image) ([]v1alpha1.ImageBuild, error) {
	return s.builds[image.Name], nil
}

func (s *shelf) Archive(_ context.Context, name string) (*v1alpha1.Archive, error) {
	return s.archives[name], nil
}

func (s *shelf) Content(_ context.Context, build *v1alpha1.ImageBuild) (*Content, error) {
	return s.contents[build.UID], nil
}

// put adds an Image with its build, of some packages.
func (s *shelf) put(t testing.TB, name, base string, packages ...string) *v1alpha1.Image {
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}}
	image.Spec.Builder.Name = "debian"
	image.Spec.Triggers = &v1alpha1.Triggers{OnPackageChange: &v1alpha1.PackageTrigger{}}
	build, content := locked(t, name+"-1", packages...)
	build.Spec.Number, build.Status.Phase, build.Status.Finished = new(int64(1)), v1alpha1.BuildSucceeded, true
	build.Status.CompletionTime = &metav1.Time{Time: start}
	build.Status.Artifacts = []v1alpha1.Artifact{{Documents: []v1alpha1.ArtifactDocument{{Type: v1alpha1.DocumentLock, Verified: v1alpha1.ArtifactVerifiedContent}}}}
	build.Status.Resolved = &v1alpha1.ResolvedInputs{InputsDigest: name}
	if base != "" {
		image.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: base}}
		build.Status.Resolved.Base = &v1alpha1.BaseBuild{Name: base + "-1"}
	}
	v1alpha1.SetObjectDefaults_Image(image)
	s.images[name], s.builds[name], s.contents[build.UID] = image, []v1alpha1.ImageBuild{*build}, content
	image.Status = trigger.Next(trigger.Observed{Image: image, Builds: s.builds[name], Resolved: build.Status.Resolved, Now: start}).Status
	return image
}

var (
	start    = time.Date(2026, time.November, 28, 8, 0, 0, 0, time.UTC)
	builders = inputs.Builders{Registered: map[string]inputs.Builder{"debian": {Capabilities: capability.Capabilities{Probe: true}}}}
)

// BenchmarkFleet decides about Images in three layers, each of 300 packages more than its base, of which one has a newer version: as goldsmith plan
// --archive decides, from locks that were read. The time for each Image of 1,000 beside that of 100 is a ratio.
func BenchmarkFleet(b *testing.B) {
	fleetOf := func(size int) (*shelf, []*v1alpha1.Image) {
		s := &shelf{map[string]*v1alpha1.Image{}, map[string][]v1alpha1.ImageBuild{}, map[types.UID]*Content{}, map[string]*v1alpha1.Archive{}}
		var images []*v1alpha1.Image
		bases, middles := size/20, size/4
		for i := range size {
			base, layer := "", 0
			switch {
			case i >= bases+middles:
				base, layer = images[bases+i%middles].Name, 2
			case i >= bases:
				base, layer = images[i%bases].Name, 1
			}
			packages := []string{}
			for j := range 300 * (layer + 1) {
				packages = append(packages, fmt.Sprintf("package-%d=1", j))
			}
			if i%20 == 0 {
				packages = append(packages, "openssl=1")
			}
			images = append(images, s.put(b, fmt.Sprintf("image-%d", i), base, packages...))
		}
		return s, images
	}
	decide := func(s *shelf, images []*v1alpha1.Image) (built int) {
		all, demands := make([]Packages, len(images)), Demands{}
		for i, image := range images {
			all[i], _ = PackagesOf(b.Context(), s, builders, image, s.builds[image.Name]) // never fails
			demands.Add(all[i].Content)
		}
		for name, demand := range demands {
			s.archives[name] = &v1alpha1.Archive{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: demand.Archive.Spec(), Status: v1alpha1.ArchiveStatus{
				Release: &v1alpha1.ArchiveRelease{Date: metav1.NewTime(start)}, LastCheckTime: &metav1.Time{Time: start},
				Updates: []v1alpha1.PackageUpdate{{Name: "openssl", Architecture: "amd64", From: "1", To: "2", Security: true, Since: metav1.NewTime(start)}},
			}}
			demand.Report(&s.archives[name].Status)
		}
		observed := make([]trigger.Observed, len(images))
		for i, image := range images {
			observed[i] = trigger.Observed{Image: image, Builds: s.builds[image.Name], Now: start}
			observed[i].Candidates, _ = all[i].Candidates(b.Context(), s, nil, start) // as above
		}
		for _, plan := range trigger.PlanFleet(observed) {
			if plan.State != trigger.FleetUnaffected {
				built++
			}
		}
		return built
	}
	small, few := fleetOf(100)
	large, many := fleetOf(1000)
	for b.Loop() {
		var spent [2]time.Duration
		begun := time.Now()
		for range 10 { // of 1,000 Images together
			decide(small, few)
		}
		spent[0], begun = time.Since(begun), time.Now()
		built := decide(large, many)
		spent[1] = time.Since(begun)
		b.ReportMetric(float64(spent[1].Microseconds())/1000, "µs/image")
		b.ReportMetric(float64(spent[1])/float64(spent[0]), "time/time-of-100")
		b.ReportMetric(float64(built), "images-built")
	}
}
