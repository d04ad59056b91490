// SPDX-License-Identifier: Apache-2.0

package filters_test

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/spf13/pflag"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/apiserver/filters"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestMain(m *testing.M) { buildertest.Main(m) }

func TestAnOriginIsAllowedAsAWhole(t *testing.T) {
	g := buildertest.Parallel(t)
	for _, accepted := range []string{
		`^https://example\.com$`, `^https://([a-z]+\.)?example\.com(:[0-9]+)?$`, `^(https://a\.example|http://localhost:[0-9]+)$`,
		`^https://a\.example$|^https://b\.example$`, `\Ahttps://example\.com\z`, `(^https://example\.com$)`, `^.*$`,
	} {
		g.Expect(filters.CheckOrigins([]string{accepted})).To(Succeed(), accepted)
	}
	for refused, remedy := range map[string]string{
		`https://example.com`:            `^https://example\.com$`,
		`http://localhost:3000`:          `^http://localhost:3000$`,
		`^https://example\.com`:          `^https://example\.com$`,
		`https://example\.com$`:          `^https://example\.com$`,
		`//example\.com(:|$)`:            `^https?://example\.com(:[0-9]+)?$`,
		`^https://example\.com(:|$)`:     `^https://example\.com(:[0-9]+)?$`,
		`^https://a\.org|http://b\.org$`: `^(?:https://a\.org|http://b\.org)$`,
		`(?m)^https://example\.com$`:     `\A(?:(?m)^https://example\.com$)\z`,
		`.*`:                             `^.*$`,
		`*`:                              `^.*$`,
	} {
		err := filters.CheckOrigins([]string{refused})
		g.Expect(err).To(MatchError(ContainSubstring(`--cors-allowed-origins`)), refused)
		g.Expect(err).To(MatchError(ContainSubstring("use '"+remedy+"'")), refused)
		g.Expect(filters.CheckOrigins([]string{remedy})).To(Succeed(), "the remedy is accepted")
	}
	for refused, reason := range map[string]string{"": "empty", "^https://(example$": "missing closing )"} {
		g.Expect(filters.CheckOrigins([]string{`^https://example\.com$`, refused})).To(MatchError(ContainSubstring(reason)))
	}
}

func TestExpressionsAreSplitAtTheCommasBetweenThem(t *testing.T) {
	t.Parallel()
	const repeated, class, group = `^https://[a-z]{1,8}\.example$`, `^https://[(,\]]$`, `^https://(a{1,2}|b{1,2})$`
	for _, test := range []struct{ arguments, want []string }{
		{[]string{repeated}, []string{repeated}},
		{[]string{class + "," + group, repeated}, []string{class, group, repeated}},
		{[]string{`^\{$,^\[$`, "a),b", ""}, []string{`^\{$`, `^\[$`, "a)", "b"}},
	} {
		var got []string
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		filters.AddOriginsFlag(flags, &got)
		for _, argument := range test.arguments {
			require.NoError(t, flags.Parse([]string{"--cors-allowed-origins", argument}))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%q became %q", test.arguments, got)
		}
	}
}

func TestAPageOfAnAllowedOriginReadsTheAPI(t *testing.T) {
	g := buildertest.Parallel(t)
	options := require.Value(buildertest.CoreKinds(builder.Memory()).WithLandingPage([]byte("hello")).ToServerOptions())(t)
	options.ServerRun.CorsAllowedOriginList = []string{"https://example.com"}
	_, err := options.Start(t.Context())
	g.Expect(err).To(MatchError(ContainSubstring(regexp.QuoteMeta("https://example.com"))), "an expression that is not anchored")

	options.ServerRun.CorsAllowedOriginList = []string{`^https://example\.com$`}
	running, _ := buildertest.StartOptions(t, options)
	client := require.Value(restclient.HTTPClientFor(restclient.AnonymousClientConfig(running.ClientConfig())))(t)
	path, accept := "/api/v1/namespaces", ""
	ask := func(method, origin, authorization string) (int, http.Header) {
		request := require.Value(http.NewRequestWithContext(t.Context(), method, running.Address()+path, nil))(t)
		for header, value := range map[string]string{"Origin": origin, "Authorization": authorization, "Accept": accept} {
			if value != "" {
				request.Header.Set(header, value)
			}
		}
		response, err := client.Do(request)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(io.Copy(io.Discard, response.Body)).Error().NotTo(HaveOccurred())
		g.Expect(response.Body.Close()).To(Succeed())
		return response.StatusCode, response.Header
	}
	const allowed, bearer = "https://example.com", "Bearer " + buildertest.Token
	code, header := ask(http.MethodOptions, allowed, "")
	g.Expect(code).To(Equal(http.StatusNoContent), "a preflight request has no token")
	g.Expect(header.Get("Access-Control-Allow-Origin")).To(Equal(allowed))
	g.Expect(header.Get("Access-Control-Allow-Methods")).To(ContainSubstring("PATCH"))
	g.Expect(header.Get("Access-Control-Allow-Headers")).To(And(ContainSubstring("Authorization"), ContainSubstring("Content-Type")))
	for authorization, expected := range map[string]int{bearer: http.StatusOK, "Bearer wrong": http.StatusUnauthorized} {
		code, header = ask(http.MethodGet, allowed, authorization)
		g.Expect(code).To(Equal(expected))
		g.Expect(header.Get("Access-Control-Allow-Origin")).To(Equal(allowed), "a page can read errors too: %d", code)
		g.Expect(header.Get("Access-Control-Expose-Headers")).To(ContainSubstring("Warning"))
		g.Expect(header.Get("Access-Control-Allow-Credentials")).NotTo(Equal("true"))
		g.Expect(header.Values("Vary")).To(ContainElement("Origin"))
	}
	for _, origin := range []string{"https://example.com.attacker.org", "https://attacker.org/https://example.com", "https://exampleXcom", "null"} {
		code, header = ask(http.MethodGet, origin, bearer)
		g.Expect(code).To(Equal(http.StatusOK), "CORS is not authorization")
		g.Expect(header).NotTo(HaveKey("Access-Control-Allow-Origin"), origin)
		g.Expect(header.Values("Vary")).To(ContainElement("Origin"))
		code, header = ask(http.MethodOptions, origin, "")
		g.Expect(code).To(Equal(http.StatusUnauthorized), origin)
		g.Expect(header).NotTo(HaveKey("Access-Control-Allow-Origin"), origin)
	}
	_, header = ask(http.MethodGet, "", bearer)
	g.Expect(header).NotTo(HaveKey("Access-Control-Allow-Origin"))
	path, accept = "/apis", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
	_, header = ask(http.MethodGet, allowed, bearer)
	g.Expect(header.Values("Vary")).To(ContainElements("Origin", "Accept"), "the library sets the header")
}
