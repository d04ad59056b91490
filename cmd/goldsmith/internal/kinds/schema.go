// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"encoding/json"
	"fmt"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

// documents are the OpenAPI documents of a server. Each is read once.
type documents struct {
	connection *client.Connection
	read       map[schema.GroupVersion]*spec3.OpenAPI
}

// schemaOf returns the schema of the objects of a kind.
func (d *documents) schemaOf(kind *client.CatalogKind) (*spec.Schema, error) {
	version := kind.Resource().GroupVersion()
	document := d.read[version]
	if document == nil {
		var err error
		if document, err = d.fetch(version); err != nil {
			return nil, fmt.Errorf("read the OpenAPI document of %s: %w", version, err)
		}
		if d.read == nil {
			d.read = map[schema.GroupVersion]*spec3.OpenAPI{}
		}
		d.read[version] = document
	}
	wanted := version.WithKind(kind.Kind)
	for _, schema := range document.Components.Schemas {
		var kinds []struct{ Group, Version, Kind string }
		if schema.Extensions.GetObject("x-kubernetes-group-version-kind", &kinds) == nil && len(kinds) == 1 &&
			kinds[0].Group == wanted.Group && kinds[0].Version == wanted.Version && kinds[0].Kind == wanted.Kind {
			return schema, nil
		}
	}
	return nil, fmt.Errorf("the OpenAPI document of %s does not describe the kind %s: try again in a minute, because a cluster updates it later than the kinds", version, kind.Kind)
}

func (d *documents) fetch(version schema.GroupVersion) (*spec3.OpenAPI, error) {
	paths, err := d.connection.Discovery().OpenAPIV3().Paths()
	if err != nil {
		return nil, err
	}
	served, found := paths["apis/"+version.String()]
	if !found {
		return nil, fmt.Errorf("the server has none")
	}
	text, err := served.Schema(runtime.ContentTypeJSON)
	if err != nil {
		return nil, err
	}
	document := &spec3.OpenAPI{}
	if err := json.Unmarshal(text, document); err != nil {
		return nil, err
	}
	return document, nil
}

// structuralOf returns the structural schema of the spec of objects.
func structuralOf(object *spec.Schema) (*structuralschema.Structural, error) {
	described, found := object.Properties["spec"]
	if !found {
		return nil, fmt.Errorf("its objects have no spec")
	}
	text, err := json.Marshal(described)
	if err != nil {
		return nil, err
	}
	public, internal := &apiextensionsv1.JSONSchemaProps{}, &apiextensions.JSONSchemaProps{}
	if err := json.Unmarshal(text, public); err != nil {
		return nil, err
	}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(public, internal, nil); err != nil {
		return nil, err
	}
	return structuralschema.NewStructural(internal)
}
