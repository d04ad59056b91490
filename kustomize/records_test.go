// SPDX-License-Identifier: Apache-2.0

package kustomize_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// postgres is the name of the database that the component records-postgres brings along.
const postgres = "goldsmith-postgres"

// bothHaveTheDatabaseThatWasChosen ensures that the API server reads the database that the controller writes, without a password argument.
func bothHaveTheDatabaseThatWasChosen(t *testing.T, built installation) {
	for _, each := range workloads(built.objects) {
		container := each.template.Spec.Containers[0]
		if slices.ContainsFunc(container.Args, func(argument string) bool { return strings.HasPrefix(argument, "--records") }) {
			t.Errorf("%s is told of its database in %q", each, container.Args)
		}
		address, password := variable(container, "GOLDSMITH_RECORDS_DSN"), variable(container, "PGPASSWORD")
		ours := each.name == "goldsmith-apiserver" || each.name == "goldsmith-controller"
		switch {
		case ours && built.has(recordsExternal):
			if address == nil || address.ValueFrom == nil || address.ValueFrom.SecretKeyRef == nil ||
				address.ValueFrom.SecretKeyRef.Name != "goldsmith-records" || address.ValueFrom.SecretKeyRef.Key != "dsn" || password != nil {
				t.Errorf("%s has the database %+v and the password %+v", each, address, password)
			}
		case ours && built.has(recordsPostgres):
			if address == nil || !strings.Contains(address.Value, "host="+postgres+"."+namespace+".svc ") || !strings.Contains(address.Value, " sslmode=require") {
				t.Errorf("%s has the database %+v", each, address)
			}
			if password == nil || password.ValueFrom == nil || password.ValueFrom.SecretKeyRef == nil || password.ValueFrom.SecretKeyRef.Name != "goldsmith-records" {
				t.Errorf("%s has the password %+v", each, password)
			}
		case ours && built.has(recordsSQLite):
			mounted := slices.ContainsFunc(container.VolumeMounts, func(mount corev1.VolumeMount) bool {
				return address != nil && strings.HasPrefix(address.Value, "sqlite://"+mount.MountPath+"/")
			})
			if !mounted || password != nil {
				t.Errorf("%s has the database %+v and the volumes %+v", each, address, container.VolumeMounts)
			}
		case address != nil || password != nil:
			t.Errorf("%s has the database %+v and the password %+v", each, address, password)
		}
	}
}

// nobodyListensIn ensures that the database refuses unencrypted connections.
func nobodyListensIn(t *testing.T, built installation) {
	for _, config := range of[*corev1.ConfigMap](built.objects) {
		for line := range strings.Lines(config.Data["pg_hba.conf"]) {
			if kind := strings.Fields(line)[0]; !slices.Contains([]string{"#", "local", "hostssl"}, kind) {
				t.Errorf("%s lets in: %s", config.Name, line)
			}
		}
	}
}

// onlyTheRecordsReachTheirDatabase matters because the only user of the database has every permission there.
func onlyTheRecordsReachTheirDatabase(t *testing.T, built installation) {
	for _, policy := range of[*networkingv1.NetworkPolicy](built.objects) {
		if policy.Name != postgres {
			continue
		}
		var from []string
		for _, rule := range policy.Spec.Ingress {
			for _, peer := range rule.From {
				if peer.NamespaceSelector != nil || peer.IPBlock != nil || peer.PodSelector == nil {
					t.Errorf("%s lets in %+v", policy.Name, peer)
					continue
				}
				from = append(from, peer.PodSelector.MatchLabels[nameLabel])
			}
		}
		if slices.Sort(from); !slices.Equal(from, []string{"goldsmith-apiserver", "goldsmith-controller"}) {
			t.Errorf("%s lets in %q", policy.Name, from)
		}
		if len(policy.Spec.Egress) > 0 || len(policy.Spec.PolicyTypes) != 2 {
			t.Errorf("%s lets out %+v", policy.Name, policy.Spec.Egress)
		}
	}
}
