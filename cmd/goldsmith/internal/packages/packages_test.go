// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	raw, qcow2 = "linux/amd64/raw", "linux/amd64/qcow2"
	// written is a lock as a builder writes it.
	written = `{"version": 1, "packages": [{"name": "nginx", "version": "1.26.3-3", "architecture": "amd64"}], "later": true}`
)

func digest(text string) string { return contents.Digest([]byte(text)) }

// debian is a lock with everything that a lock can have.
func debian(packages ...v1alpha1.Package) v1alpha1.Lock {
	date := metav1.Date(2026, time.November, 20, 8, 0, 0, 0, time.UTC)
	return v1alpha1.Lock{
		Version: 1, Distribution: &v1alpha1.Distribution{ID: "debian", Version: "13"},
		Sources: []v1alpha1.PackageSource{
			{URI: "http://mirror.example/debian", Suite: "trixie", Component: "main", Release: &v1alpha1.ReleaseFile{Date: &date}}, {URI: "https://apt.example"},
		},
		Packages: packages,
	}
}

var (
	openssl = v1alpha1.Package{Name: "openssl", Version: "3.5.6-1", Architecture: "amd64", Licence: "Apache-2.0", Source: &v1alpha1.SourcePackage{Name: "openssl", Version: "3.5.6-1"}}
	bash    = v1alpha1.Package{Name: "bash", Version: "5.2-1+b1", Architecture: "amd64", Source: &v1alpha1.SourcePackage{Name: "bash", Version: "5.2-1"}}
	hostile = v1alpha1.Package{Name: "a\x1b[31m", Version: "1\u202e2", Architecture: "all\n"}
)

const summary = "2 packages of debian 13 in " + raw + " of build web-7\n" +
	"from http://mirror.example/debian trixie main, 2026-11-20T08:00:00Z\nfrom https://apt.example\n"

// web returns a build of image web.
func web(number int64, artifacts ...v1alpha1.Artifact) *v1alpha1.ImageBuild {
	name := fmt.Sprintf("web-%d", number)
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, UID: "uid-of-web", CreationTimestamp: metav1.Unix(number, 0)}}
	build.Spec.ImageRef, build.Spec.Number = &v1alpha1.ImageReference{Name: "web", UID: "image"}, &number
	build.Spec.Inputs.Builder.Name = "shell"
	build.Status = v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildSucceeded, Finished: true, Artifacts: artifacts}
	return build
}

// artifact returns an artifact with a content. If locked is not empty, the artifact has this lock, which the server keeps for build web-7.
func artifact(target, content, locked string) v1alpha1.Artifact {
	made := v1alpha1.Artifact{Target: target, Digest: digest(content)}
	if locked != "" {
		made.Documents = []v1alpha1.ArtifactDocument{{
			Type: v1alpha1.DocumentLock, MediaType: v1alpha1.LockMediaType, Digest: digest(locked), SizeBytes: int64(len(locked)),
			Location: v1alpha1.ArtifactPath("team", "web-7", digest(locked)), Verified: v1alpha1.ArtifactVerifiedContent,
		}}
	}
	return made
}

func records(locks ...v1alpha1.ArtifactLock) *v1alpha1.ImageBuildPackages {
	return &v1alpha1.ImageBuildPackages{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-7"}, BuildUID: "uid-of-web", Locks: locks}
}

// Requests of the verb.
const (
	build7     = "imagebuilds/web-7"
	packages7  = build7 + "/packages?uid=uid-of-web"
	raw7       = build7 + "/packages?target=linux%2Famd64%2Fraw&uid=uid-of-web"
	lock7      = build7 + "/artifacts/"
	successful = "imagebuilds?fieldSelector=status.phase%3DSucceeded&limit=500"
	latest     = "imagebuilds?fieldSelector=spec.imageRef.uid%3Dimage%2Cstatus.phase%3DSucceeded&limit=500"
	images     = "images?limit=500"
)

func TestPackagesOfABuildAreATable(t *testing.T) {
	one := v1alpha1.ArtifactLock{Targets: []string{raw}, Digest: digest("one"), Lock: debian(openssl, bash)}
	two := v1alpha1.ArtifactLock{Targets: []string{qcow2, "linux/amd64/iso"}, Digest: digest("two"), Lock: debian(hostile)}
	locked := web(7, artifact(raw, "disk", written), artifact(qcow2, "small disk", written))
	deleted := answers{
		"images/web/history?limit=500": &v1alpha1.ImageHistory{Items: []v1alpha1.BuildRecord{{Name: "web-7", UID: "uid-of-web"}}},
		packages7:                      records(one),
	}
	unavailable := refusal{http.StatusServiceUnavailable, "the database does not answer"}
	for name, test := range map[string]struct {
		argument string
		asked    options
		answers  answers
		out      string
		stderr   string
		fails    string
	}{
		"of an image": {
			argument: "web", answers: answers{
				"images/web": &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web", UID: "image"}},
				latest:       &v1alpha1.ImageBuildList{Items: []v1alpha1.ImageBuild{*web(7, artifact(raw, "disk", ""))}}, packages7: records(one),
			},
			out:    "NAME      VERSION    ARCHITECTURE\nopenssl   3.5.6-1    amd64\nbash      5.2-1+b1   amd64\n",
			stderr: "the latest successful build of image web is web-7\n" + summary,
		},
		"wide": {
			argument: "web-7", asked: options{format: output.Wide}, answers: answers{build7: web(7, artifact(raw, "disk", "")), packages7: records(one)},
			out: "NAME      VERSION    ARCHITECTURE   SOURCE       LICENCE\n" +
				"openssl   3.5.6-1    amd64          openssl      Apache-2.0\nbash      5.2-1+b1   amd64          bash 5.2-1   <none>\n",
		},
		"different locks, with names of strangers": {
			argument: "web-7", answers: answers{build7: web(7, artifact(raw, "disk", "")), packages7: records(one, two)},
			out: summary + "NAME      VERSION    ARCHITECTURE\nopenssl   3.5.6-1    amd64\nbash      5.2-1+b1   amd64\n\n" +
				"1 package of debian 13 in linux/amd64/qcow2, linux/amd64/iso of build web-7\nfrom http://mirror.example/debian trixie main, 2026-11-20T08:00:00Z\n" +
				"from https://apt.example\nNAME      VERSION    ARCHITECTURE\na^[[31m   1\\u202e2   all \n",
		},
		"of a target": {
			argument: "web-7", asked: options{target: raw, format: "jsonpath={.kind} {.locks[*].targets[*]}"},
			answers: answers{build7: locked, raw7: records(one)},
			out:     "ImageBuildPackages " + raw,
		},
		"of another target": {
			argument: "web-7", asked: options{target: "linux/arm64/raw"}, answers: answers{build7: locked},
			fails: "build web-7 has no artifact for target linux/arm64/raw: its targets are linux/amd64/raw, linux/amd64/qcow2",
		},
		"of a deleted build": {
			argument: "web-7", answers: deleted, out: "NAME      VERSION    ARCHITECTURE\n",
			stderr: "build web-7 was deleted: its packages are those in the records\n2 packages of debian 13 in linux/amd64/raw of build web-7\n",
		},
		"of a UID": {argument: "web-7", asked: options{uid: "uid-of-web"}, answers: deleted, out: "NAME      VERSION    ARCHITECTURE\n"},
		"of a UID, of another build than that of the name": {
			argument: "imagebuild/web-7", asked: options{uid: "old"},
			answers: answers{build7: locked, build7 + "/packages?uid=old": refusal{http.StatusNotFound, `imagebuild "web-7" with UID old has no record`}},
			fails:   `read the packages of build web-7: imagebuild "web-7" with UID old has no record`,
		},
		"of the UID of an image": {
			argument: "web@stable", asked: options{uid: "old"}, answers: answers{}, fails: "--uid selects a build, but web@stable is an image: name a build, or omit --uid",
		},
		"without a lock": {
			argument: "web-7", answers: answers{build7: web(7, artifact(raw, "disk", "")), packages7: records()},
			fails: "build web-7 has no lock that Goldsmith read: builder shell writes none, or the image needs spec.output; see docs/builders.md#locks",
		},
		"without a lock and records": {
			argument: "web-7", asked: options{target: raw}, answers: answers{build7: web(7, artifact(raw, "disk", ""))},
			fails: "artifact linux/amd64/raw of build web-7 has no lock that Goldsmith read: builder shell writes none, or the image needs",
		},
		"that the records do not have": {
			argument: "web-7", answers: answers{build7: locked, packages7: records(), lock7 + digest(written): written},
			out:    "NAME    VERSION    ARCHITECTURE\nnginx   1.26.3-3   amd64\n",
			stderr: "• fetching lock of artifact linux/amd64/raw of build web-7, 110 B\n1 package in linux/amd64/raw, linux/amd64/qcow2 of build web-7\n",
		},
		"that only some records have": {
			argument: "web-7", asked: options{format: "jsonpath={.locks[*].targets[*]}"},
			answers: answers{build7: locked, packages7: records(one), lock7 + digest(written): written}, out: raw + " " + qcow2,
		},
		"without a database": {
			argument: "web-7", answers: answers{build7: locked, packages7: unavailable, lock7 + digest(written): written},
			out: "NAME    VERSION    ARCHITECTURE\nnginx   1.26.3-3   amd64\n",
		},
		"whose lock is damaged": {
			argument: "web-7", answers: answers{build7: locked, packages7: unavailable, lock7 + digest(written): strings.Replace(written, "nginx", "apache", 1)[:len(written)]},
			fails: "the fetched lock of artifact linux/amd64/raw of build web-7 is damaged",
		},
		"whose lock is lost": {
			argument: "web-7", answers: answers{build7: locked, packages7: unavailable, lock7 + digest(written): refusal{http.StatusGone, "no longer kept"}},
			fails: "the server has lost the lock of artifact linux/amd64/raw of build web-7: build image web again, or restore a backup that has artifacts; " +
				"the records do not have it: read the packages of build web-7: the database does not answer",
		},
		"whose lock is none": {
			argument: "web-7", answers: answers{build7: web(7, artifact(raw, "disk", `{"version": 2}`)), packages7: records(), lock7 + digest(`{"version": 2}`): `{"version": 2}`},
			fails: "lock of artifact linux/amd64/raw of build web-7: version is 2, must be 1: ",
		},
		"that the user cannot read": {
			argument: "web-7", answers: answers{build7: locked, packages7: refusal{http.StatusForbidden, "you cannot get imagebuilds/packages"}, lock7 + digest(written): written},
			fails: "read the packages of build web-7: you cannot get imagebuilds/packages",
		},
		"that does not exist": {argument: "web", answers: answers{}, fails: "no image or build named web in namespace team"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			out, stderr, err := shown(t, &test.asked, test.argument, test.answers)
			if test.fails != "" {
				if err == nil || !strings.HasPrefix(err.Error(), test.fails) || out != "" {
					t.Errorf("got error %v and %q", err, out)
				}
				return
			}
			if err != nil || !strings.HasPrefix(out, test.out) || !strings.HasPrefix(stderr, test.stderr) {
				t.Errorf("got error %v, stdout:\n%s\nand stderr:\n%s", err, cmp.Diff(test.out, out), cmp.Diff(test.stderr, stderr))
			}
		})
	}
}

func TestAFileIsALockOrTheArtifactOfABuild(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, content := range map[string]string{
		"web.lock": written, "web": "disk", "disks/web": "disk", "web.raw": "disk", "bad.json": `{"packages": [], "version": 2}`, "bom.json": `{"version": 1, "components": []}`, "spdx.json": `{"packages": []}`,
		"cut.json": `{"version": 1, "packages": [`, "huge.json": `{"version": 1, "packages": [` + strings.Repeat(" ", v1alpha1.MaxLockBytes),
	} {
		require.NoError(t, os.MkdirAll("disks", 0o700))
		require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	}
	const table = "NAME    VERSION    ARCHITECTURE\nnginx   1.26.3-3   amd64\n"
	builds := func(builds ...*v1alpha1.ImageBuild) *v1alpha1.ImageBuildList {
		list := &v1alpha1.ImageBuildList{}
		for _, build := range builds {
			list.Items = append(list.Items, *build)
		}
		return list
	}
	another, unlocked := web(6, artifact(qcow2, "disk", "another")), web(8, artifact(raw, "disk", ""))
	found := answers{
		successful: builds(web(6, artifact(raw, "disk", written)), web(7, artifact(qcow2, "small", ""), artifact(raw, "disk", written)), unlocked), images: &v1alpha1.ImageList{},
		raw7: records(), lock7 + digest(written): written,
	}
	const stderr = "web.raw is artifact linux/amd64/raw of build web-7\n• fetching lock of artifact linux/amd64/raw of build web-7, 110 B\n1 package in linux/amd64/raw of build web-7\n"
	deleted := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web"}}
	deleted.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "web-7", Artifacts: []v1alpha1.Artifact{artifact(raw, "disk", written)}}}
	for _, test := range []struct {
		path    string
		asked   options
		answers answers // nil without a server
		out     string
		stderr  string
		fails   string
	}{
		{path: "web.lock", out: table, stderr: "1 package in web.lock\n"},
		{path: "web.lock", asked: options{format: "jsonpath={.kind} {.locks[*].digest} {.locks[*].targets}"}, out: "ImageBuildPackages " + digest(written) + " []"},
		{path: "web.lock", asked: options{target: raw}, fails: "--target and --uid select artifacts of a build, but web.lock is a file: omit them"},
		{path: "bad.json", fails: "lock bad.json: version is 2, must be 1: "},
		{path: "cut.json", fails: "lock cut.json: is not a JSON object: unexpected end of JSON input"},
		{path: "huge.json", fails: "lock huge.json: has more than 8388608 bytes: "},
		{path: "bom.json", fails: "bom.json is no lock, so that a server has to find its build: no kubeconfig"},
		{path: "spdx.json", fails: "spdx.json is no lock, "},
		{path: "missing.raw", fails: "open missing.raw: "},
		{path: "./disks", fails: "./disks is not a file"},
		{path: "/dev/zero", fails: "/dev/zero is not a file"},
		{path: "web", fails: "no kubeconfig; for the file of this name, use ./web"},
		{path: "web.raw", answers: found, out: table, stderr: stderr},
		{path: "disks/web", answers: found, out: table, stderr: strings.Replace(stderr, "web.raw", "disks/web", 1)},
		{path: "web", answers: found, out: table, stderr: strings.Replace(stderr, "web.raw", "web", 1)},
		{
			path: "./web", answers: answers{successful: builds(web(5, artifact(raw, "disk", written)), another), images: &v1alpha1.ImageList{}},
			fails: "builds web-6 and web-5 made ./web with different locks: name the build, as in `goldsmith packages web-6`",
		},
		{
			path: "./web", answers: answers{successful: builds(unlocked), images: &v1alpha1.ImageList{}},
			fails: "artifact linux/amd64/raw of build web-8 has no lock that Goldsmith read: builder shell writes none",
		},
		{
			path: "./web", answers: answers{successful: builds(), images: &v1alpha1.ImageList{Items: []v1alpha1.Image{*deleted}}, lock7 + digest(written): written},
			out: table, stderr: "./web is artifact linux/amd64/raw of build web-7\n",
		},
		{
			path: "bom.json", answers: found,
			fails: "no build in namespace team made bom.json, whose digest is " + digest(`{"version": 1, "components": []}`) + ", and it is no lock: select another namespace with -n, or name the BUILD",
		},
	} {
		out, stderr, err := shown(t, &test.asked, test.path, test.answers)
		switch {
		case test.fails != "" && (err == nil || !strings.HasPrefix(err.Error(), test.fails)):
			t.Errorf("%s: got error %v, want %s", test.path, err, test.fails)
		case test.fails == "" && (err != nil || out != test.out || !strings.HasPrefix(stderr, test.stderr)):
			t.Errorf("%s: got error %v, %q and %q", test.path, err, out, stderr)
		}
	}
}

func TestPathsAreNoNames(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("kind", 0o700))
	require.NoError(t, os.WriteFile("kind/there", nil, 0o600))
	for argument, want := range map[string]bool{
		"web": false, "web@stable": false, "image/web": false, "imagebuilds.images.goldsmith.dev/web-1": false, "debianserver/web": false,
		"web.raw": true, "./web": true, "../web": true, "/web": true, "a/b/c": true, "kind/there": true, ".": true,
	} {
		if got := artifacts.IsPath(argument); got != want {
			t.Errorf("%s: got %t", argument, got)
		}
	}
}

// shown returns the output of the verb. Without answers there is no server.
func shown(t *testing.T, asked *options, argument string, answers answers) (stdout, stderr string, err error) {
	t.Helper()
	var out, complaints bytes.Buffer
	asked.out, asked.stderr = &out, &complaints
	asked.connect = func() (*client.Connection, error) {
		if answers == nil {
			return nil, errors.New("no kubeconfig")
		}
		return serve(t, answers), nil
	}
	err = asked.run(t.Context(), argument)
	return out.String(), complaints.String(), err
}

// answers maps the path below the namespace, with the query, to the answer of the server: an object, a content or a refusal.
type answers map[string]any

type refusal struct {
	code    int
	message string
}

// serve starts a server with these answers. The server answers all other requests with NotFound.
func serve(t *testing.T, all answers) *client.Connection {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		asked := strings.TrimPrefix(in.URL.String(), "/apis/images.goldsmith.dev/v1alpha1/namespaces/team/")
		resource, name, _ := strings.Cut(strings.Split(asked, "?")[0], "/")
		name, _, _ = strings.Cut(name, "/")
		refused := apierrors.NewNotFound(v1alpha1.Resource(resource), name).ErrStatus
		switch answer := all[asked].(type) {
		case string:
			_, _ = out.Write([]byte(answer))
			return
		case runtime.Object:
			answer = answer.DeepCopyObject()
			answer.GetObjectKind().SetGroupVersionKind(v1alpha1.Kind(strings.TrimPrefix(fmt.Sprintf("%T", answer), "*v1alpha1.")))
			out.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(out).Encode(answer)
			return
		case refusal:
			refused = metav1.Status{Status: metav1.StatusFailure, Code: int32(answer.code), Message: answer.message, Reason: map[int]metav1.StatusReason{
				http.StatusForbidden: metav1.StatusReasonForbidden, http.StatusNotFound: metav1.StatusReasonNotFound,
			}[answer.code]}
		}
		refused.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
		out.Header().Set("Content-Type", "application/json")
		out.WriteHeader(int(refused.Code))
		_ = json.NewEncoder(out).Encode(refused)
	}))
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
	return &client.Connection{Interface: versioned.NewForConfigOrDie(config), Namespace: "team", Config: config}
}
