// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apiserver/pkg/authentication/user"
	certutil "k8s.io/client-go/util/cert"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/apiserver/example"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
)

// announcement is a writer that is called with the line that a server writes once it serves.
type announcement func(line string)

func (a announcement) Write(line []byte) (int, error) {
	a(strings.TrimSpace(string(line)))
	return len(line), nil
}

// A server is a command, with the flags that its mode uses. Port 0, the default, selects a free port, which the server
// prints.
func ExampleServer_ToServerCommand() {
	ctx, stop := context.WithCancel(context.Background())
	command, err := example.Describe(builder.New("desk")).
		WithResource(v2.SchemeGroupVersion, "loanrequests", example.LoanRequests).
		WithBearerToken("open-sesame", &user.DefaultInfo{Name: "ada", Groups: []string{user.SystemPrivilegedGroup}}).
		WithWriter(announcement(func(line string) {
			fmt.Println(line[:strings.LastIndex(line, ":")])
			stop()
		})).
		ToServerCommand()
	must(err)
	fmt.Println(command.Use, "has --secure-port:", command.Flags().Lookup("secure-port") != nil)
	command.SetArgs([]string{"--bind-address=127.0.0.1", "--secure-port=0"})
	must(command.ExecuteContext(ctx))
	// Output:
	// desk has --secure-port: true
	// desk serves on https://127.0.0.1
}

// A server runs at once, with its own certificate, and accepts clients that have a token.
func ExampleServer_ExecuteCommand() {
	directory, err := os.MkdirTemp("", "desk-")
	must(err)
	certificate, key, err := certutil.GenerateSelfSignedCertKey("localhost", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	must(err)
	certificateFile, keyFile := filepath.Join(directory, "tls.crt"), filepath.Join(directory, "tls.key")
	must(os.WriteFile(certificateFile, certificate, 0o600))
	must(os.WriteFile(keyFile, key, 0o600))

	ctx, stop := context.WithCancel(context.Background())
	ask := func(line string) {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(certificate)
		trusting := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
		for _, token := range []string{"a-guess", "open-sesame"} {
			request, err := http.NewRequest(http.MethodGet, strings.TrimPrefix(line, "desk serves on ")+"/apis", nil)
			must(err)
			request.Header.Set("Authorization", "Bearer "+token)
			response, err := trusting.Do(request)
			must(err)
			must(response.Body.Close())
			fmt.Println("with", token+":", response.Status)
		}
		trusting.CloseIdleConnections()
		stop()
	}
	must(example.Describe(builder.New("desk")).
		WithResource(v2.SchemeGroupVersion, "loanrequests", example.LoanRequests).
		WithBearerToken("open-sesame", &user.DefaultInfo{Name: "ada", Groups: []string{user.SystemPrivilegedGroup}}).
		WithCertificate(certificateFile, keyFile).
		WithWriter(announcement(ask)).
		ExecuteCommand(ctx, nil))
	must(os.RemoveAll(directory))
	// Output:
	// with a-guess: 401 Unauthorized
	// with open-sesame: 200 OK
}

// The options of a described server can be changed before it starts: those of the generic server are all there.
func ExampleServer_ToServerOptions() {
	options, err := example.Describe(builder.New("desk")).
		WithResource(v2.SchemeGroupVersion, "loanrequests", example.LoanRequests).
		WithBearerToken("open-sesame", &user.DefaultInfo{Name: "ada", Groups: []string{user.SystemPrivilegedGroup}}).
		ToServerOptions()
	must(err)
	options.ServerRun.MaxRequestBodyBytes = 100
	ctx, stop := context.WithCancel(context.Background())
	running, err := options.Start(ctx)
	must(err)
	library := buildertest.ConnectLibrary(running)
	fmt.Println(library.Create(ctx, &v2.LoanRequest{Spec: v2.LoanRequestSpec{Book: strings.Repeat("very ", 100) + "long"}}))
	stop()
	must(running.Wait())
	// Output:
	// Request entity too large: limit is 100
}
