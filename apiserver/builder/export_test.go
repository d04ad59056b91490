// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apiserver/connections"
)

// SetStallLimit changes how long a client can read nothing of an answer.
func (o *Options) SetStallLimit(limit time.Duration) { o.stallLimit = limit }

// SetConnectionLimits changes how many connections there can be.
func (o *Options) SetConnectionLimits(limits connections.Limits) { o.limits = limits }

// Encoders are the encoders of lists and objects in JSON: the compact one and the indented one.
func (o *Options) Encoders(group string) []runtime.Encoder {
	serializers, version := o.groupInfo(group).NegotiatedSerializer, o.server.versions(group)[0]
	json, _ := runtime.SerializerInfoForMediaType(serializers.SupportedMediaTypes(), runtime.ContentTypeJSON)
	return []runtime.Encoder{serializers.EncoderForVersion(json.Serializer, version), serializers.EncoderForVersion(json.PrettySerializer, version)}
}
