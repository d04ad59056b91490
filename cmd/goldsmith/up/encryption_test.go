// SPDX-License-Identifier: Apache-2.0

package up

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/local"
)

// confidential is the content of a Secret that no file may have.
const confidential = "c0nfidential-content"

func newSecret() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "hidden"}, StringData: map[string]string{"password": confidential}}
}

// checkSecret checks that a server has the Secret.
func (p *program) checkSecret(ctx context.Context, t *testing.T) {
	t.Helper()
	secret, err := p.kube.CoreV1().Secrets("default").Get(ctx, "hidden", metav1.GetOptions{})
	if err != nil || string(secret.Data["password"]) != confidential {
		t.Errorf("the Secret is %v: %v", secret, err)
	}
}

// checkHidden checks that no file below a directory has the content of the Secret, as text or encoded.
func checkHidden(t *testing.T, directory string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		for _, text := range []string{confidential, base64.StdEncoding.EncodeToString([]byte(confidential[:18]))} {
			if bytes.Contains(content, []byte(text)) {
				t.Errorf("%s has %s", path, text)
			}
		}
		return err
	})
	require.NoError(t, err)
	if files < 5 {
		t.Fatalf("only %d files were read", files)
	}
}

func TestSecretsAreEncryptedAndSurviveAKillAndARestore(t *testing.T) {
	t.Parallel()
	program := executable(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	data := filepath.Join(t.TempDir(), "data")
	flags := []string{"-v", "6"}
	server := startProgram(t, program, data, flags...)
	secrets := server.kube.CoreV1().Secrets("default")
	deleted := newSecret()
	deleted.Name = "deleted"
	for _, secret := range []*corev1.Secret{newSecret(), deleted} {
		if _, err := secrets.Create(ctx, secret, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	// An image, so that the records have something, and a build.
	image := newMockImages()[0]
	if _, err := server.images.ImagesV1alpha1().Images("default").Create(ctx, &image, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	require.NoError(t, secrets.Delete(ctx, "deleted", metav1.DeleteOptions{}))
	server.kill(t)
	awaitNoProcess(ctx, t, data)
	checkHidden(t, data)
	if strings.Contains(server.errors.String(), confidential) {
		t.Error("the log has the content of a Secret")
	}

	server = startProgram(t, program, data, flags...)
	server.checkSecret(ctx, t)
	server.terminate(t)
	checkHidden(t, data)
	file, restored := filepath.Join(t.TempDir(), "backup.tar.gz"), filepath.Join(t.TempDir(), "restored")
	output, err := exec.CommandContext(ctx, program, "backup", "--data-dir", data, file).CombinedOutput()
	if warned := strings.Contains(string(output), "can read the Secrets"); err != nil || !warned {
		t.Errorf("the backup warns: %t, error: %v: %s", warned, err, output)
	}
	mustRun(t, program, "restore", "--data-dir", restored, file)
	server = startProgram(t, program, restored, flags...)
	server.checkSecret(ctx, t)
	server.terminate(t)
	require.NoError(t, os.Remove(filepath.Join(data, datadir.EncryptionFile)))
	output, err = exec.CommandContext(ctx, program, "backup", "--data-dir", data, file+".2").CombinedOutput()
	if err != nil || !strings.Contains(string(output), "holds Secrets without the key") {
		t.Errorf("the backup without the key: %v: %s", err, output)
	}
}

func TestAKeyThatDoesNotFitTheSecretsIsReportedAndKept(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	path := filepath.Join(data, datadir.EncryptionFile)
	address, discard, notices := require.FreeAddress(t), false, &bytes.Buffer{}
	start := func(use func(ctx context.Context, client kubernetes.Interface)) error {
		ctx, stop := context.WithTimeout(t.Context(), patience)
		defer stop()
		return Run(ctx, Options{DataDirectory: data, Listen: address, DiscardSecrets: discard, Notices: notices, OnReady: func(config *rest.Config, _ string) {
			defer stop()
			use(ctx, kubernetes.NewForConfigOrDie(config))
		}})
	}
	// Without Secrets, a missing key is no loss: as after a crash between the key and the first Secret, and after all Secrets are
	// deleted to replace the key.
	var first, another []byte
	for range 2 {
		require.NoError(t, start(func(context.Context, kubernetes.Interface) {}))
		key, err := os.ReadFile(path)
		if err != nil || bytes.Equal(key, first) {
			t.Fatalf("the key is not a new one: %v", err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("the mode of the key is %v: %v", info.Mode(), err)
		}
		if first == nil {
			require.NoError(t, os.Remove(path))
		}
		first, another = key, first
	}
	if err := start(func(ctx context.Context, client kubernetes.Interface) {
		if _, err := client.CoreV1().Secrets("default").Create(ctx, newSecret(), metav1.CreateOptions{}); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	write := func(content string) func() error {
		return func() error { return os.WriteFile(path, []byte(content), 0o600) }
	}
	const restore = "to restore it from a backup: tar -xzf BACKUP -C DIR server/encryption.yaml"
	for name, test := range map[string]struct {
		make func() error
		want []string
	}{
		"missing":         {func() error { return nil }, []string{"it is missing, and decrypts none of these stored Secrets: default/hidden", restore}},
		"another":         {write(string(another)), []string{"it has another key, and decrypts none of these stored Secrets: default/hidden\n", restore, "with --discard-secrets"}},
		"empty":           {write(""), []string{"error", restore}},
		"cut":             {write(string(first[:len(first)-20])), []string{"secret", restore}},
		"plain":           {write(strings.ReplaceAll(string(first), "  - secretbox", "  - identity: {}\n  - secretbox")), []string{"its first provider does not encrypt", restore}},
		"for others":      {write(strings.ReplaceAll(string(first), "[secrets]", "[configmaps]")), []string{"no provider for the resource secrets", restore}},
		"of another mode": {func() error { return errors.Join(write(string(first))(), os.Chmod(path, 0o640)) }, []string{"has mode 0640", "chmod 600 DIR/server/encryption.yaml"}},
		"a directory":     {func() error { return os.Mkdir(path, 0o700) }, []string{"it is not a file with keys", restore}},
		"a dangling link": {func() error { return os.Symlink("nowhere", path) }, []string{"no such file", restore}},
		"a pipe":          {func() error { return syscall.Mkfifo(path, 0o600) }, []string{"it is a named pipe", restore}},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, errors.Join(os.RemoveAll(path), test.make()))
			before, _ := os.Lstat(path) // nil if it is missing
			err := start(func(context.Context, kubernetes.Interface) { t.Error("the server started") })
			if err == nil {
				t.Fatal("no error")
			}
			message := strings.ReplaceAll(err.Error(), data, "DIR")
			for _, want := range append(test.want, "DIR/server/encryption.yaml") {
				if !strings.Contains(message, want) {
					t.Errorf("%q lacks %q", message, want)
				}
			}
			if _, key, _ := strings.Cut(string(first), "secret: "); strings.Contains(message, key[:20]) {
				t.Errorf("%q has the key", message)
			}
			if after, _ := os.Lstat(path); (before == nil) != (after == nil) || before != nil && (!os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime())) {
				t.Errorf("the file was changed: %v, then %v", before, after)
			}
		})
	}
	discard = true
	require.NoError(t, errors.Join(os.RemoveAll(path), write(string(first))()))
	if err := start(func(ctx context.Context, client kubernetes.Interface) {
		secret, err := client.CoreV1().Secrets("default").Get(ctx, "hidden", metav1.GetOptions{})
		if err != nil || string(secret.Data["password"]) != confidential {
			t.Errorf("with its key again, the Secret is %v: %v", secret, err)
		}
	}); err != nil {
		t.Error(err)
	}
	require.NoError(t, os.Remove(path))
	if err := start(func(ctx context.Context, client kubernetes.Interface) {
		if secrets, err := client.CoreV1().Secrets("default").List(ctx, metav1.ListOptions{}); err != nil || len(secrets.Items) > 0 {
			t.Errorf("the Secrets are %v: %v", secrets.Items, err)
		}
	}); err != nil || !strings.Contains(notices.String(), "deleted Secrets, because their key is lost: default/hidden\n") {
		t.Errorf("the server printed %q: %v", notices, err)
	}
}

func TestAConfinedBuilderReadsTheSecretThatItsJobMounts(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	script := filepath.Join(directory, "builder.sh")
	const text = `#!/bin/sh
/bin/cat "${GOLDSMITH_MOUNTS-}/etc/mirror/password"
`
	require.NoError(t, os.WriteFile(script, []byte(text), 0o700))
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	options := Options{DataDirectory: filepath.Join(directory, "data"), Memory: true, Builders: []string{"show=" + script}}
	options.OnReady = func(config *rest.Config, _ string) {
		defer stop()
		client := kubernetes.NewForConfigOrDie(config)
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "show"}}
		job.Spec.Template.Spec = corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Volumes:       []corev1.Volume{{Name: "mirror", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "hidden"}}}},
			Containers: []corev1.Container{{
				Name: "show", Image: local.Image("show"), VolumeMounts: []corev1.VolumeMount{{Name: "mirror", MountPath: "/etc/mirror"}},
			}},
		}
		_, secretErr := client.CoreV1().Secrets("default").Create(ctx, newSecret(), metav1.CreateOptions{})
		_, jobErr := client.BatchV1().Jobs("default").Create(ctx, job, metav1.CreateOptions{})
		if err := errors.Join(secretErr, jobErr); err != nil {
			t.Error(err)
			return
		}
		changes, err := client.CoreV1().Pods("default").Watch(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=show"})
		if err != nil {
			t.Error(err)
			return
		}
		defer changes.Stop()
		for event := range changes.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			if !ok || pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
				continue
			}
			log, err := client.CoreV1().Pods("default").GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(ctx)
			if err != nil || string(log) != confidential {
				t.Errorf("the log is %q: %v: %+v", log, err, pod.Status)
			}
			return
		}
		t.Errorf("the pod did not end: %v", ctx.Err())
	}
	if err := Run(ctx, options); err != nil {
		t.Error(err)
	}
}
