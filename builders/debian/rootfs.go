// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"goldsmith.dev/goldsmith/builders/debian/kept"
	"goldsmith.dev/goldsmith/builders/debian/output"
	"goldsmith.dev/goldsmith/builders/debian/tools"
)

const (
	planDirectory = "plan"
	// privateLibraries is a directory of the plan with links to the libraries that are in no directory of the dynamic linker.
	privateLibraries = "libraries"

	// dpkgHook is the path of the builder's program in the fake chroot. By the base name of its path, goldsmith runs as that program.
	dpkgHook = "/hook" + tools.Program
)

// basePackages are those of a minimal server that boots. mmdebstrap adds the essential ones.
var basePackages = []string{
	"ca-certificates", "dbus", "grub-efi-amd64-signed", "initramfs-tools", "iproute2", "libpam-systemd", "openssh-server", "shim-signed",
	"sudo", "systemd-resolved", "systemd-sysv", "systemd-timesyncd", "tzdata", "udev", "zstd",
}

// rootFS is the path of the root file system.
func (b *build) rootFS() string { return b.path("rootfs.tar") }

// makeRootFS makes the root file system: packages or that of the base, then the plan.
func (b *build) makeRootFS(ctx context.Context) error {
	sources, ofMachine, err := b.sources()
	if err != nil {
		return err
	}
	plan := newPlan(b.config, b.files, b.ids.Root())
	plan.simulated = b.input.Resolve
	if plan.machine = b.config.machineList(ofMachine); plan.machine != "" {
		b.logf("apt of the machine: %s", cmp.Or(urlsOf(ofMachine), "no mirror"))
	}
	directory := b.path(planDirectory)
	if err := plan.write(directory); err != nil {
		return err
	}
	// A mirror that nothing is installed from is checked, too: a later image would fail instead.
	var newest time.Time
	if plan.needsMirror() || b.config.setsMirror {
		if newest, b.origins, err = b.findTime(ctx, sources); err != nil {
			return err
		}
	}
	if b.config.based {
		b.begin(stageBase, percentBase)
		if b.time, err = b.addBase(ctx, directory); err != nil {
			return err
		}
	}
	if !plan.needsMirror() {
		b.origins = nil
	} else if newest.After(b.time) {
		b.time = newest
	}
	b.begin(stagePackages, percentPackages)
	list := b.path("sources.list")
	if err := os.WriteFile(list, []byte(b.config.sourcesList(sources)), modeFile); err != nil {
		return fmt.Errorf("write the sources of packages: %w", err)
	}
	if socket := b.getenv(kept.EnvSocket); socket != "" {
		client := kept.NewClient(socket)
		if plan.installs() && !plan.simulated {
			err = b.installKept(ctx, plan, client, directory, list)
		}
		if err = errors.Join(err, client.Close()); err != nil { // before any script runs
			return err
		}
	}
	return b.mmdebstrap(ctx, plan, directory, b.rootFS(), list)
}

// mmdebstrap applies the plan in a directory, and makes a tar of the root file system. The options are further ones.
func (b *build) mmdebstrap(ctx context.Context, plan *plan, directory, to, list string, options ...string) error {
	options = append(options, plan.mmdebstrap(directory)...)
	if plan.installs() && !plan.kept {
		b.installed = b.watchInstallation(ctx, directory)
		defer b.installed()
	}
	last, err := b.tool(ctx, nil, "mmdebstrap", append(options, release, to, list)...)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if declared := planFailure(directory); declared != nil {
		return declared
	}
	if len(last) == 0 {
		return err
	}
	return explain(last, err)
}

// mmdebstrap returns the options with which mmdebstrap applies the plan in a directory.
func (p *plan) mmdebstrap(directory string) []string {
	libraries := filepath.Join(directory, privateLibraries)
	options := []string{
		"--mode=fakechroot", "--format=tar",
		"--skip=check/qemu,output/dev", // systemd makes the devices
		"--aptopt=Acquire::Retries \"3\"",
		// Nobody answers questions, neither those of a script of the image. A file that was there before its package stays. customize.sh removes
		// these settings.
		"--aptopt=APT::Get::Assume-Yes \"true\"", "--dpkgopt=force-confdef", "--dpkgopt=force-confold",
		"--setup-hook=ln -sfn \"$1\" " + filepath.Join(directory, planRoot),
		// The scripts of packages, too, run programs that have been unpacked just before.
		"--extract-hook=" + tools.Program + " libraries " + libraries + ` "$1"`,
		"--dpkgopt=post-invoke=" + dpkgHook + " libraries " + libraries,
		"--dpkgopt=post-invoke=" + dpkgHook + " end-of-packages",
		"--customize-hook=" + filepath.Join(directory, "customize"),
	}
	switch {
	case p.simulated:
		options = append(options, simulation(p.packages)...)
	case p.config.based || p.kept:
		options = append(options, "--variant=custom", "--setup-hook="+filepath.Join(directory, "unpack"))
	default:
		options = append(options, "--variant=minbase", "--include="+strings.Join(p.packages, ","),
			// apt resolves the packages of an image only after it has installed the essential ones, which takes most of the time. mmdebstrap
			// passes the names as they are, which apt takes for names once these packages exist.
			"--extract-hook=APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get --simulate --no-install-recommends "+namesOnly+" install "+strings.Join(exactly(p.packages), " ")+" >"+filepath.Join(directory, planSimulated))
	}
	// Scripts of packages write the host name into certificates and settings.
	if names := p.early(); len(names) > 0 {
		options = append(options, `--setup-hook=tar --extract --touch --directory "$1" --file `+filepath.Join(directory, "root.tar")+" "+strings.Join(names, " "))
	}
	if !p.needsMirror() || p.kept {
		options = append(options, "--skip=update")
	}
	if p.config.snapshot || p.config.expired {
		options = append(options, "--aptopt=Acquire::Check-Valid-Until \"false\"")
	}
	return options
}

// early returns the paths of the files of the image that are there before its packages.
func (p *plan) early() []string {
	return slices.DeleteFunc([]string{"etc/hostname", "etc/hosts"}, func(name string) bool {
		file := p.files[name]
		return !file.regular() || file.size() == 0
	})
}

// namesOnly lets apt take no name for a regular expression.
const namesOnly = "-oAPT::Cmd::Pattern-Only=true"

// exactly returns packages with their architecture, so that apt takes no + or - at the end of a name for an operator.
func exactly(packages []string) []string {
	exact := make([]string, len(packages))
	for i, item := range packages {
		name, version, versioned := strings.Cut(item, "=")
		exact[i] = name + ":" + architecture
		if versioned {
			exact[i] += "=" + version
		}
	}
	return exact
}

// needsMirror reports whether packages are installed. A script can do so, too.
func (p *plan) needsMirror() bool {
	return !p.config.based || len(p.packages) > 0 || len(p.scripts) > 0
}

// installs reports whether the build itself installs packages.
func (p *plan) installs() bool { return !p.config.based || len(p.packages) > 0 }

// noise matches lines of the tools that tell users nothing, or only hide the cause of a failure.
//
// libfakeroot says that it does not recognize a payload whenever a signal, such as that of a child that ends, interrupts it while it waits for
// the answer of its daemon. It then waits again, and gets the answer.
var noise = regexp.MustCompile(`^(I: (skipping|using|running --|main\(\) received|removing tempdir|done$|creating a tarball, )|` +
	`W: (gpg --version failed|hooklistener errored|In dry-run mode)|E: mmdebstrap failed to run|` +
	`E: setup failed: (E: command failed: \S+/plan/|.* killed by signal 15$)|libfakeroot internal error: payload not recognized|Warning: block count mismatch|mkfs\.fat |debugfs [0-9])`)

// stepFiles is the line of customize.sh that ends the installation of packages.
const stepFiles = "files"

// steps are lines with which mmdebstrap begins a step, each with the percentage of the build that is done then.
var steps = map[string]int{
	"I: downloading packages with apt...": 8, "I: extracting archives...": 12, "I: installing essential packages...": 20,
	"I: installing remaining packages inside the chroot...": 35, stepFiles: 70, "I: cleaning package lists and apt cache...": 77,
	"I: creating tarball...": 80,
}

// reportStep reports the progress that a line of a tool tells.
func (b *build) reportStep(line string) {
	b.readSimulated(line)
	percent, begins := steps[line]
	if begins && b.keeping {
		percent = min(percent, percentInstalled)
	}
	if line == stepFiles && b.installed != nil {
		b.installed()
	}
	if begins {
		b.advance(percent, strings.TrimSuffix(strings.TrimPrefix(line, "I: "), "..."))
	}
}

// include returns the packages to install.
func (c *configuration) include() []string {
	packages := slices.Clone(c.packages)
	if !c.based {
		packages = append(packages, basePackages...)
	}
	if c.kernel != "" {
		packages = append(packages, c.kernel)
	}
	if c.generatedLocale() != "" {
		packages = append(packages, "locales")
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}

// generatedLocale returns the locale if it is not among those that every system has.
func (c *configuration) generatedLocale() string {
	if slices.Contains([]string{"C", "POSIX", "C.UTF-8"}, c.locale) {
		return ""
	}
	return c.locale
}

func (c *configuration) sourcesList(sources []source) string {
	var list strings.Builder
	for _, source := range sources {
		options := ""
		if strings.HasPrefix(source.url, snapshots+"/") { // its release files have expired
			options = " check-valid-until=no"
		}
		fmt.Fprintf(&list, "deb [signed-by=%s%s] %s %s %s\n", tools.Keyring, options, source.url, source.suite, strings.Join(c.components, " "))
	}
	return list.String()
}

// urlsOf returns the URLs of sources, each once.
func urlsOf(sources []source) string {
	urls := make([]string, len(sources))
	for i, source := range sources {
		urls[i] = source.url
	}
	return strings.Join(slices.Compact(urls), ", ")
}

// listHeader begins the list that apt of the machine uses.
const listHeader = "# The builder debian has written this list. An image on this one replaces it if it sets a mirror.\n"

// machineList returns the list of sources that apt of the machine uses, or "" if that of the base stays.
func (c *configuration) machineList(sources []source) string {
	if c.based && !c.setsMirror && c.machineMirror == "" && c.machineSecurity == "" {
		return ""
	}
	return listHeader + c.sourcesList(sources)
}

// planFailure returns why the plan could not be applied, or nil.
func planFailure(directory string) error {
	text, err := os.ReadFile(filepath.Join(directory, "failure"))
	if err != nil {
		return nil //nolint:nilerr // there is none
	}
	words := strings.SplitN(strings.TrimSuffix(string(text), "\n"), "\n", 3)
	if len(words) < 3 {
		return nil
	}
	said := []string{words[2]}
	if output.NoSpace(said) {
		return diskFull(said)
	}
	if found := mountDenied.FindString(words[2]); words[0] == "ScriptFailed" && found != "" {
		subject, _, _ := strings.Cut(words[1], " ended ")
		return fail("MountNotPossible", "%s: %s: a build has no privileges, so nothing can be mounted", subject, found)
	}
	return fail(words[0], "%s", strings.TrimSpace(words[1]+words[2]))
}

// mountDenied is what mount prints without privileges.
var mountDenied = regexp.MustCompile(`mount: [^:]+: (permission denied|must be superuser)`)

const reasonPackages = "PackagesNotInstalled"

// explain returns the failure that the last lines of mmdebstrap mean.
func explain(last []string, err error) error {
	switch fault, found := output.FaultOf(last); fault {
	case output.DiskFull:
		return diskFull(found[:1])
	case output.ReleaseFileExpired:
		return fail("ReleaseFileExpired", "%s is %s: is the clock right? For a mirror that is kept in one state, set parameter %s to true", found[1], found[2], paramAcceptExpired)
	case output.WrongSignature:
		return fail("WrongSignature", "%s: its signature is not one of Debian: set parameter %s to a mirror of Debian", found[1], paramMirror)
	case output.NotAMirror:
		return fail("NotAMirror", "parameter %s: %s is no mirror that has %s", paramMirror, found[1], found[2])
	case output.MirrorUnavailable:
		return fail(ReasonMirror, "%s", strings.Join(strings.Fields(found[0]), " "))
	case output.UnknownPackage:
		return fail("UnknownPackage", "parameter %s: the mirror has no package %s", paramPackages, strings.TrimSuffix(found[1], ":"+architecture))
	case output.UnknownVersion:
		return fail("UnknownPackage", "parameter %s: the mirror has no version %s of package %s", paramPackages, found[1], found[2])
	default:
		return fail(reasonPackages, "%v: %s", err, strings.Join(output.Errors(last), " "))
	}
}

func diskFull(said []string) error {
	return fail(ReasonDiskFull, "the disk on which the builder works is full: %s", lastOf(said))
}
