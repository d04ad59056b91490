// SPDX-License-Identifier: Apache-2.0

package kustomize_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// bothHaveTheArchiveThatWasChosen ensures that the API server reads the archive that the controller writes.
func bothHaveTheArchiveThatWasChosen(t *testing.T, built installation) {
	for _, each := range workloads(built.objects) {
		expected := built.has(archiveS3) && each.kind.Kind == "Deployment" && each.name != signer
		container := each.template.Spec.Containers[0]
		flags := slices.DeleteFunc(slices.Clone(container.Args), func(argument string) bool { return !strings.HasPrefix(argument, "--log-archive") })
		if !expected {
			if len(flags)+len(container.EnvFrom) > 0 {
				t.Errorf("%s has the archive %v, and credentials %v", each, flags, container.EnvFrom)
			}
			continue
		}
		if !slices.Equal(flags, []string{"--log-archive=$(GOLDSMITH_LOG_ARCHIVE)"}) {
			t.Errorf("%s has the flags %v", each, flags)
		}
		key := variable(container, "GOLDSMITH_LOG_ARCHIVE").ValueFrom.ConfigMapKeyRef
		if !strings.HasPrefix(key.Name, operators[archiveS3]+"-") || key.Key != "url" {
			t.Errorf("%s takes its URL from %+v", each, key)
		}
		if len(container.EnvFrom) != 1 || container.EnvFrom[0].SecretRef.Name != "goldsmith-log-archive" {
			t.Errorf("%s takes its credentials from %+v", each, container.EnvFrom)
		}
		if bundle := variable(container, "AWS_CA_BUNDLE"); (bundle != nil) != built.has(archiveS3CA) {
			t.Errorf("%s trusts %v", each, bundle)
		} else if bundle != nil && !isMounted(each.template.Spec, bundle.Value) {
			t.Errorf("%s has no file %s of the operator's ConfigMap", each, bundle.Value)
		}
	}
}

// variable is one of the environment; nil if it is not there.
func variable(container corev1.Container, name string) *corev1.EnvVar {
	index := slices.IndexFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == name })
	if index < 0 {
		return nil
	}
	return &container.Env[index]
}

// isMounted reports whether a file is a required key of the operator's ConfigMap.
func isMounted(pod corev1.PodSpec, file string) bool {
	for _, mount := range pod.Containers[0].VolumeMounts {
		for _, volume := range pod.Volumes {
			source := volume.ConfigMap
			if volume.Name != mount.Name || source == nil || source.Optional != nil || !strings.HasPrefix(source.Name, operators[archiveS3]+"-") {
				continue
			}
			for _, item := range source.Items {
				if path.Join(mount.MountPath, item.Path) == file && item.Key == "ca.crt" {
					return true
				}
			}
		}
	}
	return false
}
