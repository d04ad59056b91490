// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	storagevalue "k8s.io/apiserver/pkg/storage/value"
	aestransformer "k8s.io/apiserver/pkg/storage/value/encrypt/aes"
	"k8s.io/client-go/kubernetes"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
)

// sealing returns a function that opens an encryption by a key, and notes which stored objects that key does not decrypt.
func sealing(g *WithT, key byte, undecryptable *[]string) builder.OpenEncryption {
	return func(ctx context.Context, stored builder.Encrypted) (storagevalue.Transformer, error) {
		block, err := aes.NewCipher(bytes.Repeat([]byte{key}, 32))
		g.Expect(err).NotTo(HaveOccurred())
		gcm, err := aestransformer.NewGCMTransformer(block) // which authenticates the path of an object too
		g.Expect(err).NotTo(HaveOccurred())
		transformer := storagevalue.NewPrefixTransformers(nil, storagevalue.PrefixTransformer{Prefix: []byte("k8s:enc:test:"), Transformer: gcm})
		*undecryptable, err = stored.Undecryptable(ctx, transformer)
		return transformer, err
	}
}

func TestAnEncryptedResourceIsReadByItsTransformerOnly(t *testing.T) {
	t.Parallel()
	eachBackend(t, time.Minute, func(t *testing.T, backend builder.StorageBackend) {
		g := NewWithT(t)
		var lost []string
		open := func(encryption builder.OpenEncryption) (corev1client.SecretInterface, func()) {
			running, stop := buildertest.Start(t, buildertest.CoreKinds(backend).WithEncryption(corev1.Resource("secrets"), encryption))
			return kubernetes.NewForConfigOrDie(running.ClientConfig()).CoreV1().Secrets("default"), stop
		}
		secrets, stop := open(sealing(g, 1, &lost))
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "hidden"}, Data: map[string][]byte{"k": []byte("c0nfidential")}}
		const many = 41 // more than two pages
		for i := range many {
			secret.Name = fmt.Sprintf("hidden-%02d", i)
			_, err := secrets.Create(t.Context(), secret, metav1.CreateOptions{})
			g.Expect(err).NotTo(HaveOccurred())
		}
		got, err := secrets.List(t.Context(), metav1.ListOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(got.Items).To(HaveLen(many))
		g.Expect(got.Items[0].Data).To(Equal(secret.Data))
		stop()

		broken := errors.New("no key")
		options, err := buildertest.CoreKinds(backend).WithEncryption(corev1.Resource("secrets"), func(ctx context.Context, stored builder.Encrypted) (storagevalue.Transformer, error) {
			lost, err = stored.Undecryptable(ctx, nil)
			return nil, errors.Join(err, broken)
		}).ToServerOptions()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(errorOf(options.Start(t.Context()))).To(MatchError(broken))
		if filepath.Base(t.Name()) == "memory" {
			g.Expect(lost).To(BeEmpty())
			return
		}
		g.Expect(lost).To(And(HaveLen(many), HaveEach(HavePrefix("default/hidden-"))))
		secrets, stop = open(sealing(g, 1, &lost))
		g.Expect(lost).To(BeEmpty(), "the key decrypts all of them")
		again, err := secrets.Get(t.Context(), "hidden-07", metav1.GetOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(again.Data).To(Equal(secret.Data))
		stop()

		secrets, stop = open(sealing(g, 2, &lost))
		g.Expect(lost).To(HaveLen(many), "another key decrypts none")
		secret.Name = "new"
		_, err = secrets.Create(t.Context(), secret, metav1.CreateOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		stop()

		secrets, _ = open(func(ctx context.Context, stored builder.Encrypted) (storagevalue.Transformer, error) {
			transformer, err := sealing(g, 2, &lost)(ctx, stored)
			return transformer, errors.Join(err, stored.Delete(ctx, lost))
		})
		left, err := secrets.List(t.Context(), metav1.ListOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(left.Items).To(ConsistOf(HaveField("Name", "new")), "which its key decrypts")
	})
}
