// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	storagevalue "k8s.io/apiserver/pkg/storage/value"
	"k8s.io/apiserver/pkg/storage/value/encrypt/secretbox"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/storage/files"
)

// sealing returns a function that opens an encryption, and notes the stored object that it gets.
func sealing(stored *[]byte) builder.OpenEncryption {
	return func(_ context.Context, example builder.Encrypted) (storagevalue.Transformer, error) {
		*stored = example.Example
		return storagevalue.NewPrefixTransformers(nil, storagevalue.PrefixTransformer{
			Prefix: []byte("k8s:enc:test:"), Transformer: secretbox.NewSecretboxTransformer([32]byte{1}),
		}), nil
	}
}

func TestAnEncryptedResourceIsReadByItsTransformerOnly(t *testing.T) {
	t.Parallel()
	eachBackend(t, time.Minute, func(t *testing.T, backend builder.StorageBackend) {
		g := NewWithT(t)
		var stored []byte
		running, stop := start(t, storing(backend).WithEncryption(corev1.Resource("secrets"), sealing(&stored)))
		g.Expect(stored).To(BeNil())
		client := kubernetes.NewForConfigOrDie(running.ClientConfig())
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "hidden"}, Data: map[string][]byte{"k": []byte("c0nfidential")}}
		_, err := client.CoreV1().Secrets("default").Create(t.Context(), secret, metav1.CreateOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		got, err := client.CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(got.Items[0].Data).To(Equal(secret.Data))
		stop()

		broken := errors.New("no key")
		options, err := storing(backend).WithEncryption(corev1.Resource("secrets"), func(_ context.Context, example builder.Encrypted) (storagevalue.Transformer, error) {
			stored = example.Example
			return nil, broken
		}).ToServerOptions()
		g.Expect(err).NotTo(HaveOccurred())
		_, err = options.Start(t.Context())
		g.Expect(err).To(MatchError(broken))
		if filepath.Base(t.Name()) == "memory" {
			g.Expect(stored).To(BeNil())
			return
		}
		g.Expect(stored).To(And(HavePrefix("k8s:enc:test:"), Not(ContainSubstring("c0nfidential"))))
		running, stop = start(t, storing(backend).WithEncryption(corev1.Resource("secrets"), sealing(&stored)))
		again, err := kubernetes.NewForConfigOrDie(running.ClientConfig()).CoreV1().Secrets("default").Get(t.Context(), "hidden", metav1.GetOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(again.Data).To(Equal(secret.Data))
		stop()

		running, _ = start(t, storing(backend).WithEncryption(corev1.Resource("secrets"), func(ctx context.Context, stored builder.Encrypted) (storagevalue.Transformer, error) {
			deleted, err := stored.Delete(ctx)
			g.Expect(deleted).To(BeEquivalentTo(1))
			g.Expect(err).NotTo(HaveOccurred())
			return sealing(new([]byte))(ctx, builder.Encrypted{})
		}))
		left, err := kubernetes.NewForConfigOrDie(running.ClientConfig()).CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(left.Items).To(BeEmpty())
	})
}

func TestAFileOfAResourceWithoutFilesIsRefused(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root, lines := t.TempDir(), &lineLog{}
	path := filepath.Join(root, "core", "secrets", "default", "stray.yaml")
	g.Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
	const manifest = "apiVersion: v1\nkind: Secret\nmetadata: {name: stray}\nstringData: {k: v}\n"
	g.Expect(os.WriteFile(path, []byte(manifest), 0o600)).To(Succeed())
	running, _ := start(t, storing(builder.Files(root, files.WithoutFiles("core/secrets"))).WithWriter(lines))
	g.Eventually(lines.String).WithTimeout(patience).Should(ContainSubstring("core/secrets/default/stray.yaml: the server stores objects of this resource encrypted"))
	secrets, err := kubernetes.NewForConfigOrDie(running.ClientConfig()).CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(secrets.Items).To(BeEmpty())
	g.Expect(path).To(BeARegularFile())
}
