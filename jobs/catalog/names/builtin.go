// SPDX-License-Identifier: Apache-2.0

package names

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// builtIn lists kinds that no ImageKind may shadow, each with its plural name and its short names. Clients that are given a name
// without a group take the first group that has it, by priority and then by name. A kind that is named like one of Kubernetes would
// never be found. One that is named like one of Goldsmith would hide it: catalog comes before images.
var builtIn = parseBuiltIn(`
Archive archives
Builder builders
Image images img
ImageBuild imagebuilds imgb
ImageKind imagekinds
ImagePlan imageplans
ImageReport imagereports imgr
QueuedBuild queuedbuilds qb
RevokedArtifact revokedartifacts
SigningKey signingkeys

Binding bindings
ComponentStatus componentstatuses cs
ConfigMap configmaps cm
Endpoints endpoints ep
Event events ev
LimitRange limitranges limits
Namespace namespaces ns
Node nodes no
PersistentVolume persistentvolumes pv
PersistentVolumeClaim persistentvolumeclaims pvc
Pod pods po
PodTemplate podtemplates
ReplicationController replicationcontrollers rc
ResourceQuota resourcequotas quota
Secret secrets
Service services svc
ServiceAccount serviceaccounts sa

CertificateSigningRequest certificatesigningrequests csr
CronJob cronjobs cj
CustomResourceDefinition customresourcedefinitions crd crds
DaemonSet daemonsets ds
Deployment deployments deploy
HorizontalPodAutoscaler horizontalpodautoscalers hpa
Ingress ingresses ing
Job jobs
NetworkPolicy networkpolicies netpol
PodDisruptionBudget poddisruptionbudgets pdb
PriorityClass priorityclasses pc
ReplicaSet replicasets rs
StatefulSet statefulsets sts
StorageClass storageclasses sc
VolumeAttributesClass volumeattributesclasses vac
`)

// metaKinds are kinds that every group has, and List, which clients make of objects of several kinds.
var metaKinds = []string{
	"APIGroup", "APIGroupList", "APIResourceList", "APIVersions", "CreateOptions", "DeleteOptions", "GetOptions", "InternalEvent", "List",
	"ListOptions", "PartialObjectMetadata", "PartialObjectMetadataList", "PatchOptions", "Status", "Table", "TableOptions", "UpdateOptions",
	"WatchEvent",
}

// builtInNames are the names of built-in kinds, with the kind that has them.
type builtInNames struct{ resources, kinds map[string]string }

func parseBuiltIn(lines string) builtInNames {
	names := builtInNames{resources: map[string]string{}, kinds: map[string]string{}}
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		kind := words[0]
		names.kinds[kind], names.kinds[kind+listSuffix] = kind, kind
		for _, name := range append(words[1:], strings.ToLower(kind)) {
			names.resources[name] = kind
		}
	}
	for _, kind := range metaKinds {
		names.kinds[kind] = kind
	}
	return names
}

// checkBuiltIn reports names that shadow a built-in kind. Every kind can be in the category all.
func (u usedNames) checkBuiltIn() field.ErrorList {
	var errs field.ErrorList
	reported := map[string]bool{}
	find := func(used []usedName, builtIn map[string]string) {
		for _, name := range used {
			if owner, ok := builtIn[name.name]; ok && !reported[name.at.String()] {
				reported[name.at.String()] = true // the singular and the kind of lists follow from the kind
				errs = append(errs, field.Invalid(name.at, name.name, fmt.Sprintf("is a name of the kind %s, and clients that are given no group would confuse both", owner)))
			}
		}
	}
	find(u.kinds, builtIn.kinds)
	find(u.resources, builtIn.resources)
	find(u.categories, builtIn.resources)
	return errs
}
