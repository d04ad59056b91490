// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/debian/tools"
	"goldsmith.dev/goldsmith/jobs/capability"
)

const (
	// release is the release of Debian that the tools are of. Images of it can be made, and of no other: a fake chroot needs the C
	// library of the builder.
	release = tools.Suite
	// Base is the reference of the base that images have.
	Base = "debian:" + release
	// Description is a line for users.
	Description = "Bootable disks of Debian 13, built without privileges"

	platform = "linux/amd64"
)

// The parameters.
const (
	paramPackages        = "packages"
	paramMirror          = "mirror"
	paramSecurityMirror  = "securityMirror"
	paramSnapshot        = "snapshot"
	paramAcceptExpired   = "acceptExpired"
	paramComponents      = "components"
	paramUsers           = "users"
	paramServices        = "services"
	paramKernel          = "kernel"
	paramKernelArguments = "kernelArguments"
	paramHostname        = "hostname"
	paramLocale          = "locale"
	paramTimeZone        = "timeZone"
	paramSize            = "size"
)

// Forms of values, which are also in the schema. Lists have blanks, commas or line breaks between their items.
const (
	formURL      = `https?://[!-~]+`
	formSnapshot = `[0-9]{8}T[0-9]{6}Z`
	formHostname = `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*`
	formLocale   = `[A-Za-z_]+(\.UTF-8)?(@[a-z]+)?`
	formTimeZone = `[A-Za-z0-9+_-]+(/[A-Za-z0-9+_-]+)*`
	formSize     = `[1-9][0-9]*[MG]`

	formPackage = `[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+~:-]+)?`
	formUnit    = `-?[A-Za-z0-9][A-Za-z0-9:_.@\\-]*`
	formWord    = `[a-z0-9][a-z0-9-]*`

	kernelCloud   = "cloud"
	kernelGeneric = "generic"

	defaultHostname   = "debian"
	defaultLocale     = "C.UTF-8"
	defaultTimeZone   = "Etc/UTC"
	defaultComponents = "main"
)

// Capabilities returns the parameters that the builder takes, and the targets that it makes.
func Capabilities() capability.Capabilities {
	whole := func(form string) string { return "^(" + form + ")$" }
	return capability.Capabilities{
		Parameters: &capability.Schema{Properties: map[string]capability.Property{
			paramPackages: {Description: "Names of packages to install besides those of a minimal server, with blanks, commas or line breaks between them. " +
				"NAME=VERSION requires a version. Packages that are only recommended are not installed"},
			paramMirror:         {Description: "URL of the mirror. By default that of the tools of the builder", Pattern: whole(formURL)},
			paramSecurityMirror: {Description: "URL of the mirror of security updates, or none. By default that of the tools of the builder", Pattern: whole("none|" + formURL)},
			paramSnapshot: {Description: "Time of a snapshot of snapshot.debian.org, such as 20260901T000000Z, whose packages are installed. " +
				"It replaces mirror and securityMirror", Pattern: whole(formSnapshot)},
			paramAcceptExpired: {Type: "boolean", Default: false, Description: "Accept release files that have expired. Those of a mirror that is kept in one state " +
				"expire after a week"},
			paramComponents: {Description: "Components of the archive, such as: main contrib non-free-firmware", Default: defaultComponents},
			paramUsers: {Description: "Users to create, as a list in YAML or JSON. Each has name, and can have groups, authorizedKeys, passwordHash and shell, " +
				"such as: [{name: admin, groups: [sudo], authorizedKeys: [ssh-ed25519 AAAA...]}]"},
			paramServices: {Description: "Units of systemd to enable, with blanks, commas or line breaks between them. " +
				"A unit with a hyphen before it, such as -apt-daily.timer, is disabled"},
			paramKernel:          {Description: "Kernel: cloud has the drivers of virtual machines only, generic has all", Default: kernelCloud, Enum: []any{kernelCloud, kernelGeneric}},
			paramKernelArguments: {Description: "Arguments of the kernel besides the root file system and the consoles"},
			paramHostname:        {Description: "Host name", Default: defaultHostname, Pattern: whole(formHostname)},
			paramLocale:          {Description: "Locale, such as en_GB.UTF-8", Default: defaultLocale, Pattern: whole(formLocale)},
			paramTimeZone:        {Description: "Time zone, such as Europe/Berlin", Default: defaultTimeZone, Pattern: whole(formTimeZone)},
			paramSize: {Description: "Size of the disk, in MiB or GiB, such as 2G. " +
				"By default 512 MiB more than the root file system needs, rounded up to 256 MiB", Pattern: whole(formSize)},
		}},
		Targets: []capability.Target{
			{Platform: platform, Format: v1alpha1.ArtifactFormatRaw},
			{Platform: platform, Format: v1alpha1.ArtifactFormatQCOW2},
			{Platform: platform, Format: v1alpha1.ArtifactFormatOCI},
		},
	}
}
