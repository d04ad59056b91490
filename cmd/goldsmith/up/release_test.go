// SPDX-License-Identifier: Apache-2.0

package up

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/e2e/require"
)

// The files in testdata/VERSION, which a release has written. Image web is based on image base, its build is promoted, and it has a note. Image tools
// belongs to an object of the catalog, whose kind is an ImageKind. Image gone was deleted, and goneFile has its build.
const (
	dataFile   = "data.tar.gz"
	backupFile = "backup.tar.gz"
	goneFile   = "gone.json"
)

// releaseVariable is the environment variable with the version that the test binary has when it stands in for the program.
const releaseVariable = "GOLDSMITH_TEST_RELEASE"

// objectsOfTools is the path of the catalog object of image tools.
const objectsOfTools = "/apis/" + v1alpha1.CatalogGroup + "/v1/namespaces/default/containerbases"

// TestWriteARelease writes the files of a release. It runs before a new minor version is tagged:
//
//	GOLDSMITH_TEST_RELEASE=v0.2.0 go test -short -count=1 -run TestWriteARelease ./cmd/goldsmith/up
func TestWriteARelease(t *testing.T) {
	version := os.Getenv(releaseVariable)
	if version == "" || !testing.Short() {
		t.Skip("only with -short and " + releaseVariable)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	files, data, program := filepath.Join("testdata", strings.TrimPrefix(version, "v")), filepath.Join(t.TempDir(), "data"), executable(t)
	require.NoError(t, os.MkdirAll(files, 0o750))
	server := startProgram(t, program, data)
	client := server.images.ImagesV1alpha1()
	kind := &v1alpha1.ImageKind{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(readExample(t, exampleKinds, "containerbases")), kind))
	require.Value(client.ImageKinds().Create(ctx, kind, metav1.CreateOptions{}))(t)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "token"}, StringData: map[string]string{"a": "b"}}
	require.Value(server.kube.CoreV1().Secrets("default").Create(ctx, secret, metav1.CreateOptions{}))(t)
	for _, name := range []string{"base", "gone", "web"} {
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ImageSpec{BuildInputs: inputsFor(mockName, parameter("duration", "10ms"), parameter("steps", "2"))}}
		if name == "web" {
			image.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "base"}}
		}
		require.Value(client.Images("default").Create(ctx, image, metav1.CreateOptions{}))(t)
	}

	gone := &v1alpha1.ImageBuild{}
	for _, build := range server.awaitKept(ctx, t, "base-1", "gone-1", "web-1") {
		if build.Name == "gone-1" {
			gone.ObjectMeta, gone.Spec.ImageRef = metav1.ObjectMeta{Name: build.Name, UID: build.UID}, build.Spec.ImageRef
		}
	}
	content := require.Value(json.MarshalIndent(gone, "", "  "))(t)
	require.NoError(t, os.WriteFile(filepath.Join(files, goneFile), append(content, '\n'), 0o600))
	require.NoError(t, client.Images("default").Delete(ctx, "gone", metav1.DeleteOptions{}))
	channels := require.Value(client.Images("default").GetChannels(ctx, "web", metav1.GetOptions{}))(t)
	channels.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "web-1"}}
	require.Value(client.Images("default").UpdateChannels(ctx, "web", channels, metav1.UpdateOptions{}))(t)
	post := func(path, manifest string) error {
		return client.RESTClient().Post().AbsPath(path).SetHeader("Content-Type", "application/yaml").Body([]byte(manifest)).Do(ctx).Error()
	}
	require.NoError(t, post("/apis/images.goldsmith.dev/v1alpha1/namespaces/default/images/web/notes", `{text: The first release}`))
	server.await(ctx, t, "the kind is served", func([]v1alpha1.ImageBuild) bool {
		err := post(objectsOfTools, readExample(t, exampleInstances, "containerbase"))
		return err == nil || apierrors.IsAlreadyExists(err)
	})
	server.awaitKept(ctx, t, "base-1", "tools-1", "web-1")
	mustRun(t, program, "backup", "--force", "--artifacts", "--data-dir", data, filepath.Join(files, backupFile))
	server.terminate(t)
	out, err := exec.CommandContext(ctx, "tar", "--create", "--gzip", "--sparse", "--exclude=kubeconfig", "--exclude=up.log", "--owner=0", "--group=0",
		"--file="+filepath.Join(files, dataFile), "--directory="+filepath.Dir(data), filepath.Base(data)).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// awaitKept waits until there are exactly these builds, succeeded, recorded and with archived logs.
func (p *program) awaitKept(ctx context.Context, t *testing.T, names ...string) (kept []v1alpha1.ImageBuild) {
	t.Helper()
	p.await(ctx, t, strings.Join(names, ", ")+" are kept", func(builds []v1alpha1.ImageBuild) bool {
		kept = builds
		var found []string
		for _, build := range builds {
			if build.Status.Phase == v1alpha1.BuildSucceeded && meta.IsStatusConditionTrue(build.Status.Conditions, v1alpha1.BuildRecorded) &&
				meta.IsStatusConditionTrue(build.Status.Conditions, v1alpha1.BuildLogArchived) {
				found = append(found, build.Name)
			}
		}
		slices.Sort(found)
		return len(builds) == len(names) && slices.Equal(found, names)
	})
	return kept
}

// TestReleasesAreRead opens the data directory, the backup and the log archive that each release in testdata has written, reads everything, builds,
// and deletes.
func TestReleasesAreRead(t *testing.T) {
	t.Parallel() // the test waits more than it computes
	program := executable(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	releases := require.Value(filepath.Glob("testdata/[0-9]*"))(t)
	if len(releases) == 0 {
		t.Error("testdata has no release")
	}
	for _, files := range releases {
		gone := v1alpha1.ImageBuild{}
		require.NoError(t, json.Unmarshal(require.Value(os.ReadFile(filepath.Join(files, goneFile)))(t), &gone))
		for _, from := range []string{dataFile, backupFile, "a log archive elsewhere"} {
			t.Run(filepath.Base(files)+"/"+from, func(t *testing.T) {
				data := filepath.Join(t.TempDir(), "data")
				var flags []string
				if from == backupFile {
					mustRun(t, program, "restore", "--data-dir", data, filepath.Join(files, backupFile))
				} else if out, err := exec.CommandContext(ctx, "tar", "--extract", "--file="+filepath.Join(files, dataFile), "--directory="+filepath.Dir(data)).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				record := require.Value(os.ReadFile(filepath.Join(data, datadir.VersionFile)))(t)
				if want := `{"format":1,"version":"v` + filepath.Base(files) + `"}`; strings.TrimSpace(string(record)) != want {
					t.Errorf("got record %s, want %s", record, want)
				}
				if from != dataFile && from != backupFile {
					elsewhere := filepath.Join(t.TempDir(), "logs")
					require.NoError(t, os.Rename(filepath.Join(data, "logs"), elsewhere))
					flags = append(flags, "--log-archive", "file://"+elsewhere)
				}
				server := startProgram(t, program, data, flags...)
				server.checkRelease(ctx, t, gone)
				server.buildAndDelete(ctx, t)
				server.terminate(t)
			})
		}
	}
}

// checkRelease reads what a release has written.
func (p *program) checkRelease(ctx context.Context, t *testing.T, gone v1alpha1.ImageBuild) {
	t.Helper()
	client := p.images.ImagesV1alpha1()
	images := require.Value(client.Images("default").List(ctx, metav1.ListOptions{}))(t).Items
	if len(images) != 3 {
		t.Errorf("got %d images, want base, tools and web", len(images))
	}
	for _, image := range images {
		if !meta.IsStatusConditionTrue(image.Status.Conditions, v1alpha1.ImageReady) || !meta.IsStatusConditionTrue(image.Status.Conditions, v1alpha1.ImageUpToDate) {
			t.Errorf("image %s: %+v", image.Name, image.Status.Conditions)
		}
		if channels := image.Status.Channels; (image.Name == "web") != (len(channels) == 1 && channels[0].Name == "stable" && channels[0].Build == "web-1") {
			t.Errorf("image %s has channels %+v", image.Name, channels)
		}
	}
	builds := require.Value(client.ImageBuilds("default").List(ctx, metav1.ListOptions{}))(t).Items
	if len(builds) != 3 {
		t.Errorf("got %d builds", len(builds))
	}
	for _, build := range append(builds, gone) {
		get := func(resource, name, subresource, uid string) []byte {
			return require.Value(client.RESTClient().Get().Namespace("default").Resource(resource).Name(name).SubResource(subresource).Param("uid", uid).DoRaw(ctx))(t)
		}
		if log := get("imagebuilds", build.Name, "log", string(build.UID)); !bytes.Contains(log, []byte("step 1/")) {
			t.Errorf("log of %s: %s", build.Name, log)
		}
		var history v1alpha1.ImageHistory
		require.NoError(t, json.Unmarshal(get("images", build.Spec.ImageRef.Name, "history", string(build.Spec.ImageRef.UID)), &history))
		if len(history.Items) != 1 || history.Items[0].UID != build.UID {
			t.Errorf("history of %s: %+v", build.Name, history.Items)
		}
	}
	if notes := require.Value(client.Images("default").GetNotes(ctx, "web", metav1.GetOptions{}))(t).Items; len(notes) != 1 || notes[0].Text != "The first release" {
		t.Errorf("got notes %+v", notes)
	}
	if secret := require.Value(p.kube.CoreV1().Secrets("default").Get(ctx, "token", metav1.GetOptions{}))(t); string(secret.Data["a"]) != "b" {
		t.Errorf("got Secret %v", secret)
	}
	p.await(ctx, t, "the kind is served", func([]v1alpha1.ImageBuild) bool {
		tools, err := client.RESTClient().Get().AbsPath(objectsOfTools, "tools").DoRaw(ctx)
		return err == nil && bytes.Contains(tools, []byte(`"timeZone":"Europe/Berlin"`))
	})
}

// buildAndDelete builds web once more, and deletes everything.
func (p *program) buildAndDelete(ctx context.Context, t *testing.T) {
	t.Helper()
	images := p.images.ImagesV1alpha1().Images("default")
	request := &v1alpha1.BuildRequest{Parameters: []v1alpha1.Parameter{{Name: "steps", Value: "3"}}}
	require.Value(images.Instantiate(ctx, "web", request, metav1.CreateOptions{}))(t)
	p.awaitKept(ctx, t, "base-1", "tools-1", "web-1", "web-2")
	require.NoError(t, p.images.ImagesV1alpha1().RESTClient().Delete().AbsPath(objectsOfTools, "tools").Do(ctx).Error())
	require.NoError(t, images.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	p.awaitKept(ctx, t)
}

// The newer version may have documents that this one does not understand, too.
func TestADataDirectoryOfANewerVersionEndsTheStart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(data, datadir.VersionFile), []byte(`{"format":1,"version":"v0.2.0"}`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(data, datadir.BuildersFile), []byte("newField: 1\n"), 0o600))
	err := Run(t.Context(), Options{DataDirectory: data, Version: "v0.1.0"})
	if _, newer := errors.AsType[*datadir.NewerError](err); !newer {
		t.Errorf("got error %v", err)
	}
	if entries := require.Value(os.ReadDir(data))(t); len(entries) != 2 {
		t.Errorf("the directory was changed: %v", entries)
	}
}
