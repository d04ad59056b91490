// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
)

// WithSecret returns the options with the credentials and the authorities of the Secret that output.secretRef names. data is the content of
// the Secret, or nil if the Secret does not exist. The error is an *Error with the reason RegistryDenied.
func (o Options) WithSecret(namespace, name string, data map[string][]byte) (Options, error) {
	if len(data[corev1.DockerConfigJsonKey]) == 0 {
		return o, &Error{
			Reason: v1alpha1.ReasonRegistryDenied,
			cause:  fmt.Sprintf("the Secret %s/%s of output.secretRef does not exist, or has no key %s", namespace, name, corev1.DockerConfigJsonKey),
			remedy: fmt.Sprintf("create it with the type %s, or correct output.secretRef", corev1.SecretTypeDockerConfigJson),
		}
	}
	o.DockerConfig, o.CA = data[corev1.DockerConfigJsonKey], data[render.RegistryAuthorities]
	return o, nil
}
