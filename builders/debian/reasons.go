// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"slices"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/result"
)

// Name is that of the builder, by which images refer to it.
const Name = "debian"

// Reasons of failures before the builder runs.
const (
	// ReasonMirror means that a mirror cannot be reached, or that what it sends is not whole.
	ReasonMirror = "MirrorUnavailable"
	// ReasonDiskFull means that the disk on which the builder works is full. It is result.ReasonDiskFull.
	ReasonDiskFull = "DiskFull"
	// ReasonToolsMissing means that the machine lacks programs.
	ReasonToolsMissing = "ToolsMissing"
	// ReasonToolsNotMade means that the tools of the builder could not be made.
	ReasonToolsNotMade = "ToolsNotMade"
)

// Reason is a word with which the message of a failed build begins.
type Reason struct {
	Word string
	// Class tells who can correct the failure.
	Class v1alpha1.FailureClass
	// Meaning and Remedy are phrases in Markdown, whose links are relative to docs. A Remedy is what to do.
	Meaning, Remedy string
}

// Reasons returns every reason of the builder. The table of docs/debian.md and the texts of `goldsmith explain` are made from them.
func Reasons() []Reason {
	const user, config, infrastructure = v1alpha1.FailureUser, v1alpha1.FailureConfig, v1alpha1.FailureInfrastructure
	return []Reason{
		{"InvalidInput", user, "fields of the image have values that the builder does not accept",
			"correct the fields that the message names"},
		{"BaseNotUsable", user, "the base is not an image of the builder `debian`, or has no root file system",
			"let `base.imageRef` name an image of the builder `debian` with the target that the message names"},
		{"UnknownPackage", user, "the mirror has no package of this name, or not in this version",
			"correct the name in `packages`, or set a `mirror` or `components` with the package"},
		{"UnknownComponent", user, "the mirror has no component of this name",
			"correct `components`"},
		{"UnknownLocale", user, "Debian has no locale of this name",
			"correct `locale`"},
		{"UnknownTimeZone", user, "Debian has no time zone of this name. Some former names are in package `tzdata-legacy`",
			"correct `timeZone`"},
		{"UnknownService", user, "a unit cannot be enabled or disabled: it does not exist, is masked, or has no section `Install`",
			"correct `services`, or add the package of the unit to `packages`"},
		{"UserNotCreated", user, "Debian refused a user or a password, or no package brings the shell",
			"correct the user in `users`, or add the package of the shell or the group to `packages`"},
		{"FilesNotWritten", user, "a file cannot be written, for example because a package has a directory of that name",
			"rename the file, or remove it"},
		{"ScriptFailed", user, "a script of the image ended with another exit code than 0",
			"read the log: `goldsmith logs BUILD`; its last lines are in the message"},
		{"StaticProgram", user, "a script runs a statically linked program, which would see the files of the builder",
			"let the script run a program that is linked dynamically, or run the program on the machine, by a unit of systemd"},
		{"MountNotPossible", user, "a script mounts, which needs privileges",
			"remove the mount from the script"},
		{"PackagesNotInstalled", user, "apt or dpkg failed, for another cause than these",
			"read the message of apt or dpkg, and the log: `goldsmith logs BUILD`"},
		{"DiskTooSmall", user, "the image does not fit on a disk of this size",
			"set `size` to the size in the message, or remove it"},
		{"NotAMirror", user, "the URL is not that of a mirror with this release",
			"set `mirror` to the URL of a mirror that has Debian 13"},
		{"NoMirror", user, "the tools of the builder name no mirror",
			"set `mirror` to the URL of a mirror that has Debian 13"},
		{"Internal", user, "the builder failed, and has no word for the cause",
			"read the message, and the log: `goldsmith logs BUILD`, or report a bug of the builder"},
		{"WrongSignature", config, "the release files of the mirror are not signed by Debian",
			"use a mirror whose release files Debian has signed"},
		{"ReleaseFileExpired", config, "a release file of the mirror has expired, or is of the future",
			"correct the clock of the machine, or set `acceptExpired` for a mirror that is kept in one state"},
		{ReasonToolsMissing, config, "the machine lacks programs that the builder needs",
			"install what `goldsmith builders` names"},
		{ReasonToolsNotMade, config, "the tools of the builder could not be made on this machine",
			"read the message of apt"},
		{ReasonDiskFull, config, "the disk of the builder is full. `goldsmith up` tries again only if it could remove artifacts that are not needed",
			"free space on the disk in the message, delete images or builds, set [`--artifacts-max`](artifacts.md#what-is-kept), or raise the limit of the volumes of the pod"},
		{ReasonMirror, infrastructure, "a mirror cannot be reached, or what it sends is not whole",
			"nothing: Goldsmith tries again. Or set another `mirror`"},
	}
}

// NewFailure returns what a result says about a failure with one of the Reasons.
func NewFailure(reason, message string) *result.Failure {
	failure := &result.Failure{Reason: reason, Message: message}
	all := Reasons()
	if i := slices.IndexFunc(all, func(r Reason) bool { return r.Word == reason }); i >= 0 {
		failure.Class = all[i].Class
	}
	return failure
}
