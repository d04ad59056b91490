// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	restclient "k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/corekinds"
)

// goTypes matches what only a programmer of the server understands.
var goTypes = regexp.MustCompile(`\*?\b(v1|v1alpha1|images|handlers|metav1|corev1|runtime|rest|builder|unstructured)\.[A-Z]\w+\b|Go (struct|value)|cannot unmarshal|interface ?\{|\b(map|\[\])\[?string\]|goldsmith\.dev/goldsmith/|reflect|panic|strconv|parsing time|json: |yaml: unmarshal`)

// mistake is a request that a client should not have sent.
type mistake struct {
	what, method, path, contentType, body string
	// refused is true if no server may accept the request. Servers ignore unknown parameters and options of a deletion, and
	// some patches change nothing.
	refused bool
}

// answer sends a request and returns its status code and its body.
func answer(ctx context.Context, client *http.Client, config *restclient.Config, m mistake) (int, string) {
	GinkgoHelper()
	request := must(http.NewRequestWithContext(ctx, m.method, config.Host+m.path, strings.NewReader(m.body)))
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", m.contentType)
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	Expect(err).NotTo(HaveOccurred(), "%+v", m)
	defer func() { _ = response.Body.Close() }()
	if m.method == http.MethodGet && m.contentType == "" && response.StatusCode < http.StatusBadRequest && strings.Contains(m.path, "?") {
		return response.StatusCode, "" // the parameter is unknown here, and the answer may be a watch
	}
	return response.StatusCode, string(must(io.ReadAll(response.Body)))
}

var _ = Describe("Mistakes of a client", func() {
	It("are 4xx, on every resource and in every encoding, and the message names no Go type", func(ctx SpecContext) {
		server := corekinds.Register(apiserver.Register(builder.New("mistakes"), apiserver.Options{Logs: logs}), noLogs{})
		running := start(ctx, server)
		config := running.ClientConfig()
		client := must(restclient.HTTPClientFor(config))
		createThings(ctx, client, config)
		var wrong []string
		sent := 0
		for _, resource := range servedResources(ctx, client, config) {
			for _, m := range resource.mistakes() {
				code, text := answer(ctx, client, config, m)
				status := &metav1.Status{}
				if json.Unmarshal([]byte(text), status) == nil && status.Kind == "Status" {
					text = status.Message
				}
				switch {
				case code >= http.StatusInternalServerError, code < http.StatusBadRequest && m.refused:
					wrong = append(wrong, fmt.Sprintf("%d for %s: %s %s with %s %.300q: %.300s", code, m.what, m.method, m.path, m.contentType, m.body, text))
				case code >= http.StatusBadRequest && goTypes.MatchString(text):
					wrong = append(wrong, fmt.Sprintf("%q is of Go, for %s: %s %s with %s %.300q: %.300s", goTypes.FindString(text), m.what, m.method, m.path, m.contentType, m.body, text))
				}
				sent++
			}
		}
		Expect(strings.Join(wrong, "\n")).To(BeEmpty())
		Expect(sent).To(BeNumerically(">", 3000), "requests that were sent")
	})
})

// noLogs has the log of no pod.
type noLogs struct{}

func (noLogs) OpenLog(_ context.Context, pod *corev1.Pod, _ *corev1.PodLogOptions) (io.ReadCloser, error) {
	return nil, apierrors.NewNotFound(corev1.Resource("pods/log"), pod.Name)
}

// createThings creates an object of each kind that is stored, so that requests get as far as the object.
func createThings(ctx context.Context, client *http.Client, config *restclient.Config) {
	GinkgoHelper()
	const builder, container = `"builder":{"name":"mock"},"base":{"reference":"debian:bookworm"},"targets":[{"platform":"linux/amd64","format":"raw"}]`, `"containers":[{"name":"a","image":"b"}]`
	for path, fields := range map[string]string{
		"/api/v1/namespaces":                                                 `"kind":"Namespace","apiVersion":"v1"`,
		"/api/v1/namespaces/default/configmaps":                              `"kind":"ConfigMap","apiVersion":"v1"`,
		"/api/v1/namespaces/default/events":                                  `"kind":"Event","apiVersion":"v1","involvedObject":{"namespace":"default"}`,
		"/api/v1/namespaces/default/pods":                                    `"kind":"Pod","apiVersion":"v1","spec":{` + container + `}`,
		"/apis/batch/v1/namespaces/default/jobs":                             `"kind":"Job","apiVersion":"batch/v1","spec":{"template":{"spec":{"restartPolicy":"Never",` + container + `}}}`,
		"/apis/scheduling.k8s.io/v1/priorityclasses":                         `"kind":"PriorityClass","apiVersion":"scheduling.k8s.io/v1","value":7`,
		"/apis/images.goldsmith.dev/v1alpha1/namespaces/default/images":      `"kind":"Image","apiVersion":"images.goldsmith.dev/v1alpha1","spec":{` + builder + `}`,
		"/apis/images.goldsmith.dev/v1alpha1/namespaces/default/imagebuilds": `"kind":"ImageBuild","apiVersion":"images.goldsmith.dev/v1alpha1","spec":{"inputs":{` + builder + `}}`,
	} {
		code, text := answer(ctx, client, config, mistake{method: http.MethodPost, path: path, contentType: "application/json", body: `{` + fields + `,"metadata":{"name":"thing","finalizers":["example.com/hold"]}}`})
		Expect(code).To(Equal(http.StatusCreated), text)
	}
}

// served is a resource or subresource.
type served struct {
	metav1.APIResource
	version string // such as v1, or images.goldsmith.dev/v1alpha1
	main    metav1.APIResource
}

func servedResources(ctx context.Context, client *http.Client, config *restclient.Config) []served {
	GinkgoHelper()
	var all []served
	for _, root := range []string{"/api/v1", "/apis/batch/v1", "/apis/scheduling.k8s.io/v1", "/apis/images.goldsmith.dev/v1alpha1", "/apis/catalog.goldsmith.dev/v1", "/apis/authorization.k8s.io/v1", "/apis/authentication.k8s.io/v1", "/apis/apiextensions.k8s.io/v1"} {
		code, text := answer(ctx, client, config, mistake{method: http.MethodGet, path: root})
		Expect(code).To(Equal(http.StatusOK))
		list := &metav1.APIResourceList{}
		Expect(json.Unmarshal([]byte(text), list)).To(Succeed())
		for _, resource := range list.APIResources {
			name, _, _ := strings.Cut(resource.Name, "/")
			main := list.APIResources[slices.IndexFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == name })]
			all = append(all, served{resource, list.GroupVersion, main})
		}
	}
	return all
}

// kind is the apiVersion and kind of the body of requests.
func (s served) kind() (version, kind string) {
	version = s.version
	if s.Version != "" {
		version = s.Version
		if s.Group != "" {
			version = s.Group + "/" + s.Version
		}
	}
	return version, s.Kind
}

func (s served) url(name string, query url.Values) string {
	path := "/apis/" + s.version
	if s.version == corev1.SchemeGroupVersion.Version {
		path = "/api/" + s.version
	}
	if s.Namespaced {
		path += "/namespaces/default"
	}
	resource, subresource, _ := strings.Cut(s.Name, "/")
	path += "/" + resource
	if name != "" {
		path += "/" + name
	}
	if subresource != "" {
		path += "/" + subresource
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

func (s served) mistakes() []mistake {
	var all []mistake
	verbs := func(verb string) bool { return slices.Contains(s.Verbs, verb) }
	strict := url.Values{"fieldValidation": {"Strict"}}
	sub := strings.Contains(s.Name, "/")
	for _, query := range queries {
		values := must(url.ParseQuery(query))
		for _, name := range []string{"", "thing"} {
			if name == "" && sub {
				continue
			}
			all = append(all, mistake{query, http.MethodGet, s.url(name, values), "", "", false})
			if name == "" && verbs("deletecollection") || name != "" && verbs("delete") {
				all = append(all, mistake{query, http.MethodDelete, s.url(name, values), "", "", false})
			}
		}
		if verbs("patch") {
			for _, kind := range []types.PatchType{types.MergePatchType, types.ApplyYAMLPatchType} {
				all = append(all, mistake{query, http.MethodPatch, s.url("thing", values), string(kind), "{}", false})
			}
		}
	}
	for what, body := range s.bodies() {
		encodings := map[string]string{"application/json": body}
		if asYAML, err := yaml.JSONToYAML([]byte(body)); err == nil {
			encodings["application/yaml"] = string(asYAML)
		}
		encodings["application/vnd.kubernetes.protobuf"] = "k8s\x00" + body
		for encoding, text := range encodings {
			if verbs("create") {
				name := ""
				if sub {
					name = "thing"
				}
				all = append(all, mistake{what, http.MethodPost, s.url(name, strict), encoding, text, !slices.Contains(anyRequest, what)})
			}
			if verbs("update") {
				all = append(all, mistake{what, http.MethodPut, s.url("thing", strict), encoding, text, true})
			}
			if verbs("delete") {
				all = append(all, mistake{what, http.MethodDelete, s.url("thing", nil), encoding, text, false})
			}
		}
		if verbs("patch") {
			for _, kind := range []types.PatchType{types.MergePatchType, types.StrategicMergePatchType, types.JSONPatchType} {
				all = append(all, mistake{what, http.MethodPatch, s.url("thing", strict), string(kind), body, false})
			}
			apply := url.Values{"fieldManager": {"me"}, "force": {"true"}}
			all = append(all, mistake{what, http.MethodPatch, s.url("thing", apply), string(types.ApplyYAMLPatchType), body, true})
			all = append(all, mistake{what, http.MethodPatch, s.url("thing", apply), "application/apply-patch+cbor", body, true})
		}
	}
	return all
}

// anyRequest are the bodies that a request without required fields can have, such as a SelfSubjectReview.
var anyRequest = []string{"null", "nothing", "a version that is none", "a version of a new object"}

// queries are wrong parameters of requests.
var queries = []string{
	"limit=x", "limit=", "timeoutSeconds=", "sinceSeconds=", "resourceVersion=-1", "resourceVersion=-1&watch=true", "continue=x", "resourceVersion=x", "resourceVersion=x&watch=true", "watch=maybe", "timeoutSeconds=x", "timeoutSeconds=9223372036854775807&watch=true", "labelSelector=a+b+c", "fieldSelector=a", "fieldSelector=spec.colour%3Dred",
	"resourceVersionMatch=Sometimes", "sendInitialEvents=x", "watch=true&sendInitialEvents=true", "allowWatchBookmarks=x", "resourceVersion=99999999999999999999",
	"dryRun=maybe", "fieldManager=" + strings.Repeat("x", 200), "fieldManager=a%00b&force=true", "fieldManager=a&force=maybe", "fieldValidation=Perhaps&fieldManager=a",
	"gracePeriodSeconds=x", "propagationPolicy=x", "orphanDependents=x", "preconditions=x", "gracePeriodSeconds=-7",
	"attempt=x", "attempt=0", "tailLines=x", "limitBytes=x", "tailLines=9223372036854775807&limitBytes=9223372036854775807&sinceSeconds=9223372036854775807", "follow=x", "sinceTime=x", "timestamps=x", "sinceSeconds=x", "previous=x", "container=x", "uid=../x", "with=", "with=A", "withUID=a/b&with=a", "limit=-7", "since=x", "until=x", "outcome=x", "trigger=x", "limit=99999999999999999999",
}

// bodies are wrong bodies of requests by what is wrong.
func (s served) bodies() map[string]string {
	version, kind := s.kind()
	object := func(fields string) string {
		return fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":"thing"}%s}`, version, kind, fields)
	}
	return map[string]string{
		"nothing": "", "no end": "{", "a list": "[]", "null": "null", "a string": `"text"`, "no UTF-8": "{\"a\":\"\xff\"}", "text": "hello: [",
		"another kind":              fmt.Sprintf(`{"apiVersion":%q,"kind":"Other","metadata":{"name":"thing"}}`, version),
		"another kind of the group": fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":"thing"}}`, version, map[bool]string{true: "Pod", false: "ImageReport"}[version == "v1" && kind != "Pod"]),
		"a list of the kind":        fmt.Sprintf(`{"apiVersion":%q,"kind":"%sList","items":[]}`, version, kind),
		"another known kind":        `{"apiVersion":"v1","kind":"Status","metadata":{}}`,
		"another group":             fmt.Sprintf(`{"apiVersion":"example.com/v1","kind":%q,"metadata":{"name":"thing"}}`, kind),
		"a bad version":             fmt.Sprintf(`{"apiVersion":"a/b/c","kind":%q,"metadata":{"name":"thing"}}`, kind),
		"a number as kind":          fmt.Sprintf(`{"apiVersion":%q,"kind":7,"metadata":{"name":"thing"}}`, version),
		"another name":              fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":"another"},"x":1}`, version, kind),
		"another namespace":         fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":"thing","namespace":"another"},"x":1}`, version, kind),
		"an unknown field":          object(`,"colour":"red"`),
		"a list as spec":            object(`,"spec":[],"data":[],"status":7`),
		"a string as spec":          object(`,"spec":"x","data":"x","status":"x"`),
		"managed fields":            fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":"thing","managedFields":"x"}}`, version, kind),
		"managed fields' set":       fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":"thing","managedFields":[{"manager":"a","operation":"Apply","apiVersion":"a/b/c","fieldsV1":{"f:x":7},"fieldsType":"X"}]},"x":1}`, version, kind),
		"labels":                    fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":"thing","labels":[1]}}`, version, kind),
		"a map of numbers":          fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":"thing","labels":{"a":1}}}`, version, kind),
		"a field twice":             object(`,"spec":{"suspend":true,"suspend":true},"x":1`),
		"wrong types of the spec":   object(`,"spec":{"builder":7,"suspend":"x","triggers":[],"history":"x","timeouts":{"run":7},"parameters":{},"inputs":7,"containers":{},"template":7,"activeDeadlineSeconds":"x","finalizers":7},"value":"x","count":"x","involvedObject":7,"data":{"a":7},"channels":7,"text":7,"requestID":7,"reason":7,"attempt":"x","progress":7`),
		"a version of a new object": object(`,"metadata":{"name":"another","resourceVersion":"7"}`),
		"no version":                fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":"thing","resourceVersion":"newest"},"x":1}`, version, kind),
		"a version that is none":    `{"metadata":{"resourceVersion":"newest","labels":{"a":"b"}}}`,
		"a directive in metadata":   `{"metadata":{"$patch":"shake"}}`,
		"an entry without its key":  `{"spec":{"containers":[{"image":"x"}],"template":{"env":[{"value":"x"}],"spec":{"containers":[{"image":"x"}]}},"inputs":{"template":{"env":[{"value":"x"}]}}},"status":{"conditions":[{"status":"True"}]}}`,
		"JSON patch":                `[{"op":"replace","path":"/spec/nothing/here","value":1}]`,
		"JSON patch of a string":    `[{"op":"add","path":"/metadata/name/x","value":1}]`,
		"JSON patch of a type":      `[{"op":"add","path":"/spec","value":7}]`,
		"JSON patch of a label":     `[{"op":"add","path":"/metadata/labels","value":7}]`,
		"JSON patch of nothing":     `[{"op":"frobnicate","path":"/spec"}]`,
		"JSON patch of a test":      `[{"op":"test","path":"/kind","value":"Other"}]`,
		"a strategic directive":     `{"spec":{"$patch":"frobnicate"},"$retainKeys":7}`,
		"parameters twice":          object(`,"spec":{"parameters":[{"name":"a","value":"1"},{"name":"a","value":"2"}],"inputs":{"parameters":[{"name":"a"},{"name":"a"}]},"containers":[{"name":"a"},{"name":"a"}]},"x":1`),
		"a null in a list":          object(`,"spec":{"parameters":[null],"targets":[null],"inputs":{"parameters":[null]},"containers":[null]},"x":1`),
		"a wrong patch list":        object(`,"spec":{"parameters":{"$patch":"replace"},"targets":[{"$patch":"delete"}]},"x":1`),
	}
}
