// SPDX-License-Identifier: Apache-2.0

package requesterrors

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"sigs.k8s.io/yaml"
)

// maxDeleteOptions is how many bytes of the options of a deletion are checked, which are always few.
const maxDeleteOptions = 64 << 10

var errNotRead = errors.New("not read")

// checkDeletions refuses options of a deletion with values of the wrong type, and names them. The library decodes them with
// serializers of its own, whose errors show Go types.
func checkDeletions(api http.Handler, serializer runtime.NegotiatedSerializer) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		info, found := apirequest.RequestInfoFrom(request.Context())
		if request.Method != http.MethodDelete || request.Body == nil || !found || !info.IsResourceRequest {
			api.ServeHTTP(writer, request)
			return
		}
		read, err := io.ReadAll(io.LimitReader(request.Body, maxDeleteOptions))
		request.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(read), request.Body), request.Body}
		if err == nil && len(read) > 0 {
			if problem := deleteOptionsProblem(read); problem != "" {
				version := schema.GroupVersion{Group: info.APIGroup, Version: info.APIVersion}
				responsewriters.ErrorNegotiated(apierrors.NewBadRequest("the options of the deletion: "+problem), serializer, version, writer, request)
				return
			}
		}
		api.ServeHTTP(writer, request)
	})
}

// deleteOptionsProblem describes the values of the wrong type in text, and is empty for other mistakes, which the library
// describes.
func deleteOptionsProblem(text []byte) string {
	if named := NameWrongTypes(errNotRead, text, &metav1.DeleteOptions{}); !errors.Is(named, errNotRead) {
		return named.Error()
	}
	kind := &metav1.TypeMeta{}
	if yaml.Unmarshal(text, kind) == nil && kind.APIVersion == metav1.SchemeGroupVersion.Version && kind.Kind != "" && kind.Kind != "DeleteOptions" {
		return "kind: must be DeleteOptions, not " + kind.Kind
	}
	return ""
}
