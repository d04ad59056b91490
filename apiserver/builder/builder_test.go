// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/client-go/kubernetes"
	certutil "k8s.io/client-go/util/cert"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/apiserver/corekinds"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestMain(m *testing.M) { buildertest.Main(m) }

func TestAStandaloneServer(t *testing.T) {
	t.Parallel()
	server := buildertest.CoreKinds(builder.Memory()).
		WithOpenAPI("A title", "v7").
		WithBearerToken("of-a-guest", &user.DefaultInfo{Name: "guest"})
	running, _ := buildertest.Start(t, server)
	t.Run("lets only a known token of a privileged user in", func(t *testing.T) { letsOnlyKnownTokensIn(t, running) })
	t.Run("reports the version of its libraries", func(t *testing.T) { reportsItsVersion(t, running) })
	t.Run("describes every kind in both OpenAPI versions", func(t *testing.T) { describesEveryKind(t, running) })
}

func letsOnlyKnownTokensIn(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	list := func(token string) error {
		_, err := buildertest.ConnectOutside(t, running, token).CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
		return err
	}
	g.Expect(list(buildertest.Token)).To(Succeed())
	g.Expect(apierrors.IsUnauthorized(list(""))).To(BeTrue(), "anonymous")
	g.Expect(apierrors.IsUnauthorized(list("wrong"))).To(BeTrue(), "a wrong token")
	g.Expect(apierrors.IsForbidden(list("of-a-guest"))).To(BeTrue(), "a user who is not privileged")
	for _, path := range []string{"/healthz", "/metrics", "/openapi/v2", "/version"} {
		err := buildertest.ConnectOutside(t, running, "wrong").Discovery().RESTClient().Get().AbsPath(path).Do(t.Context()).Error()
		g.Expect(apierrors.IsUnauthorized(err)).To(BeTrue(), path)
	}
}

// reportsItsVersion wants a version that clients can compare, although this program was built without linker flags.
func reportsItsVersion(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	version := require.Value(buildertest.ConnectOutside(t, running, buildertest.Token).Discovery().ServerVersion())(t)
	g.Expect(version.GitVersion).To(MatchRegexp(`^v1\.\d+\.\d+$`))
	g.Expect(version.GitVersion).To(HavePrefix("v" + version.Major + "." + version.Minor + "."))
}

func describesEveryKind(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	client := buildertest.ConnectOutside(t, running, buildertest.Token).Discovery()
	v2 := require.Value(client.OpenAPISchema())(t)
	g.Expect(v2.GetInfo().GetTitle()).To(Equal("A title"))
	g.Expect(v2.GetInfo().GetVersion()).To(Equal("v7"))
	names := sets.New[string]()
	for _, definition := range v2.GetDefinitions().GetAdditionalProperties() {
		names.Insert(definition.GetName())
	}
	g.Expect(names.HasAll("io.k8s.api.core.v1.Pod", "io.k8s.api.batch.v1.Job")).To(BeTrue())
	g.Expect(client.OpenAPIV3().Paths()).To(And(HaveKey("api/v1"), HaveKey("apis/batch/v1")))
}

func TestAServerThatWouldLetEverybodyInIsRefused(t *testing.T) {
	g := buildertest.Parallel(t)
	options := require.Value(corekinds.Register(builder.New("open"), buildertest.EndlessLogs{}).WithStorage(builder.Memory()).ToServerOptions())(t)
	g.Expect(errorOf(options.Start(t.Context()))).To(MatchError(ContainSubstring("nobody could authenticate")))
}

// echo is a hand-written handler: it answers a creation and stores nothing.
type echo struct{}

var _ rest.Creater = echo{}

func (echo) New() runtime.Object     { return &corev1.ConfigMap{} }
func (echo) Destroy()                {}
func (echo) NamespaceScoped() bool   { return true }
func (echo) GetSingularName() string { return "configmap" }

func (echo) Create(_ context.Context, object runtime.Object, _ rest.ValidateObjectFunc, _ *metav1.CreateOptions) (runtime.Object, error) {
	return object, nil
}

// echoOfEvents is an echo of another kind: a server has one resource of each.
type echoOfEvents struct{ echo }

func (echoOfEvents) New() runtime.Object     { return &corev1.Event{} }
func (echoOfEvents) GetSingularName() string { return "event" }

func TestResourcesAreProvidedTogether(t *testing.T) {
	g := buildertest.Parallel(t)
	calls := 0
	server := func() *builder.Server {
		return builder.New("together").WithBearerToken(buildertest.Token, buildertest.Admin).
			WithScheme(corekinds.Install).
			WithOpenAPI("Together", "v1", corekinds.OpenAPIDefinitions).
			WithResources(corev1.SchemeGroupVersion, []string{"configmaps", "events"}, func(*resources.Scope) (map[string]resources.Storages, error) {
				calls++
				return map[string]resources.Storages{"configmaps": {"": echo{}}, "events": {"": echoOfEvents{}}}, nil
			})
	}
	running, _ := buildertest.Start(t, server())
	served := require.Value(buildertest.ConnectOutside(t, running, buildertest.Token).Discovery().ServerResourcesForGroupVersion("v1"))(t)
	g.Expect(served.APIResources).To(ConsistOf(HaveField("Name", "configmaps"), HaveField("Name", "events")))
	g.Expect(calls).To(Equal(1))

	options := require.Value(server().WithResources(corev1.SchemeGroupVersion, []string{"pods"}, func(*resources.Scope) (map[string]resources.Storages, error) {
		return nil, nil
	}).ToServerOptions())(t)
	g.Expect(errorOf(options.Start(t.Context()))).To(MatchError(ContainSubstring("provide pods: the provider of its group does not")))
}

func TestADirectoryServesOneServerAtATimeAndKeepsDataAndIdentity(t *testing.T) {
	g := buildertest.Parallel(t)
	directory, certificates := t.TempDir(), filepath.Join(t.TempDir(), "certificates")
	server := func() *builder.Server {
		return buildertest.CoreKinds(builder.EmbeddedEtcd(directory)).WithCertificateDirectory(certificates)
	}
	first, stop := buildertest.Start(t, server())
	g.Expect(buildertest.ConnectOutside(t, first, buildertest.Token).CoreV1().ConfigMaps("default").Create(t.Context(),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}, metav1.CreateOptions{})).Error().NotTo(HaveOccurred())

	options := require.Value(server().ToServerOptions())(t)
	g.Expect(errorOf(options.Start(t.Context()))).To(MatchError(etcd.ErrInUse))

	stop()
	expectProtobuf(t, directory, "/registry/configmaps/default/kept")
	g.Expect(require.Value(os.Stat(filepath.Join(certificates, "apiserver.key")))(t).Mode().Perm()).To(BeEquivalentTo(0o600))

	second, _ := buildertest.Start(t, server())
	g.Expect(second.CertificateAuthority()).To(Equal(first.CertificateAuthority()))
	g.Expect(buildertest.ConnectOutside(t, second, buildertest.Token).CoreV1().ConfigMaps("default").Get(t.Context(), "kept", metav1.GetOptions{})).Error().NotTo(HaveOccurred())
}

// expectProtobuf looks into the database of a stopped server for how an object is stored.
func expectProtobuf(t *testing.T, directory, key string) {
	g := NewWithT(t)
	database := require.Value(os.ReadFile(filepath.Join(directory, "etcd", "member", "snap", "db")))(t)
	at := bytes.Index(database, []byte(key))
	g.Expect(at).To(BeNumerically(">=", 0), "%s is not there", key)
	g.Expect(database[at:min(at+200, len(database))]).To(ContainSubstring("k8s\x00"), "the mark of protobuf")
}

func TestServesOnAGivenListenerWithAGivenCertificate(t *testing.T) {
	g := buildertest.Parallel(t)
	certificate, key, err := certutil.GenerateSelfSignedCertKey("localhost", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	g.Expect(err).NotTo(HaveOccurred())
	certificateFile, keyFile := filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
	g.Expect(os.WriteFile(certificateFile, certificate, 0o600)).To(Succeed())
	g.Expect(os.WriteFile(keyFile, key, 0o600)).To(Succeed())
	listener := require.Value(net.Listen("tcp", "127.0.0.1:0"))(t)

	running, _ := buildertest.Start(t, buildertest.CoreKinds(builder.Memory()).WithListener(listener).WithCertificate(certificateFile, keyFile))
	g.Expect(running.Address()).To(Equal("https://" + listener.Addr().String()))
	g.Expect(running.CertificateAuthority()).To(Equal(certificate))
	g.Expect(buildertest.ConnectOutside(t, running, buildertest.Token).CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})).Error().NotTo(HaveOccurred())
}

func TestAPortThatIsTakenIsAnErrorAndLeavesNothingOpen(t *testing.T) {
	g := buildertest.Parallel(t)
	directory := t.TempDir()
	listener := require.Value(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer func() { g.Expect(listener.Close()).To(Succeed()) }()
	address := listener.Addr().(*net.TCPAddr)
	options := require.Value(buildertest.CoreKinds(builder.EmbeddedEtcd(directory)).WithPort(address.Port).ToServerOptions())(t)
	g.Expect(errorOf(options.Start(t.Context()))).To(MatchError(ContainSubstring("address already in use")))
	g.Expect(require.Value(etcd.Start(t.Context(), directory))(t).Stop()).To(Succeed())
}

func TestStoppingEndsWatchesAndStreams(t *testing.T) {
	g := buildertest.Parallel(t)
	running, stop := buildertest.Start(t, buildertest.CoreKinds(builder.Memory()))
	client := require.Value(kubernetes.NewForConfig(running.ClientConfig()))(t)
	pods := client.CoreV1().Pods("default")
	g.Expect(pods.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "image"}}},
	}, metav1.CreateOptions{})).Error().NotTo(HaveOccurred())
	watcher := require.Value(pods.Watch(t.Context(), metav1.ListOptions{}))(t)
	log := require.Value(pods.GetLogs("p", &corev1.PodLogOptions{Follow: true}).Stream(t.Context()))(t)

	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop()
	}()
	text, err := io.ReadAll(log)
	g.Expect(err).To(HaveOccurred(), "a log that was broken off must not look whole")
	g.Expect(string(text)).To(Equal("line\n"))
	g.Expect(log.Close()).To(Succeed())
	g.Eventually(watcher.ResultChan()).WithTimeout(buildertest.Patience).Should(BeClosed())
	g.Eventually(stopped).WithTimeout(buildertest.Patience).Should(BeClosed())
}

func TestTheCommandHasTheFlagsThatItsModeUses(t *testing.T) {
	g := buildertest.Parallel(t)
	always := []string{"secure-port"}
	external := []string{"etcd-servers"}
	delegated := []string{"kubeconfig", "authentication-kubeconfig", "enable-admission-plugins", "shutdown-delay-duration", "request-timeout"}
	never := []string{"token", "goaway-chance", "etcd-servers-overrides", "storage-media-type", "default-watch-cache-size", "egress-selector-config-file"}
	present := func(server *builder.Server) []string {
		command := require.Value(server.ToServerCommand())(t)
		return slices.DeleteFunc(slices.Concat(always, external, delegated, never), func(name string) bool {
			return command.Flags().Lookup(name) == nil
		})
	}
	g.Expect(present(buildertest.CoreKinds(builder.Memory()))).To(Equal(always))
	g.Expect(present(delegatedServer().WithStorage(builder.ExternalEtcd(storagebackend.TransportConfig{})))).To(Equal(slices.Concat(always, external, delegated)))
}

func TestAMistakeInTheDescriptionIsReported(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]*builder.Server{
		"registered twice":     corekinds.Register(corekinds.Register(builder.New("x"), buildertest.EndlessLogs{}), buildertest.EndlessLogs{}),
		"needs a token":        builder.New("x").WithBearerToken("", buildertest.Admin),
		"scheme does not like": builder.New("x").WithScheme(func(*runtime.Scheme) error { return errors.New("scheme does not like it") }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := server.ToServerOptions()
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(name)))
		})
	}
}
