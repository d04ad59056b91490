// SPDX-License-Identifier: Apache-2.0

package corekinds_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	restclient "k8s.io/client-go/rest"
	"k8s.io/kubectl/pkg/cmd"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
)

// kubectl runs the real kubectl against the suite's server and returns what it prints.
func kubectl(arguments ...string) (output string, failure error) {
	var out bytes.Buffer
	flags := genericclioptions.NewConfigFlags(true).WithWrapConfigFn(func(*restclient.Config) *restclient.Config {
		return restclient.CopyConfig(config)
	})
	flags.CacheDir = new(GinkgoT().TempDir())
	flags.Namespace = &namespace
	streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out}
	command := cmd.NewKubectlCommand(cmd.KubectlOptions{ConfigFlags: flags, IOStreams: streams, Arguments: append([]string{"kubectl"}, arguments...)})
	command.SetArgs(append([]string{"--server=https://nowhere", "--namespace=" + namespace}, arguments...))
	command.SetOut(&out)
	command.SetErr(&out)

	// kubectl ends the process where it fails.
	type fatal struct{ message string }
	cmdutil.BehaviorOnFatal(func(message string, _ int) { panic(fatal{message}) })
	defer cmdutil.DefaultBehaviorOnFatal()
	defer func() {
		switch failed := recover().(type) {
		case nil:
		case fatal:
			output, failure = out.String(), errors.New(failed.message)
		default:
			panic(failed)
		}
	}()
	failure = command.Execute()
	return out.String(), failure
}

// mustKubectl runs a kubectl that has to succeed and returns what it prints.
func mustKubectl(arguments ...string) string {
	GinkgoHelper()
	output, err := kubectl(arguments...)
	Expect(err).NotTo(HaveOccurred(), output)
	return output
}

var _ = Describe("kubectl", Serial, func() {
	const manifest = `
apiVersion: batch/v1
kind: Job
metadata:
  name: hello
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: image
        ports: [{containerPort: 80}]
        resources: {requests: {cpu: 100m, memory: 1Gi}}
        readinessProbe: {httpGet: {path: /, port: 80}}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: files
data:
  key: value
---
apiVersion: v1
kind: Pod
metadata:
  name: bare
spec:
  containers: [{name: main, image: image}]
`
	const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: colours.example.com
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Colour, plural: colours}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`
	var file string

	BeforeEach(func() {
		file = filepath.Join(GinkgoT().TempDir(), "manifest.yaml")
		Expect(os.WriteFile(file, []byte(manifest), 0o600)).To(Succeed())
	})

	DescribeTable("applies, changes, prints and deletes", func(extra ...string) {
		apply := append([]string{"apply", "-f", file}, extra...)
		Expect(mustKubectl(apply...)).To(ContainSubstring("job.batch/hello"))

		changed := strings.Replace(manifest, "value", "another", 1)
		Expect(os.WriteFile(file, []byte(changed), 0o600)).To(Succeed())
		mustKubectl(apply...)

		Expect(mustKubectl("get", "configmap", "files", "-o", "jsonpath={.data.key}")).To(Equal("another"))

		output := mustKubectl("get", "all")
		Expect(output).To(MatchRegexp(`NAME +READY +STATUS +RESTARTS +AGE\n`))
		Expect(output).To(MatchRegexp(`pod/bare +0/1 +Pending +0 +\d+s\n`))
		Expect(output).To(MatchRegexp(`job.batch/hello +Running +0/1 +\d+s\n`))

		mustKubectl("delete", "-f", file)
	},
		Entry("on the client"),
		Entry("on the server", "--server-side"),
	)

	It("refuses unknown fields", func() {
		unknown := strings.Replace(manifest, "key: value", "key: value\nnonsense: true", 1)
		Expect(os.WriteFile(file, []byte(unknown), 0o600)).To(Succeed())
		Expect(errorOf(kubectl("apply", "-f", file))).To(MatchError(ContainSubstring(`unknown field "nonsense"`)))
	})

	It("names a kind that the server lacks", func() {
		Expect(os.WriteFile(file, []byte(strings.Replace(manifest, "kind: Job", "kind: Jobb", 1)), 0o600)).To(Succeed())
		Expect(errorOf(kubectl("apply", "-f", file))).To(MatchError(ContainSubstring(`no matches for kind "Jobb" in version "batch/v1"`)))
	})

	It("finds no custom resource definitions, and adds none", func() {
		for arguments, expected := range map[string]string{
			"get crd": "No resources found\n", "get crds -o name": "", "explain crd.spec.names.plural": "plural <string>",
			"api-resources --api-group=apiextensions.k8s.io --no-headers -o wide": "CustomResourceDefinition   get,list,watch",
		} {
			Expect(mustKubectl(strings.Fields(arguments)...)).To(ContainSubstring(expected), arguments)
		}
		_, err := kubectl("get", "crd", "colours.example.com")
		Expect(err).To(MatchError(`Error from server (NotFound): customresourcedefinitions.apiextensions.k8s.io "colours.example.com" not found`))
		Expect(os.WriteFile(file, []byte(definition), 0o600)).To(Succeed())
		for _, verb := range []string{"create", "apply"} {
			_, err = kubectl(verb, "-f", file)
			Expect(err).To(MatchError(ContainSubstring("the server does not allow this method on the requested resource")))
		}
	})

	DescribeTable("explains", func(path, expected string) {
		Expect(mustKubectl("explain", path)).To(ContainSubstring(expected))
	},
		Entry(nil, "pods.spec.activeDeadlineSeconds", "Optional duration in seconds the pod may be active"),
		Entry(nil, "jobs.spec.backoffLimit", "number of retries"),
		Entry(nil, "configmaps.data", "Data contains the configuration data"),
		Entry(nil, "namespaces.metadata.ownerReferences", "List of objects depended by this object"),
	)

	It("describes with events, and prints them", func() {
		mustKubectl("apply", "-f", file)
		Expect(mustKubectl("describe", "job", "hello")).To(ContainSubstring("Events:"))
		must(client.EventsV1().Events(namespace).Create(context.Background(), newEvent("waited"), metav1.CreateOptions{}))
		for _, command := range []string{"events", "get events", "get events.events.k8s.io"} {
			Expect(mustKubectl(strings.Fields(command)...)).To(MatchRegexp(`^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n\S+.* +Normal +Waited +(?i:job)/one +waited a while\n`))
		}
		mustKubectl("explain", "events.deprecatedCount", "--api-version=events.k8s.io/v1")
	})

	It("tells users who they are and what they can do", func() {
		Expect(mustKubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.groups}")).To(ContainSubstring("system:masters"))
		Expect(mustKubectl("auth", "can-i", "create", "jobs")).To(Equal("yes\n"))
		Expect(mustKubectl("auth", "can-i", "--list")).To(MatchRegexp(`\*\.\* +\[\] +\[\] +\[\*\]\n`))
	})

	It("prints logs", func() {
		mustKubectl("apply", "-f", file)
		Expect(mustKubectl("logs", "bare", "--tail=3")).To(ContainSubstring("tail=true"))
	})
})
