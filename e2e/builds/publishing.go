// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/host"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// The signer of the cluster.
const (
	systemNamespace = "goldsmith-system"
	signerName      = "goldsmith-signer"
)

func describePublishing(w *fixture) {
	Describe("An image with an output", func() {
		It("is published with the credentials of its Secret, and not without them, and others start from it", Label("gate"), func(ctx SpecContext) {
			registry := host.NewRegistry(host.Address(ctx, w.Kube))
			image := workspace.NewImage("web")
			image.Spec.Output = &v1alpha1.Output{Repository: registry.Host + "/team/web", SecretRef: &v1alpha1.SecretReference{Name: "registry"}}
			w.CreateImage(ctx, image)
			denied := w.WaitForBuild(ctx, "web-1", failedWith("Config/RegistryDenied"))
			Expect(denied.Status.Failure.Message).To(ContainSubstring("Secret %s/registry of output.secretRef does not exist", w.Namespace))
			Expect(denied.Status.Artifacts).To(BeEmpty())
			Expect(w.Log(ctx, "web-1", nil)).To(MatchRegexp(`(?s)step 1/1.*\ngoldsmith: waiting for the result.*output\.secretRef does not exist`))

			_, err := w.Kube.CoreV1().Secrets(w.Namespace).Create(ctx, registry.Secret(), metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())

			By("no tag moves until the signer has signed")
			key, signer := w.createSigningKey(ctx), w.scaleSigner(ctx)
			signer(0)
			unsigned := w.WaitForBuild(ctx, w.Request(ctx, "web", "again").Name, attested(metav1.ConditionFalse, v1alpha1.ReasonWaitingForSigner))
			Expect(unsigned.Status.Attestation.Artifacts).To(HaveLen(1))
			Expect(registry.DigestOf("team/web", unsigned.Name)).To(BeEmpty())
			signer(1)
			build := w.Succeeded(ctx, unsigned.Name)
			Expect(build).To(attested(metav1.ConditionTrue, v1alpha1.ReasonSigned))
			signed := build.Status.Attestation.Artifacts[0]
			Expect(signed.Statements).To(HaveEach(HaveField("Signatures", ConsistOf(HaveField("KeyID", key.Status.KeyID)))))
			Expect(build.Status.Attempts[0].BuilderImage).To(MatchRegexp(`sha256:[0-9a-f]{64}$`))

			artifact := build.Status.Artifacts[0]
			digest, published := strings.CutPrefix(artifact.Location, image.Spec.Output.Repository+"@")
			Expect(published).To(BeTrue(), artifact.Location)
			Expect(artifact.Verified).To(Equal(v1alpha1.ArtifactVerifiedContent))
			Expect(artifact.Tag).To(Equal(build.Name))
			Expect(registry.DigestOf("team/web", build.Name)).To(Equal(digest))
			Expect(signed.Manifest).To(Equal(digest))
			for _, suffix := range []string{".sig", ".att"} {
				Expect(registry.DigestOf("team/web", strings.Replace(digest, ":", "-", 1)+suffix)).NotTo(BeEmpty())
			}
			Expect(registry.DigestOf("team/web", "web-1")).To(BeEmpty())

			By("the documents about it are in the repository, and its packages are listed")
			var documents []string
			for i := range artifact.Documents {
				document := &artifact.Documents[i]
				documents = append(documents, document.Name())
				Expect(document.Verified).To(Equal(v1alpha1.ArtifactVerifiedContent))
				Expect(document.Location).To(HavePrefix(image.Spec.Output.Repository + "@sha256:"))
			}
			Expect(documents).To(Equal([]string{"lock", "cyclonedx", "spdx", "provenance"}))
			listed := &v1alpha1.ImageBuildPackages{}
			Expect(w.Goldsmith.ImagesV1alpha1().RESTClient().Get().Namespace(w.Namespace).Resource("imagebuilds").Name(build.Name).
				SubResource("packages").Do(ctx).Into(listed)).To(Succeed())
			Expect(listed.Locks).To(HaveLen(1))
			Expect(listed.Locks[0].Digest).To(Equal(artifact.Document(v1alpha1.DocumentLock).Digest))
			Expect(listed.Locks[0].Lock.Packages).To(HaveLen(int(*artifact.Packages)))

			By("a rebuild states in the repository that it made the same content, and moves no tag")
			again := w.Succeeded(ctx, w.rebuild(ctx, build.Name))
			Expect(again.Status.Artifacts).To(ConsistOf(And(HaveField("Location", artifact.Location), HaveField("Tag", BeEmpty()))))
			Expect(again.Status.Attestation.Artifacts[0].Statements).To(ContainElement(HaveField("Type", "https://goldsmith.dev/reproduction/v1")))
			w.WaitForCondition(ctx, build.Name, v1alpha1.BuildReproduced, "True/SameContent")

			By("another image starts from the published artifact")
			based := workspace.NewImage("based")
			based.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "web"}}
			w.CreateImage(ctx, based)
			denied = w.WaitForBuild(ctx, "based-1", failedWith("Config/RegistryRefused")) // without an output it has no Secret, which has the authority of the registry
			Expect(denied.Status.Failure.Message).To(ContainSubstring("artifact linux/amd64/raw of build %s of base web: fetch from %s", build.Name, registry.Host))
			Expect(w.Log(ctx, "based-1", nil)).To(MatchRegexp(`(?s)goldsmith: fetching linux/amd64/raw of build .*\ngoldsmith: artifact linux/amd64/raw of build .*: fetch from `))
			w.ChangeImage(ctx, "based", func(image *v1alpha1.Image) {
				image.Spec.Output = &v1alpha1.Output{Repository: registry.Host + "/team/based", SecretRef: &v1alpha1.SecretReference{Name: "registry"}}
			})
			w.Succeeded(ctx, "based-2")
			Expect(w.Log(ctx, "based-2", nil)).To(And(
				MatchRegexp(`(?s)goldsmith: fetching linux/amd64/raw of build .*\ngoldsmith: fetched .*\nstep 1/1.*\ngoldsmith: pushed linux/amd64/raw in .*\ngoldsmith: published linux/amd64/raw: `),
				ContainSubstring("the base has linux/amd64/raw, %d bytes, %s", artifact.SizeBytes, artifact.Digest)))
		})
	})
}

// attested matches a build whose artifacts are signed, or not.
func attested(status metav1.ConditionStatus, reason string) types.GomegaMatcher {
	return HaveField("Status.Conditions", ContainElement(And(
		HaveField("Type", v1alpha1.BuildAttested), HaveField("Status", status), HaveField("Reason", reason))))
}

// createSigningKey makes a key that signs the builds of the workspace, and waits until the signer has published it.
func (w *fixture) createSigningKey(ctx SpecContext) *v1alpha1.SigningKey {
	GinkgoHelper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	der, err := x509.MarshalPKCS8PrivateKey(private)
	Expect(err).NotTo(HaveOccurred())
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: w.Namespace, Namespace: systemNamespace},
		Data:       map[string][]byte{v1alpha1.SigningKeyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})},
	}
	secrets, keys := w.Kube.CoreV1().Secrets(systemNamespace), w.Goldsmith.ImagesV1alpha1().SigningKeys()
	_, err = secrets.Create(ctx, secret, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) { Expect(secrets.Delete(ctx, secret.Name, metav1.DeleteOptions{})).To(Succeed()) })
	key, err := keys.Create(ctx, &v1alpha1.SigningKey{
		ObjectMeta: metav1.ObjectMeta{Name: w.Namespace},
		Spec: v1alpha1.SigningKeySpec{
			SecretRef:         v1alpha1.SecretReference{Name: secret.Name},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.Namespace}},
		},
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) { Expect(keys.Delete(ctx, key.Name, metav1.DeleteOptions{})).To(Succeed()) })
	w.Eventually(ctx, func(ctx context.Context) (string, error) {
		var err error
		key, err = keys.Get(ctx, key.Name, metav1.GetOptions{})
		return key.Status.KeyID, err
	}).ShouldNot(BeEmpty())
	return key
}

// scaleSigner returns a function that scales the signer. The spec leaves the signer as it was.
func (w *fixture) scaleSigner(ctx SpecContext) func(replicas int32) {
	GinkgoHelper()
	deployments := w.Kube.AppsV1().Deployments(systemNamespace)
	scale := func(ctx context.Context, replicas int32) {
		GinkgoHelper()
		_, err := deployments.UpdateScale(ctx, signerName, &autoscalingv1.Scale{
			ObjectMeta: metav1.ObjectMeta{Name: signerName, Namespace: systemNamespace}, Spec: autoscalingv1.ScaleSpec{Replicas: replicas},
		}, metav1.UpdateOptions{})
		Expect(err).NotTo(HaveOccurred())
		w.Eventually(ctx, func(ctx context.Context) (int, error) {
			pods, err := w.Kube.CoreV1().Pods(systemNamespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + signerName})
			return len(pods.Items), err
		}).Should(BeEquivalentTo(replicas))
	}
	DeferCleanup(func(ctx SpecContext) { scale(ctx, 1) })
	return func(replicas int32) {
		GinkgoHelper()
		scale(ctx, replicas)
	}
}
