// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// request is a request for an object of any resource.
type request struct {
	method, path, body string
	headers            []string
}

// fillPlaceholders replaces the placeholders OBJECTS, VERSION, KIND and CONTENT of a request by the values of this resource.
func (s *subject) fillPlaceholders(r request) request {
	replace := strings.NewReplacer(
		"OBJECTS", s.path(""), "VERSION", s.resource.GroupVersion().String(), "KIND", s.kind, "CONTENT", s.content,
	).Replace
	r.path, r.body = replace(r.path), replace(r.body)
	return r
}

// particulars matches parts of messages that belong neither to the request nor to the resource: UIDs and versions, objects,
// the beginning of a body, keys in the storage, and the source file in which a server registers types.
var particulars = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|"\{.*\}"|\(\{.* \.\.\.\)|Key: [^,]*|record \(\d+\)|scheme "[^"]*"`)

// impersonal returns the Status of a reply without the parts that are specific to the resource.
func (s *subject) impersonal(r reply) metav1.Status {
	GinkgoHelper()
	var names []string
	if s.resource.Group != "" {
		names = append(names, s.kind+"."+s.resource.Group, "KIND", s.resource.GroupResource().String(), "OBJECTS", s.resource.GroupVersion().String(), "VERSION")
	}
	names = append(names, s.resource.Version, "VERSION", s.resource.Resource, "OBJECTS", s.kind, "KIND", strings.ToLower(s.kind), "KIND")
	general := func(text string) string {
		text = builtInForms.Replace(text) // a documented difference
		return strings.NewReplacer(names...).Replace(particulars.ReplaceAllString(text, "…"))
	}
	status := r.status()
	status.Message = general(status.Message)
	if details := status.Details; details != nil {
		if details.Group == s.resource.Group {
			details.Group = ""
		}
		details.Kind = general(details.Kind)
		for i := range details.Causes {
			details.Causes[i].Message = general(details.Causes[i].Message)
		}
		details.Causes = slices.Compact(details.Causes) // some kinds have their metadata judged twice
	}
	return status
}

// builtInForms replaces how a built-in resource names values of the wrong type. Ours name the path in JSON and the form.
var builtInForms = strings.NewReplacer(
	"json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string", "metadata.labels: must be an object, not a list",
	"json: cannot unmarshal array into Go value of type map[string]interface {}", "must be an object, not a list",
	"json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp", "must be a list, not an object",
)

func describeRefusals(w *subject) {
	builtIns := configMaps(w.fixture)
	// exchange sends the same request for a ConfigMap and for an object of ours.
	exchange := func(ctx context.Context, r request) (builtIn, ours reply) {
		GinkgoHelper()
		one, other := builtIns.fillPlaceholders(r), w.fillPlaceholders(r)
		return w.ask(ctx, one.method, one.path, one.body, one.headers...), w.ask(ctx, other.method, other.path, other.body, other.headers...)
	}
	const there = `{"apiVersion":"VERSION","kind":"KIND","metadata":{"name":"there"},CONTENT}`
	const objects, object = "OBJECTS", "OBJECTS/there"
	// with is an object with such metadata.
	with := func(metadata string) string {
		return `{"apiVersion":"VERSION","kind":"KIND","metadata":{` + metadata + `},CONTENT}`
	}
	send := func(method, path, kind, body string) request {
		return request{method: method, path: path, body: body, headers: []string{"Content-Type: application/" + kind}}
	}
	post := func(path, body string) request { return send(http.MethodPost, path, "json", body) }
	put := func(path, body string) request { return send(http.MethodPut, path, "json", body) }
	remove := func(body string) request { return send(http.MethodDelete, object, "json", body) }
	patch := func(kind, path, body string) request { return send(http.MethodPatch, path, kind, body) }
	get := func(path string, headers ...string) request {
		return request{method: http.MethodGet, path: path, headers: headers}
	}
	const jsonPatch, mergePatch, strategicPatch, applyPatch = "json-patch+json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"

	// Resources without Go types have other messages, and no strategic merge patch.
	typed := func(entries ...TableEntry) []TableEntry {
		if w.strategic {
			return entries
		}
		return nil
	}

	DescribeTable("What cannot be done is answered as for a built-in resource:", func(ctx SpecContext, r request, code int) {
		created, ourCreated := exchange(ctx, post(objects, there))
		Expect(created.code).To(Equal(http.StatusCreated), "%s", created.body)
		Expect(ourCreated.code).To(Equal(http.StatusCreated), "%s", ourCreated.body)

		builtIn, ours := exchange(ctx, r)
		Expect(w.impersonal(ours)).To(Equal(builtIns.impersonal(builtIn)))
		Expect(ours.code).To(Equal(builtIn.code))
		Expect(ours.header["Warning"]).To(Equal(builtIn.header["Warning"]))
		Expect(ours.status()).To(And(HaveField("Status", metav1.StatusFailure), HaveField("Code", BeEquivalentTo(code))))
	},
		typed(
			Entry("a creation with labels of another type", post(objects, with(`"name":"new","labels":["a"]`)), 400),
			Entry("a patch of an unknown type", patch("patch+json", object, `{}`), 415),
			Entry("a strategic merge patch that is no JSON", patch(strategicPatch, object, `{"metadata":`), 400),
		),
		Entry("a creation with a name that is taken", post(objects, there), 409),
		Entry("a creation without a name", post(objects, with(``)), 422),
		Entry("a creation in another namespace than the path's", post(objects, with(`"name":"new","namespace":"other"`)), 400),
		Entry("a creation with two controllers", post(objects, with(`"name":"new","ownerReferences":[
			{"apiVersion":"a/v2","kind":"A","name":"a","uid":"a","controller":true},{"apiVersion":"a/v2","kind":"A","name":"b","uid":"b","controller":true}]`)), 422),
		Entry("a creation by a manager whose name is too long", post(objects+"?fieldManager="+strings.Repeat("x", 129), with(`"name":"new"`)), 422),
		Entry("a creation out of nothing", post(objects, ``), 400),
		Entry("a creation out of half an object", post(objects, `{"apiVersion":"VERSION","kind":"KIND","metadata":{"name":`), 400),
		Entry("a creation out of YAML that is none", send(http.MethodPost, objects, "yaml", "a: [b"), 400),
		Entry("an update of what is not there", put("OBJECTS/absent", with(`"name":"absent"`)), 404),
		Entry("an update of an old version", put(object, with(`"name":"there","resourceVersion":"1"`)), 409),
		Entry("a patch of an object with another UID", patch(mergePatch, object, `{"metadata":{"uid":"other"}}`), 422),
		Entry("a patch of the name", patch(mergePatch, object, `{"metadata":{"name":"other"}}`), 400),
		Entry("a patch of the namespace", patch(mergePatch, object, `{"metadata":{"namespace":"other"}}`), 400),
		Entry("a merge patch that is no JSON", patch(mergePatch, object, `{"metadata":`), 400),
		Entry("a merge patch that is a list", patch(mergePatch, object, `[]`), 400),
		Entry("a JSON patch that is no list", patch(jsonPatch, object, `{}`), 400),
		Entry("a JSON patch with an unknown operation", patch(jsonPatch, object, `[{"op":"shake","path":"/metadata/labels"}]`), 422),
		Entry("a JSON patch whose test fails", patch(jsonPatch, object, `[{"op":"test","path":"/metadata/name","value":"other"}]`), 422),
		Entry("a JSON patch of a path that is not there", patch(jsonPatch, object, `[{"op":"replace","path":"/metadata/none/none","value":"a"}]`), 422),
		Entry("a JSON patch with too many operations", patch(jsonPatch, object, "["+strings.Repeat(`{"op":"test","path":"/kind","value":"KIND"},`, 10000)+`{"op":"test","path":"/kind","value":"KIND"}]`), 413),
		Entry("an apply by nobody", patch(applyPatch, object, there), 422),
		Entry("an apply that is no YAML", patch(applyPatch, object+"?fieldManager=one", "a: [b"), 400),
		Entry("an apply with managed fields", patch(applyPatch, object+"?fieldManager=one", with(`"name":"there","managedFields":[{"manager":"two"}]`)), 400),
		Entry("a deletion of an object with another UID", remove(`{"preconditions":{"uid":"other"}}`), 409),
		Entry("a deletion of another version", remove(`{"preconditions":{"resourceVersion":"1"}}`), 409),
		Entry("a deletion with an unknown policy", remove(`{"propagationPolicy":"Sideways"}`), 422),
		Entry("a deletion with options of another kind", remove(`{"kind":"Other","apiVersion":"a/v2"}`), 400),
		Entry("a look at what is not there", get("OBJECTS/absent"), 404),
		Entry("a look at an unknown subresource", get(object+"/colour"), 404),
	)

	DescribeTable("What a client sent wrong is its own error, although a built-in resource answers 500:", func(ctx SpecContext, r request, message string) {
		created, ourCreated := exchange(ctx, post(objects, there))
		Expect(created.code).To(Equal(http.StatusCreated), "%s", created.body)
		Expect(ourCreated.code).To(Equal(http.StatusCreated), "%s", ourCreated.body)

		builtIn, ours := exchange(ctx, r)
		Expect(builtIn.code).To(BeElementOf(http.StatusInternalServerError, ours.code), "\"goldsmith up\" serves both")
		Expect(ours.status()).To(And(HaveField("Code", BeEquivalentTo(http.StatusBadRequest)), HaveField("Message", ContainSubstring(message))))
	},
		typed(
			Entry("a strategic merge patch with an unknown directive", patch(strategicPatch, object, `{"metadata":{"$patch":"shake"}}`), "shake"),
		),
		Entry("a creation with a resourceVersion", post(objects, with(`"name":"new","resourceVersion":"7"`)), "metadata.resourceVersion"),
		Entry("an update of a version that is none", put(object, with(`"name":"there","resourceVersion":"newest"`)), "metadata.resourceVersion"),
		Entry("an apply with an unknown field", patch(applyPatch, object+"?fieldManager=one", `{"apiVersion":"VERSION","kind":"KIND","metadata":{"name":"there"},"colour":"red"}`), "colour: field not declared in schema"),
		Entry("a look at a version that is none", get(object+"?resourceVersion=newest"), "resourceVersion"),
	)
}
