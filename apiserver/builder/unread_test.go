// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	hub "goldsmith.dev/goldsmith/apiserver/example/library"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
	"goldsmith.dev/goldsmith/e2e/require"
)

// A client that stops to read ends its own answer: over HTTP/2 a stream, otherwise the connection.
func TestTheServerEndsAnAnswerThatNobodyReads(t *testing.T) {
	g := buildertest.Parallel(t)
	title := strings.Repeat("x", 256<<10)
	var books []*hub.Book // more than a client and a server keep for each other
	for i := range 128 {
		books = append(books, &hub.Book{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: strconv.Itoa(i)}, Spec: hub.BookSpec{Title: title}})
	}
	requests := make(chan context.Context, 1)
	options := require.Value(buildertest.ComputedBooks(func(ctx context.Context) ([]*hub.Book, error) {
		requests <- ctx
		return books, nil
	}).ToServerOptions())(t)
	options.SetStallLimit(50 * time.Millisecond)
	running, _ := buildertest.StartOptions(t, options)
	for _, protocol := range []string{"http/1.1", "h2"} {
		config := running.ClientConfig()
		config.NextProtos = []string{protocol}
		client := require.Value(restclient.HTTPClientFor(config))(t)
		answer, err := client.Get(running.Address() + "/apis/library.example.com/v2/books")
		g.Expect(err).NotTo(HaveOccurred())
		defer func() { _ = answer.Body.Close() }() // the server can stop even if the test fails
		var request context.Context
		g.Expect(requests).To(Receive(&request))
		g.Eventually(request.Done()).WithTimeout(30*time.Second).Should(BeClosed(), protocol)
		_, err = io.Copy(io.Discard, answer.Body)
		g.Expect(err).To(HaveOccurred(), protocol)

		other, err := client.Get(running.Address() + "/readyz")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(other.StatusCode).To(Equal(http.StatusOK))
		g.Expect(other.Body.Close()).To(Succeed())
	}
}

// A list takes the memory of an item while its client reads.
func TestAListIsWrittenItemByItem(t *testing.T) {
	g := buildertest.Parallel(t)
	options := require.Value(buildertest.Library(builder.Memory()).ToServerOptions())(t)
	title := strings.Repeat("x", 256<<10) // more than the encoders keep to decide about compression
	list := &v2.BookList{}
	for range 3 {
		list.Items = append(list.Items, v2.Book{Spec: v2.BookSpec{Title: title}})
	}
	for _, encoder := range options.Encoders(v2.SchemeGroupVersion.Group) {
		var writes writes
		g.Expect(encoder.Encode(list, &writes)).To(Succeed())
		for _, write := range writes {
			g.Expect(bytes.Count(write, []byte(title))).To(BeNumerically("<=", 1))
		}
	}
}

type writes [][]byte

func (w *writes) Write(data []byte) (int, error) {
	*w = append(*w, bytes.Clone(data))
	return len(data), nil
}
