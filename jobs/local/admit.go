// SPDX-License-Identifier: Apache-2.0

package local

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/local/jobcontroller"
	"goldsmith.dev/goldsmith/jobs/local/transfer"
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

// demandOf returns which worker a pod needs. Only pods that controllers want do not need one of those for builds, of which other pods occupy a half, and only
// they run a builder that checks sources.
func (a *Agent) demandOf(ctx context.Context, pod *corev1.Pod, builder Builder, name string) (wanted demand, refused *refusal, err error) {
	wanted = demand{builder: name, class: builds, group: pod.Namespace}
	input := cmp.Or(inputOf(pod), &render.Input{})
	task, why := transfer.Build, "it stores no artifacts"
	if a.transfer != nil {
		if task, why, err = a.transfer.TaskOf(ctx, pod, input); err != nil {
			return wanted, nil, err
		}
	}
	switch {
	case builder.ChecksSources && task != transfer.CheckSource:
		return wanted, a.refuse(pod, fmt.Sprintf("only a controller runs %s: %s", name, why)), nil
	case task == transfer.None:
		wanted.byHand = true
	case task == transfer.CheckSource:
		wanted.class = sources
	case task == transfer.Test:
		wanted.class = tests
	case task == transfer.Resolve:
		wanted.class = checks
	case task == transfer.AskArchive:
		wanted.class, wanted.group = checks, input.Probe.Archive.URI+" "+input.Probe.Archive.Suite
	}
	return wanted, nil, nil
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
	var names []string
	for name, builder := range *a.builders.Load() {
		if !builder.ChecksSources {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	registered := strings.Join(names, ", ")
	return &refusal{reasonStartError, fmt.Sprintf("%s: this server runs only registered builders (%s); %s", subject, registered, what)}
}
