// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
)

const (
	// MaxQuery is the maximum length of the query of a URL, in bytes. A selector needs about 27 bytes of memory for each of its bytes, as long as its watch
	// lasts.
	MaxQuery = 8 << 10
	// MaxHeaders is the maximum length of the names and values of all headers, in bytes. They stay in memory until the request ends.
	MaxHeaders = 64 << 10
)

// LimitHeads refuses requests with a longer query than MaxQuery, and those with longer headers than maxHeaders, of which 0 is no limit.
func LimitHeads(api http.Handler, maxHeaders int, serializer runtime.NegotiatedSerializer) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if length := len(request.URL.RawQuery); length > MaxQuery {
			refuse(writer, request, serializer, http.StatusRequestURITooLong,
				fmt.Sprintf("the query of the URL has %d bytes, more than the limit of %d: use a shorter selector, and filter what it selects", length, MaxQuery))
			return
		}
		if maxHeaders > 0 {
			if length := lengthOf(request.Header); length > maxHeaders {
				refuse(writer, request, serializer, http.StatusRequestHeaderFieldsTooLarge,
					fmt.Sprintf("the headers have %d bytes, more than the limit of %d", length, maxHeaders))
				return
			}
		}
		api.ServeHTTP(writer, request)
	})
}

func lengthOf(headers http.Header) (length int) {
	for name, values := range headers {
		for _, value := range values {
			length += len(name) + len(value)
		}
	}
	return length
}

func refuse(writer http.ResponseWriter, request *http.Request, serializer runtime.NegotiatedSerializer, code int32, message string) {
	err := &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: metav1.StatusReasonBadRequest, Message: message}}
	responsewriters.ErrorNegotiated(err, serializer, schema.GroupVersion{}, writer, request)
}
