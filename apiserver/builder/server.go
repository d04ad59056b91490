// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/kube-openapi/pkg/common"

	"goldsmith.dev/goldsmith/apiserver/authentication"
	"goldsmith.dev/goldsmith/apiserver/dynamic"
	"goldsmith.dev/goldsmith/apiserver/filters"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// Server describes an API server. Its methods return the server itself, so that calls can be chained. ToServerOptions returns
// the errors of the description.
type Server struct {
	name       string
	installs   []func(*runtime.Scheme) error
	equalities conversion.Equalities
	title      string
	version    string
	openapi    []common.GetOpenAPIDefinitions
	provisions []provision
	dynamic    []*dynamic.Group
	hooks      []hook
	checks     []healthz.HealthChecker
	plugins    []plugin
	storage    StorageBackend
	streamed   []string
	secrets    []string              // headers
	stored     []schema.GroupVersion // of several of a group, the last one counts
	encryption map[schema.GroupResource]OpenEncryption

	tokens    authentication.Tokens
	guests    []authentication.Guests
	delegated *delegation
	landing   []byte // nil if browsers get no page

	certificateFile      string
	keyFile              string
	certificateDirectory string

	bindAddress    net.IP
	port           int
	listener       net.Listener
	out            io.Writer
	descriptionErr error
}

// provision is the resources of one provider, in the same versions.
type provision struct {
	versions []schema.GroupVersion
	names    []string
	provider resources.GroupProvider
}

// have reports whether a group has the resource of this name.
func (p provision) have(group, name string) bool {
	return slices.Contains(p.names, name) &&
		slices.ContainsFunc(p.versions, func(version schema.GroupVersion) bool { return version.Group == group })
}

type plugin struct {
	name string
	make admission.Factory
}

type hook struct {
	name string
	run  genericapiserver.PostStartHookFunc
}

// New describes a server that has only a name, which appears in its command and its log. The server listens on a free port of
// the loopback address and writes no lines.
func New(name string) *Server {
	return &Server{name: name, equalities: equality.Semantic, title: name, tokens: authentication.Tokens{}, bindAddress: net.IPv4(127, 0, 0, 1), out: io.Discard}
}

// WithScheme registers types, conversions, defaults and field labels.
func (s *Server) WithScheme(installs ...func(*runtime.Scheme) error) *Server {
	s.installs = append(s.installs, installs...)
	return s
}

// WithEqualities compares values with these functions where an update is judged by what it changes: see resources.Scope. The
// default is equality.Semantic.
func (s *Server) WithEqualities(equalities conversion.Equalities) *Server {
	s.equalities = equalities
	return s
}

// WithOpenAPI adds the definitions of types, for OpenAPI v2 and v3. Where several calls define the same type, the first
// one counts; title and version are those of the last call that gives them.
func (s *Server) WithOpenAPI(title, version string, definitions ...common.GetOpenAPIDefinitions) *Server {
	if title != "" {
		s.title = title
	}
	if version != "" {
		s.version = version
	}
	s.openapi = append(s.openapi, definitions...)
	return s
}

// WithResource serves a resource under its plural name, in one or several versions. The provider is called once, and its
// handlers serve each version. Clients that name no version get the first version of the group. Every kind that the resource
// and its subresources take must be registered in each version. Versions can be of several groups if the internal types are
// registered in the internal version of each group. The objects are stored in the group of the provider's store.
func (s *Server) WithResource(version schema.GroupVersion, name string, provider resources.Provider, also ...schema.GroupVersion) *Server {
	return s.WithResources(version, []string{name}, func(scope *resources.Scope) (map[string]resources.Storages, error) {
		storages, err := provider(scope)
		if err != nil {
			return nil, fmt.Errorf("provide %s: %w", name, err)
		}
		return map[string]resources.Storages{name: storages}, nil
	}, also...)
}

// WithResources serves several resources of one provider, so that they can use the stores of each other. Otherwise it is like
// WithResource.
func (s *Server) WithResources(version schema.GroupVersion, names []string, provider resources.GroupProvider, also ...schema.GroupVersion) *Server {
	versions := append([]schema.GroupVersion{version}, also...)
	for _, name := range names {
		for i, version := range versions {
			qualified := schema.GroupResource{Group: version.Group, Resource: name}
			if slices.ContainsFunc(s.provisions, func(other provision) bool { return other.have(version.Group, name) }) {
				s.fail(fmt.Errorf("resource %s is registered twice: give further versions to the first call", qualified))
			}
			if slices.Contains(versions[:i], version) {
				s.fail(fmt.Errorf("resource %s names version %s twice", qualified, version))
			}
		}
	}
	s.provisions = append(s.provisions, provision{versions: versions, names: names, provider: provider})
	return s
}

// WithDynamicGroup serves a group whose kinds can be replaced while the server serves: see package dynamic. The server is not ready
// until the group knows its kinds. Resources of other calls cannot be in the group.
func (s *Server) WithDynamicGroup(group *dynamic.Group) *Server {
	s.dynamic = append(s.dynamic, group)
	return s.WithReadyzCheck(group.Check())
}

// WithStorageVersion sets the version in which the objects of its group are stored. The default is the first version in the
// order of the scheme. A kind that this version lacks is stored in the first version that has it. Objects are read in the
// version in which they were written, so the storage version may change between two runs, and differ between two servers.
func (s *Server) WithStorageVersion(version schema.GroupVersion) *Server {
	s.stored = append(s.stored, version)
	return s
}

// WithStorage sets the storage of the resources. A server without stored resources needs none.
func (s *Server) WithStorage(backend StorageBackend) *Server {
	s.storage = backend
	return s
}

// WithStreamed names subresources whose answers are streams, such as files: they have no timeout and are not counted for the limit of
// concurrent requests, and a server that stops ends them. The subresource log always is one.
func (s *Server) WithStreamed(subresources ...string) *Server {
	s.streamed = append(s.streamed, subresources...)
	return s
}

// WithSecretHeaders names headers with secrets, such as tokens for a handler of a resource. The server neither logs nor audits them, and a handler
// reads them by filters.Secret.
func (s *Server) WithSecretHeaders(headers ...string) *Server {
	s.secrets = append(s.secrets, headers...)
	return s
}

// WithPostStartHook runs a function once the server serves. /readyz waits for it, and its error ends the process, so it
// retries what may fail for a while. Its context ends with the server.
func (s *Server) WithPostStartHook(name string, run genericapiserver.PostStartHookFunc) *Server {
	s.hooks = append(s.hooks, hook{name: name, run: run})
	return s
}

// WithReadyzCheck adds checks to /readyz, in addition to those of the library. Each has a unique name. While a check fails,
// the server is not ready, and the log has the cause. Users with permission to get /readyz/NAME see it there.
func (s *Server) WithReadyzCheck(checks ...healthz.HealthChecker) *Server {
	s.checks = append(s.checks, checks...)
	return s
}

// WithBearerToken authenticates the holder of a token as the given user. The user is authorized if it is a member of
// system:masters. The server becomes a standalone server.
func (s *Server) WithBearerToken(token string, info user.Info) *Server {
	if token == "" || info == nil || info.GetName() == "" {
		s.fail(errors.New("a bearer token needs a token and a user with a name"))
		return s
	}
	s.tokens.Add(token, info)
	return s
}

// WithGuests authenticates further users by tokens that may change while the server runs, and authorizes them by rights. If
// the decision of rights is not DecisionAllow, only members of system:masters are authorized. Rights that are an authorizer.RuleResolver, too, are in
// the answers to SelfSubjectRulesReview. If the tokens have a method
// Present(user.Info) context.Context, the server ends requests of a user, such as watches, when that context is done; nil is for a user
// who is removed already. Like WithBearerToken, it is for a standalone server.
func (s *Server) WithGuests(tokens authenticator.Token, rights authorizer.Authorizer) *Server {
	if tokens == nil || rights == nil {
		s.fail(errors.New("guests need tokens and rights"))
		return s
	}
	s.guests = append(s.guests, authentication.Guests{Tokens: filters.UntilRemoved(tokens), Rights: rights})
	return s
}

// WithLandingPage shows an HTML page to browsers that open "/" without credentials, instead of the error that API clients
// get. The page is public. It is for a standalone server, because users do not open the server of a cluster in a browser.
func (s *Server) WithLandingPage(html []byte) *Server {
	s.landing = html
	return s
}

// WithAdmissionPlugin adds an admission plugin to those of the library, with a name for the server's flags. A standalone
// server does not run the plugin, because its users have every permission: add only plugins that enforce permissions.
func (s *Server) WithAdmissionPlugin(name string, factory admission.Factory) *Server {
	if slices.ContainsFunc(s.plugins, func(other plugin) bool { return other.name == name }) {
		s.fail(fmt.Errorf("admission plugin %s is registered twice", name))
		return s
	}
	s.plugins = append(s.plugins, plugin{name: name, make: factory})
	return s
}

// WithCertificate serves with a certificate and key from PEM files, which are read again when they change.
func (s *Server) WithCertificate(certificateFile, keyFile string) *Server {
	s.certificateFile, s.keyFile = certificateFile, keyFile
	return s
}

// WithCertificateDirectory keeps the server's self-signed certificate in a directory, so that clients trust it after a
// restart. Without it and without WithCertificate, the server creates a new certificate in memory at each start.
func (s *Server) WithCertificateDirectory(directory string) *Server {
	s.certificateDirectory = directory
	return s
}

// WithBindAddress sets the address to listen on; 127.0.0.1 by default.
func (s *Server) WithBindAddress(address net.IP) *Server {
	s.bindAddress = address
	return s
}

// WithPort sets the port to listen on; 0, the default, takes a free one.
func (s *Server) WithPort(port int) *Server {
	s.port = port
	return s
}

// WithListener serves on a TCP listener that is already open. The server closes it.
func (s *Server) WithListener(listener net.Listener) *Server {
	s.listener = listener
	return s
}

// WithWriter sets the writer of the server's own lines. By default they are not written.
func (s *Server) WithWriter(out io.Writer) *Server {
	s.out = out
	return s
}

func (s *Server) fail(err error) {
	s.descriptionErr = errors.Join(s.descriptionErr, err)
}

// versions returns the versions of a group that are served, as the description has them.
func (s *Server) versions(group string) []schema.GroupVersion {
	var versions []schema.GroupVersion
	for _, provision := range s.provisions {
		for _, version := range provision.versions {
			if version.Group == group && !slices.Contains(versions, version) {
				versions = append(versions, version)
			}
		}
	}
	return versions
}

// checkDynamic refuses a group that is described twice.
func (s *Server) checkDynamic() error {
	for i, group := range s.dynamic {
		same := func(other *dynamic.Group) bool { return other.Name() == group.Name() }
		if slices.ContainsFunc(s.dynamic[:i], same) || len(s.versions(group.Name())) > 0 {
			return fmt.Errorf("group %s is registered twice: a dynamic group has no other resources", group.Name())
		}
	}
	return nil
}

// scheme creates the scheme of the described server.
func (s *Server) scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, install := range s.installs {
		if err := install(scheme); err != nil {
			return nil, fmt.Errorf("register types: %w", err)
		}
	}
	// The generic server decodes its own options and errors as v1 of the group without a name.
	unversioned := schema.GroupVersion{Version: "v1"}
	metav1.AddToGroupVersion(scheme, unversioned)
	scheme.AddUnversionedTypes(unversioned,
		&metav1.Status{}, &metav1.APIVersions{}, &metav1.APIGroupList{}, &metav1.APIGroup{}, &metav1.APIResourceList{})
	for _, version := range s.stored {
		if !scheme.IsVersionRegistered(version) {
			return nil, fmt.Errorf("store in version %s: no type of it is registered", version)
		}
	}
	return scheme, nil
}
