// SPDX-License-Identifier: Apache-2.0

package kustomize_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"goldsmith.dev/goldsmith/e2e/require"
)

// workload is a Deployment, a StatefulSet or a CronJob.
type workload struct {
	object
	replicas int32
	selector map[string]string
	template corev1.PodTemplateSpec
}

func workloads(objects []object) []workload {
	var found []workload
	for _, each := range objects {
		switch value := each.value.(type) {
		case *appsv1.Deployment:
			found = append(found, workload{each, *value.Spec.Replicas, value.Spec.Selector.MatchLabels, value.Spec.Template})
		case *appsv1.StatefulSet:
			found = append(found, workload{each, *value.Spec.Replicas, value.Spec.Selector.MatchLabels, value.Spec.Template})
		case *batchv1.CronJob: // without a pod most of the time
			template := value.Spec.JobTemplate.Spec.Template
			found = append(found, workload{each, 0, template.Labels, template})
		}
	}
	return found
}

// theAPIIsCritical ensures that other pods are preempted for the API server and etcd, without which no build starts.
func theAPIIsCritical(t *testing.T, built installation) {
	for _, each := range workloads(built.objects) {
		spec := each.template.Spec
		if critical := each.name == "goldsmith-apiserver" || each.name == "goldsmith-etcd"; critical != (spec.PriorityClassName == "system-cluster-critical") {
			t.Errorf("%s has the priority class %q", each, spec.PriorityClassName)
		}
		for component, flag := range map[string]string{kueue: "--kueue", catalogKinds: "--kinds=/etc/goldsmith/kinds"} {
			if turnedOn := each.name == "goldsmith-apiserver" && built.has(component); turnedOn != slices.Contains(spec.Containers[0].Args, flag) {
				t.Errorf("%s has the flags %v", each, spec.Containers[0].Args)
			}
		}
	}
}

func theExpectedPodsRun(t *testing.T, built installation) {
	want := map[string]int32{"goldsmith-apiserver": 2, "goldsmith-controller": 2, "goldsmith-signer": 1, "goldsmith-etcd": 1}
	if built.has(singleNode) {
		want["goldsmith-apiserver"], want["goldsmith-controller"] = 1, 1
	}
	if built.has(etcdHA) {
		want["goldsmith-etcd"] = 3
	}
	if built.has(externalEtcd) {
		delete(want, "goldsmith-etcd")
	}
	if built.has(recordsPostgres) {
		want["goldsmith-postgres"] = 1
	}
	if built.has(console) {
		want["goldsmith-console"] = 1
	}
	if built.has(etcdBackup) || built.name == "overlays/kind" {
		want["goldsmith-etcd-backup"], want["goldsmith-etcd-restore"] = 0, 0
	}
	have := map[string]int32{}
	for _, each := range workloads(built.objects) {
		have[each.name] = each.replicas
	}
	if !maps.Equal(have, want) {
		t.Errorf("replicas are %v, want %v", have, want)
	}
}

// aRestoredMemberIsThatOfTheStatefulSet ensures that etcdutl restores the data directory that the first member of the StatefulSet would
// have created, and that only a person starts a restore.
func aRestoredMemberIsThatOfTheStatefulSet(t *testing.T, built installation) {
	all := workloads(built.objects)
	restore := slices.IndexFunc(all, func(w workload) bool { return w.name == "goldsmith-etcd-restore" })
	if restore < 0 {
		return
	}
	if suspended := all[restore].value.(*batchv1.CronJob).Spec.Suspend; suspended == nil || !*suspended {
		t.Error("restores begin by themselves")
	}
	etcd := all[slices.IndexFunc(all, func(w workload) bool { return w.name == "goldsmith-etcd" })]
	container := etcd.template.Spec.Containers[0]
	if image := all[restore].template.Spec.Containers[0].Image; image != container.Image {
		t.Errorf("etcdutl is of %s, and etcd of %s", image, container.Image)
	}
	args := strings.ReplaceAll(strings.Join(container.Args, "\n"), "$(POD_NAME)", "goldsmith-etcd-0")
	for _, arg := range all[restore].template.Spec.Containers[0].Args {
		name, value, isFlag := strings.Cut(arg, "=")
		switch {
		case !isFlag || name == "--bump-revision":
		case name == "--initial-cluster":
			if want := "goldsmith-etcd-0=https://goldsmith-etcd-0.goldsmith-etcd.goldsmith-system.svc:2380"; value != want {
				t.Errorf("%s is %s, want %s", name, value, want)
			}
		case !strings.Contains(args, arg):
			t.Errorf("the member does not have %s: %v", arg, container.Args)
		}
	}
}

func podsMeetTheRestrictedStandard(t *testing.T, built installation) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	require.NoError(t, err)
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, each := range workloads(built.objects) {
		result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &each.template.ObjectMeta, &each.template.Spec))
		if !result.Allowed {
			t.Errorf("%s: %s: %s", each, result.ForbiddenReason(), result.ForbiddenDetail())
		}
	}
}

func containersAreConfined(t *testing.T, built installation) {
	for _, each := range workloads(built.objects) {
		pod := each.template.Spec
		if user := pod.SecurityContext.RunAsUser; user == nil || *user != 65532 {
			t.Errorf("%s runs as user %v", each, user)
		}
		if pod.HostNetwork || pod.HostPID || pod.HostIPC {
			t.Errorf("%s is in a namespace of its host", each)
		}
		for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
			if readOnly := container.SecurityContext.ReadOnlyRootFilesystem; readOnly == nil || !*readOnly {
				t.Errorf("%s: %s can write to its root", each, container.Name)
			}
			requests, limits := container.Resources.Requests, container.Resources.Limits
			if requests.Cpu().IsZero() || requests.Memory().IsZero() || limits.Memory().IsZero() {
				t.Errorf("%s: %s has resources %+v", each, container.Name, container.Resources)
			}
			if limits.Memory().Cmp(*requests.Memory()) < 0 {
				t.Errorf("%s: %s asks for more memory than it may have", each, container.Name)
			}
		}
	}
}

func containersAreProbed(t *testing.T, built installation) {
	for _, each := range workloads(built.objects) {
		if each.kind.Kind == "CronJob" {
			continue // its containers end
		}
		for _, container := range each.template.Spec.Containers {
			for name, probe := range map[string]*corev1.Probe{
				"startup": container.StartupProbe, "readiness": container.ReadinessProbe, "liveness": container.LivenessProbe,
			} {
				if each.name == postgres && probe != nil && probe.Exec != nil && probe.Exec.Command[0] == "pg_isready" {
					continue // it does not speak HTTP
				}
				if probe == nil || probe.HTTPGet == nil {
					t.Errorf("%s: %s has no %s probe over HTTP", each, container.Name, name)
					continue
				}
				named := slices.ContainsFunc(container.Ports, func(port corev1.ContainerPort) bool { return port.Name == probe.HTTPGet.Port.StrVal })
				if !named {
					t.Errorf("%s: the %s probe is of port %s, which %s has not", each, name, &probe.HTTPGet.Port, container.Name)
				}
			}
		}
	}
}

// tagged matches a reference of a container image with a tag.
var tagged = regexp.MustCompile(`^[a-z0-9.-]+(/[a-z0-9._-]+)*:[A-Za-z0-9_][A-Za-z0-9._-]*$`)

func imagesAreThoseOfATagAndPulledOnce(t *testing.T, built installation) {
	var images []string
	for _, each := range workloads(built.objects) {
		for _, container := range each.template.Spec.Containers {
			images = append(images, container.Image)
			if container.ImagePullPolicy != corev1.PullIfNotPresent {
				t.Errorf("%s: %s is pulled %s", each, container.Name, container.ImagePullPolicy)
			}
		}
	}
	images = append(images, builders(t, built)["mock"])
	for _, image := range images {
		if !tagged.MatchString(image) || strings.HasSuffix(image, ":latest") {
			t.Errorf("image %q has no tag of its own", image)
		}
	}
}

func builders(t *testing.T, built installation) map[string]string {
	t.Helper()
	for _, each := range of[*corev1.ConfigMap](built.objects) {
		if strings.HasPrefix(each.Name, "goldsmith-builders") {
			return each.Data
		}
	}
	t.Fatal("there are no registered builders")
	return nil
}

// An operator names images once, at the top.
func TestImagesOfALayerReachTheRegisteredBuilders(t *testing.T) {
	tree := inMemory(t)
	text := `resources: [../../kustomize/overlays/kind]
components: [../../kustomize/components/debian-builder, ../../kustomize/components/tester-kvm]
images:
  - {name: goldsmith-apiserver, newTag: v9}
  - {name: mock-builder, newName: registry.example.com/mock-builder, newTag: v9}
  - {name: debian-builder, newName: registry.example.com/debian-builder, newTag: v9}
  - {name: goldsmith-tester, newName: registry.example.com/goldsmith-tester, newTag: v9}
`
	require.NoError(t, tree.WriteFile("layers/images/kustomization.yaml", []byte(text)))
	built := installation{objects: build(t, tree, "layers/images")}
	for name, want := range map[string]string{"mock": "mock-builder", "debian": "debian-builder", "tester": "goldsmith-tester"} {
		if image := builders(t, built)[name]; image != "registry.example.com/"+want+":v9" {
			t.Errorf("the builder %s is %s", name, image)
		}
	}
	if document := builders(t, built)["tester.yaml"]; !strings.Contains(document, "devices.kubevirt.io/kvm: 1") {
		t.Errorf("tests run without KVM: %s", document)
	}
	index := slices.IndexFunc(workloads(built.objects), func(w workload) bool { return w.name == "goldsmith-apiserver" })
	if image := workloads(built.objects)[index].template.Spec.Containers[0].Image; image != "goldsmith-apiserver:v9" {
		t.Errorf("the API server is %s", image)
	}
}

// A budget, and a rollout that first starts and then stops, are for those of which there are several.
func replicasStayAvailable(t *testing.T, built installation) {
	for _, each := range workloads(built.objects) {
		budgets := slices.DeleteFunc(of[*policyv1.PodDisruptionBudget](built.objects), func(b *policyv1.PodDisruptionBudget) bool {
			return !maps.Equal(b.Spec.Selector.MatchLabels, each.selector)
		})
		if want := each.replicas > 1; (len(budgets) == 1) != want {
			t.Errorf("%s has %d replicas and %d budgets", each, each.replicas, len(budgets))
		}
		pod := each.template.Spec
		if each.replicas > 1 && len(pod.TopologySpreadConstraints) == 0 {
			t.Errorf("%s is not spread", each)
		}
		deployment, ok := each.value.(*appsv1.Deployment)
		if ok && deployment.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue() != 0 {
			t.Errorf("%s is rolled out by stopping first", each)
		}
	}
}
