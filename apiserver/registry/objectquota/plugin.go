// SPDX-License-Identifier: Apache-2.0

// Package objectquota is an admission plugin that enforces the object count quota of namespaces, such as
// count/images.images.goldsmith.dev. A kube-apiserver enforces it only for objects that it stores itself.
// kube-controller-manager counts deletions, and the objects that are older than the quota.
package objectquota

import (
	"context"
	"io"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/admission/plugin/resourcequota"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	"k8s.io/client-go/util/retry"
)

// PluginName is the name of the plugin in the flags of the server.
const PluginName = resourcequota.PluginName

// evaluators is how many quotas are evaluated at the same time.
const evaluators = 5

// New creates the plugin. It has no configuration.
func New(io.Reader) (admission.Interface, error) {
	quota, err := resourcequota.NewResourceQuota(nil, evaluators)
	if err != nil {
		return nil, err
	}
	return &plugin{quota}, nil
}

// plugin is the plugin of the library, which counts objects of any resource. Only kube-apiserver supports more than counts.
type plugin struct {
	*resourcequota.QuotaAdmission
}

var _ initializer.WantsDrainedNotification = &plugin{}

// Validate repeats the evaluation after a conflict with another update of the quota, which this server sees a moment later.
func (p *plugin) Validate(ctx context.Context, attributes admission.Attributes, interfaces admission.ObjectInterfaces) error {
	const attempts, pause, growth = 5, 20 * time.Millisecond, 2
	return retry.OnError(wait.Backoff{Steps: attempts, Duration: pause, Factor: growth}, apierrors.IsConflict, func() error {
		return p.QuotaAdmission.Validate(ctx, attributes, interfaces)
	})
}

// SetDrainedNotification sets the channel that ends the evaluation, which can be set up from then on.
func (p *plugin) SetDrainedNotification(drained <-chan struct{}) {
	p.QuotaAdmission.SetDrainedNotification(drained)
	p.SetQuotaConfiguration(generic.NewConfiguration(nil, nil))
}
