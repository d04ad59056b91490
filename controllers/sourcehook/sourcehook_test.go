// SPDX-License-Identifier: Apache-2.0

package sourcehook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// secret is that of team/web with the Key "a secret of webhooks", by openssl.
const secret = "ac42f48e053f18138b842aefcb75dab20c624d2bb369c211491c32d78fbc8aa7"

func sum(body string) string {
	of := hmac.New(sha256.New, []byte(secret))
	_, _ = of.Write([]byte(body))
	return hex.EncodeToString(of.Sum(nil))
}

func TestOnlyASignedWebhookIsAHint(t *testing.T) {
	now := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	const body = `{"ref":"refs/heads/main","repository":{"url":"https://other.example.com/x.git"}}`
	times := func(start, hint time.Duration) func(*Options, *v1alpha1.Image) {
		return func(_ *Options, image *v1alpha1.Image) {
			image.Status.Source.StartTime, image.Status.Source.HintTime = new(metav1.NewTime(now.Add(start))), new(metav1.NewTime(now.Add(hint)))
		}
	}
	for name, test := range map[string]struct {
		path, header, value string
		body                string
		spoil               func(*Options, *v1alpha1.Image)
		code                int
		hinted              bool
	}{
		"GitHub":                   {header: "X-Hub-Signature-256", value: "sha256=" + sum(body), code: 202, hinted: true},
		"Gitea":                    {header: "X-Gitea-Signature", value: sum(body), code: 202, hinted: true},
		"Bitbucket":                {header: "X-Hub-Signature", value: "sha256=" + sum(body), code: 202, hinted: true},
		"GitLab":                   {header: "X-Gitlab-Token", value: secret, code: 202, hinted: true},
		"the test of Bitbucket":    {header: "X-Event-Key", value: "diagnostics:ping", body: `{"test": true}`, code: 200},
		"the test, of no image":    {path: "/hooks/source/team/none", header: "X-Event-Key", value: "diagnostics:ping", body: `{"test": true}`, code: 200},
		"an event that is no test": {header: "X-Event-Key", value: "repo:refs_changed", code: 401},
		"no signature":             {code: 401},
		"another secret":           {header: "X-Gitlab-Token", value: "another secret", code: 401},
		"the server's secret":      {header: "X-Gitlab-Token", value: "a secret of webhooks", code: 401},
		"a signature of another":   {header: "X-Hub-Signature-256", value: "sha256=" + sum("{}"), code: 401},
		"an empty signature":       {header: "X-Hub-Signature-256", value: "sha256=", code: 401},
		"a body that is too large": {
			header: "X-Hub-Signature-256", value: "sha256=" + sum(body), body: strings.Repeat("x", maxBody+1), code: 413,
		},
		"no image":                            {path: "/hooks/source/team/none", header: "X-Gitlab-Token", value: string(Key("a secret of webhooks").SecretOf("team", "none")), code: 404},
		"no image, and no secret":             {path: "/hooks/source/team/none", code: 401},
		"a secret of another image":           {path: "/hooks/source/team/none", header: "X-Gitlab-Token", value: secret, code: 401},
		"another path":                        {path: "/hooks/source/team", header: "X-Gitlab-Token", value: secret, code: 404},
		"an image without a source":           {header: "X-Gitlab-Token", value: secret, code: 409, spoil: func(_ *Options, image *v1alpha1.Image) { image.Spec.Source = nil }},
		"an image that is new":                {header: "X-Gitlab-Token", value: secret, code: 202, spoil: func(_ *Options, image *v1alpha1.Image) { image.Status.Source = nil }},
		"before the check of another started": {header: "X-Gitlab-Token", value: secret, code: 202, spoil: times(-time.Minute, -time.Second)},
		"before the first check started": {header: "X-Gitlab-Token", value: secret, code: 202, spoil: func(_ *Options, image *v1alpha1.Image) {
			image.Status.Source.HintTime = new(metav1.NewTime(now.Add(-time.Second)))
		}},
		"when the check of another started":   {header: "X-Gitlab-Token", value: secret, code: 202, spoil: times(-time.Second, -time.Second)},
		"while the check of another runs":     {header: "X-Gitlab-Token", value: secret, code: 202, spoil: times(-time.Second, -2*time.Second), hinted: true},
		"after one of a clock that was ahead": {header: "X-Gitlab-Token", value: secret, code: 202, spoil: times(-time.Minute, time.Hour), hinted: true},
		"without a secret": {header: "X-Gitlab-Token", value: secret, code: 503, spoil: func(o *Options, _ *v1alpha1.Image) {
			o.Key = func() (Key, error) { return nil, errors.New("no such file") }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web"}}
			image.Spec.Source = &v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://git.example.com/a.git"}}
			image.Status.Source = &v1alpha1.ImageSource{Question: "sha256:0", Checks: 7}
			var failed error
			o := Options{Clock: testingclock.NewFakePassiveClock(now), Key: func() (Key, error) { return NewKey([]byte("a secret of webhooks\n")) }, Failed: func(err error) { failed = err }}
			if test.spoil != nil {
				test.spoil(&o, image)
			}
			client := fake.NewSimpleClientset(image)
			o.Images = client.ImagesV1alpha1()
			if test.path == "" {
				test.path = "/hooks/source/team/web"
			}
			if test.body == "" {
				test.body = body
			}
			request := httptest.NewRequest(http.MethodPost, test.path, strings.NewReader(test.body))
			if test.header != "" {
				request.Header.Set(test.header, test.value)
			}
			answer := httptest.NewRecorder()
			New(o).ServeHTTP(answer, request)
			if answer.Code != test.code || strings.Contains(answer.Body.String(), secret) {
				t.Errorf("the answer is %d: %s", answer.Code, answer.Body)
			}
			if unsigned := "the signature is missing or wrong: set the secret of the webhook to that of the image\n"; (test.code == 401) != (answer.Body.String() == unsigned) {
				t.Errorf("the answer is %d: %s", answer.Code, answer.Body)
			}
			if (failed != nil) != (test.code == 503) {
				t.Errorf("told the operator: %v", failed)
			}
			stored := require.Value(client.ImagesV1alpha1().Images("team").Get(t.Context(), "web", metav1.GetOptions{}))(t).Status.Source
			hinted := stored != nil && stored.HintTime != nil && stored.HintTime.Time.Equal(now)
			if hinted != test.hinted || stored != nil && stored.Checks != 7 {
				t.Errorf("stored %+v", stored)
			}
		})
	}
}

// A replica whose clock is behind does not store a hint that a check of another replica seems to have answered.
func TestAClockThatIsBehindLosesNoHint(t *testing.T) {
	now := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	started := metav1.NewTime(now.Add(3 * time.Second))
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web"}}
	image.Spec.Source = &v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://git.example.com/a.git"}}
	image.Status.Source = &v1alpha1.ImageSource{Question: "sha256:0", StartTime: &started}
	client := fake.NewSimpleClientset(image)
	o := Options{Images: client.ImagesV1alpha1(), Clock: testingclock.NewFakePassiveClock(now)}
	require.NoError(t, o.hint(t.Context(), "team", "web"))
	stored := require.Value(client.ImagesV1alpha1().Images("team").Get(t.Context(), "web", metav1.GetOptions{}))(t).Status.Source.HintTime
	if stored == nil || started.After(stored.Time) {
		t.Errorf("stored %v, and a check started at %s", stored, started)
	}
}
