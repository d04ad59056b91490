// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"slices"
)

// hooksOfValues returns what the values change besides including components, by place.
func hooksOfValues() map[string]hook {
	hooks := map[string]hook{
		"Deployment/goldsmith-controller.spec.template.spec.containers[goldsmith-controller].args[--allow-unlocated-artifacts]": {
			only: ".Values.controller.allowUnlocatedArtifacts",
		},
		"ConfigMap/goldsmith-builders.data": {add: []string{
			"{{- range $name, $content := .Values.builders }}",
			"@{{ $name }}: {{ toJson $content }}",
			"{{- end }}",
		}},
		"ConfigMap/goldsmith-kinds.data": {replace: ".Values.kinds"},
		"StatefulSet/goldsmith-etcd.spec.volumeClaimTemplates[data].spec.resources.requests.storage": {replace: ".Values.etcd.storage.size"},
		"StatefulSet/goldsmith-etcd.spec.volumeClaimTemplates[data].spec": {add: []string{
			"{{- with .Values.etcd.storage.className }}",
			"@storageClassName: {{ toJson . }}",
			"{{- end }}",
		}},
	}
	pullSecrets := addition(".Values.image.pullSecrets", "imagePullSecrets")
	for _, pod := range []string{
		"StatefulSet/goldsmith-postgres.spec.template.spec",
		"CronJob/goldsmith-etcd-backup.spec.jobTemplate.spec.template.spec",
		"CronJob/goldsmith-etcd-restore.spec.jobTemplate.spec.template.spec",
	} {
		hooks[pod] = hook{add: pullSecrets}
	}
	for _, program := range []struct{ object, name, container, values string }{
		{"Deployment/goldsmith-apiserver", "goldsmith-apiserver", "goldsmith-apiserver", "apiserver"},
		{"Deployment/goldsmith-controller", "goldsmith-controller", "goldsmith-controller", "controller"},
		{"Deployment/goldsmith-signer", "goldsmith-signer", "goldsmith-signer", "signer"},
		{"Deployment/goldsmith-console", "goldsmith-console", "goldsmith-console", "console"},
		{"StatefulSet/goldsmith-etcd", "goldsmith-etcd", "etcd", "etcd"},
	} {
		pod := program.object + ".spec.template.spec"
		container := fmt.Sprintf("%s.containers[%s]", pod, program.container)
		values := ".Values." + program.values
		hooks[pod] = hook{add: slices.Concat(pullSecrets, addition(values+".nodeSelector", "nodeSelector"), addition(values+".tolerations", "tolerations"))}
		hooks[container+".resources"] = hook{replace: values + ".resources"}
		hooks[container+".args"] = hook{add: []string{
			fmt.Sprintf("{{- range %s.extraArgs }}", values),
			"@- {{ toJson . }}",
			"{{- end }}",
		}}
		if program.values == "etcd" {
			continue
		}
		hooks[program.object+".spec.replicas"] = hook{replace: values + ".replicas"}
		hooks["ServiceAccount/"+program.name+".metadata"] = hook{add: addition(values+".serviceAccountAnnotations", "annotations")}
	}
	return hooks
}

// addition returns the lines of a field that a pod has only if a value is set.
func addition(value, field string) []string {
	return []string{
		fmt.Sprintf("{{- with %s }}", value),
		"@" + field + ":",
		"@  {{- toYaml . | nindent INDENT }}",
		"{{- end }}",
	}
}
