// SPDX-License-Identifier: Apache-2.0

package builders

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clusterfake "k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

func configMap(name string, annotations, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "goldsmith-system", Name: name, Annotations: annotations}, Data: data}
}

// controller returns the Deployment of an installation.
func controller(args ...string) *appsv1.Deployment {
	controller := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "goldsmith-system", Name: "goldsmith-controller"}}
	pod := &controller.Spec.Template.Spec
	pod.Containers = []corev1.Container{{Args: append([]string{"--builders-directory=/etc/goldsmith/builders", "--certificates"}, args...)}}
	for _, name := range []string{"goldsmith-other", "goldsmith-builders-2c7g"} {
		source := &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}
		pod.Volumes = append(pod.Volumes, corev1.Volume{VolumeSource: corev1.VolumeSource{ConfigMap: source}})
	}
	return controller
}

func image(namespace, name string, builder v1alpha1.BuilderReference) *v1alpha1.Image {
	return &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: v1alpha1.ImageSpec{BuildInputs: v1alpha1.BuildInputs{Builder: builder}}}
}

func usedBuilders() []runtime.Object {
	return []runtime.Object{
		image("team", "a", v1alpha1.BuilderReference{Name: "mock"}), image("team", "b", v1alpha1.BuilderReference{Name: "mock"}),
		image("other", "c", v1alpha1.BuilderReference{Name: "mock"}), image("team", "d", v1alpha1.BuilderReference{Name: "moc"}),
		image("other", "e", v1alpha1.BuilderReference{Name: "moc"}), image("other", "f", v1alpha1.BuilderReference{Name: "moc"}),
		image("team", "g", v1alpha1.BuilderReference{Image: "example.com/packer:1"}),
	}
}

func TestListsRegisteredBuildersAndThoseThatImagesUse(t *testing.T) {
	local := configMap("goldsmith-builders", map[string]string{
		"images.goldsmith.dev/reporting-builders": "mock,shell",
		"problem.images.goldsmith.dev/shell":      "/tools/shell is not an executable file",
		"description.images.goldsmith.dev/shell":  "Makes disks",
	}, map[string]string{"mock": "/bin/goldsmith mock-builder", "shell": "/tools/shell"})
	mounted := configMap("goldsmith-builders-2c7g", nil, map[string]string{
		"mock":      "mock-builder:v1\n",
		"more.yaml": "apiVersion: goldsmith.dev/v1alpha1\nkind: BuilderConfiguration\nbuilders: [{name: packer, image: 'example.com/packer:2', description: Packs}]",
	})
	for _, test := range []struct {
		name, namespace string
		cluster         []runtime.Object
		want            string
	}{
		{"on one machine", "", []runtime.Object{local}, `
NAME     KIND         RUNS   REPORTS   IMAGES   DESCRIPTION   BUILDER
mock     executable   yes    yes       3        <none>        /bin/goldsmith mock-builder
shell    executable   no     yes       0        Makes disks   /tools/shell is not an executable file
moc      <none>       no     no        3        <none>        not registered; used by other/e, other/f and 1 more
<none>   image        no     no        1        <none>        example.com/packer:1: not allowed here; used by team/g
`},
		{"for one namespace", "other", []runtime.Object{local}, `
NAME    KIND         RUNS   REPORTS   IMAGES   DESCRIPTION   BUILDER
mock    executable   yes    yes       1        <none>        /bin/goldsmith mock-builder
shell   executable   no     yes       0        Makes disks   /tools/shell is not an executable file
moc     <none>       no     no        2        <none>        not registered; used by other/e, other/f
`},
		{"in a cluster", "", []runtime.Object{mounted, configMap("goldsmith-builders-0old", nil, nil), controller("--reporting-builders=mock,gone", "--allow-builder-images")}, `
NAME     KIND     RUNS        REPORTS   IMAGES   DESCRIPTION   BUILDER
mock     image    <unknown>   yes       3        <none>        mock-builder:v1
packer   image    <unknown>   no        0        Packs         example.com/packer:2
moc      <none>   no          no        3        <none>        not registered; used by other/e, other/f and 1 more
<none>   image    <unknown>   no        1        <none>        example.com/packer:1
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, told bytes.Buffer
			connection := &client.Connection{Interface: fake.NewClientset(usedBuilders()...), Namespace: "team"}
			if err := run(t.Context(), connection, clusterfake.NewClientset(test.cluster...), test.namespace, &out, &told); err != nil || told.Len() > 0 {
				t.Fatalf("error %v (%s)", err, &told)
			}
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestShowsWhatABuilderTakesAndMakes(t *testing.T) {
	content := configMap("goldsmith-builders", map[string]string{
		"description.images.goldsmith.dev/disk": "Makes\x1b[2J disks", "problem.images.goldsmith.dev/disk": "/tools/disk is not an executable file",
		"capabilities.images.goldsmith.dev/disk": `{"targets":[{"platform":"linux/amd64","format":"raw"},{"format":"oci"}],"parameters":{"description":"How","required":["size"],
"additionalProperties":true,"properties":{"size":{"pattern":"^[0-9]+M$","description":"Size of\nthe disk"},"sector":{"type":"integer","enum":[512,4096],"default":512},"label":{"default":""}}}}`,
		"capabilities.images.goldsmith.dev/none": `{"parameters":{}}`, "capabilities.images.goldsmith.dev/broken": `{`,
	}, map[string]string{"disk": "/tools/disk --fast", "shell": "/tools/shell", "none": "/tools/none"})
	registered, err := parse(content)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"disk": `
disk
  description   Makes^[[2J disks
  executable    /tools/disk --fast
  runs          no
  problem       /tools/disk is not an executable file
  reports       no
  targets       linux/amd64/raw, */oci
  parameters    3, and others
                How

PARAMETER   TYPE      REQUIRED   DEFAULT   VALUES              DESCRIPTION
label       string    no         ""        any                 <none>
sector      integer   no         512       one of 512, 4096    <none>
size        string    yes        <none>    matches ^[0-9]+M$   Size of the disk
`, "shell": `
shell
  executable   /tools/shell
  runs         yes
  reports      no
  targets      all
  parameters   all: the builder checks them itself
`, "none": `
none
  executable   /tools/none
  runs         yes
  reports      no
  targets      all
  parameters   none
`,
	} {
		out := &bytes.Buffer{}
		if err := show(registered, name, out); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), out.String()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if err := show(registered, "dsk", t.Output()); err == nil || !strings.HasPrefix(err.Error(), `no builder is registered as "dsk"`) {
		t.Errorf("an unknown builder: %v", err)
	}
	wrong := configMap("goldsmith-builders", nil, map[string]string{"more.yaml": "kind: {"})
	if _, err := parse(wrong); err == nil || !strings.HasPrefix(err.Error(), "read key more.yaml of ConfigMap goldsmith-system/goldsmith-builders: yaml: ") {
		t.Errorf("a broken document: %v", err)
	}
	content.Data["broken"] = "/tools/broken"
	if _, err := parse(content); err == nil || !strings.Contains(err.Error(), "capabilities.images.goldsmith.dev/broken of ConfigMap goldsmith-system/goldsmith-builders") {
		t.Errorf("a broken annotation: %v", err)
	}
}

func TestWhatCannotBeReadIsNamed(t *testing.T) {
	forbidden := func(resource string) *clusterfake.Clientset {
		cluster := clusterfake.NewClientset(controller())
		cluster.PrependReactor("get", resource, func(action clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(action.GetResource().GroupResource(), action.(clienttesting.GetAction).GetName(), errors.New("no"))
		})
		return cluster
	}
	const remedy = "; ask the operator which builders are registered, or for this permission"
	for want, cluster := range map[string]*clusterfake.Clientset{
		`get Deployment goldsmith-system/goldsmith-controller: deployments.apps "goldsmith-controller" is forbidden: no` + remedy: forbidden("deployments"),
		`get ConfigMap goldsmith-system/goldsmith-builders-2c7g: configmaps "goldsmith-builders-2c7g" is forbidden: no` + remedy:  forbidden("configmaps"),
		`get ConfigMap goldsmith-system/goldsmith-builders: configmaps "goldsmith-builders" not found`:                            clusterfake.NewClientset(),
		`read the arguments of Deployment goldsmith-system/goldsmith-controller: invalid argument "x" for "--allow-builder-images" flag: strconv.ParseBool: parsing "x": invalid syntax`: clusterfake.NewClientset(
			controller("--allow-builder-images=x"), configMap("goldsmith-builders-2c7g", nil, nil)),
	} {
		err := run(t.Context(), &client.Connection{Interface: fake.NewClientset()}, cluster, "", t.Output(), t.Output())
		if err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}
