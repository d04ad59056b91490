// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/e2e-framework/klient/wait"

	"goldsmith.dev/goldsmith/e2e/deadline"
)

// apiServices are the registrations with kube-apiserver.
var apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}

// Install applies the overlay, with the container images of the version, and waits until it is ready.
func (e Environment) Install(ctx context.Context) error {
	if err := e.withKustomization(func(directory string) error {
		return e.kubectl(ctx, "apply", "-k", directory)
	}); err != nil {
		return fmt.Errorf("installing %s: %w", e.Overlay, err)
	}
	return e.WaitReady(ctx)
}

// Uninstall deletes the objects of the overlay, and waits until they are deleted. If nothing is installed, it does nothing.
func (e Environment) Uninstall(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, deadline.Rollout.Deadline())
	defer stop()
	if err := e.withKustomization(func(directory string) error {
		return e.kubectl(ctx, "delete", "-k", directory, "--ignore-not-found", "--wait")
	}); err != nil {
		return fmt.Errorf("removing %s: %w", e.Overlay, err)
	}
	return nil
}

// Discard is Uninstall without the grace periods of the pods. It is for specs that need an empty cluster and do not test the
// removal.
func (e Environment) Discard(ctx context.Context) error {
	if err := errors.Join(
		e.kubectl(ctx, "--namespace="+Namespace, "delete", "deployments,statefulsets", "--all", "--cascade=foreground", "--wait=false"),
		e.kubectl(ctx, "--namespace="+Namespace, "delete", "pods", "--all", "--grace-period=1"),
	); err != nil {
		return err
	}
	return e.Uninstall(ctx)
}

// WaitReady waits until every part of the installation is rolled out, as last applied, and its API answers.
func (e Environment) WaitReady(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, deadline.Rollout.Deadline())
	defer stop()
	parts := []string{"statefulset/" + Etcd, "deployment/" + APIServer, "deployment/" + Controller}
	if e.Records != nil && e.Records.Image != "" {
		parts = append(parts, "statefulset/"+Postgres)
	}
	for _, part := range parts {
		if err := e.kubectl(ctx, "--namespace="+Namespace, "rollout", "status", part, "--timeout="+deadline.Rollout.Deadline().String()); err != nil {
			return err
		}
	}
	return e.WaitAvailable(ctx)
}

// WaitAvailable waits until kube-apiserver reports that each version of Goldsmith's API is available.
func (e Environment) WaitAvailable(ctx context.Context) error {
	client, err := dynamic.NewForConfig(e.Config)
	if err != nil {
		return err
	}
	var unavailable error
	err = wait.For(func(ctx context.Context) (bool, error) {
		unavailable = checkAvailable(ctx, client.Resource(apiServices))
		return unavailable == nil, nil
	}, wait.WithContext(ctx), wait.WithTimeout(deadline.Rollout.Deadline()), wait.WithInterval(polling), wait.WithImmediate())
	if err != nil {
		return fmt.Errorf("waiting for Goldsmith's API: %w: %w", err, unavailable)
	}
	return nil
}

// checkAvailable returns an error if a version of Goldsmith's API is unavailable, or none is registered.
func checkAvailable(ctx context.Context, client dynamic.ResourceInterface) error {
	registered, err := client.List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/part-of=" + PartOf})
	if err != nil {
		return err
	}
	if len(registered.Items) == 0 {
		return errors.New("no APIService is registered")
	}
	for i := range registered.Items {
		if err := checkAvailableCondition(&registered.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

// checkAvailableCondition returns an error with what an APIService reports, unless it is available.
func checkAvailableCondition(apiService *unstructured.Unstructured) error {
	conditions, _, _ := unstructured.NestedSlice(apiService.Object, "status", "conditions")
	for _, entry := range conditions {
		condition, ok := entry.(map[string]any)
		switch {
		case !ok || condition["type"] != "Available":
		case condition["status"] == string(corev1.ConditionTrue):
			return nil
		default:
			return fmt.Errorf("APIService %s is not available: %v: %v", apiService.GetName(), condition["reason"], condition["message"])
		}
	}
	return fmt.Errorf("APIService %s reports nothing", apiService.GetName())
}

// kubectl runs kubectl. An error includes its output.
func (e Environment) kubectl(ctx context.Context, args ...string) error {
	command := e.Kubectl(ctx, args...)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl %v: %w: %s", args, err, output)
	}
	return nil
}

// withKustomization calls a function with the directory of a kustomization: the overlay with the settings of the
// environment.
func (e Environment) withKustomization(use func(directory string) error) error {
	return e.withDirectory(e.kustomization, use)
}

// withDirectory calls a function with the directory of a kustomization, which is made from the path of the overlay.
func (e Environment) withDirectory(build func(overlay string) *kustomization, use func(directory string) error) error {
	directory, err := os.MkdirTemp("", "goldsmith-e2e-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(directory) }()
	// kustomize takes relative paths only, and counts from where the directory really is.
	if directory, err = filepath.EvalSymlinks(directory); err != nil {
		return err
	}
	overlay, err := filepath.Abs(e.Overlay)
	if err != nil {
		return err
	}
	if overlay, err = filepath.Rel(directory, overlay); err != nil {
		return err
	}
	built := build(overlay)
	built.files["kustomization.yaml"] = built.String()
	for name, text := range built.files {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return use(directory)
}

// kustomization is an overlay with changes.
type kustomization struct {
	overlay    string
	components []string // their names
	alone      bool     // the components without the overlay
	// Entries of lists, each a line or more of YAML.
	images, configMaps, secrets, patches []string
	// files are those that they refer to.
	files map[string]string
}

// kustomization is the overlay with the container images of the version, with more builders, with an archive of logs, with a
// database of records, with configured kinds, with the builder debian and tests, with Kueue turned on, with the environment's interval of compaction, and with an etcd that does not
// wait for the disk if the cluster is disposable.
func (e Environment) kustomization(overlay string) *kustomization {
	k := &kustomization{overlay: overlay, files: map[string]string{}}
	for _, image := range []string{"goldsmith-apiserver", "goldsmith-controller", "goldsmith-console", "mock-builder"} {
		k.images = append(k.images, fmt.Sprintf("{name: %s, newTag: %q}", image, e.Version))
	}
	e.LogArchive.addTo(k)
	e.Records.addTo(k)
	if e.Kinds != "" {
		k.components = append(k.components, "catalog-kinds")
		k.configMaps = append(k.configMaps, fmt.Sprintf("name: %s\n  namespace: %s\n  files: [%s]\n  options: {disableNameSuffixHash: true}", KindsConfigMap, Namespace, KindsFile))
		k.files[KindsFile] = e.Kinds
	}
	if e.Advisories != "" {
		k.addAdvisories(e.Advisories)
	}
	if e.Kueue {
		k.components = append(k.components, "kueue")
	}
	if len(e.Builders) > 0 {
		var literals strings.Builder
		for name, image := range e.Builders {
			fmt.Fprintf(&literals, "\n  - %q", name+"="+image)
		}
		k.configMaps = append(k.configMaps, fmt.Sprintf("name: goldsmith-builders\n  namespace: %s\n  behavior: merge\n  literals:%s", Namespace, literals.String()))
	}
	if e.Debian {
		k.components = append(k.components, "debian-builder", "tester")
		k.images = append(k.images, fmt.Sprintf("{name: debian-builder, newTag: %q}", e.Version), fmt.Sprintf("{name: goldsmith-tester, newTag: %q}", e.Version))
	}
	if e.Compaction > 0 {
		k.addFlag("Deployment", APIServer, fmt.Sprintf("--etcd-compaction-interval=%s", e.Compaction))
	}
	if e.Disposable {
		k.addFlag("StatefulSet", Etcd, "--unsafe-no-fsync")
	}
	return k
}

// addAdvisories mounts advisories from a ConfigMap.
func (k *kustomization) addAdvisories(text string) {
	const name, file, directory = "goldsmith-advisories", "advisories.json", "/etc/goldsmith/advisories"
	k.configMaps = append(k.configMaps, fmt.Sprintf("name: %s\n  namespace: %s\n  files: [%s]", name, Namespace, file))
	k.files[file] = text
	k.addFlag("Deployment", APIServer, "--advisories="+path.Join(directory, file))
	k.patches = append(k.patches, fmt.Sprintf("target: {kind: Deployment, name: %s}\n"+
		"  patch: '[{\"op\": \"add\", \"path\": \"/spec/template/spec/containers/0/volumeMounts/-\", \"value\": {\"name\": \"advisories\", \"mountPath\": %q, \"readOnly\": true}},"+
		" {\"op\": \"add\", \"path\": \"/spec/template/spec/volumes/-\", \"value\": {\"name\": \"advisories\", \"configMap\": {\"name\": %q}}}]'", APIServer, directory, name))
}

// addFlag adds a flag to the first container of a workload.
func (k *kustomization) addFlag(kind, name, flag string) {
	k.patches = append(k.patches, fmt.Sprintf("target: {kind: %s, name: %s}\n"+
		"  patch: '[{\"op\": \"add\", \"path\": \"/spec/template/spec/containers/0/args/-\", \"value\": %q}]'", kind, name, flag))
}

// String returns the kustomization.yaml.
func (k *kustomization) String() string {
	var folders []string
	for _, component := range k.components {
		folders = append(folders, fmt.Sprintf("%q", path.Join(k.overlay, "..", "..", "components", component)))
	}
	var text strings.Builder
	if !k.alone {
		fmt.Fprintf(&text, "resources: [%q]\n", k.overlay)
	}
	for _, list := range []struct {
		field   string
		entries []string
	}{
		{"components", folders}, {"images", k.images}, {"configMapGenerator", k.configMaps}, {"secretGenerator", k.secrets}, {"patches", k.patches},
	} {
		if len(list.entries) > 0 {
			text.WriteString(list.field + ":\n- " + strings.Join(list.entries, "\n- ") + "\n")
		}
	}
	return text.String()
}
