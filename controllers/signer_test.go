// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers"
	"goldsmith.dev/goldsmith/controllers/internal/apitest"
	"goldsmith.dev/goldsmith/jobs/signing"
)

// TestTheSignerNeedsNoMoreThanItsRole compares with kustomize/base/signer/rbac.yaml.
func TestTheSignerNeedsNoMoreThanItsRole(t *testing.T) {
	const user = "signer"
	g := NewWithT(t)
	server := apitest.New(v1alpha1.SchemeGroupVersion.WithKind("SigningKey"), v1alpha1.SchemeGroupVersion.WithKind("ImageBuild"),
		corev1.SchemeGroupVersion.WithKind("Namespace"), corev1.SchemeGroupVersion.WithKind("Secret"))
	t.Cleanup(server.Close)
	kube := kubernetes.NewForConfigOrDie(server.Config("test"))
	images := versioned.NewForConfigOrDie(server.Config("test")).ImagesV1alpha1()

	private, err := signing.Generate()
	g.Expect(err).NotTo(HaveOccurred())
	text, err := private.PEM()
	g.Expect(err).NotTo(HaveOccurred())
	digest := "sha256:" + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "web-1"}, Status: v1alpha1.ImageBuildStatus{
		Phase: v1alpha1.BuildRunning, Attestation: &v1alpha1.Attestation{Attempt: 1, Artifacts: []v1alpha1.AttestedArtifact{
			{Target: "linux/amd64/raw", Statements: []v1alpha1.AttestedStatement{{Type: "example.com/statement", SignedDigest: digest}}},
		}},
	}}
	_, err = kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team", Labels: map[string]string{"signed": "yes"}}}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = kube.CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "key"}, Data: map[string][]byte{v1alpha1.SigningKeyFile: text},
	}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = images.ImageBuilds("team").Create(t.Context(), build, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())

	running, stop := context.WithCancel(context.Background())
	signer, err := controllers.NewSigner(controllers.SignerOptions{Config: server.Config(user), Namespace: namespace})
	g.Expect(err).NotTo(HaveOccurred())
	ended := make(chan error, 1)
	go func() { ended <- controllers.Run(running, signer) }()
	t.Cleanup(func() {
		stop()
		g.Eventually(ended, patience).Should(Receive(Succeed()))
	})
	_, err = images.SigningKeys().Create(t.Context(), &v1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "release"}, Spec: v1alpha1.SigningKeySpec{
		SecretRef: v1alpha1.SecretReference{Name: "key"}, NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"signed": "yes"}},
	}}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())

	sign := apitest.Call{Verb: "create", Group: v1alpha1.GroupName, Resource: "imagebuilds", Name: "web-1"}
	g.Eventually(func() sets.Set[apitest.Call] { return server.Calls(user) }, patience).Should(HaveKey(sign))
	permissions := sets.New(sign,
		apitest.Call{Verb: "get", Resource: "secrets", Name: "key"},
		apitest.Call{Verb: "patch", Group: v1alpha1.GroupName, Resource: "signingkeys", Name: "release"},
	)
	for _, verb := range []string{"list", "watch"} {
		permissions.Insert(
			apitest.Call{Verb: verb, Resource: "namespaces"},
			apitest.Call{Verb: verb, Group: v1alpha1.GroupName, Resource: "imagebuilds"},
			apitest.Call{Verb: verb, Group: v1alpha1.GroupName, Resource: "signingkeys"},
		)
	}
	g.Expect(server.Calls(user).Difference(permissions)).To(BeEmpty(), "the signer asks for more than its role allows")
}
