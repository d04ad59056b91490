// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	declared "goldsmith.dev/goldsmith/apis/generated/validation"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// aTest returns a valid test that has everything.
func aTest() v1alpha1.ImageTest {
	return v1alpha1.ImageTest{
		Name: "web", Target: "linux/amd64/raw", Timeout: validationtest.Seconds(10),
		Boot: &v1alpha1.TestBoot{
			Firmware: v1alpha1.TestFirmwareUEFI, Until: "multi-user.target", AllowFailedUnits: []string{`a-b:c_d.e\x2df.service`},
			Memory: &v1alpha1.Quantity{Text: "64Mi"}, Network: v1alpha1.TestNetworkClosed,
		},
		Checks: &v1alpha1.TestChecks{
			Units:    []string{"getty@tty1.service"},
			Ports:    []v1alpha1.PortCheck{{Port: 80, HTTP: &v1alpha1.HTTPCheck{Path: "/a%20b?c=d", Status: new(int32(204)), Body: "golden\n"}}, {Port: 65535}},
			Commands: []v1alpha1.CommandCheck{{Run: "nginx -t\n", ExitCode: new(int32(255)), Contains: "ok"}},
			Files:    []v1alpha1.FileCheck{{Path: "/etc/motd", Contains: "built"}, {Path: "/"}},
		},
		Goss: "tests/site.yaml", Required: new(false), Flaky: &v1alpha1.FlakyTest{Attempts: 5},
		Quarantine: &v1alpha1.TestQuarantine{Until: metav1.Unix(1, 0), Reason: "a bug in nginx"},
	}
}

func TestTests(t *testing.T) {
	type list = []v1alpha1.ImageTest
	const inTest = "spec.tests[0]."
	long := strings.Repeat("a", 5000)
	for what, test := range map[string]struct {
		change func(test *v1alpha1.ImageTest, given *v1alpha1.BuildInputs)
		want   map[string]string // the remedies by field
	}{
		"everything": {func(*v1alpha1.ImageTest, *v1alpha1.BuildInputs) {}, nil},
		"a boot": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) {
			*t = v1alpha1.ImageTest{Name: "boots", Boot: &v1alpha1.TestBoot{}}
		}, nil},
		"a runner of what cannot boot": {func(t *v1alpha1.ImageTest, given *v1alpha1.BuildInputs) {
			*t = v1alpha1.ImageTest{Name: "ours", Runner: &v1alpha1.TestRunner{Name: "our-runner"}}
			given.Targets[0].Format = v1alpha1.ArtifactFormatOCI
		}, nil},
		"a login": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) {
			t.Boot.Until, t.Goss, t.Checks = "login", "", &v1alpha1.TestChecks{Ports: t.Checks.Ports}
		}, nil},
		"nothing to check": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { *t = v1alpha1.ImageTest{Name: "boots"} },
			map[string]string{"spec.tests[0]": "set boot, which boots the artifact, or runner"}},
		"checks of nothing": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Boot = nil },
			map[string]string{"spec.tests[0]": "set boot", inTest + "checks": "or set boot", inTest + "goss": "or set boot"}},
		"a boot and a runner": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Runner = &v1alpha1.TestRunner{Name: "ours"} },
			map[string]string{inTest + "runner": "remove boot or runner"}},
		"checks of a runner": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) {
			t.Boot, t.Runner = nil, &v1alpha1.TestRunner{Name: "ours"}
		}, map[string]string{inTest + "checks": "or set boot", inTest + "goss": "or set boot"}},
		"a runner without a name": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) {
			*t = v1alpha1.ImageTest{Name: "ours", Runner: &v1alpha1.TestRunner{}}
		}, map[string]string{inTest + "runner.name": "set the name of a registered builder"}},
		"the runner of Goldsmith": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) {
			*t = v1alpha1.ImageTest{Name: "ours", Runner: &v1alpha1.TestRunner{Name: "tester"}}
		}, map[string]string{inTest + "runner.name": "set boot instead of runner"}},
		"no name":        {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Name = "" }, map[string]string{inTest + "name": "set a name, such as boots"}},
		"no DNS label":   {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Name = "Web_1" }, map[string]string{inTest + "name": "a lowercase RFC 1123 label"}},
		"no checks":      {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Checks = &v1alpha1.TestChecks{} }, map[string]string{inTest + "checks": "list at least one of units"}},
		"another target": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Target = "linux/amd64/qcow2" }, map[string]string{inTest + "target": `supported values: "linux/amd64/raw"`}},
		"a target that cannot boot": {func(t *v1alpha1.ImageTest, given *v1alpha1.BuildInputs) {
			given.Targets = append(given.Targets, v1alpha1.Target{Platform: "linux/arm64", Format: v1alpha1.ArtifactFormatRaw})
			t.Target = "linux/arm64/raw"
		}, map[string]string{inTest + "target": "cannot boot: name a target of format raw or qcow2 for amd64"}},
		"an image that cannot boot": {func(t *v1alpha1.ImageTest, given *v1alpha1.BuildInputs) {
			t.Target, given.Targets[0].Format = "", v1alpha1.ArtifactFormatOCI
		}, map[string]string{inTest + "boot": "no target can boot: add a target"}},
		"another firmware":     {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Boot.Firmware = "coreboot" }, map[string]string{inTest + "boot.firmware": "supported values"}},
		"another network":      {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Boot.Network = "Ajar" }, map[string]string{inTest + "boot.network": "supported values"}},
		"no target of systemd": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Boot.Until = "nginx.service" }, map[string]string{inTest + "boot.until": "must be login, or a target of systemd"}},
		"the end of a target":  {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Boot.Until = ".target" }, map[string]string{inTest + "boot.until": "must be login"}},
		"no units": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) {
			t.Boot.AllowFailedUnits = []string{"nginx", "*.service", "a\nb.service"}
			t.Checks.Units = []string{"", "@.service", "getty@.service", "a b.service", long + ".service"}
		}, map[string]string{
			inTest + "boot.allowFailedUnits[0]": "with its suffix, such as nginx.service", inTest + "boot.allowFailedUnits[1]": "with its suffix", inTest + "boot.allowFailedUnits[2]": "with its suffix",
			inTest + "checks.units[0]": "with its suffix", inTest + "checks.units[1]": "with its suffix", inTest + "checks.units[2]": "is a template: name an instance",
			inTest + "checks.units[3]": "with its suffix", inTest + "checks.units[4]": "with its suffix",
		}},
		"a unit twice": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) {
			t.Checks.Units = []string{"a.service", "a.service"}
		},
			map[string]string{inTest + "checks.units[1]": "Duplicate value"}},
		"too little memory": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Boot.Memory = &v1alpha1.Quantity{Text: "63Mi"} }, map[string]string{inTest + "boot.memory": "must be between 64Mi and 64Gi"}},
		"too much memory":   {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Boot.Memory = &v1alpha1.Quantity{Text: "65Gi"} }, map[string]string{inTest + "boot.memory": "must be between"}},
		"no memory":         {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Boot.Memory = &v1alpha1.Quantity{Text: "much"} }, map[string]string{inTest + "boot.memory": "must be a quantity such as"}},
		"ports": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) {
			t.Checks.Ports = []v1alpha1.PortCheck{{Port: 65536}, {Port: -1}, {}, {Port: 22}, {Port: 22}}
		}, map[string]string{
			inTest + "checks.ports[0].port": "65535", inTest + "checks.ports[1].port": "greater than or equal to 1", inTest + "checks.ports[2].port": "set a port", inTest + "checks.ports[4].port": "Duplicate value",
		}},
		"requests": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) {
			t.Checks.Ports = nil
			for i, path := range []string{"index.html", "/a b", "/\n", "/é", "/#top", "/%zz", "/" + long[:1024]} {
				t.Checks.Ports = append(t.Checks.Ports, v1alpha1.PortCheck{Port: int32(i + 1), HTTP: &v1alpha1.HTTPCheck{Path: path}})
			}
			t.Checks.Ports[0].HTTP.Status, t.Checks.Ports[1].HTTP.Status, t.Checks.Ports[2].HTTP.Body = new(int32(99)), new(int32(600)), long
		}, map[string]string{
			inTest + "checks.ports[0].http.path": "must begin with /", inTest + "checks.ports[1].http.path": "without spaces", inTest + "checks.ports[2].http.path": "printable",
			inTest + "checks.ports[3].http.path": "ASCII", inTest + "checks.ports[4].http.path": "#", inTest + "checks.ports[5].http.path": "%20", inTest + "checks.ports[6].http.path": "1024",
			inTest + "checks.ports[0].http.status": "100", inTest + "checks.ports[1].http.status": "599", inTest + "checks.ports[2].http.body": "1024 bytes",
		}},
		"commands": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) {
			t.Checks.Commands = []v1alpha1.CommandCheck{{}, {Run: " \n"}, {Run: "a\x00b"}, {Run: long[:4097]}, {Run: "a", ExitCode: new(int32(256)), Contains: long}}
		}, map[string]string{
			inTest + "checks.commands[0].run": "set a command", inTest + "checks.commands[1].run": "set a command", inTest + "checks.commands[2].run": "remove the NUL",
			inTest + "checks.commands[3].run": "4096 bytes", inTest + "checks.commands[4].exitCode": "255", inTest + "checks.commands[4].contains": "1024 bytes",
		}},
		"files": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) {
			t.Checks.Files = []v1alpha1.FileCheck{{}, {Path: "etc/motd"}, {Path: "/a\x00b"}, {Path: "/" + long[:4095]}, {Path: "/a", Contains: "a\nb"}, {Path: "/a"}}
		}, map[string]string{
			inTest + "checks.files[0].path": "set the absolute path", inTest + "checks.files[1].path": "must be an absolute path", inTest + "checks.files[2].path": "remove control characters",
			inTest + "checks.files[3].path": "4095 bytes", inTest + "checks.files[4].contains": "remove line ends", inTest + "checks.files[5].path": "Duplicate value",
		}},
		"what a login does not wait for": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Boot.Until = "login" }, map[string]string{
			inTest + "checks.units": "set boot.until to a target", inTest + "checks.commands": "needs systemd", inTest + "checks.files": "needs systemd", inTest + "goss": "needs systemd",
		}},
		"no file of goss":     {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Goss = "tests/other.yaml" }, map[string]string{inTest + "goss": "is not a file of source.inline.files"}},
		"goss without source": {func(_ *v1alpha1.ImageTest, given *v1alpha1.BuildInputs) { given.Source = nil }, map[string]string{inTest + "goss": "is not a file of source.inline.files"}},
		"goss of Git": {func(_ *v1alpha1.ImageTest, given *v1alpha1.BuildInputs) {
			given.Source = &v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://git.example.com/images.git"}}
		}, map[string]string{inTest + "goss": "tests get no files of source.git"}},
		"goss of a ConfigMap": {func(_ *v1alpha1.ImageTest, given *v1alpha1.BuildInputs) {
			given.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "files"}}
		}, nil},
		"goss of no key of a ConfigMap": {func(t *v1alpha1.ImageTest, given *v1alpha1.BuildInputs) {
			t.Goss, given.Source = "../site.yaml", &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "files"}}
		}, map[string]string{inTest + "goss": `must not have an element ".."`}},
		"no YAML": {func(_ *v1alpha1.ImageTest, given *v1alpha1.BuildInputs) {
			given.Source.Inline.Files["tests/site.yaml"] = "a: ["
		}, map[string]string{"spec.source.inline.files[tests/site.yaml]": "is not YAML: "}},
		"a key twice": {func(_ *v1alpha1.ImageTest, given *v1alpha1.BuildInputs) {
			given.Source.Inline.Files["tests/site.yaml"] = "a: 1\na: 2"
		}, map[string]string{"spec.source.inline.files[tests/site.yaml]": `key "a" already set`}},
		"a list": {func(_ *v1alpha1.ImageTest, given *v1alpha1.BuildInputs) {
			given.Source.Inline.Files["tests/site.yaml"] = "- a"
		}, map[string]string{"spec.source.inline.files[tests/site.yaml]": "must be a mapping"}},
		"an empty file": {func(_ *v1alpha1.ImageTest, given *v1alpha1.BuildInputs) {
			given.Source.Inline.Files["tests/site.yaml"] = "# soon"
		}, map[string]string{"spec.source.inline.files[tests/site.yaml]": "is empty"}},
		"too short":      {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Timeout = validationtest.Seconds(9) }, map[string]string{inTest + "timeout": "must be between 10s and 24h"}},
		"too long":       {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Timeout = validationtest.Seconds(86401) }, map[string]string{inTest + "timeout": "must be between"}},
		"flaky once":     {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Flaky.Attempts = 1 }, map[string]string{inTest + "flaky.attempts": "greater than or equal to 2"}},
		"flaky for ever": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) { t.Flaky.Attempts = 6 }, map[string]string{inTest + "flaky.attempts": "5"}},
		"an endless quarantine": {func(t *v1alpha1.ImageTest, _ *v1alpha1.BuildInputs) {
			t.Quarantine = &v1alpha1.TestQuarantine{Reason: "a\nb"}
		}, map[string]string{inTest + "quarantine.until": "set the time at which the quarantine ends", inTest + "quarantine.reason": "one line"}},
	} {
		t.Run(what, func(t *testing.T) {
			spec := &v1alpha1.ImageSpec{BuildInputs: validationtest.Image().Spec.BuildInputs, Tests: list{aTest()}}
			spec.Source.Inline.Files["tests/site.yaml"] = "service: {nginx: {running: true}}"
			test.change(&spec.Tests[0], &spec.BuildInputs)
			found := map[string]bool{}
			for _, err := range testErrors(spec) {
				want, ok := test.want[err.Field]
				if !ok || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
				found[err.Field] = true
			}
			if len(found) != len(test.want) {
				t.Errorf("errors of %v", found)
			}
		})
	}
}

// testErrors returns the errors of the tests of a spec.
func testErrors(spec *v1alpha1.ImageSpec) (errs field.ErrorList) {
	path := field.NewPath("spec")
	for _, err := range Declared(declared.Validate_ImageSpec, spec, path, Tests(spec.Tests, path.Child("tests"), &spec.BuildInputs, path)) {
		if strings.HasPrefix(err.Field, "spec.tests") || strings.HasPrefix(err.Field, "spec.source.inline.files[tests") {
			errs = append(errs, err)
		}
	}
	return errs
}

func TestTestsAreLimited(t *testing.T) {
	spec := &v1alpha1.ImageSpec{BuildInputs: validationtest.Image().Spec.BuildInputs}
	for name := range strings.FieldsSeq("a b c d e f g h i j k l m n o p") {
		spec.Tests = append(spec.Tests, v1alpha1.ImageTest{Name: name, Boot: &v1alpha1.TestBoot{}})
	}
	validationtest.ExpectPaths(t, testErrors(spec), nil)
	spec.Tests = append(spec.Tests, v1alpha1.ImageTest{Name: "q", Boot: &v1alpha1.TestBoot{}})
	validationtest.ExpectPaths(t, testErrors(spec), []string{"spec.tests"})
	spec.Tests = append(spec.Tests[:15], spec.Tests[14])
	validationtest.ExpectPaths(t, testErrors(spec), []string{"spec.tests[15].name"})

	spec.Tests = spec.Tests[:4]
	for i := range spec.Tests {
		spec.Tests[i].Checks = &v1alpha1.TestChecks{}
		for range 4 {
			spec.Tests[i].Checks.Commands = append(spec.Tests[i].Checks.Commands, v1alpha1.CommandCheck{Run: strings.Repeat("a", 4000)})
		}
	}
	validationtest.ExpectPaths(t, testErrors(spec), nil)
	spec.Tests[0].Checks.Commands = append(spec.Tests[0].Checks.Commands, spec.Tests[0].Checks.Commands...)
	validationtest.ExpectPaths(t, testErrors(spec), []string{"spec.tests"})
}

func TestWarningsOfTests(t *testing.T) {
	now := time.Unix(1000, 0)
	quarantine := func(until int64) *v1alpha1.TestQuarantine {
		return &v1alpha1.TestQuarantine{Until: metav1.Unix(until, 0)}
	}
	var got []string
	for _, warning := range TestWarnings([]v1alpha1.ImageTest{
		{Name: "closed", Boot: &v1alpha1.TestBoot{Network: v1alpha1.TestNetworkClosed, Until: "multi-user.target", AllowFailedUnits: []string{"a.service"}}, Required: new(false), Quarantine: quarantine(1001)},
		{Name: "open", Boot: &v1alpha1.TestBoot{Network: v1alpha1.TestNetworkOpen, Until: "login", AllowFailedUnits: []string{"a.service"}}},
		{Name: "ours", Runner: &v1alpha1.TestRunner{Name: "ours"}, Quarantine: quarantine(1000)},
	}, &inputs.Builders{Registered: map[string]inputs.Builder{"tester": {}}}, now, field.NewPath("spec", "tests")) {
		path, _, _ := strings.Cut(warning, ": ")
		got = append(got, path)
	}
	want := []string{"spec.tests[1].boot.network", "spec.tests[1].boot.allowFailedUnits", "spec.tests[2].runner", "spec.tests[2].quarantine.until"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("other warnings (-want +got):\n%s", diff)
	}
}
