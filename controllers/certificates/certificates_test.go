// SPDX-License-Identifier: Apache-2.0

package certificates_test

import (
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2/textlogger"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"goldsmith.dev/goldsmith/controllers/certificates"
	"goldsmith.dev/goldsmith/controllers/election"
	"goldsmith.dev/goldsmith/controllers/internal/apitest"
	"goldsmith.dev/goldsmith/controllers/outages"
	"goldsmith.dev/goldsmith/e2e/deadline"
)

const (
	namespace = "goldsmith-system"
	user      = "certificates"
)

var (
	apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}
	apiService  = schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"}
)

// One process makes certificates for the whole suite. It begins in a cluster that does not let it in.
var (
	server  *apitest.Server
	client  kubernetes.Interface
	objects dynamic.Interface
	log     = &apitest.Log{}
)

// permissions are the calls that issuing certificates needs; an empty name means any name.
var permissions = sets.New(
	apitest.Call{Verb: "list", Resource: "secrets", Name: certificates.APIServerSecret},
	apitest.Call{Verb: "list", Resource: "secrets", Name: certificates.EtcdSecret},
	apitest.Call{Verb: "list", Resource: "secrets", Name: certificates.ControllerSecret},
	apitest.Call{Verb: "list", Resource: "secrets", Name: certificates.ConsoleSecret},
	apitest.Call{Verb: "watch", Resource: "secrets", Name: certificates.APIServerSecret},
	apitest.Call{Verb: "watch", Resource: "secrets", Name: certificates.EtcdSecret},
	apitest.Call{Verb: "watch", Resource: "secrets", Name: certificates.ControllerSecret},
	apitest.Call{Verb: "watch", Resource: "secrets", Name: certificates.ConsoleSecret},
	apitest.Call{Verb: "create", Resource: "secrets"},
	apitest.Call{Verb: "update", Resource: "secrets", Name: certificates.APIServerSecret},
	apitest.Call{Verb: "update", Resource: "secrets", Name: certificates.EtcdSecret},
	apitest.Call{Verb: "update", Resource: "secrets", Name: certificates.ControllerSecret},
	apitest.Call{Verb: "update", Resource: "secrets", Name: certificates.ConsoleSecret},
	apitest.Call{Verb: "list", Group: apiService.Group, Resource: "apiservices"},
	apitest.Call{Verb: "watch", Group: apiService.Group, Resource: "apiservices"},
	apitest.Call{Verb: "update", Group: apiService.Group, Resource: "apiservices", Name: registrations[0]},
	apitest.Call{Verb: "update", Group: apiService.Group, Resource: "apiservices", Name: registrations[1]},
	apitest.Call{Verb: "update", Group: apiService.Group, Resource: "apiservices", Name: registrations[2]},
	apitest.Call{Verb: "update", Group: apiService.Group, Resource: "apiservices", Name: registrations[3]},
	apitest.Call{Verb: "create", Group: coordinationv1.GroupName, Resource: "leases"},
	apitest.Call{Verb: "get", Group: coordinationv1.GroupName, Resource: "leases", Name: "goldsmith-certificates"},
	apitest.Call{Verb: "update", Group: coordinationv1.GroupName, Resource: "leases", Name: "goldsmith-certificates"},
)

func TestCertificates(t *testing.T) {
	SetDefaultEventuallyTimeout(deadline.InProcess.Deadline())
	RegisterFailHandler(Fail)
	RunSpecs(t, "certificates")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	server = apitest.New(apiService, corev1.SchemeGroupVersion.WithKind("Secret"), coordinationv1.SchemeGroupVersion.WithKind("Lease"))
	DeferCleanup(server.Close)
	server.Refuse(func(call apitest.Call) int {
		if call.Resource == "secrets" {
			return http.StatusForbidden
		}
		return 0
	})
	client = kubernetes.NewForConfigOrDie(server.Config("test"))
	objects = dynamic.NewForConfigOrDie(server.Config("test"))
	for _, name := range registrations {
		createAPIService(ctx, name)
	}

	directory := GinkgoT().TempDir()
	Expect(os.WriteFile(filepath.Join(directory, "tls.crt"), nil, 0o600)).To(Succeed())
	logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(io.MultiWriter(log, GinkgoWriter))))
	ctrl.SetLogger(logger)
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- certificates.Run(running, certificates.Options{
			Config:    server.Config(user),
			Namespace: namespace,
			Validity:  certificates.MinValidity,
			Directory: directory,
			Election:  &election.Options{Namespace: namespace, Identity: "test"},
			Outages:   outages.NewMonitor(logger, clock.RealClock{}),
			Logger:    logger,
		})
	}()
	DeferCleanup(func() {
		stop()
		Eventually(ended).Should(Receive(BeNil()))
	})

	Eventually(log.String).Should(ContainSubstring("waiting for v1: "), "the log does not name what the process waits for")
	Expect(ended).NotTo(Receive())
	server.Refuse(nil)
	for _, name := range []string{certificates.APIServerSecret, certificates.EtcdSecret, certificates.ControllerSecret, certificates.ConsoleSecret} {
		Eventually(filled).WithContext(ctx).WithArguments(name).Should(BeTrue())
	}
})

var _ = AfterEach(func() {
	Expect(server.Calls(user).Difference(permissions)).To(BeEmpty(), "more is asked for than the role allows")
})

var _ = Describe("The certificates", func() {
	DescribeTable("are for the names and the uses of what serves with them", func(ctx SpecContext, name string, uses []x509.ExtKeyUsage, hosts ...string) {
		data := secret(ctx, name).Data
		authority, certificate := x509.NewCertPool(), parse(data["tls.crt"])
		Expect(authority.AppendCertsFromPEM(data["ca.crt"])).To(BeTrue())
		for _, host := range hosts {
			_, err := certificate.Verify(x509.VerifyOptions{DNSName: host, Roots: authority, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(certificate.ExtKeyUsage).To(ConsistOf(uses))
		Expect(certificate.NotAfter).To(BeTemporally("~", time.Now().Add(certificates.MinValidity), time.Minute))
	},
		Entry("API server", certificates.APIServerSecret, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			"goldsmith-apiserver.goldsmith-system.svc", "goldsmith-apiserver.goldsmith-system.svc.cluster.local"),
		Entry("etcd", certificates.EtcdSecret, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
			"goldsmith-etcd", "goldsmith-etcd.goldsmith-system.svc", "goldsmith-etcd-0.goldsmith-etcd.goldsmith-system.svc",
			"goldsmith-etcd-2.goldsmith-etcd.goldsmith-system.svc.cluster.local", "localhost"),
		Entry("controller", certificates.ControllerSecret, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			"goldsmith-controller.goldsmith-system.svc"),
		Entry("console", certificates.ConsoleSecret, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			"goldsmith-console.goldsmith-system.svc"),
	)

	It("are verified by the bundle in each APIService", func(ctx SpecContext) {
		for _, name := range registrations {
			Eventually(bundle).WithContext(ctx).WithArguments(name).Should(Equal(secret(ctx, certificates.APIServerSecret).Data["ca.crt"]))
		}
	})

	It("put the bundle into an APIService that was made again", func(ctx SpecContext) {
		name := registrations[0]
		Expect(objects.Resource(apiServices).Delete(ctx, name, metav1.DeleteOptions{})).To(Succeed())
		createAPIService(ctx, name)
		Eventually(bundle).WithContext(ctx).WithArguments(name).Should(Equal(secret(ctx, certificates.APIServerSecret).Data["ca.crt"]))
	})

	It("are replaced under the same authority where only they are lost", func(ctx SpecContext) {
		before := change(ctx, certificates.APIServerSecret, func(data map[string][]byte) {
			delete(data, "tls.crt")
			delete(data, "tls.key")
		})
		Eventually(filled).WithContext(ctx).WithArguments(certificates.APIServerSecret).Should(BeTrue())
		after := secret(ctx, certificates.APIServerSecret).Data
		Expect(after["ca.crt"]).To(Equal(before["ca.crt"]))
		Expect(after["tls.crt"]).NotTo(Equal(before["tls.crt"]))
		Consistently(bundle).WithContext(ctx).WithArguments(registrations[0]).Should(Equal(before["ca.crt"]))
	})

	DescribeTable("are made again", func(ctx SpecContext, damage func(data map[string][]byte)) {
		before := change(ctx, certificates.EtcdSecret, damage)
		Eventually(filled).WithContext(ctx).WithArguments(certificates.EtcdSecret).Should(BeTrue())
		Expect(secret(ctx, certificates.EtcdSecret).Data["ca.crt"]).NotTo(Equal(before["ca.crt"]))
	},
		Entry("for a Secret that was emptied", func(data map[string][]byte) { clear(data) }),
		Entry("for a damaged authority", func(data map[string][]byte) { data["ca.crt"] = []byte("damaged") }),
	)

	It("are made again for a Secret that was deleted", func(ctx SpecContext) {
		before := secret(ctx, certificates.EtcdSecret)
		Expect(client.CoreV1().Secrets(namespace).Delete(ctx, before.Name, metav1.DeleteOptions{})).To(Succeed())
		Eventually(filled).WithContext(ctx).WithArguments(before.Name).Should(BeTrue())
		Expect(secret(ctx, before.Name).UID).NotTo(Equal(before.UID))
	})
})

var _ = AfterEach(func() {
	if CurrentSpecReport().Failed() {
		AddReportEntry("log", log.String())
	}
})
