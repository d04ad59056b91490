// SPDX-License-Identifier: Apache-2.0

package kustomize_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"goldsmith.dev/goldsmith/e2e/require"
)

var (
	// notMetrics matches the parts of an expression that name no metric: matchers, ranges, grouping and function calls.
	notMetrics = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]|\bby \([^)]*\)|[a-z_]+\s*\(`)
	metric     = regexp.MustCompile(`[a-z]+(_[a-z]+)+`)
	// measured are the beginnings of names that our processes, their libraries and etcd give to metrics.
	measured = regexp.MustCompile(`^(goldsmith|controller_runtime|workqueue|apiserver|etcd)_`)
)

func alertsAndDashboardAskForMetrics(t *testing.T, built installation) {
	if !built.has(monitoring) {
		return
	}
	var asked []string
	for _, each := range built.objects {
		if each.kind.Kind == "PrometheusRule" {
			asked = append(asked, alerts(t, each.value.(*unstructured.Unstructured))...)
		}
	}
	if len(asked) < 10 {
		t.Errorf("there are %d alerts", len(asked))
	}
	panels := dashboard(t, built.objects)
	if len(panels) < 15 {
		t.Errorf("the dashboard has %d expressions", len(panels))
	}
	page, err := os.ReadFile(filepath.Join("..", "docs", "reference", "metrics.md"))
	require.NoError(t, err)
	for _, expression := range slices.Concat(asked, panels) {
		found := metric.FindAllString(notMetrics.ReplaceAllString(expression, " "), -1)
		if len(found) == 0 {
			t.Errorf("%s asks for no metric", expression)
		}
		for _, name := range found {
			ours := "| `" + strings.TrimSuffix(name, "_bucket") + "` |"
			if !measured.MatchString(name) || strings.HasPrefix(name, "goldsmith_") && !strings.Contains(string(page), ours) {
				t.Errorf("%s asks for %s, which nothing of ours measures", expression, name)
			}
		}
		if strings.Count(expression, "(") != strings.Count(expression, ")") {
			t.Errorf("%s does not close what it opens", expression)
		}
	}
}

func alerts(t *testing.T, rule *unstructured.Unstructured) (expressions []string) {
	t.Helper()
	groups, _, err := unstructured.NestedSlice(rule.Object, "spec", "groups")
	require.NoError(t, err)
	for _, group := range groups {
		for _, rule := range group.(map[string]any)["rules"].([]any) {
			alert := rule.(map[string]any)
			annotations, _ := alert["annotations"].(map[string]any)
			if alert["alert"] == nil || annotations["summary"] == nil || annotations["description"] == nil {
				t.Errorf("alert %v does not tell what is wrong", alert["alert"])
			}
			expressions = append(expressions, alert["expr"].(string))
		}
	}
	return expressions
}

func dashboard(t *testing.T, objects []object) (expressions []string) {
	t.Helper()
	for _, each := range of[*corev1.ConfigMap](objects) {
		if each.Labels["grafana_dashboard"] != "1" {
			continue
		}
		var content struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		require.NoError(t, json.Unmarshal([]byte(each.Data["goldsmith.json"]), &content))
		for _, panel := range content.Panels {
			for _, target := range panel.Targets {
				expressions = append(expressions, target.Expr)
			}
		}
	}
	return expressions
}
