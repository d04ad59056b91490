// SPDX-License-Identifier: Apache-2.0

package dynamic

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	openapibuilder "k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource/tableconvertor"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apiserver/pkg/registry/rest"
)

// compiled is a kind that was checked, without its storages. Nothing changes it.
type compiled struct {
	Kind
	resource schema.GroupVersionResource
	objects  objects
	table    rest.TableConvertor
	types    managedfields.TypeConverter // for server-side apply
}

func (c *compiled) namespaced() bool {
	return c.Definition.Spec.Scope == apiextensionsv1.NamespaceScoped
}

// key identifies what a kind takes the place of.
func key(kind Kind) (schema.GroupVersionResource, error) {
	definition := kind.Definition
	if definition == nil || kind.Revision == "" || kind.Storages == nil {
		return schema.GroupVersionResource{}, errors.New("a kind needs a definition, a revision and storages")
	}
	if len(definition.Spec.Versions) != 1 {
		return schema.GroupVersionResource{}, fmt.Errorf("kind %s has %d versions, not 1", definition.Spec.Names.Kind, len(definition.Spec.Versions))
	}
	version := schema.GroupVersion{Group: definition.Spec.Group, Version: definition.Spec.Versions[0].Name}
	return version.WithResource(definition.Spec.Names.Plural), nil
}

// compile checks a kind.
func (g *Group) compile(kind Kind, resource schema.GroupVersionResource) (*compiled, error) {
	names, version := kind.Definition.Spec.Names, kind.Definition.Spec.Versions[0]
	switch {
	case resource.Group != g.name || !slices.Contains(g.versions, resource.Version):
		return nil, fmt.Errorf("kind %s is of %s, not of group %s in version %s", names.Kind, resource.GroupVersion(), g.name, strings.Join(g.versions, " or "))
	case names.Plural == "" || names.Singular == "" || names.Kind == "" || names.ListKind == "":
		return nil, fmt.Errorf("kind %q needs a plural and a singular name, a kind and a list kind", names.Kind)
	case version.Schema == nil || version.Schema.OpenAPIV3Schema == nil:
		return nil, fmt.Errorf("kind %s has no schema", names.Kind)
	}
	if path := booleanProperties(version.Schema.OpenAPIV3Schema, ""); path != "" {
		return nil, fmt.Errorf("kind %s: additionalProperties of %s must be a schema, because clients cannot read an OpenAPI document with a boolean", names.Kind, path)
	}
	structural, err := structuralOf(kind)
	if err != nil {
		return nil, fmt.Errorf("read the schema of kind %s: %w", names.Kind, err)
	}
	table, err := tableconvertor.New(version.AdditionalPrinterColumns)
	if err != nil {
		return nil, fmt.Errorf("kind %s: %w", names.Kind, err)
	}
	described, err := openapibuilder.BuildOpenAPIV3(kind.Definition, version.Name, openapibuilder.Options{})
	if err != nil {
		return nil, fmt.Errorf("describe kind %s: %w", names.Kind, err)
	}
	types, err := managedfields.NewTypeConverter(described.Components.Schemas, false)
	if err != nil {
		return nil, fmt.Errorf("read the schema of kind %s: %w", names.Kind, err)
	}
	selectable := []string{}
	for _, field := range version.SelectableFields {
		selectable = append(selectable, strings.TrimPrefix(field.JSONPath, "."))
	}
	return &compiled{
		Kind:     kind,
		resource: resource,
		objects:  objects{kind: resource.GroupVersion().WithKind(names.Kind), structural: structural, bare: bareOf(structural), selectable: selectable},
		table:    table,
		types:    types,
	}, nil
}

// structuralOf returns the structural schema of whole objects.
func structuralOf(kind Kind) (*structuralschema.Structural, error) {
	if kind.Structural != nil {
		return kind.Structural, nil
	}
	internal := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(kind.Definition.Spec.Versions[0].Schema.OpenAPIV3Schema, internal, nil); err != nil {
		return nil, err
	}
	structural, err := structuralschema.NewStructural(internal)
	if err != nil {
		return nil, err
	}
	return structural, structuralschema.ValidateStructural(nil, structural).ToAggregate()
}

// booleanProperties returns the path of a field whose additionalProperties are a boolean, or "". An allowed boolean would make the
// document unreadable for kubectl and for kube-controller-manager.
func booleanProperties(schema *apiextensionsv1.JSONSchemaProps, path string) string {
	if schema == nil {
		return ""
	}
	if more := schema.AdditionalProperties; more != nil {
		if more.Schema == nil {
			return path
		}
		if found := booleanProperties(more.Schema, path+"[*]"); found != "" {
			return found
		}
	}
	if schema.Items != nil {
		if found := booleanProperties(schema.Items.Schema, path+"[*]"); found != "" {
			return found
		}
	}
	for name, property := range schema.Properties {
		if found := booleanProperties(&property, strings.TrimPrefix(path+"."+name, ".")); found != "" {
			return found
		}
	}
	return ""
}
