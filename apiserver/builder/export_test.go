// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime"
)

// SetStallLimit changes how long a client can read nothing of an answer.
func (o *Options) SetStallLimit(limit time.Duration) { o.stallLimit = limit }

// Encoder is the encoder of lists and objects in JSON.
func (o *Options) Encoder(group string) runtime.Encoder {
	serializers := o.groupInfo(group).NegotiatedSerializer
	json, _ := runtime.SerializerInfoForMediaType(serializers.SupportedMediaTypes(), runtime.ContentTypeJSON)
	return serializers.EncoderForVersion(json.Serializer, o.server.versions(group)[0])
}
