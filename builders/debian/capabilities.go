// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/debian/suite"
	"goldsmith.dev/goldsmith/jobs/capability"
)

const (
	// release is the release of Debian that the tools are of. Images of it can be made, and of no other: a fake chroot needs the C
	// library of the builder.
	release = suite.Name
	// Base is the reference of the base that images have.
	Base = "debian:" + release
	// Description is a line for users.
	Description = "Bootable disks of Debian 13, built without privileges"

	architecture = "amd64"
	platform     = "linux/" + architecture

	// rootPrefix and scriptsPrefix begin the names of the files of an image. Files of testsPrefix are for its tests, and not in it.
	rootPrefix    = "root/"
	scriptsPrefix = "scripts/"
	testsPrefix   = "tests/"
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

	paramMachineMirror         = "machineMirror"
	paramMachineSecurityMirror = "machineSecurityMirror"
)

// Forms of values and of the items of lists.
const (
	formURL      = `https?://[!-?A-~]+` // without @, which a user and a password end with
	formSnapshot = `20[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z`
	formHostname = `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*`
	formLocale   = `[A-Za-z_]+(\.UTF-8)?(@[a-z]+)?`
	// formTimeZone has zones of a region, such as Europe/Berlin, and others, such as UTC. A region is no zone.
	formTimeZone = `((posix|right)/)?([A-Z][A-Z0-9+-]+|Cuba|Egypt|Eire|GB-Eire|Greenwich|Hongkong|Iceland|Iran|Israel|Jamaica|Japan|Kwajalein|Libya|` +
		`Navajo|Poland|Portugal|Singapore|Turkey|Universal|Zulu|[A-Z][A-Za-z]+(/[A-Za-z0-9+_-]+)+)`
	// formNoPrivateKey refuses the PEM of a private key before it is stored (RFC 7468).
	formNoPrivateKey = `([^-]|-{1,4}([^-]|$))*`
	// formSize has sizes from the least that any image needs. Its digits limit the number of bytes.
	formSize = `[1-9][0-9]{2,6}M|[1-9][0-9]{0,3}G`
	// formArguments lacks what the configuration of GRUB cannot have unquoted.
	formArguments = `[\s!%(-:=?-\[\]-z~]*`

	// formPackage has the names that Debian permits (Policy 5.6.1), and versions. apt takes a hyphen at the end of either, and a plus at the end
	// of a version, for an operator, and a point at the end of a name for a regular expression: no package of Debian has them there.
	formPackage = `[a-z0-9][a-z0-9+.-]*[a-z0-9+](=[A-Za-z0-9]([A-Za-z0-9.+~:-]*[A-Za-z0-9.~])?)?`
	formUnit    = `-?[A-Za-z0-9][A-Za-z0-9:_.@\\-]*`
	formWord    = `[a-z0-9][a-z0-9-]*`

	mustURL = "a URL that begins with http:// or https://, without @, a user and a password. For a mirror that asks for a password, set http_proxy in " +
		"spec.template.env to a proxy that knows it"
	// noMirror is instead of the URL of a mirror.
	noMirror = "none"

	formAccount = `[a-z_][a-z0-9_-]{0,31}`
	formShell   = `/[A-Za-z0-9/._-]+`
	// formPassword matches the methods of crypt(5). It has no colon, which separates the fields of /etc/shadow.
	formPassword = `\$(1|2[abxy]|5|6|7|y|gy|sha1)\$[!-9;-~]+` //nolint:gosec // the form of hashes
	// formKey has options, if any, the type of a key, and the key, which begins with the length of its type in base64 (sshd(8)).
	// The shortest key, of Ed25519, has 68 characters.
	formKey = `([ -~]+ )?[a-z0-9@.-]+ +AAAA([A-Za-z0-9+/]{4}){16,}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?( [ -~]*)?`
	// formFile begins with the prefixes of files.
	formFile = `(` + rootPrefix + `|` + scriptsPrefix + `|` + testsPrefix + `).+`

	kernelCloud   = "cloud"
	kernelGeneric = "generic"

	defaultHostname   = "debian"
	defaultLocale     = "C.UTF-8"
	defaultTimeZone   = "Etc/UTC"
	defaultComponents = "main"
)

// Limits of the kernel: HOST_NAME_MAX, and COMMAND_LINE_SIZE of x86 without the arguments that every image has.
const (
	maxHostname  = 64
	maxArguments = 1900
)

// Texts about values that are not right, after "must be".
const (
	mustAccount  = "a name of at most 32 lower-case letters, digits, '-' and '_'"
	mustShell    = "an absolute path"
	mustPassword = "a hash as crypt(5) has it, such as openssl passwd -6 prints" //nolint:gosec // a text
	mustKey      = "one whole line of a public key, such as ~/.ssh/id_ed25519.pub has"
)

// usersSchema describes the parameter users. readUsers checks what it cannot describe.
func usersSchema() *capability.Content {
	text := func(form, must string) capability.Content {
		return capability.Content{Property: capability.Property{Pattern: "^(" + form + ")$", PatternErrorMessage: "must be " + must}}
	}
	list := func(of capability.Content) capability.Content {
		return capability.Content{Property: capability.Property{Type: "array"}, Items: &of}
	}
	users := list(capability.Content{
		Property: capability.Property{Type: "object"}, Required: []string{"name"},
		Properties: map[string]capability.Content{
			"name": text(formAccount, mustAccount), "groups": list(text(formAccount, mustAccount)), "authorizedKeys": list(text(formKey, mustKey)),
			"passwordHash": text("|"+formPassword, mustPassword), "shell": text("|"+formShell, mustShell),
		},
	})
	return &users
}

// Capabilities returns the inputs that the builder takes, the targets that it makes, and its reasons.
func Capabilities() capability.Capabilities {
	// value describes a parameter whose value has a form, and list one whose items have it.
	value := func(form, must, description string) capability.Property {
		return capability.Property{Description: description, Pattern: "^(" + form + ")$", PatternErrorMessage: "must be " + must}
	}
	list := func(form, must, description string) capability.Property {
		return value(`[,\s]*((`+form+`)([,\s]+|$))*`, must, description)
	}
	limited := func(property capability.Property, characters int64) capability.Property {
		property.MaxLength = &characters
		return property
	}
	defaulting := func(property capability.Property, to string) capability.Property {
		property.Default = to
		return property
	}
	users := value(formNoPrivateKey, `a list of users without "-----", which private keys begin with`,
		"Users to create, as a list in YAML or JSON. Each has name, and can have groups, authorizedKeys, passwordHash and shell, "+
			"such as: [{name: admin, groups: [sudo], authorizedKeys: [ssh-ed25519 AAAA...]}]")
	users.ContentMediaType, users.ContentSchema = "application/yaml", usersSchema()
	return capability.Capabilities{
		Reasons: Reasons(),
		Probe:   true,
		Base:    &capability.Property{Enum: []any{Base}},
		FileNames: &capability.Property{Pattern: "^" + formFile + "$",
			PatternErrorMessage: "must begin with " + rootPrefix + ", for a file of the image, with " + scriptsPrefix + ", for a script, or with " + testsPrefix + ", for a test"},
		Parameters: &capability.Schema{Properties: map[string]capability.Property{
			paramPackages: list(formPackage, "names of packages, or NAME=VERSION, with blanks, commas or line breaks between them: neither patterns nor NAME/SUITE, NAME- or TASK^",
				"Names of packages to install besides those of a minimal server, with blanks, commas or line breaks between them. "+
					"NAME=VERSION requires a version. Packages that are only recommended are not installed"),
			paramMirror: value(formURL, mustURL, "URL of the mirror. By default that of the tools of the builder"),
			paramSecurityMirror: value(noMirror+"|"+formURL, "none, or "+mustURL,
				"URL of the mirror of security updates, or none. By default that of the tools of the builder"),
			paramMachineMirror: value(noMirror+"|"+formURL, "none, or "+mustURL,
				"URL of the mirror that apt of the machine uses, or none. By default that of the build"),
			paramMachineSecurityMirror: value(noMirror+"|"+formURL, "none, or "+mustURL,
				"URL of the mirror of security updates that apt of the machine uses, or none. By default that of the build, or none if machineMirror is none"),
			paramSnapshot: value(formSnapshot, "a time such as 20260901T000000Z", "Time of a snapshot of snapshot.debian.org, such as 20260901T000000Z, whose packages are installed. "+
				"It replaces mirror and securityMirror"),
			paramAcceptExpired: {Type: "boolean", Default: false, Description: "Accept release files that have expired. Those of a mirror that is kept in one state " +
				"expire after a week"},
			paramComponents: defaulting(list(formWord, "names of components, such as: main contrib non-free-firmware",
				"Components of the archive, such as: main contrib non-free-firmware"), defaultComponents),
			paramUsers: users,
			paramServices: list(formUnit, "names of units of systemd, such as: nginx -apt-daily.timer",
				"Units of systemd to enable, with blanks, commas or line breaks between them. "+
					"A unit with a hyphen before it, such as -apt-daily.timer, is disabled"),
			paramKernel: {Description: "Kernel: cloud has the drivers of virtual machines only, generic has all", Default: kernelCloud, Enum: []any{kernelCloud, kernelGeneric}},
			paramKernelArguments: limited(value(formArguments, `arguments without the characters " ' \ { } $ ; & | < > #, which GRUB interprets`,
				"Arguments of the kernel besides the root file system and the consoles"), maxArguments),
			paramHostname: limited(defaulting(value(formHostname, "lower-case letters, digits and hyphens, with dots between labels of at most 63 characters, such as web-1.example.com",
				"Host name, at most 64 characters in all"), defaultHostname), maxHostname),
			paramLocale:   defaulting(value(formLocale, "a locale, such as en_GB.UTF-8", "Locale, such as en_GB.UTF-8"), defaultLocale),
			paramTimeZone: defaulting(value(formTimeZone, "a time zone, such as Europe/Berlin or UTC", "Time zone, such as Europe/Berlin"), defaultTimeZone),
			paramSize: value(formSize, "a whole number with M for MiB or G for GiB, from 100M to 9999G, such as 2G", "Size of the disk, in MiB or GiB, such as 2G. "+
				"By default 512 MiB more than the root file system needs, rounded up to 256 MiB"),
		}},
		Targets: []capability.Target{
			{Platform: platform, Format: v1alpha1.ArtifactFormatRaw},
			{Platform: platform, Format: v1alpha1.ArtifactFormatQCOW2},
			{Platform: platform, Format: v1alpha1.ArtifactFormatOCI},
		},
	}
}
