// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestPagesAreReadUntilThereAreEnough(t *testing.T) {
	for _, test := range []struct {
		there, limit int
		asked        []string // limit and continue of each page
		next         string
	}{
		{0, 10, []string{"10 "}, ""},
		{3, 10, []string{"10 "}, ""},
		{10, 10, []string{"10 "}, ""},
		{11, 10, []string{"10 "}, "10"},
		{1200, 0, []string{"500 ", "500 500", "500 1000"}, ""},
		{1200, 700, []string{"500 ", "200 500"}, "700"},
	} {
		t.Run(fmt.Sprintf("%d of %d", test.limit, test.there), func(t *testing.T) {
			var asked []string
			items, next, err := Pages(test.limit, func(limit int, next string) ([]int, string, error) {
				asked = append(asked, fmt.Sprintf("%d %s", limit, next))
				from, _ := strconv.Atoi(next)
				to := min(from+limit, test.there)
				var page []int
				for i := from; i < to; i++ {
					page = append(page, i)
				}
				if to == test.there {
					return page, "", nil
				}
				return page, strconv.Itoa(to), nil
			})
			want := test.there
			if test.limit > 0 {
				want = min(test.there, test.limit)
			}
			if err != nil || len(items) != want || !slices.IsSorted(items) || next != test.next || !slices.Equal(asked, test.asked) {
				t.Errorf("got %d items, then %q, asked %q: %v", len(items), next, asked, err)
			}
		})
	}
	broken := errors.New("broken")
	if _, _, err := Pages(1, func(int, string) ([]int, string, error) { return nil, "", broken }); !errors.Is(err, broken) {
		t.Errorf("got error %v", err)
	}
}

func TestASubresourceOfAnImageIsReadOnce(t *testing.T) {
	unavailable := apierrors.NewServiceUnavailable("the database does not answer")
	unavailable.ErrStatus.Details = &metav1.StatusDetails{RetryAfterSeconds: 10}
	for name, test := range map[string]struct {
		uid    string
		refuse *apierrors.StatusError
		err    string
	}{
		"an answer":               {"", nil, ""},
		"of an image by its UID":  {"a-uid", nil, ""},
		"no such image":           {"", apierrors.NewNotFound(v1alpha1.Resource("images"), "web"), "no image named web in namespace team: --uid finds a deleted image"},
		"no such image, by UID":   {"a-uid", apierrors.NewNotFound(v1alpha1.Resource("images"), "web"), `read the history of image web: images.images.goldsmith.dev "web" not found`},
		"a database that is down": {"", unavailable, "read the history of image web: the database does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
				asked = append(asked, in.URL.String())
				out.Header().Set("Content-Type", "application/json")
				var answer any = map[string]any{
					"apiVersion": v1alpha1.SchemeGroupVersion.String(), "kind": "ImageHistory", "items": []any{map[string]any{"name": "web-1", "uid": "b"}},
				}
				if test.refuse != nil {
					if after := test.refuse.ErrStatus.Details.RetryAfterSeconds; after > 0 {
						out.Header().Set("Retry-After", strconv.Itoa(int(after)))
					}
					refusal := test.refuse.ErrStatus
					refusal.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
					answer = refusal
					out.WriteHeader(int(test.refuse.ErrStatus.Code))
				}
				_ = json.NewEncoder(out).Encode(answer) // the client closed the connection
			}))
			defer server.Close()
			connection := &Connection{
				Interface: versioned.NewForConfigOrDie(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}),
				Namespace: "team",
			}
			history := &v1alpha1.ImageHistory{}
			err := connection.ReadImage(t.Context(), "web", "history", map[string]string{"limit": "3", "continue": "", "uid": test.uid}, history)
			if test.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), test.err) {
					t.Errorf("got error %v", err)
				}
			} else if err != nil || len(history.Items) != 1 || history.Items[0].Name != "web-1" {
				t.Errorf("got %+v, error %v", history, err)
			}
			want := "/apis/images.goldsmith.dev/v1alpha1/namespaces/team/images/web/history?limit=3"
			if test.uid != "" {
				want += "&uid=" + test.uid
			}
			wants := []string{want}
			if test.refuse != nil && test.uid == "" && apierrors.IsNotFound(test.refuse) { // a build of the name, other namespaces and similar names are searched as well
				wants = append(wants, "/apis/images.goldsmith.dev/v1alpha1/namespaces/team/imagebuilds/web", "/apis/images.goldsmith.dev/v1alpha1/images?fieldSelector=metadata.name%3Dweb&limit=5",
					"/apis/images.goldsmith.dev/v1alpha1/namespaces/team/images?limit=500")
			}
			if !slices.Equal(asked, wants) {
				t.Errorf("asked %q", asked)
			}
		})
	}
}

func TestADeletedBuildIsFoundInTheHistoryOfItsImage(t *testing.T) {
	build := func(name, uid string) any { return map[string]any{"name": name, "uid": uid} }
	deleted := func(uid string) any { return map[string]any{"metadata": map[string]any{"name": "old", "uid": uid}} }
	answers := map[string]map[string]any{
		"images/web/history?limit=500":                                               {"items": []any{build("web-12", "new"), build("web-11", "b")}, "continue": "next"},
		"images/web/history?continue=next&limit=500":                                 {"items": []any{build("web-12", "earlier"), build("web-1", "a")}},
		"images/old/history?limit=500&uid=x":                                         {"items": []any{build("old-2", "x2")}},
		"images/old/history?limit=500&uid=y":                                         {"items": []any{build("old-2", "y2"), build("old-1", "y1")}},
		"images/broken/history?limit=500":                                            nil,
		"imagereports?fieldSelector=deleted%3Dtrue%2Cmetadata.name%3Dold&limit=500":  {"items": []any{deleted("x"), deleted("y")}},
		"imagereports?fieldSelector=deleted%3Dtrue%2Cmetadata.name%3Dnone&limit=500": {"items": []any{}},
	}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		asked := strings.TrimPrefix(in.URL.String(), "/apis/images.goldsmith.dev/v1alpha1/namespaces/team/")
		answer, known := answers[asked]
		image, _, _ := strings.Cut(strings.TrimPrefix(asked, "images/"), "/")
		switch {
		case answer != nil:
			answer["apiVersion"], answer["kind"] = v1alpha1.SchemeGroupVersion.String(), "ImageHistory"
			if strings.HasPrefix(asked, "imagereports") {
				answer["kind"] = "ImageReportList"
			}
			_ = json.NewEncoder(out).Encode(answer) // the client closed the connection
		case known:
			http.Error(out, "broken", http.StatusInternalServerError)
		default:
			refusal := apierrors.NewNotFound(v1alpha1.Resource("images"), image).ErrStatus
			refusal.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
			out.WriteHeader(http.StatusNotFound)
			_ = json.NewEncoder(out).Encode(refusal)
		}
	}))
	defer server.Close()
	connection := &Connection{
		Interface: versioned.NewForConfigOrDie(&rest.Config{Host: server.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}),
		Namespace: "team",
	}
	for name, want := range map[string]string{
		"web-12": "new", "web-1": "a", "web-99": "", "old-2": "x2", "old-1": "y1", "old-3": "", "none-1": "", "web": "", "web-x": "", "-1": "", "broken-1": "error",
	} {
		got, err := connection.deletedBuild(t.Context(), name)
		if err != nil && want == "error" {
			continue
		}
		if err != nil || (got == nil) != (want == "") || got != nil && string(got.UID) != want {
			t.Errorf("%s: got %v, error %v, want %q", name, got, err, want)
		}
		deleted, ok := errors.AsType[*DeletedBuildError](connection.NotFound(t.Context(), ImageBuild, name))
		if ok != (want != "") || ok && string(deleted.Record.UID) != want {
			t.Errorf("%s: the error is about %+v, want %q", name, deleted, want)
		}
	}
}

func TestImagesAndBuildsAreListedPageByPage(t *testing.T) {
	clients := fake.NewClientset()
	var asked []string
	clients.PrependReactor("list", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		options := action.(clienttesting.ListActionImpl).ListOptions
		asked = append(asked, fmt.Sprintf("%s %s %d %s", action.GetNamespace(), options.FieldSelector, options.Limit, options.Continue))
		page := metav1.ListMeta{}
		if options.Continue == "" {
			page.Continue = "second"
		}
		if action.GetResource().Resource == "images" {
			return true, &v1alpha1.ImageList{ListMeta: page, Items: make([]v1alpha1.Image, 1)}, nil
		}
		return true, &v1alpha1.ImageBuildList{ListMeta: page, Items: make([]v1alpha1.ImageBuild, 1)}, nil
	})
	connection := &Connection{Interface: clients, Namespace: "team"}
	images, namespace, err := connection.ListImages(t.Context(), metav1.NamespaceAll, t.Output())
	if err != nil || len(images) != 2 || namespace != metav1.NamespaceAll {
		t.Errorf("got %d images of namespace %q, error %v", len(images), namespace, err)
	}
	builds, err := connection.ListBuilds(t.Context(), "other", fields.OneTermEqualSelector("status.finished", "false"))
	if err != nil || len(builds) != 2 {
		t.Errorf("got %d builds, error %v", len(builds), err)
	}
	want := []string{"  500 ", "  500 second", "other status.finished=false 500 ", "other status.finished=false 500 second"}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}
