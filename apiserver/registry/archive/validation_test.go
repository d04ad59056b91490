// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
)

var released = metav1.NewTime(time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC))

// valid returns an Archive that was checked.
func valid() *v1alpha1.Archive {
	return &v1alpha1.Archive{
		ObjectMeta: metav1.ObjectMeta{Name: "debian-security"},
		Spec:       v1alpha1.ArchiveSpec{Builder: "debian", URI: "http://deb.debian.org:8080/debian-security", Suite: "trixie-security"},
		Status: v1alpha1.ArchiveStatus{
			Checks: 7, Images: 1, Packages: 2, PackagesDigest: validationtest.Digest("a"),
			Release:     &v1alpha1.ArchiveRelease{Date: released, SHA256: strings.Repeat("a", 64), ETag: `"abc"`, LastModified: "Sat, 28 Nov 2026 10:00:00 GMT"},
			Updates:     []v1alpha1.PackageUpdate{{Name: "openssl", Architecture: "amd64", From: "3.5.4-1", To: "3.5.6-1", Advisories: []string{"CVE-2026-1"}, Since: released}},
			UpdateCount: 2,
		},
	}
}

func TestTheAddressOfAnArchiveHasAHostAndNoCredentials(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"https://deb.debian.org":                "",
		"http://[::1]:3142/debian":              "",
		"":                                      "Required",
		"deb.debian.org/debian":                 "must be an absolute URL",
		"/srv/mirror":                           "must be an absolute URL",
		"file:///srv/mirror":                    "must be an absolute URL",
		"http://:80/debian":                     "must be an absolute URL",
		"http://deb.debian.org/a b":             "must be an absolute URL",
		"http://deb.debian.org/%zz":             "must be an absolute URL",
		"http://me:secret@deb.debian.org":       "must have no user",
		"http://deb.debian.org/debian?token=se": "must have no user",
		"http://deb.debian.org/debian?":         "must have no user",
		"http://deb.debian.org/debian#":         "must have no user",
		"http://deb.debian.org/debian/":         "must have no slash at its end",
		"http://deb.debian.org/\u202enaibed":    "must be one line of printable characters",
		"http://" + strings.Repeat("a", 2048):   "Too long",
	} {
		archive := valid()
		archive.Spec.URI = uri
		errs := Validate(archive)
		if want == "" {
			validationtest.ExpectPaths(t, errs, nil)
			continue
		}
		if len(errs) != 1 || errs[0].Field != "spec.uri" || !strings.Contains(errs[0].Error(), want) || strings.Contains(errs[0].Error(), "secret") {
			t.Errorf("%q: got %v, want %s", uri, errs, want)
		}
	}
}

func TestArchivesAreValidated(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*v1alpha1.Archive)
		want   []string
	}{
		"an archive":       {func(*v1alpha1.Archive) {}, nil},
		"no suite":         {func(a *v1alpha1.Archive) { a.Spec.Suite = "" }, nil},
		"the longest name": {func(a *v1alpha1.Archive) { a.Name = strings.Repeat("a", 63) }, nil},
		"a name too long":  {func(a *v1alpha1.Archive) { a.Name = strings.Repeat("a", 64) }, []string{"metadata.name"}},
		"nothing":          {func(a *v1alpha1.Archive) { a.Spec = v1alpha1.ArchiveSpec{} }, []string{"spec.builder", "spec.uri"}},
		"a bad builder":    {func(a *v1alpha1.Archive) { a.Spec.Builder = "../debian" }, []string{"spec.builder"}},
		"a long suite":     {func(a *v1alpha1.Archive) { a.Spec.Suite = strings.Repeat("a", 257) }, []string{"spec.suite"}},
		"a bad suite":      {func(a *v1alpha1.Archive) { a.Spec.Suite = "a\x1b[2J" }, []string{"spec.suite"}},
	} {
		t.Run(name, func(t *testing.T) {
			archive := valid()
			test.change(archive)
			validationtest.ExpectPaths(t, Validate(archive), test.want)
			if old := valid(); archive.Spec != old.Spec {
				validationtest.ExpectPaths(t, ValidateUpdate(archive, old), append(slices.Clone(test.want), "spec"))
			}
		})
	}
}

func TestStatusesOfArchivesAreValidated(t *testing.T) {
	t.Parallel()
	earlier, later := metav1.NewTime(released.Add(-time.Second)), metav1.NewTime(released.Add(time.Second))
	update := func(change func(*v1alpha1.PackageUpdate)) func(*v1alpha1.ArchiveStatus) {
		return func(s *v1alpha1.ArchiveStatus) { change(&s.Updates[0]) }
	}
	const first = "status.updates[0]."
	for name, test := range map[string]struct {
		change func(*v1alpha1.ArchiveStatus)
		want   []string
	}{
		"the same":            {func(*v1alpha1.ArchiveStatus) {}, nil},
		"the next check":      {func(s *v1alpha1.ArchiveStatus) { s.Checks++ }, nil},
		"an earlier check":    {func(s *v1alpha1.ArchiveStatus) { s.Checks-- }, []string{"status.checks"}},
		"a newer release":     {func(s *v1alpha1.ArchiveStatus) { s.Release.Date = later }, nil},
		"another of the date": {func(s *v1alpha1.ArchiveStatus) { s.Release.SHA256 = strings.Repeat("b", 64) }, nil},
		"an older release":    {func(s *v1alpha1.ArchiveStatus) { s.Release.Date = earlier }, []string{"status.release.date"}},
		"no date":             {func(s *v1alpha1.ArchiveStatus) { s.Release.Date = metav1.Time{} }, []string{"status.release.date"}},
		"no release":          {func(s *v1alpha1.ArchiveStatus) { s.Release = nil }, []string{"status.release"}},
		"bad sums": {func(s *v1alpha1.ArchiveStatus) {
			s.Release.SHA256, s.PackagesDigest = strings.Repeat("A", 64), "sha256:a"
		},
			[]string{"status.packagesDigest", "status.release.sha256"}},
		"long validators": {func(s *v1alpha1.ArchiveStatus) {
			s.Release.ETag, s.Release.LastModified = strings.Repeat("a", 257), strings.Repeat("a", 65)
		}, []string{"status.release.etag", "status.release.lastModified"}},
		"unprintable ones": {func(s *v1alpha1.ArchiveStatus) { s.Release.ETag, s.Release.LastModified = "\x1b", "\x1b" },
			[]string{"status.release.etag", "status.release.lastModified"}},
		"negative counts": {func(s *v1alpha1.ArchiveStatus) { s.Images, s.Packages, s.ConsecutiveFailures = -1, -1, -1 },
			[]string{"status.images", "status.packages", "status.consecutiveFailures"}},
		"fewer than listed": {func(s *v1alpha1.ArchiveStatus) { s.UpdateCount = 0 }, []string{"status.updateCount"}},
		"the most updates": {func(s *v1alpha1.ArchiveStatus) {
			s.Updates, s.UpdateCount = slices.Repeat(s.Updates, v1alpha1.MaxArchiveUpdates), v1alpha1.MaxArchiveUpdates
		}, nil},
		"more": {func(s *v1alpha1.ArchiveStatus) {
			s.Updates, s.UpdateCount = slices.Repeat(s.Updates, v1alpha1.MaxArchiveUpdates+1), v1alpha1.MaxArchiveUpdates+1
		}, []string{"status.updates"}},
		"an empty update": {update(func(u *v1alpha1.PackageUpdate) { *u = v1alpha1.PackageUpdate{} }),
			[]string{first + "name", first + "architecture", first + "from", first + "to", first + "since"}},
		"unprintable texts": {update(func(u *v1alpha1.PackageUpdate) {
			u.Name, u.Architecture, u.From, u.To, u.Advisories[0] = "\x1b", "\x1b", "\x1b", "\x1b", "\x1b"
		}),
			[]string{first + "name", first + "architecture", first + "from", first + "to", first + "advisories[0]"}},
		"long texts": {update(func(u *v1alpha1.PackageUpdate) {
			u.To, u.Advisories[0] = strings.Repeat("1", 4097), strings.Repeat("C", 65)
		}),
			[]string{first + "to", first + "advisories[0]"}},
		"the most advisories": {update(func(u *v1alpha1.PackageUpdate) { u.Advisories = slices.Repeat(u.Advisories, 32) }), nil},
		"more advisories":     {update(func(u *v1alpha1.PackageUpdate) { u.Advisories = slices.Repeat(u.Advisories, 33) }), []string{first + "advisories"}},
		"another archive":     {update(func(u *v1alpha1.PackageUpdate) { u.Archive = "debian" }), []string{first + "archive"}},
		"a bad condition": {func(s *v1alpha1.ArchiveStatus) {
			s.Conditions = []metav1.Condition{{Type: v1alpha1.ArchiveReady, Status: metav1.ConditionTrue, Reason: "two words", LastTransitionTime: released}}
		}, []string{"status.conditions[0].reason"}},
	} {
		t.Run(name, func(t *testing.T) {
			archive := valid()
			test.change(&archive.Status)
			validationtest.ExpectPaths(t, ValidateStatusUpdate(archive, valid()), test.want)
		})
	}
	never := valid()
	never.Status = v1alpha1.ArchiveStatus{}
	validationtest.ExpectPaths(t, ValidateStatusUpdate(never, never), nil)
}
