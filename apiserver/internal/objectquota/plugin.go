// SPDX-License-Identifier: Apache-2.0

// Package objectquota is admission that holds namespaces to their object count quota, such as
// count/images.images.goldsmith.dev: a kube-apiserver refuses only what it stores itself, so whoever stores other
// objects has to. What is deleted, and what was there before the quota, kube-controller-manager counts.
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

// evaluators is how many quotas are looked at, at a time.
const evaluators = 5

// New makes the plugin. It has no configuration.
func New(io.Reader) (admission.Interface, error) {
	quota, err := resourcequota.NewResourceQuota(nil, evaluators)
	if err != nil {
		return nil, err
	}
	return &plugin{quota}, nil
}

// plugin is the library's own, which counts objects of any resource. Only kube-apiserver knows of more than counts.
type plugin struct {
	*resourcequota.QuotaAdmission
}

var _ initializer.WantsDrainedNotification = &plugin{}

// Validate asks again where somebody else has counted meanwhile, which this server sees a moment later.
func (p *plugin) Validate(ctx context.Context, attributes admission.Attributes, interfaces admission.ObjectInterfaces) error {
	const attempts, pause, growth = 5, 20 * time.Millisecond, 2
	return retry.OnError(wait.Backoff{Steps: attempts, Duration: pause, Factor: growth}, apierrors.IsConflict, func() error {
		return p.QuotaAdmission.Validate(ctx, attributes, interfaces)
	})
}

// SetDrainedNotification sets what ends the evaluation, which can be set up from then on.
func (p *plugin) SetDrainedNotification(drained <-chan struct{}) {
	p.QuotaAdmission.SetDrainedNotification(drained)
	p.SetQuotaConfiguration(generic.NewConfiguration(nil, nil))
}
