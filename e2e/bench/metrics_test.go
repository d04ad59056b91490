// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

const systemNamespace = "goldsmith-system"

// counters are what every server of the cluster has done since it started.
type counters struct {
	writes  map[string]float64 // requests that write, as "component verb resource/subresource"
	reviews float64            // token and access reviews
	cpu     map[string]float64 // seconds, by component
}

// count reads the metrics of kube-apiserver, the controller manager and our own components.
func (c *cluster) count(b *testing.B) counters {
	b.Helper()
	counted := counters{writes: map[string]float64{}, cpu: map[string]float64{}}
	body, err := c.kube.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(b.Context())
	if err != nil {
		b.Fatalf("get the metrics of kube-apiserver: %v", err)
	}
	counted.add(b, "kube-apiserver", parse(b, body))
	for _, component := range []struct{ name, port, scheme string }{
		{"goldsmith-apiserver", "8443", "https"},
		{"goldsmith-controller", "8443", "https"},
		{"goldsmith-etcd", "2381", "http"},
	} {
		pods, err := c.kube.CoreV1().Pods(systemNamespace).List(b.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + component.name})
		if err != nil {
			b.Fatalf("list the pods of %s: %v", component.name, err)
		}
		for _, pod := range pods.Items {
			counted.add(b, component.name, c.scrapePod(b, systemNamespace, pod.Name, component.port, component.scheme))
		}
	}
	return counted
}

func parse(b *testing.B, body []byte) map[string]*dto.MetricFamily {
	b.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		b.Fatalf("parse metrics: %v", err)
	}
	return families
}

func (counted *counters) add(b *testing.B, component string, families map[string]*dto.MetricFamily) {
	b.Helper()
	for _, metric := range families["process_cpu_seconds_total"].GetMetric() {
		counted.cpu[component] += metric.GetCounter().GetValue()
	}
	for _, metric := range families["apiserver_request_total"].GetMetric() {
		labels := map[string]string{}
		for _, pair := range metric.GetLabel() {
			labels[pair.GetName()] = pair.GetValue()
		}
		resource, value := labels["resource"], metric.GetCounter().GetValue()
		switch {
		case resource == "subjectaccessreviews" || resource == "tokenreviews":
			counted.reviews += value
		case resource == "leases" || resource == "namespaces" || resource == "nodes":
			// of the cluster itself, whatever runs in it
		case strings.HasPrefix(labels["code"], "2") && isWrite(labels["verb"]):
			if labels["subresource"] != "" {
				resource += "/" + labels["subresource"]
			}
			counted.writes[fmt.Sprintf("%s %s %s", component, labels["verb"], resource)] += value
		}
	}
}

func isWrite(verb string) bool {
	switch verb {
	case "POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION":
		return true
	}
	return false
}

// since is the difference per object.
func (counted counters) since(before counters, objects int) counters {
	per := counters{writes: map[string]float64{}, cpu: map[string]float64{}, reviews: (counted.reviews - before.reviews) / float64(objects)}
	for name, value := range counted.writes {
		if grown := value - before.writes[name]; grown > 0 {
			per.writes[name] = grown / float64(objects)
		}
	}
	for name, value := range counted.cpu {
		per.cpu[name] = (value - before.cpu[name]) / float64(objects)
	}
	return per
}

// scrapePod reads the metrics of a pod through a port forwarded by kube-apiserver: the cluster's only open port.
func (c *cluster) scrapePod(b *testing.B, namespace, pod, port, scheme string) map[string]*dto.MetricFamily {
	b.Helper()
	url := c.kube.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(c.config)
	if err != nil {
		b.Fatal(err)
	}
	stop, ready, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	forwarder, err := portforward.New(spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url),
		[]string{"0:" + port}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		b.Fatalf("forward port %s of pod %s: %v", port, pod, err)
	}
	go func() { ended <- forwarder.ForwardPorts() }()
	defer close(stop)
	select {
	case <-ready:
	case err := <-ended:
		b.Fatalf("forward port %s of pod %s: %v", port, pod, err)
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		b.Fatal(err)
	}
	// The certificate is one for the Service's name, and this is a port of our own on loopback.
	config := &rest.Config{BearerToken: c.metricsToken, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		b.Fatal(err)
	}
	response, err := client.Get(fmt.Sprintf("%s://127.0.0.1:%d/metrics", scheme, ports[0].Local))
	if err != nil {
		b.Fatalf("get the metrics of pod %s: %v", pod, err)
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != http.StatusOK {
		b.Fatalf("get the metrics of pod %s: %s %v", pod, response.Status, err)
	}
	return parse(b, body)
}

// allowMetrics makes an account that may read metrics and nothing else, and a token for it.
func (c *cluster) allowMetrics(b *testing.B) {
	b.Helper()
	ctx, name := b.Context(), c.namespace
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name},
		Rules: []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}}}
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: c.namespace, Name: name}}}
	_, accountErr := c.kube.CoreV1().ServiceAccounts(c.namespace).Create(ctx, account, metav1.CreateOptions{})
	_, roleErr := c.kube.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{})
	_, bindingErr := c.kube.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{})
	b.Cleanup(func() {
		ctx := context.Background()
		if err := errors.Join(c.kube.RbacV1().ClusterRoleBindings().Delete(ctx, name, metav1.DeleteOptions{}),
			c.kube.RbacV1().ClusterRoles().Delete(ctx, name, metav1.DeleteOptions{})); err != nil {
			b.Error(err)
		}
	})
	token, err := c.kube.CoreV1().ServiceAccounts(c.namespace).CreateToken(ctx, name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err = errors.Join(accountErr, roleErr, bindingErr, err); err != nil {
		b.Fatalf("allow the metrics to be read: %v", err)
	}
	c.metricsToken = token.Status.Token
}

func sum(figures map[string]float64) (total float64) {
	for _, value := range figures {
		total += value
	}
	return total
}
