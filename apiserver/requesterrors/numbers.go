// SPDX-License-Identifier: Apache-2.0

package requesterrors

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
)

// maxTimeoutSeconds is the maximum timeout of a list or watch: the range of time.Duration, some 292 years.
const maxTimeoutSeconds = math.MaxInt64 / int64(time.Second)

// checkNumbers refuses a list, a watch or a deletion with a parameter that is no number, or out of range, and names the parameter. The
// library names a Go function instead, and ends a watch with a timeout that overflows time.Duration at once, with code 500.
func checkNumbers(api http.Handler, serializer runtime.NegotiatedSerializer) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		info, found := apirequest.RequestInfoFrom(request.Context())
		if found && info.IsResourceRequest && slices.Contains([]string{"list", "watch", "delete", "deletecollection"}, info.Verb) {
			if err := numbersProblem(request.URL.Query()); err != nil {
				version := schema.GroupVersion{Group: info.APIGroup, Version: info.APIVersion}
				responsewriters.ErrorNegotiated(apierrors.NewBadRequest(err.Error()), serializer, version, writer, request)
				return
			}
		}
		api.ServeHTTP(writer, request)
	})
}

func numbersProblem(query url.Values) error {
	for _, name := range []string{"limit", "gracePeriodSeconds"} {
		if _, err := strconv.ParseInt(query.Get(name), 10, 64); query.Has(name) && err != nil {
			return fmt.Errorf("%s must be a number, not %q", name, query.Get(name))
		}
	}
	if _, err := strconv.ParseUint(query.Get("resourceVersion"), 10, 64); query.Get("resourceVersion") != "" && err != nil {
		return fmt.Errorf("resourceVersion must be a number, not %q", query.Get("resourceVersion"))
	}
	seconds, err := strconv.ParseInt(query.Get("timeoutSeconds"), 10, 64)
	if query.Has("timeoutSeconds") && (err != nil || seconds < 0 || seconds > maxTimeoutSeconds) {
		return fmt.Errorf("timeoutSeconds must be a number from 0 to %d, not %q", maxTimeoutSeconds, query.Get("timeoutSeconds"))
	}
	return nil
}
