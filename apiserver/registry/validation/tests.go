// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/result"
)

// Limits of tests.
const (
	maxTestsBytes  = 64 << 10 // the JSON of all tests, which the runner gets together with the files of the source and the parameters
	minTestTimeout = 10 * time.Second
	maxTestTimeout = 24 * time.Hour
	minGuestMemory = 64 << 20
	maxGuestMemory = 64 << 30
	maxUnitName    = 255
)

const (
	untilLogin   = "login"
	targetSuffix = ".target"
	needsSystemd = "remove it, or set boot.until to a target such as multi-user.target: it needs systemd in the guest, and until login does not wait for systemd"
	needsBoot    = "remove it, or set boot: a virtual machine checks it"
)

// unitName matches the name of a unit of systemd. Only the name of an instance has text after its last @.
var unitName = regexp.MustCompile(`^[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\@-]*)?\.(service|socket|device|mount|automount|swap|target|path|timer|slice|scope)$`)

// tests validates the tests of a build with some inputs.
type tests struct {
	given   *v1alpha1.BuildInputs
	inputs  *field.Path // of given
	targets []string
	goss    map[string]bool // the files of source that were read
}

// Tests validates what the tags of tests at a path do not. They test the artifacts of a build with the given inputs, which are at the path of inputs.
func Tests(list []v1alpha1.ImageTest, path *field.Path, given *v1alpha1.BuildInputs, inputsPath *field.Path) field.ErrorList {
	if len(list) == 0 {
		return nil
	}
	t := tests{given: given, inputs: inputsPath, goss: map[string]bool{}}
	for _, target := range given.Targets {
		t.targets = append(t.targets, result.TargetName(target))
	}
	var errs field.ErrorList
	seen := map[string]bool{}
	for i := range list {
		if name := list[i].Name; seen[name] && name != "" {
			errs = append(errs, field.Duplicate(path.Index(i).Child("name"), name))
		}
		seen[list[i].Name] = true
		errs = append(errs, t.test(&list[i], path.Index(i))...)
	}
	encoded, err := inputs.CanonicalJSON(list)
	switch {
	case err != nil:
		errs = append(errs, field.InternalError(path, err))
	case len(encoded) > maxTestsBytes:
		errs = append(errs, field.Invalid(path, fmt.Sprintf("%d bytes", len(encoded)),
			fmt.Sprintf("must be at most %d bytes of JSON in all: move long commands to files of source or to a script in the image", maxTestsBytes)))
	}
	return errs
}

func (t *tests) test(test *v1alpha1.ImageTest, path *field.Path) field.ErrorList {
	errs := t.target(test, path)
	switch {
	case test.Boot == nil && test.Runner == nil:
		errs = append(errs, field.Required(path, "set boot, which boots the artifact, or runner, the name of a program that tests it"))
	case test.Boot != nil && test.Runner != nil:
		errs = append(errs, field.Forbidden(path.Child("runner"), "remove boot or runner: a runner boots the artifact itself if it has to"))
	case test.Runner != nil && test.Runner.Name == inputs.Tester:
		errs = append(errs, field.Invalid(path.Child("runner", "name"), inputs.Tester, "set boot instead of runner: Goldsmith runs "+inputs.Tester+" for tests with boot"))
	}
	if test.Boot != nil {
		errs = append(errs, validateTestBoot(test.Boot, path.Child("boot"))...)
	}
	if test.Checks != nil {
		errs = append(errs, validateChecks(test, path.Child("checks"))...)
	}
	errs = append(errs, t.gossFile(test, path.Child("goss"))...)
	errs = append(errs, Duration(test.Timeout, minTestTimeout, maxTestTimeout, path.Child("timeout"))...)
	if quarantine := test.Quarantine; quarantine != nil {
		path := path.Child("quarantine")
		if quarantine.Until.IsZero() {
			errs = append(errs, field.Required(path.Child("until"), "set the time at which the quarantine ends, such as 2030-01-31T00:00:00Z"))
		}
		errs = append(errs, Line(quarantine.Reason, path.Child("reason"))...)
	}
	return errs
}

// target validates that there is an artifact that the test can test.
func (t *tests) target(test *v1alpha1.ImageTest, path *field.Path) field.ErrorList {
	const bootable = "raw or qcow2 for amd64"
	switch {
	case len(t.targets) == 0 || inputs.TestTarget(test, t.given.Targets) != "": // targets are required
		return nil
	case test.Target == "":
		return field.ErrorList{field.Invalid(path.Child("boot"), field.OmitValueType{},
			"no target can boot: add a target of format "+bootable+", such as {platform: linux/amd64, format: qcow2}, or set runner instead of boot")}
	case !slices.Contains(t.targets, test.Target):
		return field.ErrorList{field.NotSupported(path.Child("target"), test.Target, t.targets)}
	}
	return field.ErrorList{field.Invalid(path.Child("target"), test.Target, "cannot boot: name a target of format "+bootable+", or set runner instead of boot")}
}

func validateTestBoot(boot *v1alpha1.TestBoot, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if until := boot.Until; until != "" && until != untilLogin && (!isUnit(until) || !strings.HasSuffix(until, targetSuffix)) {
		errs = append(errs, field.Invalid(path.Child("until"), until, "must be login, or a target of systemd such as multi-user.target"))
	}
	for i, unit := range boot.AllowFailedUnits {
		errs = append(errs, validateUnit(unit, path.Child("allowFailedUnits").Index(i))...)
	}
	if boot.Memory != nil {
		errs = append(errs, validateGuestMemory(*boot.Memory, path.Child("memory"))...)
	}
	return errs
}

func validateGuestMemory(memory v1alpha1.Quantity, path *field.Path) field.ErrorList {
	if errs := QuantityText(memory, path); len(errs) > 0 {
		return errs
	}
	if size := memory.Amount(); size.CmpInt64(minGuestMemory) < 0 || size.CmpInt64(maxGuestMemory) > 0 {
		return field.ErrorList{field.Invalid(path, memory.String(), fmt.Sprintf("must be between %s and %s",
			resource.NewQuantity(minGuestMemory, resource.BinarySI), resource.NewQuantity(maxGuestMemory, resource.BinarySI)))}
	}
	return nil
}

func isUnit(name string) bool { return len(name) <= maxUnitName && unitName.MatchString(name) }

func validateUnit(name string, path *field.Path) field.ErrorList {
	switch {
	case !isUnit(name):
		return field.ErrorList{field.Invalid(path, v1alpha1.Escape(name),
			"must be the name of a unit of systemd with its suffix, such as nginx.service: at most 255 letters, digits and characters of :-_.\\@")}
	case strings.Contains(name, "@."):
		return field.ErrorList{field.Invalid(path, name, "is a template: name an instance, such as getty@tty1.service")}
	}
	return nil
}

func validateChecks(test *v1alpha1.ImageTest, path *field.Path) field.ErrorList {
	checks, login := test.Checks, test.Boot != nil && test.Boot.Until == untilLogin
	var errs field.ErrorList
	if test.Boot == nil {
		errs = append(errs, field.Forbidden(path, needsBoot))
	}
	if len(checks.Units)+len(checks.Ports)+len(checks.Commands)+len(checks.Files) == 0 {
		errs = append(errs, field.Required(path, "list at least one of units, ports, commands and files, or remove checks"))
	}
	for _, inGuest := range []struct {
		field string
		count int
	}{{"units", len(checks.Units)}, {"commands", len(checks.Commands)}, {"files", len(checks.Files)}} {
		if login && inGuest.count > 0 {
			errs = append(errs, field.Forbidden(path.Child(inGuest.field), needsSystemd))
		}
	}
	for i, unit := range checks.Units {
		errs = append(errs, validateUnit(unit, path.Child("units").Index(i))...)
	}
	ports, files := map[int32]bool{}, map[string]bool{}
	for i := range checks.Ports {
		port := checks.Ports[i].Port
		if ports[port] {
			errs = append(errs, field.Duplicate(path.Child("ports").Index(i).Child("port"), port))
		}
		ports[port] = true
		if http := checks.Ports[i].HTTP; http != nil {
			errs = append(errs, validateHTTPPath(http.Path, path.Child("ports").Index(i).Child("http", "path"))...)
		}
	}
	for i := range checks.Commands {
		errs = append(errs, validateCommand(checks.Commands[i].Run, path.Child("commands").Index(i).Child("run"))...)
	}
	for i := range checks.Files {
		name := checks.Files[i].Path
		if files[name] {
			errs = append(errs, field.Duplicate(path.Child("files").Index(i).Child("path"), name))
		}
		files[name] = true
		errs = append(errs, validateFileCheck(&checks.Files[i], path.Child("files").Index(i))...)
	}
	return errs
}

// validateHTTPPath validates the target of a GET request.
func validateHTTPPath(target string, path *field.Path) field.ErrorList {
	printable := !strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r > unicode.MaxASCII || r == '#' || r == '\x7f' })
	_, err := url.ParseRequestURI(target)
	if target == "" || strings.HasPrefix(target, "/") && printable && err == nil {
		return nil
	}
	return field.ErrorList{field.Invalid(path, v1alpha1.Escape(target), "must begin with / and consist of printable ASCII characters without spaces and #: write others as in %20")}
}

func validateCommand(command string, path *field.Path) field.ErrorList {
	switch {
	case strings.TrimSpace(command) == "":
		return field.ErrorList{field.Required(path, remedies["checks.commands.run"])}
	case strings.ContainsRune(command, 0):
		return field.ErrorList{field.Invalid(path, v1alpha1.Escape(command), "remove the NUL")}
	}
	return nil
}

func validateFileCheck(file *v1alpha1.FileCheck, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch name := path.Child("path"); {
	case !v1alpha1.Printable(file.Path):
		errs = append(errs, Line(file.Path, name)...)
	case file.Path != "" && !strings.HasPrefix(file.Path, "/"):
		errs = append(errs, field.Invalid(name, file.Path, "must be an absolute path, such as /etc/motd"))
	}
	if strings.ContainsAny(file.Contains, "\n\x00") {
		errs = append(errs, field.Invalid(path.Child("contains"), v1alpha1.Escape(file.Contains), "remove line ends and NUL: one line of the file must contain the text"))
	}
	return errs
}

// gossFile validates the file of goss. The files of a ConfigMap are known only when the inputs of a build are resolved.
func (t *tests) gossFile(test *v1alpha1.ImageTest, path *field.Path) field.ErrorList {
	if test.Goss == "" {
		return nil
	}
	var errs field.ErrorList
	if test.Boot == nil {
		errs = append(errs, field.Forbidden(path, needsBoot))
	} else if test.Boot.Until == untilLogin {
		errs = append(errs, field.Forbidden(path, needsSystemd))
	}
	source := t.given.Source
	if source != nil && source.ConfigMapRef != nil {
		if err := inputs.ValidFileName(test.Goss); err != nil {
			errs = append(errs, field.Invalid(path, v1alpha1.Escape(test.Goss), err.Error()))
		}
		return errs
	}
	if inputs.Checked(source) {
		return append(errs, field.Forbidden(path, "tests get no files of source.git and source.oci: use checks, or source.inline or source.configMapRef"))
	}
	content, found := inputs.Files(*t.given, nil)[test.Goss]
	if !found {
		return append(errs, field.Invalid(path, v1alpha1.Escape(test.Goss), "is not a file of source.inline.files: add the file, or correct the name"))
	}
	if !t.goss[test.Goss] {
		t.goss[test.Goss] = true
		if err := inputs.CheckGoss(content); err != nil {
			errs = append(errs, field.Invalid(t.inputs.Child("source", "inline", "files").Key(test.Goss), field.OmitValueType{}, fmt.Sprintf("as the file of %s: %s", path, err)))
		}
	}
	return errs
}

// TestWarnings warns about valid tests that are probably mistakes, or that no registered builder runs. builders is nil if they are not known.
func TestWarnings(tests []v1alpha1.ImageTest, builders *inputs.Builders, now time.Time, path *field.Path) []string {
	var warnings []string
	for i := range tests {
		test, path := &tests[i], path.Index(i)
		if builders != nil {
			runner := path.Child("boot")
			if test.Runner != nil {
				runner = path.Child("runner")
			}
			if _, failure := builders.Lookup(v1alpha1.BuilderReference{Name: inputs.Runner(test)}); failure != nil {
				warnings = append(warnings, fmt.Sprintf("%s: %s", runner, failure.Message))
			}
		}
		if boot := test.Boot; boot != nil {
			if boot.Network == v1alpha1.TestNetworkOpen {
				warnings = append(warnings, fmt.Sprintf("%s: the guest reaches what the pod of the test reaches, so the result can depend on it: "+
					"set Closed unless the test needs the network", path.Child("boot", "network")))
			}
			if boot.Until == untilLogin && len(boot.AllowFailedUnits) > 0 {
				warnings = append(warnings, fmt.Sprintf("%s: has no effect with until %s, which does not look at failed units", path.Child("boot", "allowFailedUnits"), untilLogin))
			}
		}
		if quarantine := test.Quarantine; quarantine != nil && !quarantine.Until.IsZero() && !quarantine.Until.After(now) {
			warnings = append(warnings, fmt.Sprintf("%s: has passed, so the quarantine has no effect: remove it, or set a later time", path.Child("quarantine", "until")))
		}
	}
	return warnings
}
