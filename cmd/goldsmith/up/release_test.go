// SPDX-License-Identifier: Apache-2.0

package up

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// TestTheFirstReleaseIsRead opens a data directory and a backup that version 0.1.0 has written, with their objects, Secrets, records, artifacts and
// archived logs. Image web is based on image base, and its build is promoted; image gone was deleted.
func TestTheFirstReleaseIsRead(t *testing.T) {
	t.Parallel() // the test waits more than it computes
	program := executable(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	deletedBuild := v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Name: "gone-1", UID: "f09e4fba-95be-40a2-9e3c-41571808b5fb"},
		Spec:       v1alpha1.ImageBuildSpec{ImageRef: &v1alpha1.ImageReference{Name: "gone", UID: "647c7cef-b129-4cf7-9891-1604cd00b368"}},
	}
	for _, from := range []string{"data.tar.gz", "backup.tar.gz"} {
		t.Run(from, func(t *testing.T) {
			data, file := filepath.Join(t.TempDir(), "data"), filepath.Join("testdata", "0.1.0", from)
			if from == "backup.tar.gz" {
				mustRun(t, program, "restore", "--data-dir", data, file)
			} else if out, err := exec.CommandContext(ctx, "tar", "--extract", "--file="+file, "--directory="+filepath.Dir(data)).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			server := startProgram(t, program, data)
			client := server.images.ImagesV1alpha1()
			images := require.Value(client.Images("default").List(ctx, metav1.ListOptions{}))(t).Items
			if len(images) != 3 {
				t.Errorf("got %d images, want base, shop and web", len(images))
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
			for _, build := range append(builds, deletedBuild) {
				log := require.Value(client.RESTClient().Get().Namespace("default").Resource("imagebuilds").Name(build.Name).SubResource("log").
					Param("uid", string(build.UID)).DoRaw(ctx))(t)
				if !bytes.Contains(log, []byte("step 1/")) {
					t.Errorf("log of %s: %s", build.Name, log)
				}
				var history v1alpha1.ImageHistory
				require.NoError(t, client.RESTClient().Get().Namespace("default").Resource("images").Name(build.Spec.ImageRef.Name).SubResource("history").
					Param("uid", string(build.Spec.ImageRef.UID)).Do(ctx).Into(&history))
				if len(history.Items) != 1 || history.Items[0].UID != build.UID {
					t.Errorf("history of %s: %+v", build.Name, history.Items)
				}
			}
			if secret := require.Value(server.kube.CoreV1().Secrets("default").Get(ctx, "token", metav1.GetOptions{}))(t); string(secret.Data["a"]) != "b" {
				t.Errorf("got Secret %v", secret)
			}
			server.terminate(t)
		})
	}
}
