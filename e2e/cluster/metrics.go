// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/e2e/deadline"
)

// Metrics are the metrics of a process, by name.
type Metrics map[string]*dto.MetricFamily

// scraper is the account of the component monitoring that may read metrics and nothing else, and the Secret of its token.
const scraper = "goldsmith-scraper"

// AddScraper makes the scraper of the component monitoring, and returns its token.
func (e Environment) AddScraper(ctx context.Context) (token string, err error) {
	if err := e.kubectl(ctx, "apply", "-f", e.scraperManifest()); err != nil {
		return "", err
	}
	err = wait.PollUntilContextTimeout(ctx, polling, deadline.Rollout.Deadline(), true, func(ctx context.Context) (bool, error) {
		secret, err := e.Kube().CoreV1().Secrets(Namespace).Get(ctx, scraper, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		token = string(secret.Data[corev1.ServiceAccountTokenKey])
		return token != "", nil
	})
	if err != nil {
		return "", fmt.Errorf("token of %s: %w", scraper, err)
	}
	return token, nil
}

// RemoveScraper removes the scraper again.
func (e Environment) RemoveScraper(ctx context.Context) error {
	return e.kubectl(ctx, "delete", "--ignore-not-found", "-f", e.scraperManifest())
}

func (e Environment) scraperManifest() string {
	return filepath.Join(e.Overlay, "..", "..", "components", "monitoring", "scraper.yaml")
}

// Scrape reads the metrics of every pod of a part, with the token of a scraper, over TLS that it verifies. The pods are
// reached through kube-apiserver: it is the only port of the cluster that is open.
func (e Environment) Scrape(ctx context.Context, part, token string) (all []Metrics, err error) {
	pods, err := e.Kube().CoreV1().Pods(Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + part})
	if err != nil {
		return nil, fmt.Errorf("list the pods of %s: %w", part, err)
	}
	config, address, port := &rest.Config{}, "http", 2381 // etcd's metrics are for the namespace, without TLS
	if part != Etcd {
		secret, err := e.Kube().CoreV1().Secrets(Namespace).Get(ctx, part+"-tls", metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("authority of %s: %w", part, err)
		}
		address, port = "https", 8443
		config.BearerToken = token
		config.TLSClientConfig = rest.TLSClientConfig{CAData: secret.Data["ca.crt"], ServerName: part + "." + Namespace + ".svc"}
	}
	for i := range pods.Items {
		metrics, err := e.scrapePod(ctx, pods.Items[i].Name, address, port, config)
		if err != nil {
			return nil, fmt.Errorf("metrics of pod %s: %w", pods.Items[i].Name, err)
		}
		all = append(all, metrics)
	}
	return all, nil
}

func (e Environment) scrapePod(ctx context.Context, pod, scheme string, port int, config *rest.Config) (Metrics, error) {
	local, stop, err := e.Forward(pod, port)
	if err != nil {
		return nil, err
	}
	defer stop()
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s://127.0.0.1:%d/metrics", scheme, local), nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", response.Status, body)
	}
	return ParseMetrics(body)
}

// ParseMetrics reads the text that a process shows at /metrics.
func ParseMetrics(text []byte) (Metrics, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parse metrics: %w", err)
	}
	return families, nil
}
