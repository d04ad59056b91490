// SPDX-License-Identifier: Apache-2.0

// Package kustomize_test checks what is applied to a cluster, without one: every overlay, and every combination of
// components, as kubectl would build it.
package kustomize_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	namespace    = "goldsmith-system"
	archives     = "goldsmith-archives"
	partOfLabel  = "app.kubernetes.io/part-of"
	nameLabel    = "app.kubernetes.io/name"
	externalEtcd = "external-etcd"
	singleNode   = "single-node"
	etcdHA       = "etcd-ha"
	etcdBackup   = "etcd-backup"
	certManager  = "cert-manager"
	monitoring   = "monitoring"
	archiveS3    = "archive-s3"
	archiveS3CA  = "archive-s3-ca"

	recordsExternal = "records-external"
	recordsPostgres = "records-postgres"
	recordsSQLite   = "records-sqlite"
	kueue           = "kueue"
	catalogOnly     = "catalog-only"
	catalogKinds    = "catalog-kinds"
	namespaced      = "namespaced"
	debianBuilder   = "debian-builder"
	tester          = "tester"
	testerKVM       = "tester-kvm"
	sourceWebhooks  = "source-webhooks"
	console         = "console"
)

// operators are the ConfigMaps that components want the operator to make.
var operators = map[string]string{externalEtcd: "goldsmith-etcd", archiveS3: "goldsmith-log-archive", catalogKinds: "goldsmith-kinds", console: "goldsmith-console"}

// installation is something that can be applied.
type installation struct {
	name       string
	components []string
	objects    []object
}

// object is one of its objects: typed, but for kinds that others define.
type object struct {
	kind      schema.GroupVersionKind
	namespace string
	name      string
	value     runtime.Object
}

func (o object) String() string {
	return strings.TrimPrefix(o.namespace+"/"+o.kind.Kind+"/"+o.name, "/")
}

func (i installation) has(component string) bool { return slices.Contains(i.components, component) }

// installations are all overlays, and the base with every combination of components that makes sense.
func installations(t *testing.T) []installation {
	t.Helper()
	tree := inMemory(t)
	entries, err := os.ReadDir("overlays")
	require.NoError(t, err)
	var all []installation
	for _, entry := range entries {
		all = append(all, installation{name: "overlays/" + entry.Name(), objects: build(t, tree, "kustomize/overlays/"+entry.Name())})
	}
	for _, etcd := range [][]string{nil, {singleNode, etcdBackup}, {etcdHA, etcdBackup}, {externalEtcd}, {singleNode, externalEtcd}} {
		for _, rest := range [][]string{nil, {certManager}, {monitoring}, {certManager, monitoring, console}, {archiveS3, namespaced}, {recordsExternal}, {recordsPostgres}, {recordsSQLite},
			{certManager, monitoring, archiveS3, archiveS3CA, recordsPostgres}, {monitoring, archiveS3, recordsExternal, kueue, sourceWebhooks}, {catalogOnly, catalogKinds, debianBuilder, tester, testerKVM, console}, {console, certManager}} {
			components := slices.Concat(rest, etcd)
			all = append(all, installation{
				name:       "base+" + strings.Join(components, "+"),
				components: components,
				objects:    build(t, tree, layer(t, tree, components)),
			})
		}
	}
	production := slices.IndexFunc(all, func(i installation) bool { return i.name == "overlays/production" })
	if production < 0 || len(all) < 3+50 {
		t.Fatalf("found %d installations", len(all))
	}
	all[production].components = []string{etcdHA, etcdBackup, certManager, monitoring}
	return all
}

// inMemory is a copy of this folder that can be added to.
func inMemory(t *testing.T) filesys.FileSystem {
	t.Helper()
	tree := filesys.MakeFsInMemory()
	err := fs.WalkDir(os.DirFS("."), ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return tree.WriteFile(path.Join("kustomize", file), content)
	})
	require.NoError(t, err)
	return tree
}

// layer adds a folder to the tree as an operator would write it: the base, components, and what they ask for.
func layer(t *testing.T, tree filesys.FileSystem, components []string) (folder string) {
	t.Helper()
	var text strings.Builder
	text.WriteString("resources: [../../kustomize/base]\ncomponents:\n")
	for _, component := range components {
		fmt.Fprintf(&text, "  - ../../kustomize/components/%s\n", component)
	}
	text.WriteString("configMapGenerator:\n")
	for component, literals := range map[string]string{
		externalEtcd: `"servers=https://etcd.example.com:2379"`,
		archiveS3:    `"url=s3://logs?region=test", "ca.crt=of the authority"`,
		catalogKinds: `"servers.yaml=# no kind yet"`,
		console:      `"host=console.example.com,console.example.org"`,
	} {
		if slices.Contains(components, component) {
			fmt.Fprintf(&text, "  - {name: %s, namespace: %s, literals: [%s]}\n", operators[component], namespace, literals)
		}
	}
	folder = "layers/" + strings.Join(append([]string{"base"}, components...), "-")
	require.NoError(t, tree.WriteFile(folder+"/kustomization.yaml", []byte(text.String())))
	return folder
}

// build does what kubectl kustomize does, and decodes every object strictly.
func build(t *testing.T, tree filesys.FileSystem, folder string) []object {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(tree, folder)
	if err != nil {
		t.Fatalf("%s: %v", folder, err)
	}
	decoder := strictDecoder(t)
	var objects []object
	for _, resource := range built.Resources() {
		yaml, err := resource.AsYAML()
		require.NoError(t, err)
		decoded, err := decode(decoder, yaml)
		if err != nil {
			t.Errorf("%s: %s: %v", folder, resource.CurId(), err)
			continue
		}
		objects = append(objects, decoded)
	}
	return objects
}

// of are the objects of one type.
func of[T runtime.Object](objects []object) []T {
	var found []T
	for _, each := range objects {
		if typed, ok := each.value.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

func TestInstallations(t *testing.T) {
	checks := map[string]func(*testing.T, installation){
		"EveryKindIsTheClustersOrOfWhatAComponentNeeds": everyKindIsTheClustersOrOfWhatAComponentNeeds,
		"NoObjectIsThereTwice":                          noObjectIsThereTwice,
		"EveryObjectSaysWhatItIsPartOf":                 everyObjectSaysWhatItIsPartOf,
		"TheNamespacesAreRestricted":                    theNamespacesAreRestricted,
		"TheAPIServicesHaveTheirServerAndAreVerified":   theAPIServicesHaveTheirServerAndAreVerified,
		"OnlyOurAPIServicesAreWritten":                  onlyOurAPIServicesAreWritten,
		"TheAuditPolicyIsOne":                           theAuditPolicyIsOne,
		"OnlyTheRoleOfBuildsCreatesJobs":                onlyTheRoleOfBuildsCreatesJobs,
		"TheAPIIsCritical":                              theAPIIsCritical,
		"TheExpectedPodsRun":                            theExpectedPodsRun,
		"ARestoredMemberIsThatOfTheStatefulSet":         aRestoredMemberIsThatOfTheStatefulSet,
		"PodsMeetTheRestrictedStandard":                 podsMeetTheRestrictedStandard,
		"ContainersAreConfined":                         containersAreConfined,
		"ContainersAreProbed":                           containersAreProbed,
		"ImagesAreThoseOfATagAndPulledOnce":             imagesAreThoseOfATagAndPulledOnce,
		"ReplicasStayAvailable":                         replicasStayAvailable,
		"WhatPodsReferToIsThere":                        whatPodsReferToIsThere,
		"PodsMountSingleKeysOfSecrets":                  podsMountSingleKeysOfSecrets,
		"SecretsAreAppliedWithoutContent":               secretsAreAppliedWithoutContent,
		"SelectorsAndPortsMatchPods":                    selectorsAndPortsMatchPods,
		"EveryPodIsReachedOnlyAsANetworkPolicySays":     everyPodIsReachedOnlyAsANetworkPolicySays,
		"ChecksReachArchivesAndNothingOfNodes":          checksReachArchivesAndNothingOfNodes,
		"PriorityLevelsOfFlowsAreThere":                 priorityLevelsOfFlowsAreThere,
		"RolesNameWhatTheyAllow":                        rolesNameWhatTheyAllow,
		"RolesReachOnlyOurSecrets":                      rolesReachOnlyOurSecrets,
		"BindingsAreOfRolesAndAccountsThatThereAre":     bindingsAreOfRolesAndAccountsThatThereAre,
		"BothKnowTheSameBuilders":                       bothKnowTheSameBuilders,
		"BothHaveTheArchiveThatWasChosen":               bothHaveTheArchiveThatWasChosen,
		"BothHaveTheDatabaseThatWasChosen":              bothHaveTheDatabaseThatWasChosen,
		"OnlyTheRecordsReachTheirDatabase":              onlyTheRecordsReachTheirDatabase,
		"NobodyListensIn":                               nobodyListensIn,
		"TheConsoleHasNoPermissions":                    theConsoleHasNoPermissions,
		"EveryAccountMayReport":                         everyAccountMayReport,
		"AlertsAndDashboardAskForMetrics":               alertsAndDashboardAskForMetrics,
		"UsersGetTheirPermissionsByTheClustersRoles":    usersGetTheirPermissionsByTheClustersRoles,
		"WebhooksReachTheController":                    webhooksReachTheController,
		"TheCatalogIsForUsersOfEveryNamespace":          theCatalogIsForUsersOfEveryNamespace,
	}
	for _, each := range installations(t) {
		t.Run(each.name, func(t *testing.T) {
			for name, check := range checks {
				t.Run(name, func(t *testing.T) { check(t, each) })
			}
		})
	}
}
