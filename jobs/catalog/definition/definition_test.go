// SPDX-License-Identifier: Apache-2.0

package definition

import (
	"context"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	apiservervalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/randfill"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/catalog/expression"
	"goldsmith.dev/goldsmith/jobs/catalog/schema"
)

// debian returns an ImageKind with a schema that has each form of field.
func debian(t testing.TB) *v1alpha1.ImageKind {
	return &v1alpha1.ImageKind{
		ObjectMeta: metav1.ObjectMeta{Name: "debianservers"},
		Spec: v1alpha1.ImageKindSpec{
			Names: v1alpha1.ImageKindNames{Kind: "DebianServer", ShortNames: []string{"deb"}, Categories: []string{"catalog"}},
			Versions: []v1alpha1.ImageKindVersion{{
				Name: "v1", Schema: runtime.RawExtension{Raw: require.Value(os.ReadFile("../testdata/debian.json"))(t)},
				Columns: []v1alpha1.ImageKindColumn{{Name: "Size", Type: "string", JSONPath: ".spec.size"}},
			}},
		},
	}
}

func defined(t *testing.T, declared *v1alpha1.ImageKind) (*apiextensionsv1.CustomResourceDefinition, *structuralschema.Structural) {
	t.Helper()
	spec, errs := schema.Read(t.Context(), expression.NewSteps(t.Context()), declared.Spec.Versions[0].Schema.Raw, field.NewPath("schema"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	definition, structural, err := New(declared, spec)
	if err != nil {
		t.Fatal(err)
	}
	return definition, structural
}

func apiextensionsOf(t *testing.T, schema *apiextensionsv1.JSONSchemaProps) *apiextensions.JSONSchemaProps {
	t.Helper()
	internal := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(schema, internal, nil); err != nil {
		t.Fatal(err)
	}
	return internal
}

func TestTheDefinitionIsAValidCustomResourceDefinition(t *testing.T) {
	definition, structural := defined(t, debian(t))
	object := definition.DeepCopy().Spec.Versions[0].Schema.OpenAPIV3Schema
	spec := object.Properties["spec"]
	spec.Default = nil // it is no valid spec: the user gets the error for each required field
	object.Properties["spec"] = spec
	valid := definition.DeepCopy()
	valid.Spec.Versions[0].Schema.OpenAPIV3Schema = object
	internal := &apiextensions.CustomResourceDefinition{}
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(valid, internal, nil); err != nil {
		t.Fatal(err)
	}
	if errs := validation.ValidateCustomResourceDefinition(context.Background(), internal); len(errs) > 0 {
		t.Error(errs)
	}
	converted, err := structuralschema.NewStructural(apiextensionsOf(t, definition.Spec.Versions[0].Schema.OpenAPIV3Schema))
	if err != nil || !reflect.DeepEqual(converted, structural) {
		t.Errorf("the schema of the definition is another one than the structural one: %v", err)
	}
	names := definition.Spec.Names
	if names.Plural != "debianservers" || names.Singular != "debianserver" || names.ListKind != "DebianServerList" {
		t.Errorf("got names %+v", names)
	}
	empty := map[string]any{}
	defaulting.Default(empty, structural)
	if raw, _ := json.Marshal(empty); string(raw) != `{"spec":{"disk":{"bus":"virtio"},"release":"bookworm"}}` {
		t.Errorf("defaults of an object without a spec are %s", raw)
	}
}

func TestTheColumnsDefaultToAge(t *testing.T) {
	kind := debian(t)
	kind.Spec.Versions[0].Columns = nil
	definition, _ := defined(t, kind)
	if columns := definition.Spec.Versions[0].AdditionalPrinterColumns; len(columns) != 1 || columns[0].Name != "Age" {
		t.Errorf("got columns %+v", columns)
	}
}

// TestEveryStatusFitsTheSchema fills every field of a status: the schema neither drops one nor adds a default.
func TestEveryStatusFitsTheSchema(t *testing.T) {
	definition, structural := defined(t, debian(t))
	status := definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"]
	validator, _, err := apiservervalidation.NewSchemaValidator(apiextensionsOf(t, &status))
	if err != nil {
		t.Fatal(err)
	}
	filler := randfill.NewWithSeed(1).NilChance(0).NumElements(1, 2).Funcs(
		func(at *metav1.Time, c randfill.Continue) { at.Time = time.Unix(c.Int63n(1<<32), 0) },
		func(s *string, c randfill.Continue) { *s = c.String(8) },
	)
	for range 20 {
		filled := &v1alpha1.ImageStatus{}
		filler.Fill(filled)
		filled.RecentRequests, filled.BuildCounter, filled.CountedBuild, filled.Conformance = nil, 0, 0, nil
		object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(filled)
		if err != nil {
			t.Fatal(err)
		}
		before := runtime.DeepCopyJSON(object)
		s := structural.Properties["status"]
		defaulting.Default(object, &s)
		pruning.Prune(object, &s, false)
		if !reflect.DeepEqual(before, object) {
			t.Errorf("the schema changes\n%v\nto\n%v", before, object)
		}
		if errs := apiservervalidation.ValidateCustomResource(nil, object, validator); len(errs) > 0 {
			t.Error(errs)
		}
	}
	if text := string(require.Value(json.Marshal(status))(t)); strings.Contains(text, `"default":`) || strings.Contains(text, `"$ref":`) {
		t.Errorf("the schema has defaults or references: %s", text)
	}
	for _, name := range hiddenStatus {
		if _, ok := status.Properties[name]; ok {
			t.Errorf("the schema has %s", name)
		}
	}
	if !strings.Contains(status.Properties["latestSuccessful"].Description, "newest successful build") {
		t.Errorf("latestSuccessful is described as %q", status.Properties["latestSuccessful"].Description)
	}
}
