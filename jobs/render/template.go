// SPDX-License-Identifier: Apache-2.0

package render

import (
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// lostNodeSeconds is how long a pod stays bound to a node that does not respond.
const lostNodeSeconds = 60

// contractVariables come before the template's, whose values may refer to them.
func contractVariables() []corev1.EnvVar {
	return []corev1.EnvVar{
		{Name: EnvInput, Value: path.Join(inputDir, inputFile)},
		{Name: EnvOutput, Value: outputDir},
		{Name: EnvResult, Value: resultPath},
	}
}

// templateVariables are the template's variables, without those whose names the contract reserves.
func templateVariables(template *v1alpha1.BuildTemplate) (variables []corev1.EnvVar) {
	for i := range template.Env {
		if !strings.HasPrefix(template.Env[i].Name, EnvPrefix) {
			variables = append(variables, *template.Env[i].DeepCopy())
		}
	}
	return variables
}

// tolerations are the tolerations of lost nodes, which end sooner than the defaults of Kubernetes, and then those of the
// template. A toleration of the template that covers a lost node replaces ours, because the shorter of two tolerations would
// win.
func tolerations(template *v1alpha1.BuildTemplate) []corev1.Toleration {
	var all []corev1.Toleration
	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		lost := corev1.Taint{Key: key, Effect: corev1.TaintEffectNoExecute}
		if slices.ContainsFunc(template.Tolerations, func(t corev1.Toleration) bool { return t.ToleratesTaint(klog.Logger{}, &lost, false) }) {
			continue
		}
		all = append(all, corev1.Toleration{
			Key: lost.Key, Operator: corev1.TolerationOpExists, Effect: lost.Effect, TolerationSeconds: new(int64(lostNodeSeconds)),
		})
	}
	for i := range template.Tolerations {
		all = append(all, *template.Tolerations[i].DeepCopy())
	}
	return all
}

func optional(name string) *string {
	if name == "" {
		return nil
	}
	return &name
}
