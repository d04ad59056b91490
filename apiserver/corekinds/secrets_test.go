// SPDX-License-Identifier: Apache-2.0

package corekinds_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

var _ = Describe("secrets", func() {
	const hidden = "c0nfidential"
	var secrets corev1client.SecretInterface

	BeforeEach(func() { secrets = client.CoreV1().Secrets(namespace) })

	create := func(ctx context.Context, secret corev1.Secret) (*corev1.Secret, error) {
		if secret.Name == "" {
			secret.Name = "a"
		}
		return secrets.Create(ctx, &secret, metav1.CreateOptions{})
	}

	It("are Opaque by default, and have stringData in their data, however they are written", func(ctx SpecContext) {
		created := must(create(ctx, corev1.Secret{StringData: map[string]string{"k": "new", "l": ""}, Data: map[string][]byte{"k": []byte("old"), "m": {0, 1}}}))
		Expect(created.Type).To(Equal(corev1.SecretTypeOpaque))
		Expect(created.StringData).To(BeEmpty())
		Expect(created.Data).To(Equal(map[string][]byte{"k": []byte("new"), "l": {}, "m": {0, 1}}))
		for kind, patch := range map[types.PatchType]string{
			types.JSONPatchType:           `[{"op":"add","path":"/stringData","value":{"json":"x"}}]`,
			types.MergePatchType:          `{"stringData":{"merge":"x"}}`,
			types.StrategicMergePatchType: `{"stringData":{"strategic":"x"}}`,
		} {
			_, err := secrets.Patch(ctx, "a", kind, []byte(patch), metav1.PatchOptions{})
			Expect(err).NotTo(HaveOccurred(), string(kind))
		}
		applied := must(secrets.Apply(ctx, corev1ac.Secret("a", namespace).WithStringData(map[string]string{"apply": "x"}), metav1.ApplyOptions{FieldManager: "test"}))
		Expect(applied.StringData).To(BeEmpty())
		x := []byte("x")
		Expect(applied.Data).To(Equal(map[string][]byte{"k": []byte("new"), "l": {}, "m": {0, 1}, "json": x, "merge": x, "strategic": x, "apply": x}))
	})

	It("can be selected by type, and have only their keys in managedFields", func(ctx SpecContext) {
		must(create(ctx, corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "release"}, Type: "helm.sh/release.v1", Data: map[string][]byte{"release": []byte(hidden)}}))
		must(create(ctx, corev1.Secret{}))
		found := must(secrets.List(ctx, metav1.ListOptions{FieldSelector: "type=helm.sh/release.v1"}))
		Expect(found.Items).To(ConsistOf(HaveField("Name", "release")))
		fields := string(found.Items[0].ManagedFields[0].FieldsV1.GetRawBytes())
		Expect(fields).To(And(ContainSubstring(`"f:release"`), Not(ContainSubstring(hidden))))
	})

	// The data contain hidden, which no message may repeat.
	DescribeTable("are refused if their data contradict their type, are too large, or have invalid keys",
		func(ctx SpecContext, kind corev1.SecretType, data map[string]string, wanted ...string) {
			_, err := create(ctx, corev1.Secret{Type: kind, StringData: data})
			Expect(err).To(MatchError(apierrors.IsInvalid, "IsInvalid"))
			for _, text := range wanted {
				Expect(err).To(MatchError(ContainSubstring(text)))
			}
			Expect(err.Error()).NotTo(ContainSubstring(hidden))
			Expect(errorOf(secrets.Get(ctx, "a", metav1.GetOptions{}))).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
		},
		Entry("too large", corev1.SecretTypeOpaque, map[string]string{"k": strings.Repeat("x", 1<<19), "l": strings.Repeat("x", 1<<19+1)}, "data: Too long: may not be more than 1048576 bytes"),
		Entry("a key with a slash", corev1.SecretTypeOpaque, map[string]string{"a/b": hidden}, "data[a/b]"),
		Entry("the key ..", corev1.SecretTypeOpaque, map[string]string{"..": hidden}, "data[..]"),
		Entry("TLS without a certificate", corev1.SecretTypeTLS, map[string]string{"tls.key": hidden}, "data[tls.crt]: Required"),
		Entry("TLS without a key", corev1.SecretTypeTLS, map[string]string{"tls.crt": hidden}, "data[tls.key]: Required"),
		Entry("registry without its file", corev1.SecretTypeDockerConfigJson, map[string]string{"k": hidden}, "data[.dockerconfigjson]: Required"),
		Entry("registry without JSON", corev1.SecretTypeDockerConfigJson, map[string]string{".dockerconfigjson": hidden}, "data[.dockerconfigjson]: Invalid value", "redacted"),
		Entry("registry with a list", corev1.SecretTypeDockerConfigJson, map[string]string{".dockerconfigjson": `["` + hidden + `"]`}, "must be a JSON object"),
		Entry("old registry without JSON", corev1.SecretTypeDockercfg, map[string]string{".dockercfg": hidden}, "data[.dockercfg]: Invalid value"),
		Entry("basic authentication", corev1.SecretTypeBasicAuth, map[string]string{"k": hidden}, "data[username]: Required", "data[password]: Required"),
		Entry("SSH", corev1.SecretTypeSSHAuth, map[string]string{"ssh-privatekey": ""}, "data[ssh-privatekey]: Required"),
		Entry("service account", corev1.SecretTypeServiceAccountToken, map[string]string{"token": hidden}, "metadata.annotations[kubernetes.io/service-account.name]: Required"),
	)

	DescribeTable("are accepted if their data fit their type", func(ctx SpecContext, kind corev1.SecretType, data map[string]string) {
		must(create(ctx, corev1.Secret{Type: kind, StringData: data}))
	},
		Entry("of exactly 1 MiB", corev1.SecretTypeOpaque, map[string]string{"k": strings.Repeat("x", 1<<20)}),
		Entry("TLS", corev1.SecretTypeTLS, map[string]string{"tls.crt": "", "tls.key": ""}),
		Entry("registry", corev1.SecretTypeDockerConfigJson, map[string]string{".dockerconfigjson": "{}"}),
		Entry("basic authentication with one field", corev1.SecretTypeBasicAuth, map[string]string{"password": ""}),
		Entry("bootstrap token", corev1.SecretTypeBootstrapToken, map[string]string{"token-id": "x"}),
		Entry("any other", corev1.SecretType("example.com/any"), nil),
	)

	It("keep their type and, if they are immutable, their data", func(ctx SpecContext) {
		created := must(create(ctx, corev1.Secret{Data: map[string][]byte{"k": []byte("v")}}))
		refuses := func(change func(*corev1.Secret), path string) {
			GinkgoHelper()
			changed := created.DeepCopy()
			change(changed)
			Expect(errorOf(secrets.Update(ctx, changed, metav1.UpdateOptions{}))).To(
				And(MatchError(apierrors.IsInvalid, "IsInvalid"), MatchError(ContainSubstring(path))))
		}
		refuses(func(secret *corev1.Secret) { secret.Type = "example.com/any" }, "type: Invalid value")
		created.Immutable = new(true)
		created = must(secrets.Update(ctx, created, metav1.UpdateOptions{}))
		refuses(func(secret *corev1.Secret) { secret.Data["k"] = []byte("w") }, "data: Forbidden")
		refuses(func(secret *corev1.Secret) { secret.StringData = map[string]string{"l": "w"} }, "data: Forbidden")
		refuses(func(secret *corev1.Secret) { secret.Immutable = nil }, "immutable: Forbidden")
		created.Labels = map[string]string{"changed": "yes"}
		must(secrets.Update(ctx, created, metav1.UpdateOptions{}))
	})
})

var _ = Describe("kubectl and secrets", Serial, func() {
	It("creates, applies and prints them", func() {
		for _, arguments := range [][]string{
			{"create", "secret", "generic", "plain", "--from-literal=password=c0nfidential"},
			{"create", "secret", "docker-registry", "registry", "--docker-server=registry.example.com", "--docker-username=ann", "--docker-password=c0nfidential"},
		} {
			mustKubectl(arguments...)
		}
		Expect(mustKubectl("get", "secrets")).To(MatchRegexp(`NAME +TYPE +DATA +AGE\nplain +Opaque +1 +\d+s\nregistry +kubernetes.io/dockerconfigjson +1 +\d+s\n`))
		Expect(mustKubectl("describe", "secret", "plain")).To(And(MatchRegexp(`password: +12 bytes`), Not(ContainSubstring("c0nfidential"))))
	})
})
