// SPDX-License-Identifier: Apache-2.0

package render

import (
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

var checker = inputs.Builder{Image: "controller:1", Publisher: inputs.Publisher{
	Image: "controller:1", AllowedNetworks: []string{"127.0.0.0/8"}, PlainHTTP: []string{"registry.lan:5000"},
}}

// followed is an Image with a source from Git, whose third check has begun, and whose template sets every field.
func followed() *v1alpha1.Image {
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "team", UID: "0b5c1a52-0000-4000-8000-00000000000c"}}
	image.Spec.Source = &v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://git.example.com/a.git", Ref: "main", SecretRef: &v1alpha1.SecretReference{Name: "git"}}}
	image.Spec.Template = templateBuild().Spec.Inputs.Template
	image.Spec.Template.Env = append(image.Spec.Template.Env, corev1.EnvVar{Name: "HTTPS_PROXY", Value: "http://proxy:3128"})
	image.Status.Source = &v1alpha1.ImageSource{Question: "sha256:a", Checks: 3, Ended: 2, StartTime: new(metav1.NewTime(time.Unix(1, 0)))}
	return image
}

func TestTheJobOfACheckIsPlacedAsBuildsAre(t *testing.T) {
	image := followed()
	job := require.Value(SourceJob(image, checker))(t)
	pod, of := job.Spec.Template.Spec, image.Spec.Template
	if pod.NodeSelector["disk"] != "fast" || pod.Affinity == nil || pod.PriorityClassName != of.PriorityClassName || *pod.RuntimeClassName != of.RuntimeClassName ||
		!slices.ContainsFunc(pod.Tolerations, func(one corev1.Toleration) bool { return one.Key == "builds" }) {
		t.Errorf("the pod is placed by %+v", pod)
	}
	if pod.ServiceAccountName != of.ServiceAccountName || *pod.AutomountServiceAccountToken || *pod.ActiveDeadlineSeconds != 300 || job.Spec.Suspend != nil {
		t.Errorf("the pod has account %q and %d seconds", pod.ServiceAccountName, *pod.ActiveDeadlineSeconds)
	}
	if len(pod.InitContainers) > 0 || len(pod.Containers) != 1 {
		t.Fatalf("the pod has %d and %d containers", len(pod.InitContainers), len(pod.Containers))
	}
	if args := strings.Join(pod.Containers[0].Args, " "); args != "check-source --source-allowed-networks=127.0.0.0/8 --plain-http-registries=registry.lan:5000" {
		t.Errorf("the arguments are %q", args)
	}
	for _, variable := range pod.Containers[0].Env {
		if !strings.HasPrefix(variable.Name, EnvPrefix) {
			t.Errorf("the container has the variable %s of the template", variable.Name)
		}
	}
	evaluator := require.Value(policy.NewEvaluator(policy.DefaultChecks(), nil))(t)
	for _, result := range evaluator.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &job.Spec.Template.ObjectMeta, &pod) {
		if !result.Allowed {
			t.Errorf("%s: %s", result.ForbiddenReason, result.ForbiddenDetail)
		}
	}
	if uid, ok := SourceCheckOf(job); !ok || uid != image.UID || job.Namespace != "team" || job.Labels[v1alpha1.LabelSource] != "web" {
		t.Errorf("the Job is %+v", job.ObjectMeta)
	}
	if _, ok := SourceCheckOf(mustRender(t, fullBuild(), 1, mockBuilder)); ok {
		t.Error("the Job of a build is a check of a source")
	}
	input := require.Value(ParseInput([]byte(inputOf(job))))(t)
	image.Spec.Source.Git.Path = "sub"
	if edited := require.Value(SourceJob(image, checker))(t); inputOf(edited) != inputOf(job) || input.Source.URL != image.Spec.Source.Git.URL {
		t.Errorf("the input is %s, and %s for another path", inputOf(job), inputOf(edited))
	}
	if _, err := SourceJob(image, inputs.Builder{}); err == nil || !strings.Contains(err.Error(), "the operator sets --publisher-image") {
		t.Errorf("without an image, the error is %v", err)
	}
	if agent := require.Value(SourceJob(image, inputs.Builder{Image: "agent", Publisher: inputs.Publisher{Agent: true}}))(t); agent.Spec.Template.Spec.Containers[0].Args != nil {
		t.Error("an agent gets arguments")
	}
}

// The variables of a proxy are those of the controller, only where a source is reached.
func TestTheContainersThatReachASourceHaveTheProxy(t *testing.T) {
	proxied := checker
	proxied.Publisher.Proxy = []corev1.EnvVar{{Name: "HTTPS_PROXY", Value: "http://own:3128"}, {Name: "NO_PROXY", Value: ".svc"}}
	withoutSource := sourcedBuild()
	withoutSource.Spec.Inputs.Source, withoutSource.Status.Resolved.Source = nil, nil
	agent := proxied
	agent.Publisher.Agent = true
	for name, test := range map[string]struct {
		job  *batchv1.Job
		want string
	}{
		"a check":                       {require.Value(SourceJob(followed(), proxied))(t), "builder HTTPS_PROXY=http://own:3128 builder NO_PROXY=.svc"},
		"a check of an agent":           {require.Value(SourceJob(followed(), agent))(t), ""},
		"a build that publishes":        {mustRender(t, sourcedBuild(), 1, proxied), "fetcher HTTPS_PROXY=http://own:3128 fetcher NO_PROXY=.svc"},
		"a build of files from the API": {mustRender(t, withoutSource, 1, proxied), ""},
	} {
		var got []string
		pod := test.job.Spec.Template.Spec
		for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
			for _, variable := range container.Env {
				if strings.HasSuffix(variable.Name, "_PROXY") {
					got = append(got, container.Name+" "+variable.Name+"="+variable.Value)
				}
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s has %q, want %q", name, got, test.want)
		}
	}
}

func TestTheResourcesOfACheckAreSmallAndPassTheQuotasOfBuilds(t *testing.T) {
	amounts := func(pairs ...string) map[string]v1alpha1.Quantity {
		list := map[string]v1alpha1.Quantity{}
		for i := 0; i < len(pairs); i += 2 {
			list[pairs[i]] = v1alpha1.Quantity{Text: pairs[i+1]}
		}
		return list
	}
	for name, test := range map[string]struct {
		template         *v1alpha1.ResourceRequirements
		requests, limits string
	}{
		"none":             {nil, "cpu=100m memory=128Mi", "memory=128Mi"},
		"large":            {&v1alpha1.ResourceRequirements{Requests: amounts("cpu", "4"), Limits: amounts("cpu", "8", "memory", "16Gi", "example.com/kvm", "1")}, "cpu=100m memory=512Mi", "cpu=500m memory=512Mi"},
		"small":            {&v1alpha1.ResourceRequirements{Requests: amounts("cpu", "10m"), Limits: amounts("cpu", "50m", "memory", "32Mi")}, "cpu=10m memory=128Mi", "cpu=50m memory=128Mi"},
		"more memory":      {&v1alpha1.ResourceRequirements{Requests: amounts("memory", "256Mi"), Limits: amounts("memory", "16Gi")}, "cpu=100m memory=256Mi", "memory=256Mi"},
		"more than enough": {&v1alpha1.ResourceRequirements{Requests: amounts("memory", "4Gi")}, "cpu=100m memory=512Mi", "memory=512Mi"},
		"only limit":       {&v1alpha1.ResourceRequirements{Limits: amounts("cpu", "50m")}, "cpu=50m memory=128Mi", "cpu=50m memory=128Mi"},
		"storage":          {&v1alpha1.ResourceRequirements{Requests: amounts("ephemeral-storage", "10Gi")}, "cpu=100m ephemeral-storage=100Mi memory=128Mi", "memory=128Mi"},
	} {
		image := followed()
		image.Spec.Template.Resources = test.template
		got := require.Value(SourceJob(image, checker))(t).Spec.Template.Spec.Containers[0].Resources
		if requests, limits := text(got.Requests), text(got.Limits); requests != test.requests || limits != test.limits {
			t.Errorf("%s: requests %s and limits %s", name, requests, limits)
		}
	}
}

func text(list corev1.ResourceList) string {
	var amounts []string
	for name, amount := range list {
		amounts = append(amounts, string(name)+"="+amount.String())
	}
	slices.Sort(amounts)
	return strings.Join(amounts, " ")
}

func TestOnlyTheContainerThatReachesASourceReadsItsSecret(t *testing.T) {
	image := followed()
	build := fullBuild()
	build.Spec.Inputs.Source, build.Spec.Inputs.Output = image.Spec.Source, &v1alpha1.Output{Repository: "registry.example.com/web"}
	build.Status.Resolved = &v1alpha1.ResolvedInputs{Source: &v1alpha1.SourceRevision{Revision: "sha1:" + strings.Repeat("a", 40)}}
	published := mockBuilder
	published.Publisher = checker.Publisher
	for name, test := range map[string]struct {
		job     *batchv1.Job
		readers string
	}{
		"a check": {require.Value(SourceJob(image, checker))(t), ContainerName},
		"a build": {mustRender(t, build, 1, published), FetcherName},
	} {
		pod, readers := test.job.Spec.Template.Spec, []string(nil)
		for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
			for _, mount := range container.VolumeMounts {
				if mount.Name != sourceSecretVolume && !strings.HasPrefix(mount.MountPath, SourceSecret) {
					continue
				}
				readers = append(readers, container.Name)
				if !mount.ReadOnly || mount.MountPath != SourceSecret {
					t.Errorf("%s: %s mounts %+v", name, container.Name, mount)
				}
			}
		}
		if strings.Join(readers, " ") != test.readers {
			t.Errorf("%s: the Secret is mounted in %v", name, readers)
		}
		volumes := slices.DeleteFunc(slices.Clone(pod.Volumes), func(volume corev1.Volume) bool { return volume.Secret == nil })
		if len(volumes) != 1 || volumes[0].Secret.SecretName != "git" || !*volumes[0].Secret.Optional {
			t.Errorf("%s: the Secrets are %+v", name, volumes)
		}
	}
	image.Spec.Source.Git.SecretRef = nil
	if pod := require.Value(SourceJob(image, checker))(t).Spec.Template.Spec; slices.ContainsFunc(pod.Volumes, func(volume corev1.Volume) bool { return volume.Secret != nil }) {
		t.Error("a check without a Secret mounts one")
	}
}

func TestEachCheckOfASourceHasAJobOfItsOwn(t *testing.T) {
	known := map[string]bool{}
	for _, change := range []func(*v1alpha1.Image){
		func(*v1alpha1.Image) {},
		func(image *v1alpha1.Image) { image.UID = "another" },
		func(image *v1alpha1.Image) { image.Status.Source.Question = "sha256:b" },
		func(image *v1alpha1.Image) { image.Status.Source.Checks++ },
		func(image *v1alpha1.Image) { image.Status.Source.StartTime = new(metav1.NewTime(time.Unix(2, 0))) },
		func(image *v1alpha1.Image) { image.Status.Source.StartTime = nil },
		func(image *v1alpha1.Image) {
			image.Name, image.Status.Source.Checks = strings.Repeat("a.", 31)+"a", 1<<62
		},
	} {
		image := followed()
		change(image)
		name := SourceJobName(image)
		if problems := append(validation.IsDNS1123Subdomain(name), validation.IsValidLabelValue(name)...); len(problems) > 0 || known[name] {
			t.Errorf("%q is known (%t) or invalid: %v", name, known[name], problems)
		}
		known[name] = true
	}
}
