// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fakediscovery "k8s.io/client-go/discovery/fake"
	kubefake "k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/signing"
)

// server is a server whose signer publishes a key as soon as its SigningKey is created, unless it reports a problem.
type server struct {
	*creator
	t      *testing.T
	images *fake.Clientset
	kube   *kubefake.Clientset
	// without is whether no signer runs, problem what it reports, and refuse the answer to the creation of a SigningKey.
	without bool
	problem string
	refuse  error
	stderr  bytes.Buffer
}

func newServer(t *testing.T) *server {
	s := &server{t: t, images: fake.NewSimpleClientset(), kube: kubefake.NewClientset()}
	s.creator = &creator{&client.Connection{Interface: s.images}, s.kube}
	s.images.PrependReactor("create", "signingkeys", func(action clienttesting.Action) (bool, runtime.Object, error) {
		key := action.(clienttesting.CreateAction).GetObject().(*v1alpha1.SigningKey)
		if action.(clienttesting.CreateActionImpl).GetCreateOptions().DryRun != nil {
			return true, key, nil
		}
		if s.refuse == nil && !s.without {
			s.publish(key)
		}
		return s.refuse != nil, nil, s.refuse
	})
	return s
}

// publish sets the status of a key, as the signer does.
func (s *server) publish(key *v1alpha1.SigningKey) {
	ready := metav1.Condition{Type: v1alpha1.SigningKeyReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonKeyRead}
	if s.problem != "" {
		ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, s.problem, "it is not there"
	} else {
		public := require.Value(s.private(key.Spec.SecretRef.Name).Public())(s.t)
		key.Status.KeyID, key.Status.PublicKey = public.ID(), string(public.PEM())
	}
	key.Status.Conditions = []metav1.Condition{ready}
}

// private is the key in a Secret.
func (s *server) private(secret string) *signing.PrivateKey {
	s.t.Helper()
	stored := require.Value(s.kube.CoreV1().Secrets(v1alpha1.SystemNamespace).Get(context.Background(), secret, metav1.GetOptions{}))(s.t)
	return require.Value(signing.ReadPrivate(stored.Data[v1alpha1.SigningKeyFile]))(s.t)
}

// makes creates the key release, and returns what is printed.
func (s *server) makes(ctx context.Context, change ...func(*request)) (string, error) {
	wanted := request{name: "release", namespace: v1alpha1.SystemNamespace}
	for _, each := range change {
		each(&wanted)
	}
	var out bytes.Buffer
	err := s.create(ctx, wanted, time.Minute, &out, &s.stderr)
	if strings.Contains(out.String()+s.stderr.String(), "PRIVATE") {
		s.t.Errorf("printed %s", out.String())
	}
	return out.String(), err
}

func TestAKeyIsMade(t *testing.T) {
	s := newServer(t)
	out, err := s.makes(t.Context(), func(r *request) {
		r.selector, r.notAfter = require.Value(parseSelector("", "red"))(t), require.Value(parseEnd("2027-12-31", 0, time.Time{}))(t)
	})
	require.NoError(t, err)
	id := require.Value(s.private("release-signing-key").Public())(t).ID()
	want := "SigningKey release signs the builds of namespaces with kubernetes.io/metadata.name=red until 2027-12-31T00:00:00Z.\nKey ID:     " + id + "\nPublic key: goldsmith keys get release\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	secret := require.Value(s.kube.CoreV1().Secrets(v1alpha1.SystemNamespace).Get(t.Context(), "release-signing-key", metav1.GetOptions{}))(t)
	if secret.Immutable == nil || !*secret.Immutable || secret.Labels["images.goldsmith.dev/signing-key"] != "release" || len(secret.Data) != 1 {
		t.Errorf("the Secret is %+v", secret.ObjectMeta)
	}
	if _, err := s.makes(t.Context()); err == nil || !strings.Contains(err.Error(), "SigningKey release exists already: `goldsmith keys get release`") {
		t.Errorf("a second key of the name: %v", err)
	}
}

func TestARepetitionUsesThePrivateKeyOfTheFirstTry(t *testing.T) {
	s := newServer(t)
	s.refuse = errors.New("the server restarts")
	if _, err := s.makes(t.Context()); err == nil || !strings.Contains(err.Error(), "create SigningKey release: the server restarts") {
		t.Errorf("the first try: %v", err)
	}
	first := require.Value(s.private("release-signing-key").Public())(t).ID()
	s.refuse = nil
	other := require.Value(require.Value(signing.Generate())(t).PEM())(t)
	if _, err := s.makes(t.Context(), func(r *request) { r.private = other }); err == nil || !strings.Contains(err.Error(), "with another private key than --from-file") {
		t.Errorf("another key: %v", err)
	}
	out, err := s.makes(t.Context())
	if err != nil || !strings.Contains(out, first) || !strings.Contains(s.stderr.String(), "using the private key in Secret goldsmith-system/release-signing-key") {
		t.Errorf("the second try printed %s %s: %v", out, s.stderr.String(), err)
	}
}

func TestWhatKeepsAKeyFromBeingMade(t *testing.T) {
	expired, stop := context.WithDeadline(t.Context(), time.Time{})
	defer stop()
	for name, test := range map[string]struct {
		prepare func(*server)
		change  func(*request)
		ctx     context.Context
		want    string
	}{
		"no signer":       {func(s *server) { s.without = true }, nil, expired, "no signer has published its public key within 1m0s: in a cluster, check the Deployment goldsmith-signer"},
		"another signer":  {func(s *server) { s.problem = v1alpha1.ReasonSecretNotFound }, nil, t.Context(), "the signer reports SecretNotFound: it is not there"},
		"no private key":  {nil, func(r *request) { r.private, r.file = []byte("secret"), "bill" }, t.Context(), "--from-file bill: there is no key in PEM"},
		"long name":       {nil, func(r *request) { r.name = strings.Repeat("a", 64) }, t.Context(), "the NAME has 64 bytes, at most 63 are allowed"},
		"another Secret":  {func(s *server) { s.addSecret(nil) }, nil, t.Context(), "exists already, and is not that of an earlier try"},
		"no label":        {func(s *server) { s.addSecret(newPEM(s.t)) }, nil, t.Context(), "exists already, and is not that of an earlier try"},
		"not permitted":   {func(s *server) { s.forbid("secrets") }, nil, t.Context(), "create Secret goldsmith-system/release-signing-key: secrets is forbidden"},
		"wrong namespace": {func(s *server) { s.withoutNamespace() }, nil, t.Context(), "there is no namespace goldsmith-system: set --signer-namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			if test.prepare != nil {
				test.prepare(s)
			}
			if test.change == nil {
				test.change = func(*request) {}
			}
			out, err := s.makes(test.ctx, test.change)
			if err == nil || !strings.Contains(err.Error(), test.want) || out != "" {
				t.Errorf("printed %q: %v", out, err)
			}
		})
	}
}

func newPEM(t *testing.T) []byte {
	t.Helper()
	return require.Value(require.Value(signing.Generate())(t).PEM())(t)
}

func (s *server) addSecret(private []byte) {
	s.t.Helper()
	require.NoError(s.t, s.kube.Tracker().Add(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "release-signing-key"}, Data: map[string][]byte{v1alpha1.SigningKeyFile: private},
	}))
}

func (s *server) forbid(resource string) {
	s.kube.PrependReactor("create", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(corev1.Resource(resource), "", errors.New("no"))
	})
}

// withoutNamespace makes the server a cluster without the namespace of the signer.
func (s *server) withoutNamespace() {
	s.kube.PrependReactor("create", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewNotFound(corev1.Resource("namespaces"), v1alpha1.SystemNamespace)
	})
	s.kube.Discovery().(*fakediscovery.FakeDiscovery).Resources = []*metav1.APIResourceList{{GroupVersion: "apps/v1"}}
}

func TestFlagsThatCannotBeRead(t *testing.T) {
	now := time.Date(2026, 11, 20, 8, 0, 0, 5, time.UTC)
	for _, test := range []struct {
		text     string
		validity time.Duration
		want     string
	}{
		{"", 0, "<nil>"},
		{"", 48 * time.Hour, "2026-11-22 08:00:00 +0000 UTC"},
		{"2027-12-31T12:00:00+01:00", 0, "2027-12-31 12:00:00 +0100"},
		{"tomorrow", 0, `--not-after "tomorrow": must be a date such as 2027-12-31, or a time such as 2027-12-31T12:00:00Z`},
		{"", -time.Hour, "--valid-for -1h0m0s: must be 0 (no end) or greater"},
	} {
		end, err := parseEnd(test.text, test.validity, now)
		got := fmt.Sprint(end)
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%q, %s: got %s, want %s", test.text, test.validity, got, test.want)
		}
	}
	large := filepath.Join(t.TempDir(), "large.pem")
	require.NoError(t, os.WriteFile(large, make([]byte, maxKeyBytes+1), 0o600))
	for path, want := range map[string]string{"/dev/zero": "/dev/zero is not a file", large: "has more than 65536 bytes"} {
		if _, err := readKey(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	if _, err := parseSelector("a=b=c", ""); err == nil || !strings.Contains(err.Error(), `--namespaces "a=b=c"`) {
		t.Error(err)
	}
}

func TestKeysAreListedAndPrinted(t *testing.T) {
	s := newServer(t)
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	prints := func(want string, show func(out, stderr *bytes.Buffer) error) {
		t.Helper()
		var out, stderr bytes.Buffer
		err := show(&out, &stderr)
		got := out.String() + stderr.String()
		if err != nil {
			got = "error: " + err.Error()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	lists := func(format output.Format) func(out, stderr *bytes.Buffer) error {
		return func(out, stderr *bytes.Buffer) error {
			return list(t.Context(), s.connection, format, now, out, stderr)
		}
	}
	gets := func(name string, format output.Format) func(out, stderr *bytes.Buffer) error {
		return func(out, _ *bytes.Buffer) error { return get(t.Context(), s.connection, name, format, out) }
	}
	prints("there are no SigningKeys: make one with `goldsmith keys create NAME`\n", lists(""))
	prints("error: no SigningKey named release: `goldsmith keys list` lists all", gets("release", ""))
	end := metav1.NewTime(now.AddDate(1, 0, 0))
	for _, key := range []*v1alpha1.SigningKey{
		{ObjectMeta: metav1.ObjectMeta{Name: "new", CreationTimestamp: metav1.NewTime(now.Add(-time.Minute))}},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "release", CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))},
			Spec:       v1alpha1.SigningKeySpec{NotAfter: &end, NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "red"}}},
			Status: v1alpha1.SigningKeyStatus{
				KeyID: "sha256:0123456789abcdef", PublicKey: "-----BEGIN PUBLIC KEY-----\n",
				Conditions: []metav1.Condition{{Type: v1alpha1.SigningKeyReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonKeyRead}},
			},
		},
	} {
		require.NoError(t, s.images.Tracker().Create(v1alpha1.SchemeGroupVersion.WithResource("signingkeys"), key, ""))
	}
	prints("NAME      KEY ID         READY     REASON    EXPIRES                NAMESPACES   AGE\n"+
		"new       <none>         Unknown   <none>    <none>                 <all>        60s\n"+
		"release   0123456789ab   True      KeyRead   2027-11-20T08:00:00Z   team=red     60m\n", lists(""))
	prints("signingkey.images.goldsmith.dev/new\nsigningkey.images.goldsmith.dev/release\n", lists(output.Name))
	prints("-----BEGIN PUBLIC KEY-----\n", gets("release", ""))
	prints("signingkey.images.goldsmith.dev/release\n", gets("release", output.Name))
	prints("error: SigningKey new has no public key yet, because no signer has read it: "+lookAtTheSigner, gets("new", ""))
	names := require.Value(listNames(t.Context(), s.connection, nil))(t)
	if diff := cmp.Diff([]string{"new\t<all>", "release\tteam=red"}, names); diff != "" {
		t.Error(diff)
	}
}
