// SPDX-License-Identifier: Apache-2.0

package corekinds

import (
	"reflect"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/util"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// OpenAPIDefinitions describes the core kinds and everything that they consist of.
//
// The generated definitions of k8s.io/api are part of kube-apiserver only. But all that server-side apply,
// strategic-merge patch and kubectl explain need is in the Go types as well: JSON names, merge keys in struct tags, and
// the documentation in SwaggerDoc methods.
func OpenAPIDefinitions(reference common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	reader := typeReader{reference: reference, definitions: map[string]common.OpenAPIDefinition{}}
	for _, root := range []any{
		corev1.Namespace{}, corev1.NamespaceList{},
		corev1.ConfigMap{}, corev1.ConfigMapList{},
		corev1.Secret{}, corev1.SecretList{},
		corev1.Pod{}, corev1.PodList{},
		corev1.Event{}, corev1.EventList{}, eventsv1.Event{}, eventsv1.EventList{},
		batchv1.Job{}, batchv1.JobList{},
		schedulingv1.PriorityClass{}, schedulingv1.PriorityClassList{},
		apiextensionsv1.CustomResourceDefinition{}, apiextensionsv1.CustomResourceDefinitionList{},
		authenticationv1.SelfSubjectReview{}, authorizationv1.SelfSubjectAccessReview{}, authorizationv1.SelfSubjectRulesReview{},
		metav1.APIGroup{}, metav1.APIGroupList{}, metav1.APIResourceList{}, metav1.APIVersions{},
		metav1.DeleteOptions{}, metav1.Patch{}, metav1.Status{}, metav1.WatchEvent{},
		version.Info{},
	} {
		reader.define(reflect.TypeOf(root))
	}
	return reader.definitions
}

// typeReader converts Go types into OpenAPI definitions, by their OpenAPI names.
type typeReader struct {
	reference   common.ReferenceCallback
	definitions map[string]common.OpenAPIDefinition
}

// primitive is a struct that is a string or a number in JSON, such as metav1.Time.
type primitive interface {
	OpenAPISchemaType() []string
	OpenAPISchemaFormat() string
}

// define adds the definition of a struct type, and of all that it refers to, and returns its name.
func (r *typeReader) define(t reflect.Type) string {
	value := reflect.New(t).Interface()
	name := util.GetCanonicalTypeName(value)
	if _, known := r.definitions[name]; known {
		return name
	}
	r.definitions[name] = common.OpenAPIDefinition{} // a type may refer to itself

	definition := common.OpenAPIDefinition{}
	schema := &definition.Schema
	schema.Description = documentation(t)[""]
	schema.Type = []string{"object"}
	switch typed := value.(type) {
	case primitive:
		schema.Type, schema.Format = typed.OpenAPISchemaType(), typed.OpenAPISchemaFormat()
	case *runtime.RawExtension, *metav1.FieldsV1, *metav1.Patch: // free-form objects
	default:
		r.addFields(&definition, t)
	}
	r.definitions[name] = inEveryForm(value, definition)
	return name
}

// inEveryForm describes types with several JSON forms. OpenAPI v3 lists every form; v2 can describe only the first.
func inEveryForm(value any, definition common.OpenAPIDefinition) common.OpenAPIDefinition {
	var forms []string
	switch typed := value.(type) {
	case *intstr.IntOrString:
		forms = typed.OpenAPIV3OneOfTypes()
	case *resource.Quantity:
		forms = typed.OpenAPIV3OneOfTypes()
	default:
		return definition
	}
	v3 := definition
	v3.Schema.Type = nil
	v3.Schema.OneOf = common.GenerateOpenAPIV3OneOfSchema(forms)
	return common.EmbedOpenAPIDefinitionIntoV2Extension(v3, definition)
}

// addFields adds the properties of a struct, those of inlined structs included.
func (r *typeReader) addFields(definition *common.OpenAPIDefinition, t reflect.Type) {
	docs := documentation(t)
	for field := range t.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-" || !field.IsExported():
			continue
		case name == "":
			r.addFields(definition, field.Type)
			continue
		}
		property := r.schemaOf(definition, field.Type)
		property.Description = docs[name]
		addMergeKeys(&property, field)
		definition.Schema.SetProperty(name, property)
		if !strings.Contains(options, "omit") {
			definition.Schema.AddRequired(name)
		}
	}
}

// schemaOf describes the value of a field and notes what it refers to.
func (r *typeReader) schemaOf(definition *common.OpenAPIDefinition, t reflect.Type) spec.Schema {
	switch t.Kind() {
	case reflect.Pointer:
		return r.schemaOf(definition, t.Elem())
	case reflect.Struct:
		name := r.define(t)
		definition.Dependencies = append(definition.Dependencies, name)
		return spec.Schema{SchemaProps: spec.SchemaProps{Ref: r.reference(name)}}
	case reflect.Map:
		return *spec.MapProperty(new(r.schemaOf(definition, t.Elem())))
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return *spec.StrFmtProperty("byte")
		}
		return *spec.ArrayProperty(new(r.schemaOf(definition, t.Elem())))
	case reflect.Bool:
		return *spec.BooleanProperty()
	case reflect.Int64:
		return *spec.Int64Property()
	case reflect.Int, reflect.Int32, reflect.Uint32:
		return *spec.Int32Property()
	case reflect.Float64:
		return *spec.Float64Property()
	default:
		return *spec.StringProperty()
	}
}

// addMergeKeys describes how a list is merged, for strategic-merge patch and for server-side apply.
func addMergeKeys(property *spec.Schema, field reflect.StructField) {
	strategy, key := field.Tag.Get("patchStrategy"), field.Tag.Get("patchMergeKey")
	if strategy != "" {
		property.AddExtension("x-kubernetes-patch-strategy", strategy)
	}
	if field.Type.Kind() != reflect.Slice || !strings.Contains(strategy, "merge") {
		return
	}
	if key == "" {
		property.AddExtension("x-kubernetes-list-type", "set")
		return
	}
	property.AddExtension("x-kubernetes-patch-merge-key", key)
	property.AddExtension("x-kubernetes-list-type", "map")
	property.AddExtension("x-kubernetes-list-map-keys", []any{key})
}

// documentation returns the documentation of the type, under "", and of its fields, by their JSON names.
func documentation(t reflect.Type) map[string]string {
	documented, ok := reflect.TypeAssert[interface{ SwaggerDoc() map[string]string }](reflect.New(t))
	if !ok {
		return nil
	}
	return documented.SwaggerDoc()
}
