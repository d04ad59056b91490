// SPDX-License-Identifier: Apache-2.0

package capability

import (
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
		{"suite", "", "parameter suite must be one of bookworm, trixie"},
		{"level", "1", ""},
		{"level", "0", "parameter level must be greater than or equal to 1"},
		{"level", "10", "parameter level must be less than 10"},
		{"level", "1.0", "parameter level must be a whole number"},
		{"level", "01", "parameter level must be a whole number"},
		{"level", " 1", "parameter level must be a whole number"},
		{"level", "99999999999999999999", "parameter level must be a whole number"},
		{"level", "many", "parameter level must be a whole number"},
		{"level", "", "parameter level must be a whole number"},
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
		{"sparse", "", "parameter sparse must be true or false"},
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

func TestWhatIsWrongWithADeclarationIsNamedByItsPath(t *testing.T) {
	t.Parallel()
	wrong := Capabilities{
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
		}},
		Targets: []Target{{}, {Platform: "linux", Format: "raw"}, {Format: "tar"}},
	}
	want := []string{
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
		`parameters.required[1]: "b" is not in properties`,
		"targets[0]: set platform or format, or remove targets, which is all targets",
		"targets[1].platform: must be os/architecture or os/architecture/variant, such as linux/amd64",
		"targets[2].format: must be one of raw, qcow2, vmdk, iso, oci",
	}
	var got []string
	for _, problem := range wrong.Problems() {
		got = append(got, problem.Error())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
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
