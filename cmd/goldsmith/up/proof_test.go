// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/signing"
)

func TestAStoredArtifactHasASignedProvenance(t *testing.T) {
	t.Parallel()
	key := require.Value(signing.Generate())(t)
	public := require.Value(key.Public())(t)
	data := t.TempDir()
	withSystem(t, Options{DataDirectory: data, Memory: true}, func(ctx context.Context, client versioned.Interface) {
		images := client.ImagesV1alpha1()
		kube := kubernetes.NewForConfigOrDie(require.Value(clientcmd.BuildConfigFromFlags("", filepath.Join(data, "kubeconfig")))(t)).CoreV1()
		require.Value(kube.Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SystemNamespace}}, metav1.CreateOptions{}))(t)
		require.Value(kube.Secrets(v1alpha1.SystemNamespace).Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "blue"}, Data: map[string][]byte{v1alpha1.SigningKeyFile: require.Value(key.PEM())(t)},
		}, metav1.CreateOptions{}))(t)
		require.Value(images.SigningKeys().Create(ctx, &v1alpha1.SigningKey{
			ObjectMeta: metav1.ObjectMeta{Name: "blue"}, Spec: v1alpha1.SigningKeySpec{SecretRef: v1alpha1.SecretReference{Name: "blue"}},
		}, metav1.CreateOptions{}))(t)
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: "debian"}, Spec: v1alpha1.ImageSpec{BuildInputs: inputsFor(mockName)}}
		require.Value(images.Images("default").Create(ctx, image, metav1.CreateOptions{}))(t)
		build := awaited(ctx, t, images.ImageBuilds("default").Watch, "debian-1", func(build *v1alpha1.ImageBuild) bool { return build.Status.Finished })
		if len(build.Status.Artifacts) == 0 {
			t.Fatalf("the build is %+v", build.Status)
		}
		for i := range build.Status.Artifacts {
			artifact := &build.Status.Artifacts[i]
			at := slices.IndexFunc(artifact.Documents, func(document v1alpha1.ArtifactDocument) bool { return document.Name() == "bundle" })
			if at < 1 || artifact.Documents[at-1].Name() != "provenance" {
				t.Fatalf("the documents are %+v", artifact.Documents)
			}
			fetched := func(document v1alpha1.ArtifactDocument) []byte {
				return require.Value(images.RESTClient().Get().AbsPath(document.Location).DoRaw(ctx))(t)
			}
			bundle := require.Value(attestation.ReadBundle(fetched(artifact.Documents[at])))(t)
			if string(bundle.Payload) != string(fetched(artifact.Documents[at-1])) || !public.VerifyStatement(bundle.SignedDigest(), bundle.Signatures[0].Signature) ||
				!require.Value(bundle.Content())(t).About(artifact.Digest) {
				t.Errorf("the bundle is %s", bundle.Payload)
			}
		}

		rebuild := require.Value(images.ImageBuilds("default").Rerun(ctx, build.Name, &v1alpha1.RerunRequest{Reproduce: true}, metav1.CreateOptions{}))(t)
		rebuild = awaited(ctx, t, images.ImageBuilds("default").Watch, rebuild.Name, func(build *v1alpha1.ImageBuild) bool { return build.Status.Finished })
		if rebuild.Status.Attestation == nil {
			t.Fatalf("the build that reproduces it is %+v", rebuild.Status)
		}
		for _, artifact := range rebuild.Status.Attestation.Artifacts {
			at := slices.IndexFunc(artifact.Statements, func(statement v1alpha1.AttestedStatement) bool { return statement.Type == attestation.TypeReproduction })
			if at < 0 || !public.VerifyStatement(artifact.Statements[at].SignedDigest, artifact.Statements[at].Signatures[0].Signature) {
				t.Errorf("the statements are %+v", artifact.Statements)
			}
		}
	})
}
