// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"goldsmith.dev/goldsmith/jobs/local/internal/reconcile"
	"goldsmith.dev/goldsmith/jobs/render"
)

const (
	// EnvMounts is the variable with the directory below which a builder finds the Secrets that its pod mounts, at their mountPath. A
	// pod in a cluster does not have it: there the mountPath itself is right.
	EnvMounts = render.EnvPrefix + "MOUNTS"

	// EnvNamespace is the variable with the namespace of the pod, which the input of the builder may not tell truly.
	EnvNamespace = render.EnvPrefix + "NAMESPACE"

	// mountRetry is the interval at which a pod asks for a missing Secret.
	mountRetry = time.Second
	// reasonCreating and reasonFailedMount are a kubelet's reasons for a container that waits for a volume, and for the event about it.
	// reasonInitializing is that for a container that waits for one before it.
	reasonCreating     = "ContainerCreating"
	reasonInitializing = "PodInitializing"
	reasonFailedMount  = "FailedMount"
)

// mount is a directory with the files of a Secret.
type mount struct {
	path  string // relative to the directory of all mounts
	files []mountedFile
}

type mountedFile struct {
	path    string // relative to its mount
	content []byte
	mode    fs.FileMode
}

// missingError is a Secret, or a key of one, that a pod waits for.
type missingError struct {
	volume, what string
}

func (e *missingError) Error() string {
	return fmt.Sprintf("MountVolume.SetUp failed for volume %q : %s", e.volume, e.what)
}

// unmountable names a mount of a Secret that this server does not support, or returns "".
func unmountable(pod *corev1.Pod) string {
	secrets := map[string]bool{}
	for _, volume := range pod.Spec.Volumes {
		if secrets[volume.Name] = volume.Secret != nil; !secrets[volume.Name] {
			continue
		}
		if messages := validation.NameIsDNSSubdomain(volume.Secret.SecretName, false); len(messages) > 0 {
			return fmt.Sprintf("the secretName %q of volume %s is invalid: %s", volume.Secret.SecretName, volume.Name, messages[0])
		}
	}
	seen := map[string]bool{}
	for _, mounted := range pod.Spec.Containers[0].VolumeMounts {
		if !secrets[mounted.Name] {
			continue
		}
		at := path.Clean(mounted.MountPath)
		switch {
		case mounted.SubPath != "" || mounted.SubPathExpr != "":
			return fmt.Sprintf("the mount %s of a Secret must not set subPath", mounted.MountPath)
		case !path.IsAbs(at) || at == "/":
			return fmt.Sprintf("the mountPath %q of a Secret must be absolute, and not /", mounted.MountPath)
		case seen[at]:
			return fmt.Sprintf("the mountPath %s must be unique", at)
		}
		seen[at] = true
	}
	return ""
}

// readMounts reads the Secrets that a pod mounts. It does not read them from a cache, so that the process keeps none that no pod
// mounts. Like a kubelet, it requires all Secrets in the volumes of the pod, mounted or not, unless they are optional.
func (a *Agent) readMounts(ctx context.Context, pod *corev1.Pod) ([]mount, error) {
	ctx = klog.NewContext(ctx, logr.Discard()) // the client would log the answers
	var mounts []mount
	for _, volume := range pod.Spec.Volumes {
		source := volume.Secret
		if source == nil {
			continue
		}
		optional := source.Optional != nil && *source.Optional
		secret, err := a.options.Client.CoreV1().Secrets(pod.Namespace).Get(ctx, source.SecretName, metav1.GetOptions{})
		switch {
		case err == nil:
		case !apierrors.IsNotFound(err):
			return nil, fmt.Errorf("read Secret %s/%s: %w", pod.Namespace, source.SecretName, err)
		case optional:
			secret = &corev1.Secret{}
		default:
			return nil, &missingError{volume.Name, fmt.Sprintf("secret %q not found", source.SecretName)}
		}
		files, missing := filesOf(source, secret)
		if missing != "" && !optional {
			return nil, &missingError{volume.Name, "references non-existent secret key: " + missing}
		}
		for _, mounted := range pod.Spec.Containers[0].VolumeMounts {
			if mounted.Name == volume.Name {
				mounts = append(mounts, mount{path: strings.TrimPrefix(path.Clean(mounted.MountPath), "/"), files: files})
			}
		}
	}
	return mounts, nil
}

// filesOf returns the files of a volume, and a key that the volume names and the Secret lacks.
func filesOf(source *corev1.SecretVolumeSource, secret *corev1.Secret) (files []mountedFile, missing string) {
	mode := func(modes ...*int32) fs.FileMode {
		for _, mode := range modes {
			if mode != nil {
				return fs.FileMode(*mode) & 0o700 //nolint:gosec // only bits of the owner, who is the user of the builder
			}
		}
		return 0o600
	}
	for _, item := range source.Items {
		content, found := secret.Data[item.Key]
		if !found {
			missing = item.Key
			continue
		}
		files = append(files, mountedFile{path: item.Path, content: content, mode: mode(item.Mode, source.DefaultMode)})
	}
	if len(source.Items) > 0 {
		return files, missing
	}
	for key, content := range secret.Data {
		files = append(files, mountedFile{path: key, content: content, mode: mode(source.DefaultMode)})
	}
	return files, ""
}

// waitForMount reports, once, what a pod waits for, and asks again later, until the deadline of the pod.
func (a *Agent) waitForMount(ctx context.Context, pod *corev1.Pod, missing *missingError) error {
	ref := reconcile.RefOf(pod)
	a.workers.abandon(ref.UID)
	if start, now := pod.Status.StartTime, a.options.Clock.Now(); start != nil {
		if !now.Before(deadlineOf(pod, start.Time)) {
			return a.storeStatus(ctx, pod, func(pod *corev1.Pod) { setExpired(pod, a.options.Clock.Now()) })
		}
	}
	a.queue.AddAfter(ref, mountRetry)
	for _, status := range pod.Status.ContainerStatuses {
		if status.State.Waiting != nil && status.State.Waiting.Message == missing.Error() {
			return nil
		}
	}
	a.recorder.Event(pod, corev1.EventTypeWarning, reasonFailedMount, missing.Error())
	return a.storeStatus(ctx, pod, func(pod *corev1.Pod) { setCreating(pod, a.options.Clock.Now(), missing.Error()) })
}

func (d podDir) mounts() string { return filepath.Join(string(d), "mounts") }

// mount writes the files of Secrets. Only this user can read them. The caller removes them once the process has ended.
func (d podDir) mount(mounts []mount) (err error) {
	if len(mounts) == 0 {
		return nil
	}
	if err := os.Mkdir(d.mounts(), 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(d.mounts())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for _, mount := range mounts {
		if err := root.MkdirAll(mount.path, 0o700); err != nil {
			return err
		}
		for _, file := range mount.files {
			if err := writeIn(root, path.Join(mount.path, file.path), file); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeIn(root *os.Root, name string, file mountedFile) error {
	if !filepath.IsLocal(file.path) {
		return fmt.Errorf("the path %q of a Secret's file leaves its volume", file.path)
	}
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	written, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, file.mode)
	if err != nil {
		return err
	}
	_, err = written.Write(file.content)
	return errors.Join(err, written.Close())
}
