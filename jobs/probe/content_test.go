// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/result"
)

const mirror = "http://deb.debian.org/debian"

// locked returns a build, and its content of some packages, NAME=VERSION.
func locked(t testing.TB, name string, packages ...string) (*v1alpha1.ImageBuild, *Content) {
	build := &v1alpha1.ImageBuild{}
	build.Name, build.UID, build.Spec.Inputs.Builder.Name = name, types.UID(name), "debian"
	lock := v1alpha1.Lock{Sources: []v1alpha1.PackageSource{{URI: mirror, Suite: "trixie", Component: "main"}}}
	for _, one := range packages {
		named, version, _ := strings.Cut(one, "=")
		lock.Packages = append(lock.Packages, v1alpha1.Package{Name: named, Version: version, Architecture: "amd64"})
	}
	return build, require.Value(ContentOf(build, &v1alpha1.ImageBuildPackages{BuildUID: build.UID, Locks: []v1alpha1.ArtifactLock{{Lock: lock}}}, nil))(t)
}

// A lock is text of a stranger, and its question is shared by all Images.
func TestAStrangeLockDoesNotSpoilTheQuestion(t *testing.T) {
	packages := []string{`a"b=1`, strings.Repeat("x", maxText+1) + "=1", "long=" + strings.Repeat("1", maxText+1), "openssl=1"}
	for i := range maxVersions + 4 {
		packages = append(packages, fmt.Sprintf("kernel=%02d", i))
	}
	_, content := locked(t, "web-1", packages...)
	demands := Demands{}
	demands.Add(content)
	asked := demands[content.Archives()[0].Name()].Questions(nil)[0]["amd64"]
	if len(asked) != 2 || len(asked["openssl"]) != 1 || len(asked["kernel"]) != maxVersions {
		t.Errorf("asks for %v", asked)
	}
}

func TestWhatNobodyChecksIsNamed(t *testing.T) {
	build, content := locked(t, "web-1", "openssl=1")
	if unchecked := content.Unchecked(); unchecked != "" {
		t.Errorf("all is checked, and named is %s", unchecked)
	}
	lock := v1alpha1.Lock{
		Sources: []v1alpha1.PackageSource{{URI: mirror, Suite: "trixie"}, {URI: "file:///srv/debs"}, {URI: "file:///srv/debs"}},
		Packages: []v1alpha1.Package{{Name: "openssl", Version: "1", Architecture: "amd64"}, {Name: "requests", Version: "2", PURL: "pkg:pypi/requests@2"}, {Name: "flask", Version: "2", PURL: "pkg:pypi/flask@2"},
			{Name: "yaml", Version: "2", PURL: "pkg:pypi/yaml@2"}, {Name: "tox", Version: "2", PURL: "pkg:pypi/tox@2"}},
	}
	content = require.Value(ContentOf(build, &v1alpha1.ImageBuildPackages{BuildUID: build.UID, Locks: []v1alpha1.ArtifactLock{{Lock: lock}}}, nil))(t)
	if got, want := content.Unchecked(), `packages of "file:///srv/debs", and "flask", "requests", "tox" and 1 more`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestManyPackagesAreSeveralQuestions(t *testing.T) {
	demand := &Demand{Packages: map[Package]time.Time{}}
	for i := range 9000 {
		demand.Packages[Package{fmt.Sprintf("package-%d", i), "1.0-1", "amd64"}] = time.Time{}
	}
	all := demand.Questions(nil)
	count := 0
	for _, part := range all {
		count += len(part["amd64"])
	}
	if len(all) < 2 || count != 9000 {
		t.Errorf("%d questions ask for %d packages", len(all), count)
	}
}

func TestUpdatesThatAStatusDoesNotListStayCounted(t *testing.T) {
	const count = v1alpha1.MaxArchiveUpdates + 5
	demand, status := &Demand{Packages: map[Package]time.Time{}}, v1alpha1.ArchiveStatus{}
	answer := Answer{&result.Answer{}, map[Package]bool{}}
	for i := range count {
		one := Package{fmt.Sprintf("package-%04d", i), "1", "amd64"}
		demand.Packages[one], answer.Asked[one] = time.Time{}, true
		answer.Updates = append(answer.Updates, v1alpha1.PackageUpdate{Name: one.Name, Architecture: one.Architecture, From: one.Version, To: "2"})
	}
	want := func(when string, listed, counted int) {
		t.Helper()
		if len(status.Updates) != listed || int(status.UpdateCount) != counted {
			t.Errorf("%s: %d of %d updates are listed, want %d of %d", when, len(status.Updates), status.UpdateCount, listed, counted)
		}
	}
	check := func(answer Answer) { require.NoError(t, demand.Add(&status, []Answer{answer}, time.Time{})) }
	check(answer)
	want("checked", v1alpha1.MaxArchiveUpdates, count)
	demand.Report(&status)
	want("counted again", v1alpha1.MaxArchiveUpdates, count)
	check(Answer{&result.Answer{Unchanged: true}, answer.Asked})
	want("unchanged", v1alpha1.MaxArchiveUpdates, count)
	for i := range 7 {
		delete(demand.Packages, Package{fmt.Sprintf("package-%04d", i), "1", "amd64"})
	}
	demand.Report(&status)
	want("of fewer packages", v1alpha1.MaxArchiveUpdates-7, count-7)
	check(Answer{&result.Answer{Updates: []v1alpha1.PackageUpdate{answer.Updates[7]}}, answer.Asked})
	want("of a full answer", 1, 1)
}

func TestAddressesHaveOneSpelling(t *testing.T) {
	for given, want := range map[string]string{
		"http://deb.debian.org/debian": "http://deb.debian.org/debian", "HTTPS://Deb.Debian.org:443/debian//": "https://deb.debian.org/debian",
		"http://mirror:3142/Debian/": "http://mirror:3142/Debian", "http://mirror": "http://mirror", "file:///srv/": "file:///srv", "cdrom": "cdrom",
	} {
		if got := canonical(given); got != want {
			t.Errorf("%s is %s, want %s", given, got, want)
		}
	}
	if got := (Archive{"debian", mirror, "Trixie/Updates!"}).Name(); !strings.HasPrefix(got, "debian-trixie-updates-") {
		t.Errorf("the name is %s", got)
	}
}
