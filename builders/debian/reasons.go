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

// Reasons returns every reason of the builder. Code in their phrases is in backticks, for the table of docs/reference/debian.md.
func Reasons() []v1alpha1.BuilderReason {
	const user, config, infrastructure = v1alpha1.FailureUser, v1alpha1.FailureConfig, v1alpha1.FailureInfrastructure
	return []v1alpha1.BuilderReason{
		{Reason: "InvalidInput", Class: user, Meaning: "fields of the image have values that the builder does not accept",
			Remedy: "correct the fields that the message names"},
		{Reason: "BaseNotUsable", Class: user, Meaning: "the base is not an image of the builder `debian`, or has no root file system",
			Remedy: "let `base.imageRef` name an image of the builder `debian` with the target that the message names"},
		{Reason: "UnknownPackage", Class: user, Meaning: "the mirror has no package of this name, or not in this version",
			Remedy: "correct the name in `packages`, or set a `mirror` or `components` with the package"},
		{Reason: "UnknownComponent", Class: user, Meaning: "the mirror has no component of this name",
			Remedy: "correct `components`"},
		{Reason: "UnknownLocale", Class: user, Meaning: "Debian has no locale of this name",
			Remedy: "correct `locale`"},
		{Reason: "UnknownTimeZone", Class: user, Meaning: "Debian has no time zone of this name. Some former names are in package `tzdata-legacy`",
			Remedy: "correct `timeZone`"},
		{Reason: "UnknownService", Class: user, Meaning: "a unit cannot be enabled or disabled: it does not exist, is masked, or has no section `Install`",
			Remedy: "correct `services`, or add the package of the unit to `packages`"},
		{Reason: "UserNotCreated", Class: user, Meaning: "Debian refused a user or a password, or no package brings the shell",
			Remedy: "correct the user in `users`, or add the package of the shell or the group to `packages`"},
		{Reason: "FilesNotWritten", Class: user, Meaning: "a file cannot be written, for example because a package has a directory of that name",
			Remedy: "rename the file, or remove it"},
		{Reason: "ScriptFailed", Class: user, Meaning: "a script of the image ended with another exit code than 0",
			Remedy: "read the log: `goldsmith logs BUILD`; its last lines are in the message"},
		{Reason: "StaticProgram", Class: user, Meaning: "a script runs a statically linked program, which would see the files of the builder",
			Remedy: "let the script run a program that is linked dynamically, or run the program on the machine, by a unit of systemd"},
		{Reason: "MountNotPossible", Class: user, Meaning: "a script mounts, which needs privileges",
			Remedy: "remove the mount from the script"},
		{Reason: "PackagesNotInstalled", Class: user, Meaning: "apt or dpkg failed, for another cause than these",
			Remedy: "read the message of apt or dpkg, and the log: `goldsmith logs BUILD`"},
		{Reason: "DiskTooSmall", Class: user, Meaning: "the image does not fit on a disk of this size",
			Remedy: "set `size` to the size in the message, or remove it"},
		{Reason: "NotAMirror", Class: user, Meaning: "the URL is not that of a mirror with this release",
			Remedy: "set `mirror` to the URL of a mirror that has Debian 13"},
		{Reason: "NoMirror", Class: user, Meaning: "the tools of the builder name no mirror",
			Remedy: "set `mirror` to the URL of a mirror that has Debian 13"},
		{Reason: "Internal", Class: user, Meaning: "the builder failed, and has no word for the cause",
			Remedy: "read the message, and the log: `goldsmith logs BUILD`, or report a bug of the builder"},
		{Reason: "WrongSignature", Class: config, Meaning: "the release files of the mirror are not signed by Debian",
			Remedy: "use a mirror whose release files Debian has signed"},
		{Reason: "ReleaseFileExpired", Class: config, Meaning: "a release file of the mirror has expired, or is of the future",
			Remedy: "correct the clock of the machine, or set `acceptExpired` for a mirror that is kept in one state"},
		{Reason: ReasonToolsMissing, Class: config, Meaning: "the machine lacks programs that the builder needs",
			Remedy: "install what `goldsmith builders` names"},
		{Reason: ReasonToolsNotMade, Class: config, Meaning: "the tools of the builder could not be made on this machine",
			Remedy: "read the message of apt"},
		{Reason: ReasonDiskFull, Class: config, Meaning: "the disk of the builder is full. `goldsmith up` tries again only if it could remove artifacts that are not needed",
			Remedy: "free space on the disk in the message, delete images or builds, set `--artifacts-max` of `goldsmith up`, or raise the limit of the volumes of the pod"},
		{Reason: ReasonMirror, Class: infrastructure, Meaning: "a mirror cannot be reached, or what it sends is not whole",
			Remedy: "nothing: Goldsmith tries again. Or set another `mirror`"},
		{Reason: "ArchiveOlder", Class: infrastructure, Meaning: "the release file of a mirror is older than the one that it had before",
			Remedy: "nothing: Goldsmith tries again. If it stays so, ask who keeps the mirror"},
	}
}

// NewFailure returns what a result says about a failure with one of the Reasons.
func NewFailure(reason, message string) *result.Failure {
	failure := &result.Failure{Reason: reason, Message: message}
	all := Reasons()
	if i := slices.IndexFunc(all, func(r v1alpha1.BuilderReason) bool { return r.Reason == reason }); i >= 0 {
		failure.Class = all[i].Class
	}
	return failure
}
