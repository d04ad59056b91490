// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
)

func TestPolicy(t *testing.T) {
	const history = "spec.history."
	policy := Policy{MaxLogBytes: 1 << 20, MaxLogRetention: time.Hour, MaxRecordRetention: 2 * time.Hour, MaxHistory: 3, MaxParametersBytes: 40}
	allowed := func(change func(*v1alpha1.Image)) *v1alpha1.Image {
		image := validationtest.Image()
		image.Spec.History.LogRetention = &v1alpha1.HistoryTTL{Succeeded: validationtest.Seconds(3600), Failed: validationtest.Seconds(60)}
		image.Spec.History.RecordRetention = &v1alpha1.HistoryTTL{Succeeded: validationtest.Seconds(7200), Failed: validationtest.Seconds(7200)}
		image.Spec.History.LogMaxBytes = &v1alpha1.Quantity{Text: "1Mi"}
		change(image)
		return image
	}
	for name, test := range map[string]struct {
		change func(*v1alpha1.Image)
		want   []string
	}{
		"everything at its limit": {func(*v1alpha1.Image) {}, nil},
		"a queue of Kueue":        {func(i *v1alpha1.Image) { i.Spec.Template = &v1alpha1.BuildTemplate{QueueName: "q"} }, []string{"spec.template.queueName"}},
		"a large log":             {func(i *v1alpha1.Image) { i.Spec.History.LogMaxBytes = &v1alpha1.Quantity{Text: "2Mi"} }, []string{history + "logMaxBytes"}},
		"logs kept for long":      {func(i *v1alpha1.Image) { i.Spec.History.LogRetention.Failed = validationtest.Seconds(3601) }, []string{history + "logRetention.failed"}},
		"logs kept for ever":      {func(i *v1alpha1.Image) { i.Spec.History.LogRetention = nil }, []string{history + "logRetention.failed", history + "logRetention.succeeded"}},
		"records kept for ever":   {func(i *v1alpha1.Image) { i.Spec.History.RecordRetention.Succeeded = nil }, []string{history + "recordRetention.succeeded"}},
		"many builds":             {func(i *v1alpha1.Image) { i.Spec.History.Succeeded = new(int32(4)) }, []string{history + "succeeded"}},
		"large parameters":        {func(i *v1alpha1.Image) { i.Spec.Parameters[0].Value = strings.Repeat("x", 40) }, []string{"spec.parameters"}},
	} {
		t.Run(name, func(t *testing.T) {
			validationtest.ExpectPaths(t, policy.Image(allowed(test.change)), test.want)
		})
	}
	validationtest.ExpectPaths(t, Policy{Kueue: true}.Image(allowed(func(i *v1alpha1.Image) { i.Spec.Template = &v1alpha1.BuildTemplate{QueueName: "q"} })), nil)
}

func TestPolicyOfBuilds(t *testing.T) {
	policy := Policy{MaxParametersBytes: 40}
	build := &v1alpha1.ImageBuild{}
	build.Spec.Inputs.Template = &v1alpha1.BuildTemplate{QueueName: "q"}
	build.Spec.Inputs.Parameters = []v1alpha1.Parameter{{Name: "p", Value: strings.Repeat("x", 40)}}
	validationtest.ExpectPaths(t, policy.DirectImageBuild(build), []string{"spec.inputs.parameters", "spec.inputs.template.queueName"})
	validationtest.ExpectPaths(t, policy.InstantiatedImageBuild(build), []string{"spec.inputs.template.queueName"})
}
