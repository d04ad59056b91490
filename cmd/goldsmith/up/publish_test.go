// SPDX-License-Identifier: Apache-2.0

package up

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/internal/registries"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
)

// publishingBuilder makes a disk, from the base if there is one.
const publishingBuilder = `#!/bin/sh
PATH=/usr/bin:/bin
{ [ -z "$GOLDSMITH_BASE" ] || cat "$GOLDSMITH_BASE/linux-amd64.raw"; echo disk; } >"$GOLDSMITH_OUTPUT/disk"
echo '{"version":1,"outcome":"Succeeded","artifacts":[{"target":"linux/amd64/raw","file":"disk"}]}' >"$GOLDSMITH_RESULT"
`

func TestBuildsPublishAndAreBasesNevertheless(t *testing.T) {
	t.Parallel()
	registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
	authority := registrytest.New(t, registrytest.Options{TLS: true}).CA()
	directory := t.TempDir()
	script, data := filepath.Join(directory, "disk.sh"), filepath.Join(directory, "data")
	require.NoError(t, os.WriteFile(script, []byte(publishingBuilder), 0o700))
	options := Options{
		DataDirectory: data, Memory: true, Builders: []string{"disk=" + script},
		Registries: registries.Flags{PlainHTTP: []string{registry.Host()}}, // with authorities of its own, no other registry is reached without TLS
	}
	withSystem(t, options, func(ctx context.Context, client versioned.Interface) {
		config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(data, "kubeconfig"))
		require.NoError(t, err)
		_, err = kubernetes.NewForConfigOrDie(config).CoreV1().Secrets("default").Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "registry"}, Type: corev1.SecretTypeDockerConfigJson,
			Data: map[string][]byte{corev1.DockerConfigJsonKey: registry.DockerConfig(registrytest.Password), "ca.crt": authority},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
		ready := func(name string, base v1alpha1.Base) v1alpha1.Artifact {
			t.Helper()
			image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ImageSpec{BuildInputs: inputsFor("disk")}}
			image.Spec.Base = base
			image.Spec.Output = &v1alpha1.Output{
				Repository: registry.Host() + "/team/" + name, TagTemplate: "{image}-{format}", SecretRef: &v1alpha1.SecretReference{Name: "registry"},
			}
			_, err := client.ImagesV1alpha1().Images("default").Create(ctx, image, metav1.CreateOptions{})
			require.NoError(t, err)
			image = awaited(ctx, t, client.ImagesV1alpha1().Images("default").Watch, name, func(image *v1alpha1.Image) bool {
				return meta.IsStatusConditionTrue(image.Status.Conditions, v1alpha1.ImageReady) || meta.IsStatusConditionTrue(image.Status.Conditions, v1alpha1.ImageStalled)
			})
			if image.Status.LatestSuccessful == nil {
				t.Fatalf("the status of image %s is %+v", name, image.Status.Conditions)
			}
			return image.Status.LatestSuccessful.Artifacts[0]
		}
		base := ready("debian", v1alpha1.Base{Reference: "debian:bookworm"})
		web := ready("web", v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "debian"}})
		for name, artifact := range map[string]v1alpha1.Artifact{"debian": base, "web": web} {
			repository := "team/" + name
			at, manifest, _ := strings.Cut(artifact.Location, "@")
			if at != registry.Host()+"/"+repository || artifact.Tag != name+"-raw" || artifact.Verified != v1alpha1.ArtifactVerifiedContent {
				t.Errorf("the artifact of %s is %+v", name, artifact)
			}
			if status, text := registry.Get("/" + repository + "/manifests/" + name + "-raw"); status != 200 || !strings.Contains(string(text), artifact.Digest) {
				t.Errorf("the tag of %s is %d: %s", name, status, text)
			}
			if status, _ := registry.Get("/" + repository + "/manifests/" + manifest); status != 200 {
				t.Errorf("the location of %s is %d", name, status)
			}
			path := v1alpha1.ArtifactPath("default", name+"-1", artifact.Digest)
			if _, err := client.ImagesV1alpha1().RESTClient().Get().AbsPath(path).DoRaw(ctx); err != nil {
				t.Errorf("the server does not serve the artifact of %s: %v", name, err)
			}
		}
		if _, content := registry.Get("/team/web/blobs/" + web.Digest); string(content) != "disk\ndisk\n" {
			t.Errorf("web was not made from its base: %q", content)
		}

		request := &v1alpha1.BuildRequest{Parameters: []v1alpha1.Parameter{parameter("edition", "minimal")}}
		oneOff, err := client.ImagesV1alpha1().Images("default").Instantiate(ctx, "web", request, metav1.CreateOptions{})
		require.NoError(t, err)
		made := awaited(ctx, t, client.ImagesV1alpha1().ImageBuilds("default").Watch, oneOff.Name, func(build *v1alpha1.ImageBuild) bool { return build.Status.Finished })
		if len(made.Status.Artifacts) != 1 || made.Status.Artifacts[0].Location != web.Location || made.Status.Artifacts[0].Tag != "" {
			t.Errorf("the one-off build has %+v", made.Status)
		}

		rebuild := require.Value(client.ImagesV1alpha1().ImageBuilds("default").Rerun(ctx, "web-1", &v1alpha1.RerunRequest{Reproduce: true}, metav1.CreateOptions{}))(t)
		first := awaited(ctx, t, client.ImagesV1alpha1().ImageBuilds("default").Watch, "web-1", func(build *v1alpha1.ImageBuild) bool {
			return meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildReproduced) != nil
		})
		made = require.Value(client.ImagesV1alpha1().ImageBuilds("default").Get(ctx, rebuild.Name, metav1.GetOptions{}))(t)
		if !meta.IsStatusConditionTrue(first.Status.Conditions, v1alpha1.BuildReproduced) || made.Status.Artifacts[0].Location != web.Location || made.Status.Artifacts[0].Tag != "" {
			t.Errorf("the conditions are %+v, and what was made again is %+v", first.Status.Conditions, made.Status.Artifacts)
		}

		// The base that the store has lost is fetched.
		blobs := filepath.Join(data, "run", "goldsmith-artifacts-*", "blobs", "sha256", strings.TrimPrefix(base.Digest, "sha256:"))
		lost := require.Value(filepath.Glob(blobs))(t)
		if len(lost) != 1 {
			t.Fatalf("the store has %v", lost)
		}
		require.NoError(t, os.Remove(lost[0]))
		noticed := make(chan struct{})
		registry.Inject(1, http.MethodGet, "/team/debian/blobs/", func(w http.ResponseWriter, request *http.Request, next http.Handler) {
			<-noticed
			next.ServeHTTP(w, request)
		})
		again, err := client.ImagesV1alpha1().Images("default").Instantiate(ctx, "web", request, metav1.CreateOptions{})
		require.NoError(t, err)
		awaited(ctx, t, client.ImagesV1alpha1().ImageBuilds("default").Watch, again.Name, func(build *v1alpha1.ImageBuild) bool {
			ready := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildPodReady)
			return build.Status.Finished || ready != nil && ready.Reason == v1alpha1.ReasonFetchingBase
		})
		log := require.Value(client.ImagesV1alpha1().RESTClient().Get().Namespace("default").Resource("imagebuilds").Name(again.Name).SubResource("log").
			Param("follow", "true").Stream(ctx))(t)
		lines := bufio.NewReader(log)
		told := require.Value(lines.ReadString('\n'))(t)
		close(noticed)
		told += string(require.Value(io.ReadAll(lines))(t))
		require.NoError(t, log.Close())
		if !strings.HasPrefix(told, "goldsmith: fetching linux/amd64/raw of build ") || strings.Count(told, "fetching") != 1 || strings.Contains(told, "missing") {
			t.Errorf("the followed log is %q", told)
		}
		made = awaited(ctx, t, client.ImagesV1alpha1().ImageBuilds("default").Watch, again.Name, func(build *v1alpha1.ImageBuild) bool { return build.Status.Finished })
		if len(made.Status.Artifacts) != 1 || made.Status.Artifacts[0].Digest != web.Digest {
			t.Errorf("the build whose base is fetched has %+v", made.Status)
		}
		require.Value(os.Stat(lost[0]))(t)
	})
}

func TestSIGKILLWhileABaseIsFetchedLosesOneAttempt(t *testing.T) {
	t.Parallel()
	registry := registrytest.New(t, registrytest.Options{})
	path, directory := executable(t), t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	script, data := filepath.Join(directory, "disk.sh"), filepath.Join(directory, "data")
	require.NoError(t, os.WriteFile(script, []byte(publishingBuilder), 0o700))
	create := func(server *program, name string, base v1alpha1.Base) {
		t.Helper()
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ImageSpec{BuildInputs: inputsFor("disk")}}
		image.Spec.Base, image.Spec.Output = base, &v1alpha1.Output{Repository: registry.Host() + "/team/" + name}
		_, err := server.images.ImagesV1alpha1().Images("default").Create(ctx, image, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	finished := func(server *program, name string) *v1alpha1.ImageBuild {
		t.Helper()
		return awaited(ctx, t, server.images.ImagesV1alpha1().ImageBuilds("default").Watch, name, func(build *v1alpha1.ImageBuild) bool { return build.Status.Finished })
	}
	server := startProgram(t, path, data, "--builder", "disk="+script)
	create(server, "debian", v1alpha1.Base{Reference: "debian:bookworm"})
	base := finished(server, "debian-1").Status.Artifacts[0]
	require.NoError(t, os.Remove(filepath.Join(data, "artifacts", "blobs", "sha256", strings.TrimPrefix(base.Digest, "sha256:"))))
	fetching := make(chan struct{})
	registry.Inject(1, http.MethodGet, "/team/debian/blobs/", func(_ http.ResponseWriter, request *http.Request, _ http.Handler) {
		close(fetching)
		<-request.Context().Done()
	})
	create(server, "web", v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "debian"}})
	select {
	case <-fetching:
	case <-ctx.Done():
		t.Fatal("nothing is fetched")
	}
	server.kill(t)
	awaitNoProcess(ctx, t, data)

	server = startProgram(t, path, data, "--builder", "disk="+script)
	web := finished(server, "web-1").Status
	if len(web.Attempts) != 2 || web.Attempts[0].Outcome != v1alpha1.AttemptDisrupted || web.Attempts[0].Failure.Reason != v1alpha1.ReasonProcessLost || web.Phase != v1alpha1.BuildSucceeded {
		t.Fatalf("the build is %+v", web)
	}
	if _, content := registry.Get("/team/web/blobs/" + web.Artifacts[0].Digest); string(content) != "disk\ndisk\n" {
		t.Errorf("web was not made from its base: %q", content)
	}
	if left := require.Value(os.ReadDir(filepath.Join(data, "artifacts", "ingest")))(t); len(left) > 0 {
		t.Errorf("the store has %v", left)
	}
	server.terminate(t)
}

// awaited watches the object of a name until wanted returns true.
func awaited[T any](ctx context.Context, t *testing.T, watched func(context.Context, metav1.ListOptions) (watch.Interface, error), name string, wanted func(T) bool) (last T) {
	t.Helper()
	changes, err := watched(ctx, metav1.SingleObject(metav1.ObjectMeta{Name: name}))
	require.NoError(t, err)
	defer changes.Stop()
	for event := range changes.ResultChan() {
		if changed, ok := event.Object.(T); ok {
			if last = changed; wanted(changed) {
				return changed
			}
		}
	}
	t.Fatalf("%s is not what it is to be in time: %+v", name, last)
	return last
}
