// SPDX-License-Identifier: Apache-2.0

package local

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/local/jobcontroller"
	"goldsmith.dev/goldsmith/jobs/render"
)

// imagePrefix is the prefix of images that stand for registered builders.
const imagePrefix = "goldsmith.local/builders/"

// Image is the container image by which a Job names a registered builder.
func Image(name string) string {
	return imagePrefix + name
}

// builderFor returns the builder of a pod, and the builder's name. If the pod requires anything else than a registered builder, refused is why it is
// not run.
func (a *Agent) builderFor(pod *corev1.Pod) (builder Builder, name string, refused *refusal) {
	spec := &pod.Spec
	if len(spec.Containers) != 1 || len(spec.InitContainers) > 0 || len(spec.EphemeralContainers) > 0 {
		return Builder{}, "", a.refuse(pod, "a pod must have exactly one container")
	}
	container := &spec.Containers[0]
	switch name, ok := strings.CutPrefix(container.Image, imagePrefix); {
	case len(container.Command) > 0:
		return Builder{}, "", a.refuse(pod, "the container must not set command")
	case len(container.Args) > 0:
		return Builder{}, "", a.refuse(pod, "the container must not set args")
	case spec.RestartPolicy != corev1.RestartPolicyNever:
		return Builder{}, "", a.refuse(pod, fmt.Sprintf("restartPolicy must be Never, not %s", spec.RestartPolicy))
	case slices.ContainsFunc(container.Env, foreign):
		variable := container.Env[slices.IndexFunc(container.Env, foreign)].Name
		return Builder{}, "", a.refuse(pod, fmt.Sprintf("the container must not set the variable %s, which could make a builder run other programs", variable))
	case unmountable(pod) != "":
		return Builder{}, "", a.refuse(pod, unmountable(pod))
	case ok:
		if builder, registered := (*a.builders.Load())[name]; registered {
			return builder, name, nil
		}
	}
	refused = a.refuse(pod, fmt.Sprintf("the image %q is not the image of a registered builder", container.Image))
	if strings.HasPrefix(container.Image, imagePrefix) { // it may be registered again
		refused.reason = string(v1alpha1.ReasonBuilderNotFound)
	}
	return Builder{}, "", refused
}

// foreign reports whether a variable does not belong to the builder contract, whose values are set here. Any other variable
// may change how a program, its loader or its interpreter behaves.
func foreign(variable corev1.EnvVar) bool { return !strings.HasPrefix(variable.Name, render.EnvPrefix) }

// refusal is why a pod is not run: the reason and the message of its container.
type refusal struct{ reason, message string }

func (a *Agent) refuse(pod *corev1.Pod, what string) *refusal {
	subject := fmt.Sprintf("Pod %s/%s", pod.Namespace, pod.Name)
	if job, ok := jobcontroller.JobOf(pod); ok {
		subject = "Job " + job.String()
	}
	registered := strings.Join(slices.Sorted(maps.Keys(*a.builders.Load())), ", ")
	return &refusal{reasonStartError, fmt.Sprintf("%s: this server runs only registered builders (%s); %s", subject, registered, what)}
}
