// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestOnlyATokenOfAPublisherIsReviewed(t *testing.T) {
	tokens := newBuilderTokens()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "debian-1-abc", UID: types.UID("u-1")}}
	builder, _ := tokens.grant(pod)
	publisher, revoke := tokens.grantPublisher(pod)
	reviewed := func(token string) string { return string(require.Value(tokens.PodOf(t.Context(), token))(t)) }
	if reviewed(publisher) != "u-1" || reviewed(builder) != "" || reviewed("") != "" {
		t.Errorf("the pods are %q, %q and %q", reviewed(publisher), reviewed(builder), reviewed(""))
	}
	if response, ok, err := tokens.AuthenticateToken(t.Context(), publisher); err != nil || !ok || response.User.GetName() != "system:serviceaccount:team:goldsmith-publisher" {
		t.Errorf("the user is %+v, error %v", response, err)
	}
	revoke()
	if reviewed(publisher) != "" {
		t.Error("it is known after its end")
	}
}

func TestABuildersTokenIsItsPodsAndEndsWithIt(t *testing.T) {
	builders := newBuilderTokens()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "debian-1-abc", UID: types.UID("u-1")}}
	token, revoke := builders.grant(pod)
	other, _ := builders.grant(pod)
	if token == other || len(token) < 20 {
		t.Errorf("the tokens are %q and %q", token, other)
	}
	response, ok, err := builders.AuthenticateToken(t.Context(), token)
	if err != nil || !ok {
		t.Fatalf("it is not known: %v", err)
	}
	got := response.User
	if got.GetName() != "system:serviceaccount:team:goldsmith-builder" || got.GetExtra()["authentication.kubernetes.io/pod-uid"][0] != "u-1" {
		t.Errorf("it is %v", got)
	}
	for _, wrong := range []string{"", token[1:], token + "x"} {
		if _, ok, _ := builders.AuthenticateToken(t.Context(), wrong); ok {
			t.Errorf("%q is known", wrong)
		}
	}
	revoke()
	if _, ok, _ := builders.AuthenticateToken(t.Context(), token); ok {
		t.Error("it is known after its end")
	}
	if _, ok, _ := builders.AuthenticateToken(t.Context(), other); !ok {
		t.Error("another one has ended with it")
	}
}

// TestTheRightOfAPod has a builder, which may only report, and a publisher, which may only attest.
func TestTheRightOfAPod(t *testing.T) {
	for account, may := range map[string]string{"goldsmith-builder": "report", "goldsmith-publisher": "attest"} {
		t.Run(account, func(t *testing.T) { testRightOfPod(t, account, may) })
	}
}

func testRightOfPod(t *testing.T, account, may string) {
	t.Helper()
	pod := &user.DefaultInfo{Name: "system:serviceaccount:team:" + account}
	allowed := authorizer.AttributesRecord{
		User: pod, Verb: "create", Namespace: "team", APIGroup: v1alpha1.GroupName, Resource: "imagebuilds", Subresource: may, Name: "debian-1", ResourceRequest: true,
	}
	if decision, _, err := allowPods(t.Context(), allowed); decision != authorizer.DecisionAllow || err != nil {
		t.Fatalf("it may not do so: %v", err)
	}
	for namespace, want := range map[string]int{"team": 1, "other": 0} {
		if rules, paths, incomplete, err := (podRights{}).RulesFor(t.Context(), pod, namespace); len(rules) != want || len(paths) > 0 || incomplete || err != nil {
			t.Errorf("in namespace %s it has the rules %v %v, %t, %v", namespace, rules, paths, incomplete, err)
		}
	}
	for name, change := range map[string]func(*authorizer.AttributesRecord){
		"another namespace":   func(a *authorizer.AttributesRecord) { a.Namespace = "other" },
		"no namespace":        func(a *authorizer.AttributesRecord) { a.Namespace = "" },
		"another verb":        func(a *authorizer.AttributesRecord) { a.Verb = "get" },
		"another group":       func(a *authorizer.AttributesRecord) { a.APIGroup = "" },
		"another resource":    func(a *authorizer.AttributesRecord) { a.Resource = "images" },
		"another subresource": func(a *authorizer.AttributesRecord) { a.Subresource = "cancel" },
		"signatures":          func(a *authorizer.AttributesRecord) { a.Subresource = "signatures" },
		"what others may do": func(a *authorizer.AttributesRecord) {
			a.Subresource = map[string]string{"report": "attest", "attest": "report"}[may]
		},
		"a Secret": func(a *authorizer.AttributesRecord) {
			a.Verb, a.APIGroup, a.Resource, a.Subresource, a.Name = "get", "", "secrets", "", "hidden"
		},
		"the resource itself": func(a *authorizer.AttributesRecord) { a.Subresource = "" },
		"a path":              func(a *authorizer.AttributesRecord) { a.ResourceRequest = false },
		"another user": func(a *authorizer.AttributesRecord) {
			a.User = &user.DefaultInfo{Name: "system:serviceaccount:team:default"}
		},
		"nobody": func(a *authorizer.AttributesRecord) { a.User = nil },
	} {
		other := allowed
		change(&other)
		if decision, _, _ := allowPods(t.Context(), other); decision == authorizer.DecisionAllow {
			t.Errorf("it may do so with %s", name)
		}
	}
}

// TestTheDocumentedRecipeReports runs a builder that reports its progress as the docs show, and then sends forbidden requests
// with its token.
func TestTheDocumentedRecipeReports(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	script, text := filepath.Join(directory, "builder.sh"), reportingBuilder(t)
	require.NoError(t, os.WriteFile(script, []byte(text), 0o700))
	withSystem(t, Options{DataDirectory: filepath.Join(directory, "data"), Memory: true, Builders: []string{"curl=" + script}}, func(ctx context.Context, client versioned.Interface) {
		build := finish(ctx, t, client, "curl", nil)
		if build.Status.Phase != v1alpha1.BuildSucceeded {
			t.Errorf("it ended %s: %+v", build.Status.Phase, build.Status.Failure)
			return
		}
		progress := build.Status.Progress // the recipe says 40 percent, and the build succeeds
		if progress == nil || progress.Stage != "packages" || *progress.Percent != 100 || progress.Message != "installing vim" || progress.Attempt != 1 {
			t.Errorf("the progress is %+v", progress)
		}
		if stages := build.Status.Stages; len(stages) != 1 || stages[0].Name != "packages" || stages[0].CompletionTime == nil {
			t.Errorf("the stages are %+v", stages)
		}
		logs, err := client.ImagesV1alpha1().RESTClient().Get().Namespace("default").Resource("imagebuilds").Name(build.Name).SubResource("log").DoRaw(ctx)
		if want := "images 403\na Secret 403\nits cancel 403\nmetrics 403\nno build's report 403\n"; string(logs) != want {
			t.Errorf("the log is %q (%v), not %q", logs, err, want)
		}
	})
}

// reportingBuilder returns the recipe of the page, followed by requests that only a malicious builder would send.
func reportingBuilder(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../../docs/builders.md")
	require.NoError(t, err)
	for _, block := range strings.Split(string(page), "```sh\n")[1:] {
		recipe, _, _ := strings.Cut(block, "```")
		if strings.Contains(recipe, "GOLDSMITH_REPORT_URL") {
			return `#!/bin/sh
set -eu
export PATH=/usr/bin:/bin
try() {
  printf 'Authorization: Bearer %s' "$(cat "$GOLDSMITH_REPORT_TOKEN")" |
    curl --silent --output /dev/null --write-out "$1 %{http_code}\n" --cacert "$GOLDSMITH_REPORT_CA" --header @- \
      --header 'Content-Type: application/json' $3 "$2"
}
until try "a report of nothing" "$GOLDSMITH_REPORT_URL" "--data {}" | grep -qv 503; do sleep 0.1; done # until its pod is recorded
` + recipe + `
server=${GOLDSMITH_REPORT_URL%%/apis/*}
try images "$server/apis/images.goldsmith.dev/v1alpha1/namespaces/default/images" ""
try "a Secret" "$server/api/v1/namespaces/default/secrets/hidden" ""
try "its cancel" "${GOLDSMITH_REPORT_URL%/report}/cancel" "--data {}"
try metrics "$server/metrics" ""
try "no build's report" "${GOLDSMITH_REPORT_URL%/*/report}/none/report" "--data {}"
printf '{"version":1,"outcome":"Succeeded","artifacts":[{"target":"linux/amd64/raw","location":"https://images.example/disk","digest":"sha256:%064d","sizeBytes":1}]}' 0 >"$GOLDSMITH_RESULT"
`
		}
	}
	t.Fatal("the page has no recipe for reports")
	return ""
}

func TestTheMockBuilderReportsItsSteps(t *testing.T) {
	t.Parallel()
	withSystem(t, Options{DataDirectory: t.TempDir(), Memory: true}, func(ctx context.Context, client versioned.Interface) {
		build := finish(ctx, t, client, mockName, []v1alpha1.Parameter{{Name: "duration", Value: "6s"}, {Name: "steps", Value: "6"}})
		if build.Status.Phase != v1alpha1.BuildSucceeded || build.Status.Progress == nil || !strings.HasPrefix(build.Status.Progress.Stage, "step ") {
			t.Errorf("it is %s, and its progress is %+v", build.Status.Phase, build.Status.Progress)
		}
		if stages := build.Status.Stages; len(stages) < 2 || stages[0].CompletionTime == nil {
			t.Errorf("the stages are %+v", stages)
		}
	})
}

// withSystem runs the server, the controllers and the agent until the function has returned.
func withSystem(t *testing.T, options Options, use func(ctx context.Context, client versioned.Interface)) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	ready := false
	options.OnReady = func(config *rest.Config, _ string) {
		defer stop()
		ready = true
		use(ctx, versioned.NewForConfigOrDie(config))
	}
	if err := Run(ctx, options); err != nil || !ready {
		t.Errorf("ready: %t, error: %v", ready, err)
	}
}

// finish runs a build with a builder to its end.
func finish(ctx context.Context, t *testing.T, client versioned.Interface, builder string, parameters []v1alpha1.Parameter) *v1alpha1.ImageBuild {
	t.Helper()
	return follow(ctx, t, client, builder, parameters, func(build *v1alpha1.ImageBuild) bool { return build.Status.Finished })
}

// inputsFor returns the inputs of a build with a builder.
func inputsFor(builder string, parameters ...v1alpha1.Parameter) v1alpha1.BuildInputs {
	return v1alpha1.BuildInputs{
		Builder: v1alpha1.BuilderReference{Name: builder}, Base: v1alpha1.Base{Reference: "debian:bookworm"}, Parameters: parameters,
		Targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
	}
}

func parameter(name, value string) v1alpha1.Parameter {
	return v1alpha1.Parameter{Name: name, Value: value}
}

// follow runs a build with a builder until wanted returns true.
func follow(ctx context.Context, t *testing.T, client versioned.Interface, builder string, parameters []v1alpha1.Parameter, wanted func(*v1alpha1.ImageBuild) bool) *v1alpha1.ImageBuild {
	t.Helper()
	builds := client.ImagesV1alpha1().ImageBuilds("default")
	build, err := builds.Create(ctx, &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "once"}, Spec: v1alpha1.ImageBuildSpec{Inputs: inputsFor(builder, parameters...)}}, metav1.CreateOptions{})
	if err != nil {
		t.Errorf("creating a build: %v", err)
		return &v1alpha1.ImageBuild{}
	}
	changes, err := builds.Watch(ctx, metav1.SingleObject(build.ObjectMeta))
	if err != nil {
		t.Errorf("watching a build: %v", err)
		return build
	}
	defer changes.Stop()
	for event := range changes.ResultChan() {
		if changed, ok := event.Object.(*v1alpha1.ImageBuild); ok {
			build = changed
		}
		if wanted(build) {
			break
		}
	}
	return build
}
