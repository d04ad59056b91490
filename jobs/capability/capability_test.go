// SPDX-License-Identifier: Apache-2.0

package capability

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// declared are parameters of each type.
func declared() Capabilities {
	return Capabilities{
		Parameters: &Schema{Required: []string{"size"}, Properties: map[string]Property{
			"size":    {Pattern: "^[1-9][0-9]*[MG]$"},
			"name":    {Pattern: "^[a-z]*$", PatternErrorMessage: "must be lower-case letters", MaxLength: new(int64(8))},
			"label":   {MinLength: new(int64(2)), MaxLength: new(int64(3))},
			"suite":   {Enum: []any{"bookworm", "trixie"}},
			"level":   {Type: "integer", Minimum: new(1.0), ExclusiveMaximum: new(10.0)},
			"ratio":   {Type: "number", ExclusiveMinimum: new(0.0), Maximum: new(1.0), MultipleOf: new(0.25)},
			"sectors": {Type: "integer", Enum: []any{int64(512), int64(4096)}},
			"sparse":  {Type: "boolean"},
		}},
		Targets: []Target{{Platform: "linux/amd64", Format: "raw"}, {Format: "oci"}, {Platform: "linux/arm64"}},
	}
}

func TestAValueIsTextOrTheJSONOfItsType(t *testing.T) {
	t.Parallel()
	if problems := declared().Problems(); len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, test := range []struct{ name, value, want string }{
		{"size", "64M", ""},
		{"size", "64", "parameter size must match '^[1-9][0-9]*[MG]$'"},
		{"name", "web", ""},
		{"name", "Web", "parameter name must be lower-case letters"},
		{"name", "webserver", "parameter name must be at most 8 chars long"},
		{"label", "éé", ""},
		{"label", "é", "parameter label must be at least 2 chars long"},
		{"label", "long", "parameter label must be at most 3 chars long"},
		{"suite", "trixie", ""},
		{"suite", "sid", "parameter suite must be one of bookworm, trixie"},
		{"suite", "", "parameter suite must be one of bookworm, trixie, or remove the parameter"},
		{"level", "1", ""},
		{"level", "0", "parameter level must be greater than or equal to 1"},
		{"level", "10", "parameter level must be less than 10"},
		{"level", "1.0", "parameter level must be a whole number"},
		{"level", "01", "parameter level must be a whole number"},
		{"level", " 1", "parameter level must be a whole number"},
		{"level", "99999999999999999999", "parameter level must be a whole number"},
		{"level", "many", "parameter level must be a whole number"},
		{"level", "", "parameter level must be a whole number, or remove the parameter"},
		{"ratio", "0.25", ""},
		{"ratio", "1", ""},
		{"ratio", "5e-1", ""},
		{"ratio", "0", "parameter ratio must be greater than 0"},
		{"ratio", "0.3", "parameter ratio must be a multiple of 0.25"},
		{"ratio", "NaN", "parameter ratio must be a number"},
		{"ratio", "0x1", "parameter ratio must be a number"},
		{"sectors", "4096", ""},
		{"sectors", "1024", "parameter sectors must be one of 512, 4096"},
		{"sparse", "true", ""},
		{"sparse", "True", "parameter sparse must be true or false"},
		{"sparse", "", "parameter sparse must be true or false, or remove the parameter"},
	} {
		want := ""
		if test.want != "" {
			want = "parameters[0].value: builder disk: " + test.want
		}
		errs := declared().CheckValues("disk", []v1alpha1.Parameter{{Name: test.name, Value: test.value}}, field.NewPath("parameters"))
		if got := details(errs); got != want {
			t.Errorf("%s=%q: got %q, want %q", test.name, test.value, got, want)
		}
	}
}

// details joins errors without their values.
func details(errs field.ErrorList) string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Field + ": " + err.Detail
	}
	return strings.Join(texts, "\n")
}

func TestUnknownAndMissingParametersAreRefused(t *testing.T) {
	t.Parallel()
	open := declared()
	open.Parameters.AdditionalProperties = true
	few := Capabilities{Parameters: &Schema{Properties: map[string]Property{"size": {}, "suite": {}}}}
	for name, test := range map[string]struct {
		capabilities Capabilities
		parameters   string
		want         string
	}{
		"all are set":        {declared(), "size", ""},
		"anything goes":      {Capabilities{}, "x", ""},
		"one is missing":     {declared(), "", "parameters: builder disk requires parameter size"},
		"one is misspelt":    {declared(), "size Sparce", "parameters[1].name: builder disk has no such parameter: did you mean sparse?"},
		"one is unknown":     {few, "size compression", "parameters[1].name: builder disk has no such parameter: it takes size, suite"},
		"a short one":        {few, "x", "parameters[0].name: builder disk has no such parameter: it takes size, suite"},
		"others are allowed": {open, "size compression", ""},
		"none are":           {Capabilities{Parameters: &Schema{}}, "x", "parameters[0].name: builder disk takes no parameters"},
	} {
		var parameters []v1alpha1.Parameter
		for parameter := range strings.FieldsSeq(test.parameters) {
			parameters = append(parameters, v1alpha1.Parameter{Name: parameter, Value: "1M"})
		}
		if got := details(test.capabilities.CheckParameters("disk", parameters, field.NewPath("parameters"))); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestAnErrorRepeatsNoDocument(t *testing.T) {
	t.Parallel()
	declared := Capabilities{Parameters: &Schema{Properties: map[string]Property{"users": {Pattern: "^$", PatternErrorMessage: "must be nothing"}}}}
	for value, want := range map[string]string{
		"me":                         `parameters[0].value: Invalid value: "me": builder disk: parameter users must be nothing`,
		"http://me:sec/ret@host":     "parameters[0].value: Invalid value: builder disk: parameter users must be nothing",
		strings.Repeat("secret", 20): "parameters[0].value: Invalid value: builder disk: parameter users must be nothing",
	} {
		errs := declared.CheckValues("disk", []v1alpha1.Parameter{{Name: "users", Value: value}}, field.NewPath("parameters"))
		if got := errs.ToAggregate().Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestAnErrorNamesTheWrongItemOfAList(t *testing.T) {
	t.Parallel()
	names, name := Property{Pattern: `^([a-z]+([,\s]+|$))*$`}, Property{Pattern: "^[a-z]+$"}
	for _, test := range []struct {
		of    Property
		value string
		want  any
	}{
		{names, strings.Repeat("curl\n", 40) + "task^, wget, 1", "task^"},
		{names, "curl,-x", "-x"},
		{names, "task^ 1", "task^ 1"}, // no item tells that this is a list
		{names, "curl " + strings.Repeat("X", 101), field.OmitValueType{}},
		{name, "curl Wget", "curl Wget"},
		{Property{Enum: []any{"cloud", "generic"}}, "cloud kernel", "cloud kernel"},
		{Property{Pattern: `^[^-]*$`, ContentMediaType: "application/yaml", ContentSchema: &Content{}}, "key -secret", "key -secret"},
	} {
		if got := test.of.invalidPart(test.value); got != test.want {
			t.Errorf("%q: %q, want %q", test.value, got, test.want)
		}
	}
}

func TestATargetIsMadeIfOneOfTheListHasIt(t *testing.T) {
	t.Parallel()
	for target, made := range map[v1alpha1.Target]bool{
		{Platform: "linux/amd64", Format: "raw"}:   true,
		{Platform: "linux/amd64", Format: "qcow2"}: false,
		{Platform: "linux/arm64", Format: "qcow2"}: true,
		{Platform: "linux/riscv64", Format: "oci"}: true,
	} {
		targets := []v1alpha1.Target{{Platform: "linux/amd64", Format: "raw"}, target}
		want := ""
		if !made {
			want = "targets[1]: builder disk makes only linux/amd64/raw, */oci, linux/arm64/*"
		}
		if got := details(declared().CheckTargets("disk", targets, field.NewPath("targets"))); got != want {
			t.Errorf("%v: got %q, want %q", target, got, want)
		}
		if errs := (Capabilities{}).CheckTargets("disk", targets, nil); len(errs) > 0 {
			t.Errorf("without a list: %v", errs)
		}
	}
}

func TestABaseAndTheNamesOfFilesAreChecked(t *testing.T) {
	t.Parallel()
	declared := Capabilities{Base: &Property{Enum: []any{"debian:trixie"}}, FileNames: &Property{Pattern: "^root/", PatternErrorMessage: "must begin with root/"}}
	if problems := declared.Problems(); len(problems) > 0 {
		t.Fatal(problems)
	}
	spec, files := field.NewPath("spec"), map[string]string{"root/etc/motd": "", "etc/motd": "", "a": ""}
	const base = "spec.base.reference: builder disk: a base must be one of debian:trixie"
	for _, test := range []struct {
		errs field.ErrorList
		want string
	}{
		{declared.CheckBase("disk", v1alpha1.Base{Reference: "debian:trixie"}, spec.Child("base")), ""},
		{declared.CheckBase("disk", v1alpha1.Base{Reference: "debian:bookworm"}, spec.Child("base")), base},
		{declared.CheckBase("disk", v1alpha1.Base{}, spec.Child("base")), base},
		{declared.CheckBase("disk", v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "web"}}, spec.Child("base")), ""},
		{Capabilities{}.CheckBase("disk", v1alpha1.Base{Reference: "x"}, spec.Child("base")), ""},
		{declared.CheckFiles("disk", files, spec.Child("files")), "spec.files[a]: builder disk: the name of a file must begin with root/\n" +
			"spec.files[etc/motd]: builder disk: the name of a file must begin with root/"},
		{declared.CheckFiles("disk", nil, spec), ""},
		{Capabilities{}.CheckFiles("disk", files, spec), ""},
	} {
		if got := details(test.errs); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestTheYAMLOfAParameterIsChecked(t *testing.T) {
	t.Parallel()
	whole := Content{Property: Property{Type: "integer", Maximum: new(9.0)}}
	declared := Capabilities{Parameters: &Schema{Properties: map[string]Property{"disks": {
		ContentMediaType: "application/yaml",
		ContentSchema: &Content{Property: Property{Type: "array"}, Items: &Content{
			Property: Property{Type: "object"}, Required: []string{"size"},
			Properties: map[string]Content{
				"size": whole, "share": {Property: Property{Type: "number"}}, "boot": {Property: Property{Type: "boolean"}}, "suite": {Property: Property{Enum: []any{"sid"}}},
				"labels": {Property: Property{Type: "object"}, AdditionalProperties: true}, "any": {Property: Property{Type: "array"}},
			},
		}},
	}}}}
	if problems := declared.Problems(); len(problems) > 0 {
		t.Fatal(problems)
	}
	for value, want := range map[string]string{
		"": "", "null": "", "[{size: 5}, {size: 9, share: 0.5, boot: true, suite: sid, labels: {a: [b]}, any: [1, a]}]": "",
		"- size: 5\n  boot:": "",
		"5":                  "value: must be a list",
		"{}":                 "value: must be a list",
		"[~]":                "value[0]: must not be empty",
		"[5]":                "value[0]: must be an object, such as {name: value}",
		"[[]]":               "value[0]: must be an object, such as {name: value}",
		"[{}, {size: ~}]":    "value[0].size: must be set\nvalue[1].size: must be set",
		"[{size: 1.5}]":      "value[0].size: must be a whole number",
		"[{size: '5'}]":      "value[0].size: must be a whole number",
		"[{size: 10}]":       "value[0].size: must be less than or equal to 9",
		"[{size: 5, share: many, boot: 1, suite: stable, Size: 5}]": "value[0].Size: has no such field: did you mean size?\nvalue[0].boot: must be true or false\n" +
			"value[0].share: must be a number\nvalue[0].suite: must be one of sid",
		"[{size: 5, suite: {}}]":   "value[0].suite: must be text: write it in quotes",
		"[{size: 5, compress: 1}]": "value[0].compress: has no such field: it takes any, boot, labels, share, size, suite",
		"[":                        "value: must be YAML or JSON: line 1: did not find expected node content",
	} {
		errs := declared.CheckValues("disk", []v1alpha1.Parameter{{Name: "disks", Value: value}}, field.NewPath("p"))
		got := strings.NewReplacer("p[0].", "", "builder disk: parameter disks ", "").Replace(details(errs))
		if got != want {
			t.Errorf("%s: got %q, want %q", value, got, want)
		}
	}
}

func TestWhatIsWrongWithADeclarationIsNamedByItsPath(t *testing.T) {
	t.Parallel()
	wrong := Capabilities{
		Base: &Property{Type: "integer"}, FileNames: &Property{Pattern: "["},
		Parameters: &Schema{Type: "array", Required: []string{"a", "b"}, Properties: map[string]Property{
			"a":     {Pattern: "("},
			"a b":   {},
			"c":     {Type: "array"},
			"d":     {Type: "integer", Pattern: "x", MinLength: new(int64(1)), Default: "5", Enum: []any{1.5, int64(1)}},
			"e":     {Minimum: new(1.0), Default: int64(5)},
			"f":     {Type: "boolean", Enum: []any{}, Default: true},
			"g":     {Type: "number", Minimum: new(1.0), Enum: []any{0.5}, Default: int64(2)},
			"h":     {Type: "number", MultipleOf: new(0.0)},
			"false": {},
			"i":     {Description: strings.Repeat("é", 1025), PatternErrorMessage: strings.Repeat("é", 1025)},
			"j":     {ContentMediaType: "text/csv"},
			"k": {Type: "boolean", ContentMediaType: "application/yaml", ContentSchema: &Content{
				Items: &Content{}, Property: Property{ContentMediaType: "application/yaml", ContentSchema: &Content{}}}},
			"l": {ContentMediaType: "application/yaml", ContentSchema: &Content{Property: Property{Type: "array"}, Required: []string{"x"}, Items: &Content{
				Property: Property{Type: "object"}, Required: []string{"y"}, Properties: map[string]Content{"x": {Property: Property{Pattern: "("}}, "z": {Property: Property{Type: "map"}}}}}},
		}},
		Targets: []Target{{}, {Platform: "linux", Format: "raw"}, {Format: "tar"}},
		Reasons: []v1alpha1.BuilderReason{
			{Reason: "mirrorDown", Class: "User", Meaning: "m"}, {Reason: "A" + strings.Repeat("b", 64), Class: "User", Meaning: "m"}, {Reason: "OOMKilled", Class: "User", Meaning: "m"},
			{Reason: "Full", Class: "Timeout", Remedy: "a\nb"}, {Reason: "Full", Class: "Config", Meaning: strings.Repeat("é", 513), Remedy: strings.Repeat("é", 512)},
		},
	}
	want := []string{
		"base: must be of type string, without contentSchema",
		"fileNames.pattern: missing closing ]: `[`",
		"parameters.type: must be object",
		"parameters.properties.a.pattern: missing closing ): `(`",
		"parameters.properties.a b: the name must be 1 to 63 letters, digits, '-', '_' and '.'",
		"parameters.properties.c.type: must be string, integer, number or boolean: the value of a parameter is one of these",
		"parameters.properties.d.pattern: has no effect: it is for type string",
		"parameters.properties.d.minLength: has no effect: it is for type string",
		"parameters.properties.d.enum[0]: must be a whole number",
		"parameters.properties.d.default: must be a whole number",
		"parameters.properties.e.minimum: has no effect: it is for type integer or number",
		"parameters.properties.e.default: must be text: write it in quotes",
		"parameters.properties.f.enum: must have a value",
		"parameters.properties.false: quote the name, which YAML takes for a boolean: y, n, yes, no, on and off, too",
		"parameters.properties.g.enum[0]: must be greater than or equal to 1",
		"parameters.properties.g.default: must be one of 0.5",
		"parameters.properties.h.multipleOf: must be greater than 0",
		"parameters.properties.i.description: must have at most 1024 characters",
		"parameters.properties.i.patternErrorMessage: must have at most 1024 characters",
		"parameters.properties.i.patternErrorMessage: has no effect: there is no pattern",
		"parameters.properties.j.contentMediaType: set both contentMediaType: application/yaml and contentSchema, or neither",
		"parameters.properties.k.contentSchema.items: has no effect: it is for type array",
		"parameters.properties.k.contentSchema.contentSchema: must not be in another one",
		"parameters.properties.k.contentSchema: has no effect: it is for type string",
		"parameters.properties.l.contentSchema: properties and required have no effect: they are for type object",
		"parameters.properties.l.contentSchema.items.properties.x.pattern: missing closing ): `(`",
		"parameters.properties.l.contentSchema.items.properties.z.type: must be string, integer, number, boolean, array or object",
		`parameters.properties.l.contentSchema.items.required[0]: "y" is not in properties`,
		`parameters.required[1]: "b" is not in properties`,
		"targets[0]: set platform or format, or remove targets, which is all targets",
		"targets[1].platform: must be os/architecture or os/architecture/variant, such as linux/amd64",
		"targets[2].format: must be one of raw, qcow2, vmdk, iso, oci",
		"reasons[0].reason: must be a word of at most 64 letters and digits that begins with an upper-case letter, such as MirrorDown",
		"reasons[1].reason: must be a word of at most 64 letters and digits that begins with an upper-case letter, such as MirrorDown",
		"reasons[2].reason: OOMKilled is a reason of Goldsmith, which has a meaning already: choose another word",
		"reasons[3].class: must be one of User, Config, Infrastructure",
		"reasons[3].meaning: set a phrase that tells what is wrong",
		"reasons[3].remedy: must be one line of printable characters",
		"reasons[4].reason: Full is set twice: remove one of them",
		"reasons[4].meaning: must have at most 512 characters",
	}
	var got []string
	for _, problem := range wrong.Problems() {
		got = append(got, problem.Error())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestABuilderHasALimitedNumberOfReasons(t *testing.T) {
	t.Parallel()
	declared := Capabilities{}
	for i := range 65 {
		if problems := declared.Problems(); len(problems) > 0 {
			t.Fatalf("%d reasons: %v", i, problems)
		}
		declared.Reasons = append(declared.Reasons, v1alpha1.BuilderReason{Reason: fmt.Sprintf("R%d", i), Class: v1alpha1.FailureUser, Meaning: "m"})
	}
	if problems := declared.Problems(); len(problems) != 1 || problems[0].Error() != "reasons: must have at most 64 reasons" {
		t.Errorf("65 reasons: %v", problems)
	}
}

func TestTheValuesOfAParameterAreDescribed(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"size": "matches ^[1-9][0-9]*[MG]$", "name": "lower-case letters, at most 8 characters", "label": "at least 2 characters, at most 3 characters", "suite": "one of bookworm, trixie",
		"level": ">= 1, < 10", "ratio": "> 0, <= 1, multiple of 0.25", "sectors": "one of 512, 4096", "sparse": "",
	}
	got := map[string]string{}
	for name, property := range declared().Parameters.Properties {
		got[name] = property.Values()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !slices.Equal([]string{(Property{}).TypeName(), (Property{Type: "number"}).TypeName()}, []string{"string", "number"}) {
		t.Error("the type is not named")
	}
}
