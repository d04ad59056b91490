// SPDX-License-Identifier: Apache-2.0

package certificates_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// registrations are the names of the APIServices of an installation.
var registrations = []string{"v1alpha1.images.goldsmith.dev", "v1.catalog.goldsmith.dev", "v1beta1.catalog.goldsmith.dev", "v1alpha1.catalog.goldsmith.dev"}

func createAPIService(ctx context.Context, name string) {
	GinkgoHelper()
	_, group, _ := strings.Cut(name, ".")
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(apiService)
	object.SetName(name)
	Expect(unstructured.SetNestedField(object.Object, group, "spec", "group")).To(Succeed())
	_, err := objects.Resource(apiServices).Create(ctx, object, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
}

// bundle is the caBundle by which an APIService verifies the API server.
func bundle(ctx context.Context, name string) ([]byte, error) {
	object, err := objects.Resource(apiServices).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	encoded, _, err := unstructured.NestedString(object.Object, "spec", "caBundle")
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(encoded)
}

func secret(ctx context.Context, name string) *corev1.Secret {
	GinkgoHelper()
	found, err := client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	return found
}

// change changes the data of a Secret and returns what it was before.
func change(ctx context.Context, name string, how func(data map[string][]byte)) map[string][]byte {
	GinkgoHelper()
	stored := secret(ctx, name)
	before := stored.DeepCopy().Data
	how(stored.Data)
	_, err := client.CoreV1().Secrets(namespace).Update(ctx, stored, metav1.UpdateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return before
}

// filled reports whether a Secret has a key and a certificate that its own authority verifies.
func filled(ctx context.Context, name string) (bool, error) {
	secret, err := client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	authority, certificate := x509.NewCertPool(), parse(secret.Data["tls.crt"])
	if certificate == nil || len(secret.Data["tls.key"]) == 0 || !authority.AppendCertsFromPEM(secret.Data["ca.crt"]) {
		return false, nil
	}
	_, err = certificate.Verify(x509.VerifyOptions{Roots: authority, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil, nil
}

// parse returns nil if the data is not a certificate.
func parse(text []byte) *x509.Certificate {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return certificate
}
