// SPDX-License-Identifier: Apache-2.0

package security

import (
	"context"
	"net"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/host"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// describeAdmission: what a cluster's operators demand of objects they can demand of images.
func describeAdmission(w *cluster.Workspace) {
	here := func() *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.Namespace}}
	}
	whatever := func(operations ...admissionregistrationv1.OperationType) admissionregistrationv1.RuleWithOperations {
		return admissionregistrationv1.RuleWithOperations{Operations: operations, Rule: admissionregistrationv1.Rule{
			APIGroups: []string{v1alpha1.GroupName}, APIVersions: []string{"*"}, Resources: []string{"images"},
		}}
	}
	// everyReplicaRefuses: what is demanded counts a moment after it was made known, for each replica at a moment of its own.
	// That many requests at once meet them all: more than kube-apiserver has idle connections.
	const atOnce = 40
	everyReplicaRefuses := func(ctx context.Context, create func(ctx context.Context, options metav1.CreateOptions) error, message string) {
		GinkgoHelper()
		w.Eventually(ctx, func(ctx context.Context) []error {
			answers := make([]error, atOnce)
			var asking sync.WaitGroup
			for i := range answers {
				asking.Go(func() { answers[i] = create(ctx, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}) })
			}
			asking.Wait()
			return answers
		}).Should(HaveEach(MatchError(ContainSubstring(message))))
		Expect(create(ctx, metav1.CreateOptions{})).To(MatchError(ContainSubstring(message)))
	}
	eventuallyRefused := func(ctx context.Context, image *v1alpha1.Image, message string) {
		GinkgoHelper()
		everyReplicaRefuses(ctx, func(ctx context.Context, options metav1.CreateOptions) error {
			_, err := w.Images().Create(ctx, image, options)
			return err
		}, message)
	}
	// policy has a ValidatingAdmissionPolicy hold in the namespace until the spec ends.
	policy := func(ctx context.Context, rule admissionregistrationv1.RuleWithOperations, expression, message string) {
		GinkgoHelper()
		admission, name := w.Kube.AdmissionregistrationV1(), "e2e-"+rule.Resources[0]+"-"+w.Namespace
		_, err := admission.ValidatingAdmissionPolicies().Create(ctx, &admissionregistrationv1.ValidatingAdmissionPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
				MatchConstraints: &admissionregistrationv1.MatchResources{
					NamespaceSelector: here(),
					ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
						RuleWithOperations: rule,
					}},
				},
				Validations: []admissionregistrationv1.Validation{{Expression: expression, Message: message}},
			},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			Expect(admission.ValidatingAdmissionPolicies().Delete(ctx, name, metav1.DeleteOptions{})).To(Succeed())
		})
		_, err = admission.ValidatingAdmissionPolicyBindings().Create(ctx, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
			},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			Expect(admission.ValidatingAdmissionPolicyBindings().Delete(ctx, name, metav1.DeleteOptions{})).To(Succeed())
		})
	}

	It("A ValidatingAdmissionPolicy holds for images", func(ctx SpecContext) {
		policy(ctx, whatever(admissionregistrationv1.Create, admissionregistrationv1.Update), `object.spec.base.reference.startsWith("debian:")`, "we only build on Debian")
		refused := cluster.NewImage("refused")
		refused.Spec.Base.Reference = "alpine:3"
		eventuallyRefused(ctx, refused, "we only build on Debian")
		w.CreateImage(ctx, cluster.NewImage("web"))
		w.Succeeded(ctx, "web-1")
	})

	It("A webhook is asked about images, and says as much as it likes about Jobs", func(ctx SpecContext) {
		address := host.Address(ctx, w.Kube)
		url, bundle := serveWebhook(net.ParseIP(address), func(name string) string {
			switch {
			case name == "refused":
				return "not this one"
			case strings.HasPrefix(name, "verbose"):
				return strings.Repeat("ü", 32<<10)
			}
			return ""
		})
		jobs := whatever(admissionregistrationv1.Create)
		jobs.APIGroups, jobs.Resources = []string{batchv1.GroupName}, []string{"jobs"}
		hooks, name := w.Kube.AdmissionregistrationV1().ValidatingWebhookConfigurations(), "e2e-"+w.Namespace
		_, err := hooks.Create(ctx, &admissionregistrationv1.ValidatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Webhooks: []admissionregistrationv1.ValidatingWebhook{{
				Name: "images.e2e.goldsmith.dev", NamespaceSelector: here(), Rules: []admissionregistrationv1.RuleWithOperations{whatever(admissionregistrationv1.Create), jobs},
				ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: bundle},
				SideEffects:  new(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
				FailurePolicy: new(admissionregistrationv1.Fail), TimeoutSeconds: new(int32(5)),
			}},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) { Expect(hooks.Delete(ctx, name, metav1.DeleteOptions{})).To(Succeed()) })

		eventuallyRefused(ctx, cluster.NewImage("refused"), "not this one")
		w.CreateImage(ctx, cluster.NewImage("web"))
		w.Succeeded(ctx, "web-1")

		// kube-apiserver asks the webhook a moment after it was made known.
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "verbose"}, Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
			Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "none", Image: "none"}}},
		}}}
		w.Eventually(ctx, func(ctx context.Context) error {
			_, err := w.Kube.BatchV1().Jobs(w.Namespace).Create(ctx, job, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			return err
		}).Should(MatchError(ContainSubstring("denied the request")))
		w.CreateBuild(ctx, workspace.NewBuild("verbose"))
		failure := w.Finished(ctx, "verbose").Status.Failure
		Expect(failure).To(And(HaveField("Reason", v1alpha1.ReasonJobRejected), HaveField("Message", HaveSuffix("ü…"))))
		Expect(len(failure.Message)).To(BeNumerically("<=", v1alpha1.MaxMessageBytes))
	})

	Describe("What is demanded of images holds for objects of a kind, and what is demanded of these, too:", Label("catalog"), func() {
		var client dynamic.ResourceInterface
		BeforeEach(func(ctx SpecContext) {
			w.EstablishKind(ctx, workspace.Appliances)
			client = dynamic.NewForConfigOrDie(w.Config).Resource(appliances).Namespace(w.Namespace)
		})
		ofKind := func(operations ...admissionregistrationv1.OperationType) admissionregistrationv1.RuleWithOperations {
			rule := whatever(operations...)
			rule.APIGroups, rule.Resources = []string{appliances.Group}, []string{appliances.Resource}
			return rule
		}
		create := func(object *unstructured.Unstructured) func(ctx context.Context, options metav1.CreateOptions) error {
			return func(ctx context.Context, options metav1.CreateOptions) error {
				_, err := client.Create(ctx, object, options)
				return err
			}
		}

		It("a ValidatingAdmissionPolicy", func(ctx SpecContext) {
			policy(ctx, whatever(admissionregistrationv1.Create, admissionregistrationv1.Update), `object.spec.base.reference != "debian:trixie"`, "trixie is too new")
			policy(ctx, ofKind(admissionregistrationv1.Create, admissionregistrationv1.Update), `object.metadata.name != "refused"`, "not in our catalog")
			everyReplicaRefuses(ctx, create(newAppliance("refused")), "not in our catalog")
			later := newAppliance("later")
			Expect(unstructured.SetNestedField(later.Object, "trixie", "spec", "release")).To(Succeed())
			everyReplicaRefuses(ctx, create(later), `appliances.catalog.goldsmith.dev "later" is forbidden: ValidatingAdmissionPolicy 'e2e-images-`+w.Namespace)
			Expect(create(newAppliance("web"))(ctx, metav1.CreateOptions{})).To(Succeed())
			_, err := client.Patch(ctx, "web", types.MergePatchType, []byte(`{"spec":{"release":"trixie"}}`), metav1.PatchOptions{})
			Expect(err).To(MatchError(ContainSubstring("trixie is too new")))
		})

		It("a webhook", func(ctx SpecContext) {
			hooks, address := w.Kube.AdmissionregistrationV1().ValidatingWebhookConfigurations(), net.ParseIP(host.Address(ctx, w.Kube))
			configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "e2e-" + w.Namespace}}
			for _, rule := range []admissionregistrationv1.RuleWithOperations{whatever(admissionregistrationv1.Create), ofKind(admissionregistrationv1.Create)} {
				url, bundle := serveWebhook(address, func(name string) string {
					if name == "refused-by-"+rule.Resources[0] {
						return "not as one of " + rule.Resources[0]
					}
					return ""
				})
				configuration.Webhooks = append(configuration.Webhooks, admissionregistrationv1.ValidatingWebhook{
					Name: rule.Resources[0] + ".e2e.goldsmith.dev", NamespaceSelector: here(), Rules: []admissionregistrationv1.RuleWithOperations{rule},
					ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: bundle},
					SideEffects:  new(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
					FailurePolicy: new(admissionregistrationv1.Fail), TimeoutSeconds: new(int32(5)),
				})
			}
			_, err := hooks.Create(ctx, configuration, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(func(ctx SpecContext) {
				Expect(hooks.Delete(ctx, configuration.Name, metav1.DeleteOptions{})).To(Succeed())
			})
			for _, resource := range []string{"images", appliances.Resource} {
				everyReplicaRefuses(ctx, create(newAppliance("refused-by-"+resource)), "not as one of "+resource)
			}
			Expect(create(newAppliance("web"))(ctx, metav1.CreateOptions{})).To(Succeed())
		})
	})
}
