// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers"
	"goldsmith.dev/goldsmith/controllers/election"
	"goldsmith.dev/goldsmith/controllers/internal/apitest"
	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	namespace = "goldsmith-system"
	lease     = "goldsmith-controller"
	patience  = 30 * time.Second
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard()) // what controller-runtime logs by itself
	os.Exit(m.Run())
}

// cluster is an API server with nothing in it.
func cluster(t *testing.T) *apitest.Server {
	server := apitest.New(
		v1alpha1.SchemeGroupVersion.WithKind("Image"), v1alpha1.SchemeGroupVersion.WithKind("ImageBuild"), v1alpha1.SchemeGroupVersion.WithKind("ImageKind"),
		v1alpha1.SchemeGroupVersion.WithKind("RevokedArtifact"),
		batchv1.SchemeGroupVersion.WithKind("Job"), corev1.SchemeGroupVersion.WithKind("Pod"),
		corev1.SchemeGroupVersion.WithKind("ConfigMap"), corev1.SchemeGroupVersion.WithKind("Namespace"),
		corev1.SchemeGroupVersion.WithKind("Event"), coordinationv1.SchemeGroupVersion.WithKind("Lease"),
	)
	t.Cleanup(server.Close)
	return server
}

// process runs the controllers.
type process struct {
	health string
	log    *apitest.Log
	stop   context.CancelFunc
	ended  chan error
}

func start(t *testing.T, server *apitest.Server, identity string, changes ...func(*controllers.Options)) *process {
	t.Helper()
	g := NewWithT(t)
	p := &process{health: require.FreeAddress(t), log: &apitest.Log{}, ended: make(chan error, 1)}
	running, stop := context.WithCancel(context.Background())
	p.stop = stop
	options := controllers.Options{
		Config:        server.Config("test"),
		Logger:        textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(p.log))),
		Election:      &election.Options{Namespace: namespace, Identity: identity},
		HealthAddress: p.health,
	}
	for _, change := range changes {
		change(&options)
	}
	manager, err := controllers.New(running, options)
	g.Expect(err).NotTo(HaveOccurred())
	go func() { p.ended <- controllers.Run(running, manager) }()
	t.Cleanup(func() {
		stop()
		g.Eventually(p.ended, patience).Should(Receive(Succeed()))
		p.ended <- nil
	})
	return p
}

// check asks a health endpoint, and returns its status and text.
func (p *process) check(path string) string {
	response, err := (&http.Client{Timeout: patience}).Get("http://" + p.health + path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", response.StatusCode, text)
}

func holder(t *testing.T, server *apitest.Server) func() (string, error) {
	t.Helper()
	client := kubernetes.NewForConfigOrDie(server.Config("test"))
	return func() (string, error) {
		found, err := client.CoordinationV1().Leases(namespace).Get(t.Context(), lease, metav1.GetOptions{})
		if err != nil || found.Spec.HolderIdentity == nil {
			return "", err
		}
		return *found.Spec.HolderIdentity, nil
	}
}

// refuseImages answers for the API of images as a kube-apiserver does whose APIService has no server.
func refuseImages(status int) func(apitest.Call) int {
	return func(call apitest.Call) int {
		if call.Group == v1alpha1.GroupName {
			return status
		}
		return 0
	}
}

func TestTheControllersWaitForAnUnavailableAPI(t *testing.T) {
	g := NewWithT(t)
	server := cluster(t)
	server.Refuse(refuseImages(http.StatusServiceUnavailable))
	p := start(t, server, "a")
	const line = "waiting for images.goldsmith.dev/v1alpha1: "
	g.Eventually(p.log.String, patience).Should(ContainSubstring(line))
	g.Expect(p.check("/healthz")).To(HavePrefix("200"))
	g.Expect(p.check("/readyz/caches")).To(And(HavePrefix("500"), ContainSubstring(line)))

	server.Refuse(nil)
	g.Eventually(p.check, patience).WithArguments("/readyz").Should(HavePrefix("200"))
	g.Eventually(holder(t, server), patience).Should(Equal("a"))
	g.Expect(strings.Count(p.log.String(), line)).To(Equal(1), p.log.String())
	g.Expect(p.log.String()).To(ContainSubstring("images.goldsmith.dev/v1alpha1 answers"))
	g.Expect(p.log.String()).NotTo(ContainSubstring("\nE"), "errors are logged")
}

func TestMissingPermissionIsNamed(t *testing.T) {
	g := NewWithT(t)
	server := cluster(t)
	server.Refuse(refuseImages(http.StatusForbidden))
	p := start(t, server, "a")
	g.Eventually(p.log.String, patience).Should(And(ContainSubstring("nobody may list images.images.goldsmith.dev"), ContainSubstring("nobody may list imagebuilds.images.goldsmith.dev")))
	g.Expect(p.ended).NotTo(Receive())
}

func TestToldToStopWhileItWaitsItStops(t *testing.T) {
	g := NewWithT(t)
	server := cluster(t)
	server.Refuse(refuseImages(http.StatusNotFound))
	p := start(t, server, "a")
	g.Eventually(p.log.String, patience).Should(ContainSubstring("waiting for"))
	p.stop()
	g.Eventually(p.ended, patience).Should(Receive(Succeed()))
	p.ended <- nil
}

func TestOneProcessActsAndTheNextTakesOver(t *testing.T) {
	g := NewWithT(t)
	server := cluster(t)
	first := start(t, server, "first")
	g.Eventually(holder(t, server), patience).Should(Equal("first"))
	second := start(t, server, "second")
	g.Eventually(second.check, patience).WithArguments("/readyz").Should(HavePrefix("200"))
	g.Expect(second.log.String()).NotTo(ContainSubstring("Starting workers"))

	first.stop()
	g.Eventually(holder(t, server), patience).Should(Equal("second"), "the lease lasts longer than that unless it is given up")
	g.Eventually(second.log.String, patience).Should(ContainSubstring("Starting workers"))
}

// A process that was frozen finds its lease taken. It is not to act beside its successor until the renew deadline.
func TestAProcessWhoseLeaseWasTakenEnds(t *testing.T) {
	g := NewWithT(t)
	server := cluster(t)
	p := start(t, server, "first")
	g.Eventually(holder(t, server), patience).Should(Equal("first"))

	leases := kubernetes.NewForConfigOrDie(server.Config("test")).CoordinationV1().Leases(namespace)
	g.Expect(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		taken, err := leases.Get(t.Context(), lease, metav1.GetOptions{})
		if err != nil {
			return err
		}
		taken.Spec.HolderIdentity = new("second")
		_, err = leases.Update(t.Context(), taken, metav1.UpdateOptions{})
		return err
	})).To(Succeed())
	g.Eventually(p.ended, patience).Should(Receive(MatchError(ContainSubstring(`"second" holds it now`))))
	p.ended <- nil
	g.Expect(holder(t, server)()).To(Equal("second"))
}

func TestAProcessThatStartsAgainUnderItsNameDoesNotWait(t *testing.T) {
	g := NewWithT(t)
	server := cluster(t)
	now := metav1.NowMicro()
	seconds := int32(time.Hour / time.Second)
	_, err := kubernetes.NewForConfigOrDie(server.Config("test")).CoordinationV1().Leases(namespace).Create(t.Context(), &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: lease},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: new("a"), LeaseDurationSeconds: &seconds, AcquireTime: &now, RenewTime: &now},
	}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	p := start(t, server, "a")
	g.Eventually(p.log.String, patience).Should(ContainSubstring("Starting workers"))
}
