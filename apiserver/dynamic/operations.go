// SPDX-License-Identifier: Apache-2.0

package dynamic

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/emicklei/go-restful/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/endpoints"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kube-openapi/pkg/builder"
	"k8s.io/kube-openapi/pkg/builder3"
	"k8s.io/kube-openapi/pkg/common/restfuladapter"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// operations describes the subresources that the documents of custom resources lack: those with a kind or options of their own. It
// returns nil if there are none.
func (s *served) operations() []*restful.WebService {
	service := new(restful.WebService).Path("/apis/" + s.resource.GroupVersion().String())
	for _, subresource := range slices.Sorted(maps.Keys(s.endpoints)) {
		storage := s.storages[subresource]
		if isTyped(subresource, storage) {
			service.Route(s.operation(service, subresource, http.MethodPost, "create", "post", &metav1.CreateOptions{}).Reads(storage.New()))
		}
		if storage, ok := storage.(rest.GetterWithOptions); ok && subresource != "" {
			options, _, _ := storage.NewGetOptions()
			service.Route(s.operation(service, subresource, http.MethodGet, "read", "get", options))
		}
	}
	if len(service.Routes()) == 0 {
		return nil
	}
	return []*restful.WebService{service}
}

// operation describes a verb of a subresource, with the words of the library.
func (s *served) operation(service *restful.WebService, subresource, method, verb, action string, options runtime.Object) *restful.RouteBuilder {
	kind := s.Definition.Spec.Names.Kind
	path, scope := "/"+s.resource.Resource+"/{name}/"+subresource, ""
	if s.namespaced() {
		path, scope = "/namespaces/{namespace}"+path, "Namespaced"
	}
	route := service.Method(method).Path(path).To(func(*restful.Request, *restful.Response) {}).
		Doc(fmt.Sprintf("%s %s of the specified %s", verb, subresource, kind)).
		Operation(verb+scope+kind+strings.ToUpper(subresource[:1])+subresource[1:]).
		Metadata(endpoints.RouteMetaGVK, metav1.GroupVersionKind(s.endpoints[subresource].scope.Kind)).
		Metadata(endpoints.RouteMetaAction, action).
		Param(service.QueryParameter("pretty", "If 'true', then the output is pretty printed.")).
		Param(service.PathParameter("name", "name of the "+kind).DataType("string"))
	if s.namespaced() {
		route.Param(service.PathParameter("namespace", "object name and auth scope, such as for teams and projects").DataType("string"))
	}
	media := []string{runtime.ContentTypeJSON, runtime.ContentTypeYAML}
	var answer any = ""
	if described, ok := s.storages[subresource].(rest.StorageMetadata); ok {
		answer, media = described.ProducesObject(method), append(media, described.ProducesMIMETypes(method)...)
	}
	route.Consumes(runtime.ContentTypeJSON, runtime.ContentTypeYAML).Produces(media...).Returns(http.StatusOK, "OK", answer).Writes(answer)
	if method == http.MethodPost {
		route.Returns(http.StatusCreated, "Created", answer)
	}
	_ = endpoints.AddObjectParams(service, route, options) // fails only for what is not a pointer
	return route
}

// addOperationsV2 adds the operations to a document.
func (s *served) addOperationsV2(document *spec.Swagger, server *server) error {
	operations := s.operations()
	if operations == nil {
		return nil
	}
	own, err := builder.BuildOpenAPISpecFromRoutes(restfuladapter.AdaptWebServices(operations), server.openAPIv2)
	if err != nil {
		return err
	}
	maps.Copy(document.Paths.Paths, own.Paths.Paths)
	document.Parameters = merged(document.Parameters, own.Parameters)
	document.Definitions = merged(own.Definitions, document.Definitions)
	return nil
}

// addOperationsV3 adds the operations to a document.
func (s *served) addOperationsV3(document *spec3.OpenAPI, server *server) error {
	operations := s.operations()
	if operations == nil {
		return nil
	}
	own, err := builder3.BuildOpenAPISpecFromRoutes(restfuladapter.AdaptWebServices(operations), server.openAPIv3)
	if err != nil {
		return err
	}
	maps.Copy(document.Paths.Paths, own.Paths.Paths)
	document.Components.Schemas = merged(own.Components.Schemas, document.Components.Schemas)
	return nil
}

// merged returns the entries of both maps. Those of the second one win.
func merged[V any](first, second map[string]V) map[string]V {
	all := maps.Clone(first)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, second)
	return all
}
