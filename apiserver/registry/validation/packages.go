// SPDX-License-Identifier: Apache-2.0

package validation

import (
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// maxPackageText is the maximum length of a text of a package in bytes, as in a lock.
	maxPackageText = 4096
	// maxAdvisory is the maximum length of an advisory in bytes.
	maxAdvisory = 64
)

// ImagePackages validates the newer versions of the packages of an Image, which also a build has that was started for them.
func ImagePackages(packages *v1alpha1.ImagePackages, path *field.Path) field.ErrorList {
	if packages == nil {
		return nil
	}
	errs := BuildName(packages.Build, path.Child("build"))
	errs = append(errs, archiveStates(packages.Archives, path.Child("archives"))...)
	errs = append(errs, archiveStates(packages.Attempted, path.Child("attempted"))...)
	errs = append(errs, packageUpdates(packages.Updates, v1alpha1.MaxImageUpdates, true, path.Child("updates"))...)
	for i := range packages.Updates {
		errs = append(errs, archiveName(packages.Updates[i].Archive, path.Child("updates").Index(i).Child("archive"))...)
	}
	if resolved := packages.Resolved; resolved != nil {
		errs = append(errs, RequiredTime(resolved.Time, path.Child("resolved", "time"), "set the end of the resolve")...)
		if resolved.Message != "" {
			errs = append(errs, text(resolved.Message, v1alpha1.MaxMessageBytes, path.Child("resolved", "message"), "")...)
		}
	}
	errs = append(errs, UpdateCount(packages.UpdateCount, packages.Updates, path.Child("updateCount"))...)
	return append(errs, apivalidation.ValidateNonnegativeField(int64(packages.OtherCount), path.Child("otherCount"))...)
}

func archiveStates(states []v1alpha1.ArchiveState, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, state := range states {
		name := path.Index(i).Child("name")
		errs = append(errs, archiveName(state.Name, name)...)
		if seen[state.Name] {
			errs = append(errs, field.Duplicate(name, state.Name))
		}
		seen[state.Name] = true
		errs = append(errs, RequiredTime(state.Date, path.Index(i).Child("date"), "set the date of the release file of the archive")...)
	}
	return errs
}

func archiveName(name string, path *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "set the name of an Archive")}
	}
	return Names(apivalidation.NameIsDNSSubdomain(name, false), name, path)
}

// PackageUpdates validates newer versions of packages, apart from the names of their archives.
func PackageUpdates(updates []v1alpha1.PackageUpdate, limit int, path *field.Path) field.ErrorList {
	return packageUpdates(updates, limit, false, path)
}

// packageUpdates validates updates. Those of a resolve may have one version only: of a package that a build would add or remove.
func packageUpdates(updates []v1alpha1.PackageUpdate, limit int, resolved bool, path *field.Path) field.ErrorList {
	if len(updates) > limit {
		return field.ErrorList{field.TooMany(path, len(updates), limit)}
	}
	var errs field.ErrorList
	for i := range updates {
		update, path := &updates[i], path.Index(i)
		errs = append(errs, packageText(update.Name, path.Child("name"), "set the name of the package")...)
		errs = append(errs, packageText(update.Architecture, path.Child("architecture"), "set the architecture of the package")...)
		if !resolved || update.From != "" || update.To == "" {
			errs = append(errs, packageText(update.From, path.Child("from"), "set the version in an image")...)
		}
		if !resolved || update.To != "" {
			errs = append(errs, packageText(update.To, path.Child("to"), "set the version in the archive")...)
		}
		errs = append(errs, RequiredTime(update.Since, path.Child("since"), "set the date of the first known release file with the version")...)
		if n := len(update.Advisories); n > v1alpha1.MaxAdvisories {
			errs = append(errs, field.TooMany(path.Child("advisories"), n, v1alpha1.MaxAdvisories))
			continue
		}
		for j, advisory := range update.Advisories {
			errs = append(errs, text(advisory, maxAdvisory, path.Child("advisories").Index(j), "set an advisory, such as CVE-2026-1234")...)
		}
	}
	return errs
}

// UpdateCount validates the number of updates, of which a status lists the first.
func UpdateCount(count int32, listed []v1alpha1.PackageUpdate, path *field.Path) field.ErrorList {
	if int(count) < len(listed) {
		return field.ErrorList{field.Invalid(path, count, "must be at least the number of the listed updates")}
	}
	return nil
}

// RequiredTime validates a time that must be set.
func RequiredTime(time metav1.Time, path *field.Path, remedy string) field.ErrorList {
	if time.IsZero() {
		return field.ErrorList{field.Required(path, remedy)}
	}
	return nil
}

func packageText(value string, path *field.Path, remedy string) field.ErrorList {
	return text(value, maxPackageText, path, remedy)
}

// text validates one line of text that must be set.
func text(value string, limit int, path *field.Path, remedy string) field.ErrorList {
	switch {
	case value == "":
		return field.ErrorList{field.Required(path, remedy)}
	case len(value) > limit:
		return field.ErrorList{field.TooLong(path, "", limit)}
	}
	return Line(value, path)
}
