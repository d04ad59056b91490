// SPDX-License-Identifier: Apache-2.0

// Package definition makes the CustomResourceDefinition that declares the same as an ImageKind. No cluster has it: it is what servers publish
// of a kind.
package definition

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"goldsmith.dev/goldsmith/apis/generated/openapi"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/names"
	"goldsmith.dev/goldsmith/jobs/catalog/schema"
)

// New returns what a CustomResourceDefinition of the kind would declare, and the schema of the whole object in the form in
// which servers use it.
func New(declared *v1alpha1.ImageKind, spec *schema.Schema) (*apiextensionsv1.CustomResourceDefinition, *structuralschema.Structural, error) {
	status, err := statusSchema()
	if err != nil {
		return nil, nil, err
	}
	version, accepted := &declared.Spec.Versions[0], names.Of(declared)
	specProps, specStructural := *spec.Props, *spec.Structural
	if specProps.Default == nil {
		// Views always have a spec. Objects without one mean the same as with an empty one.
		specProps.Default = &apiextensionsv1.JSON{Raw: []byte("{}")}
		specStructural.Default = structuralschema.JSON{Object: map[string]any{}}
	}
	object := apiextensionsv1.JSONSchemaProps{
		Type:        "object",
		Description: spec.Props.Description,
		Properties:  map[string]apiextensionsv1.JSONSchemaProps{"spec": specProps, "status": *status.props},
	}
	structural := &structuralschema.Structural{
		Generic:         structuralschema.Generic{Type: "object", Description: spec.Props.Description},
		Properties:      map[string]structuralschema.Structural{"spec": specStructural, "status": *status.structural},
		ValueValidation: &structuralschema.ValueValidation{},
	}
	return &apiextensionsv1.CustomResourceDefinition{
		TypeMeta:   metav1.TypeMeta{APIVersion: apiextensionsv1.SchemeGroupVersion.String(), Kind: "CustomResourceDefinition"},
		ObjectMeta: metav1.ObjectMeta{Name: accepted.Plural + "." + v1alpha1.CatalogGroup},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: v1alpha1.CatalogGroup,
			Scope: apiextensionsv1.NamespaceScoped,
			Names: accepted,
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: version.Name, Served: true, Storage: true,
				Schema:                   &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &object},
				Subresources:             &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}},
				AdditionalPrinterColumns: columnsOf(version),
			}},
		},
		Status: apiextensionsv1.CustomResourceDefinitionStatus{AcceptedNames: accepted, StoredVersions: []string{version.Name}},
	}, structural, nil
}

// hiddenStatus are the fields of the status of an Image that views leave out: records that only the server uses, and what names fields
// of the Image.
var hiddenStatus = []string{"recentRequests", "buildCounter", "countedBuild", "conformance"}

// sharedSchema is a schema in both forms.
type sharedSchema struct {
	props      *apiextensionsv1.JSONSchemaProps
	structural *structuralschema.Structural
}

// statusSchema returns the schema of the status of views. All kinds share it.
var statusSchema = sync.OnceValues(func() (*sharedSchema, error) {
	definitions := openapi.GetOpenAPIDefinitions(func(name string) spec.Ref { return spec.MustCreateRef("#/" + name) })
	status := writtenOut(definitions[v1alpha1.ImageStatus{}.OpenAPIModelName()].Schema, definitions)
	for _, name := range hiddenStatus {
		delete(status.Properties, name)
	}
	raw, err := json.Marshal(status)
	if err != nil {
		return nil, fmt.Errorf("write the schema of status: %w", err)
	}
	props, internal := &apiextensionsv1.JSONSchemaProps{}, &apiextensions.JSONSchemaProps{}
	if err := json.Unmarshal(raw, props); err != nil {
		return nil, fmt.Errorf("read the schema of status: %w", err)
	}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(props, internal, nil); err != nil {
		return nil, fmt.Errorf("convert the schema of status: %w", err)
	}
	structural, err := structuralschema.NewStructural(internal)
	if err != nil {
		return nil, fmt.Errorf("convert the schema of status: %w", err)
	}
	return &sharedSchema{props, structural}, nil
})

// writtenOut returns the schema without references, because CustomResourceDefinitions have none, and without defaults, enums and limits:
// a write through a kind never changes a status, so it must not fail because a newer server has written another one.
func writtenOut(schema spec.Schema, definitions map[string]common.OpenAPIDefinition) spec.Schema {
	if name, ok := strings.CutPrefix(schema.Ref.String(), "#/"); ok {
		referred := writtenOut(definitions[name].Schema, definitions)
		if schema.Description != "" {
			referred.Description = schema.Description
		}
		return referred
	}
	schema.SchemaProps = spec.SchemaProps{
		Description: schema.Description, Type: schema.Type, Format: schema.Format, Nullable: schema.Nullable, Required: schema.Required,
		Properties: schema.Properties, Items: schema.Items, AdditionalProperties: schema.AdditionalProperties,
	}
	if properties := schema.Properties; properties != nil {
		schema.Properties = make(map[string]spec.Schema, len(properties))
		for name, property := range properties {
			schema.Properties[name] = writtenOut(property, definitions)
		}
	}
	if schema.Items != nil {
		items := writtenOut(*schema.Items.Schema, definitions)
		schema.Items = &spec.SchemaOrArray{Schema: &items}
	}
	if schema.AdditionalProperties != nil {
		values := writtenOut(*schema.AdditionalProperties.Schema, definitions)
		schema.AdditionalProperties = &spec.SchemaOrBool{Allows: true, Schema: &values}
	}
	return schema
}
