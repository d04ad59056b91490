// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	kubefake "k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
	testingclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/signing"
)

const system = "goldsmith-system"

// world is an API with namespaces, SigningKeys, Secrets and builds, and the controllers, whose cache is never behind.
type world struct {
	*testing.T
	client     *fake.Clientset
	kube       *kubefake.Clientset
	clock      *testingclock.FakePassiveClock
	namespaces map[string]map[string]string
	keys       *keys
	builds     *builds
	// refuse answers requests with signatures.
	refuse error
	posted int
}

func newWorld(t *testing.T) *world {
	w := &world{
		T: t, client: fake.NewSimpleClientset(), kube: kubefake.NewClientset(), clock: testingclock.NewFakePassiveClock(time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)),
		namespaces: map[string]map[string]string{"red": {"team": "red"}, "blue": {"team": "blue"}},
	}
	options := Options{Client: w.client, Kube: w.kube, Namespace: system, Clock: w.clock}
	w.keys, w.builds = &keys{options, w}, &builds{options, w}
	w.client.PrependReactor("create", "imagebuilds", func(action k8stesting.Action) (bool, runtime.Object, error) {
		if action.GetSubresource() != "signatures" {
			return false, nil, nil
		}
		w.posted++
		made := action.(k8stesting.CreateAction).GetObject().(*v1alpha1.BuildSignatures)
		if w.refuse == nil {
			w.store(action.GetNamespace(), action.(k8stesting.CreateActionImpl).Name, made)
		}
		return true, made, w.refuse
	})
	return w
}

// store adds signatures to a build, as the server does. The client would wait for the request that it answers.
func (w *world) store(namespace, name string, made *v1alpha1.BuildSignatures) {
	w.Helper()
	resources := v1alpha1.SchemeGroupVersion.WithResource
	build := require.Value(w.client.Tracker().Get(resources("imagebuilds"), namespace, name))(w.T).DeepCopyObject().(*v1alpha1.ImageBuild)
	key := require.Value(w.client.Tracker().Get(resources("signingkeys"), "", made.Key))(w.T).(*v1alpha1.SigningKey)
	public := require.Value(signing.ReadPublic([]byte(key.Status.PublicKey)))(w.T)
	for _, each := range made.Signatures {
		if made.UID != build.UID || !public.VerifyStatement(each.SignedDigest, each.Signature) {
			w.Errorf("SigningKey %s: the signature of %s is not one of it, for build %s", made.Key, each.SignedDigest, made.UID)
		}
		for _, statement := range attestation.All(build.Status.Attestation) {
			if statement.SignedDigest == each.SignedDigest {
				statement.Signatures = append(statement.Signatures, v1alpha1.StatementSignature{KeyID: key.Status.KeyID, Signature: each.Signature})
			}
		}
	}
	require.NoError(w.T, w.client.Tracker().Update(resources("imagebuilds"), build, namespace))
}

// Get reads from the cache.
func (w *world) Get(ctx context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	var found client.Object
	var err error
	switch object.(type) {
	case *v1alpha1.SigningKey:
		found, err = w.client.ImagesV1alpha1().SigningKeys().Get(ctx, key.Name, metav1.GetOptions{})
	case *v1alpha1.ImageBuild:
		found, err = w.client.ImagesV1alpha1().ImageBuilds(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	case *metav1.PartialObjectMetadata:
		labels, ok := w.namespaces[key.Name]
		if !ok {
			return apierrors.NewNotFound(corev1.Resource("namespaces"), key.Name)
		}
		found = &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: key.Name, Labels: labels}}
	}
	if err == nil {
		reflect.ValueOf(object).Elem().Set(reflect.ValueOf(found).Elem())
	}
	return err
}

// List reads from the cache.
func (w *world) List(ctx context.Context, list client.ObjectList, _ ...client.ListOption) error {
	switch list := list.(type) {
	case *v1alpha1.SigningKeyList:
		found, err := w.client.ImagesV1alpha1().SigningKeys().List(ctx, metav1.ListOptions{})
		list.Items = found.Items
		return err
	case *v1alpha1.ImageBuildList:
		found, err := w.client.ImagesV1alpha1().ImageBuilds("").List(ctx, metav1.ListOptions{})
		list.Items = found.Items
		return err
	}
	return errors.ErrUnsupported
}

func (w *world) key(name string) *v1alpha1.SigningKey {
	w.Helper()
	return require.Value(w.client.ImagesV1alpha1().SigningKeys().Get(w.Context(), name, metav1.GetOptions{}))(w.T)
}

func (w *world) build(namespace, name string) *v1alpha1.ImageBuild {
	w.Helper()
	return require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).Get(w.Context(), name, metav1.GetOptions{}))(w.T)
}

func (w *world) addKey(name string, change ...func(*v1alpha1.SigningKey)) {
	w.Helper()
	key := &v1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1}}
	key.Spec.SecretRef.Name = name + "-signing-key"
	for _, each := range change {
		each(key)
	}
	require.Value(w.client.ImagesV1alpha1().SigningKeys().Create(w.Context(), key, metav1.CreateOptions{}))(w.T)
}

// setSecret replaces the Secret of a key.
func (w *world) setSecret(key string, data map[string][]byte) {
	w.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: key + "-signing-key"}, Data: data}
	secrets := corev1.SchemeGroupVersion.WithResource("secrets")
	if err := w.kube.Tracker().Create(secrets, secret, system); apierrors.IsAlreadyExists(err) {
		require.NoError(w.T, w.kube.Tracker().Update(secrets, secret, system))
	}
}

func newPrivate(t *testing.T) map[string][]byte {
	t.Helper()
	key := require.Value(signing.Generate())(t)
	return map[string][]byte{v1alpha1.SigningKeyFile: require.Value(key.PEM())(t)}
}

// addBuild adds a build with two artifacts, which have the statements a, and a and b, and an index, which has c.
func (w *world) addBuild(namespace string, phase v1alpha1.BuildPhase) {
	w.Helper()
	statement := func(hex string) v1alpha1.AttestedStatement {
		return v1alpha1.AttestedStatement{Type: "example.com/" + hex, SignedDigest: "sha256:" + strings.Repeat(hex, 64)}
	}
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web-1", UID: types.UID(namespace + "-web-1")}}
	build.Status.Phase = phase
	build.Status.Attestation = &v1alpha1.Attestation{Attempt: 1, Artifacts: []v1alpha1.AttestedArtifact{
		{Target: "linux/amd64/raw", Statements: []v1alpha1.AttestedStatement{statement("a")}},
		{Target: "linux/arm64/raw", Statements: []v1alpha1.AttestedStatement{statement("a"), statement("b")}},
	}, Indexes: []v1alpha1.AttestedIndex{{Digest: "sha256:1", Statements: []v1alpha1.AttestedStatement{statement("c")}}}}
	require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).Create(w.Context(), build, metav1.CreateOptions{}))(w.T)
}

// publish reconciles a key, and returns when it is reconciled again.
func (w *world) publish(name string) time.Duration {
	w.Helper()
	return require.Value(w.keys.Reconcile(w.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Name: name}}))(w.T).RequeueAfter
}

// wantKey publishes a key, and compares its condition.
func (w *world) wantKey(name, reason, message string) {
	w.Helper()
	w.publish(name)
	ready := meta.FindStatusCondition(w.key(name).Status.Conditions, v1alpha1.SigningKeyReady)
	if ready == nil || ready.Reason != reason || (ready.Status == metav1.ConditionTrue) != (reason == v1alpha1.ReasonKeyRead) || !strings.Contains(ready.Message, message) {
		w.Errorf("SigningKey %s has the condition %+v, want the reason %s and the message %q", name, ready, reason, message)
	}
}

// sign reconciles the build of a namespace.
func (w *world) sign(namespace string) (ctrl.Result, error) {
	return w.builds.Reconcile(w.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: "web-1"}})
}

// wantSigned signs a build, and compares the names of the keys that have signed each of its statements.
func (w *world) wantSigned(namespace string, want ...string) {
	w.Helper()
	if _, err := w.sign(namespace); err != nil {
		w.Error(err)
	}
	all := attestation.All(w.build(namespace, "web-1").Status.Attestation)
	if len(all) != 4 {
		w.Errorf("%s has %d statements about two artifacts and an index", namespace, len(all))
	}
	for _, statement := range all {
		var got []string
		for _, signature := range statement.Signatures {
			for _, key := range require.Value(w.client.ImagesV1alpha1().SigningKeys().List(w.Context(), metav1.ListOptions{}))(w.T).Items {
				if key.Status.KeyID == signature.KeyID {
					got = append(got, key.Name)
				}
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			w.Errorf("%s %s is signed by (-want +got):\n%s", namespace, statement.Type, diff)
		}
	}
}

func TestAKeyIsPublishedOnceItsSecretIsThere(t *testing.T) {
	w := newWorld(t)
	w.addKey("first")
	w.addBuild("red", v1alpha1.BuildRunning)
	w.wantKey("first", v1alpha1.ReasonSecretNotFound, "Secret goldsmith-system/first-signing-key does not exist")
	w.setSecret("first", map[string][]byte{"tls.key": nil})
	w.wantKey("first", v1alpha1.ReasonSecretNotFound, "has no key signing.key")
	w.wantSigned("red")
	private := newPrivate(t)
	w.setSecret("first", private)
	w.wantKey("first", v1alpha1.ReasonKeyRead, "")
	public := require.Value(require.Value(signing.ReadPrivate(private[v1alpha1.SigningKeyFile]))(t).Public())(t)
	status := w.key("first").Status
	if status.KeyID != public.ID() || status.PublicKey != string(public.PEM()) || status.ObservedGeneration != 1 {
		t.Errorf("the status is %+v", status)
	}
	w.wantSigned("red", "first")
	posted, writes := w.posted, len(w.client.Actions())
	w.wantSigned("red", "first")
	w.publish("first")
	for _, action := range w.client.Actions()[writes:] {
		if !slices.Contains([]string{"get", "list"}, action.GetVerb()) {
			t.Errorf("nothing has changed, and there is a request to %s %s", action.GetVerb(), action.GetResource().Resource)
		}
	}
	if posted != 1 {
		t.Errorf("%d requests have signatures, and one is enough", posted)
	}
}

func TestWhatIsNotAKeySignsNothing(t *testing.T) {
	p384 := require.Value(x509.MarshalPKCS8PrivateKey(require.Value(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))(t)))(t)
	wrongCurve := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: p384}))
	for name, test := range map[string]struct{ text, want string }{
		"passphrase":   {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nc2VjcmV0\n-----END ENCRYPTED PRIVATE KEY-----\n", "the key has a passphrase: store it without one"},
		"broken":       {"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", "the private key cannot be read"},
		"certificate":  {"-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n", "the PEM block is not a private key"},
		"no PEM":       {"secret", "there is no key in PEM"},
		"wrong curve":  {wrongCurve, "the key is not an ECDSA key on the curve P-256"},
		"several keys": {string(newPrivate(t)[v1alpha1.SigningKeyFile]) + "secret", "there is more than one key"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addKey("first")
			w.addBuild("red", v1alpha1.BuildRunning)
			w.setSecret("first", map[string][]byte{v1alpha1.SigningKeyFile: []byte(test.text)})
			w.wantKey("first", v1alpha1.ReasonInvalidKey, "Secret goldsmith-system/first-signing-key: "+test.want)
			w.wantSigned("red")
			if text := fmt.Sprint(w.key("first").Status); strings.Contains(text, "c2VjcmV0") || strings.Contains(text, "secret\n") || w.key("first").Status.KeyID != "" {
				t.Errorf("the status is %s", text)
			}
		})
	}
}

func TestAChangedKeySignsNothing(t *testing.T) {
	w := newWorld(t)
	w.addKey("first")
	w.addBuild("red", v1alpha1.BuildRunning)
	private := newPrivate(t)
	w.setSecret("first", private)
	w.wantKey("first", v1alpha1.ReasonKeyRead, "")
	published := w.key("first").Status
	w.setSecret("first", newPrivate(t))
	w.wantSigned("red") // even before the condition says so
	w.wantKey("first", v1alpha1.ReasonKeyChanged, "another private key")
	if after := w.key("first").Status; after.KeyID != published.KeyID || after.PublicKey != published.PublicKey {
		t.Errorf("another key is published: %+v", after)
	}
	w.setSecret("first", private)
	w.wantKey("first", v1alpha1.ReasonKeyRead, "")
	w.wantSigned("red", "first")
}

func TestABuildIsSignedAfterASecretWasAwayForAMoment(t *testing.T) {
	w := newWorld(t)
	w.addKey("first")
	w.addBuild("red", v1alpha1.BuildRunning)
	private := newPrivate(t)
	w.setSecret("first", private)
	w.publish("first")
	require.NoError(t, w.kube.CoreV1().Secrets(system).Delete(t.Context(), "first-signing-key", metav1.DeleteOptions{}))
	result := require.Value(w.sign("red"))(t)
	w.setSecret("first", private) // before the key is reconciled, so that no event of it leads to the build
	if result.RequeueAfter != time.Minute {
		t.Errorf("the build is reconciled again after %s", result.RequeueAfter)
	}
	w.wantSigned("red", "first")
	if result := require.Value(w.sign("red"))(t); result.RequeueAfter != 0 {
		t.Errorf("a signed build is reconciled again after %s", result.RequeueAfter)
	}
}

func TestAKeyEndsByTheClock(t *testing.T) {
	w := newWorld(t)
	end := metav1.NewTime(w.clock.Now().Add(90 * time.Second))
	w.addKey("first", func(key *v1alpha1.SigningKey) { key.Spec.NotAfter = &end })
	w.setSecret("first", newPrivate(t))
	if after := w.publish("first"); after != time.Minute {
		t.Errorf("the Secret is read again after %s", after)
	}
	w.addBuild("red", v1alpha1.BuildRunning)
	w.addBuild("blue", v1alpha1.BuildRunning)
	w.wantSigned("red", "first")
	w.clock.SetTime(end.Add(-10 * time.Second))
	if after := w.publish("first"); after != 10*time.Second {
		t.Errorf("the key is judged again after %s", after)
	}
	w.clock.SetTime(end.Time)
	w.wantSigned("blue")
	published := w.key("first").Status
	require.NoError(t, w.kube.CoreV1().Secrets(system).Delete(t.Context(), "first-signing-key", metav1.DeleteOptions{}))
	w.wantKey("first", v1alpha1.ReasonKeyExpired, "since 2026-11-20T08:01:30Z")
	if after := w.key("first").Status; after.PublicKey != published.PublicKey || after.PublicKey == "" {
		t.Errorf("the public key is %q", after.PublicKey)
	}

	w.addKey("retired", func(key *v1alpha1.SigningKey) { key.Spec.NotAfter = &end })
	w.setSecret("retired", newPrivate(t))
	w.wantKey("retired", v1alpha1.ReasonKeyExpired, "")
	if w.key("retired").Status.PublicKey == "" {
		t.Error("nobody can verify with an expired key")
	}
}

func TestEachKeySignsTheBuildsOfItsNamespaces(t *testing.T) {
	w := newWorld(t)
	team := func(name string) func(*v1alpha1.SigningKey) {
		return func(key *v1alpha1.SigningKey) {
			key.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": name}}
		}
	}
	w.addKey("all")
	w.addKey("blue", team("blue"))
	w.addKey("next", team("red"))
	w.addKey("red", team("red"))
	w.addKey("new", team("red")) // the signer has not read it
	for _, name := range []string{"all", "blue", "next", "red"} {
		w.setSecret(name, newPrivate(t))
		w.publish(name)
	}
	for _, namespace := range []string{"red", "blue", "gone"} {
		w.addBuild(namespace, v1alpha1.BuildRunning)
	}
	w.wantSigned("red", "all", "next", "red")
	w.wantSigned("blue", "all", "blue")
	w.wantSigned("gone")
	w.namespaces["gone"] = nil
	w.wantSigned("gone", "all")
	if requests := w.builds.waiting(t.Context()); len(requests) != 3 {
		t.Errorf("a key leads to %v", requests)
	}
}

func TestAFinishedBuildIsLeft(t *testing.T) {
	w := newWorld(t)
	w.addKey("first")
	w.setSecret("first", newPrivate(t))
	w.publish("first")
	w.addBuild("red", v1alpha1.BuildSucceeded)
	w.wantSigned("red")
	passes := NewBuilds(w.builds.Options, w).Watches[0].Passes
	running := &v1alpha1.ImageBuild{}
	running.Status.Attestation = &v1alpha1.Attestation{}
	if passes.Create(event.CreateEvent{Object: w.build("red", "web-1")}) || passes.Create(event.CreateEvent{Object: &v1alpha1.ImageBuild{}}) || !passes.Create(event.CreateEvent{Object: running}) {
		t.Error("the controller sees other builds than those that wait")
	}
	if requests := w.builds.waiting(t.Context()); len(requests) != 0 {
		t.Errorf("a key leads to %v", requests)
	}
}

func TestSignaturesThatTheServerRefusesAreTriedAgain(t *testing.T) {
	builds := v1alpha1.Resource("imagebuilds")
	for name, test := range map[string]struct {
		refuse error
		// again is whether the build is reconciled again, failed whether the controller logs an error.
		again, failed bool
	}{
		"deleted":     {apierrors.NewNotFound(builds, "web-1"), false, false},
		"conflict":    {apierrors.NewConflict(builds, "web-1", errors.New("changed")), true, false},
		"unavailable": {apierrors.NewServiceUnavailable("restarting"), true, false},
		"invalid":     {apierrors.NewInvalid(v1alpha1.Kind("BuildSignatures").GroupKind(), "web-1", nil), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addKey("first")
			w.setSecret("first", newPrivate(t))
			w.publish("first")
			w.addBuild("red", v1alpha1.BuildRunning)
			w.refuse = test.refuse
			result, err := w.sign("red")
			if failed, again := err != nil, err != nil || result.RequeueAfter > 0; failed != test.failed || again != test.again {
				t.Errorf("the result is %+v and %v", result, err)
			}
			w.refuse = nil
			w.wantSigned("red", "first")
		})
	}
}

func TestAKeyThatCannotBeReadKeepsNoOtherFromSigning(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"first", "second"} {
		w.addKey(name)
		w.setSecret(name, newPrivate(t))
		w.publish(name)
	}
	w.addBuild("red", v1alpha1.BuildRunning)
	w.kube.PrependReactor("get", "secrets", func(action k8stesting.Action) (bool, runtime.Object, error) {
		return action.(k8stesting.GetAction).GetName() == "first-signing-key", nil, apierrors.NewForbidden(corev1.Resource("secrets"), "first-signing-key", nil)
	})
	if _, err := w.sign("red"); err == nil || !strings.Contains(err.Error(), "SigningKey first: get Secret goldsmith-system/first-signing-key") {
		t.Errorf("the error is %v", err)
	}
	for _, artifact := range w.build("red", "web-1").Status.Attestation.Artifacts {
		if len(artifact.Statements[0].Signatures) != 1 {
			t.Errorf("%s has %d signatures", artifact.Target, len(artifact.Statements[0].Signatures))
		}
	}
}
