// SPDX-License-Identifier: Apache-2.0

// Package certificates creates the serving certificates of Goldsmith's programs, and replaces them before they expire. It does
// so with cert-controller. Each certificate is stored in a Secret with a certificate authority (CA) of its own. The CA of the
// API server is also stored in the APIServices. A Secret that is emptied, damaged or deleted is filled again.
//
// The package works before there is any certificate: it uses neither Goldsmith's API nor a mounted Secret. A pod that mounts one
// of the Secrets waits until the Secret is filled.
//
// A new certificate has the same CA as the certificate before it, so both work while the new one is distributed. A CA is
// replaced only if it is lost, or about to expire after ten years. For a moment clients then trust the old CA while servers
// use the new one.
package certificates

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"goldsmith.dev/goldsmith/controllers/election"
	"goldsmith.dev/goldsmith/controllers/outages"
)

const (
	// lease is the name of the Lease whose holder creates certificates.
	lease = "goldsmith-certificates"
	// fieldOwner of the bundle in an APIService.
	fieldOwner = "goldsmith-controller"
	// authorityValidity is how long an authority is valid.
	authorityValidity = 10 * 365 * 24 * time.Hour
	// maxCheckInterval is the longest time between two checks of the certificates.
	maxCheckInterval = 12 * time.Hour
)

// MinValidity is the shortest validity of a certificate. A new certificate must reach its server while the old one is valid, and a
// kubelet may take a minute or two to update a mounted Secret.
const MinValidity = 10 * time.Minute

// Options say where certificates are kept and for how long they are valid. All are required, but for Election.
type Options struct {
	// Config reaches the cluster.
	Config *rest.Config
	// Namespace of the Secrets, and of the Services that their certificates are for.
	Namespace string
	// Validity of the certificates, at least MinValidity. They are replaced when a third of it is left.
	Validity time.Duration
	// Directory is where ControllerSecret is mounted. The process ends with an error if the certificate is missing there some
	// minutes after the Secret was filled.
	Directory string
	// Election elects one of several processes, which alone creates certificates. Defaults to none, for a single process.
	Election *election.Options
	// Outages logs which APIs are unavailable.
	Outages *outages.Monitor
	// Logger of this package.
	Logger logr.Logger
}

// Run creates and replaces certificates until ctx is done.
func Run(ctx context.Context, options Options) error {
	options.Config = options.Outages.Wrap(options.Config)
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return fmt.Errorf("register Secrets: %w", err)
	}
	settings := ctrl.Options{
		Scheme:         scheme,
		MapperProvider: mapper,
		Cache:          cache.Options{DefaultNamespaces: map[string]cache.Config{options.Namespace: {}}},
		Metrics:        server.Options{BindAddress: "0"},
		Logger:         options.Logger,
	}
	mgr, err := options.Election.NewManager(options.Config, settings, lease, options.Outages)
	if err != nil {
		return fmt.Errorf("create the manager of certificates: %w", err)
	}
	secrets := &secrets{client: mgr.GetClient(), namespace: options.Namespace}
	for _, certificate := range all(options.Namespace) {
		secrets.names = append(secrets.names, certificate.secret)
		if err := rotator.AddRotator(narrowed{mgr, certificate.secret}, options.rotator(certificate)); err != nil {
			return fmt.Errorf("certificate %s: %w", certificate.secret, err)
		}
	}
	if err := secrets.addTo(mgr); err != nil {
		return err
	}
	if err := secrets.prepare(ctx, mgr.GetAPIReader()); err != nil {
		return err
	}
	return start(ctx, mgr)
}

// rotator creates and replaces one certificate. cert-controller expects the certificate as a mounted file, to know that it has been
// distributed. Only this process's own certificate is mounted here, so it stands for all of them.
func (o Options) rotator(certificate certificate) *rotator.CertRotator {
	lookahead := o.Validity / 3
	made := &rotator.CertRotator{
		SecretKey:              types.NamespacedName{Namespace: o.Namespace, Name: certificate.secret},
		ControllerName:         certificate.secret,
		CertDir:                o.Directory,
		CAName:                 certificate.secret + "-ca",
		CAOrganization:         "goldsmith",
		DNSName:                certificate.names[0],
		ExtraDNSNames:          certificate.names[1:],
		ExtKeyUsages:           &certificate.usages,
		CaCertDuration:         authorityValidity,
		ServerCertDuration:     o.Validity,
		LookaheadInterval:      lookahead,
		RotationCheckFrequency: min(lookahead/8, maxCheckInterval),
		FieldOwner:             fieldOwner,
		RequireLeaderElection:  true,
		IsReady:                make(chan struct{}),
	}
	for _, name := range certificate.apiServices {
		made.Webhooks = append(made.Webhooks, rotator.WebhookInfo{Type: rotator.APIService, Name: name})
	}
	return made
}

// mapper has the resources that are used, so that no discovery request is needed.
func mapper(*rest.Config, *http.Client) (meta.RESTMapper, error) {
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{corev1.SchemeGroupVersion, apiServiceKind.GroupVersion()})
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Secret"), meta.RESTScopeNamespace)
	mapper.Add(apiServiceKind, meta.RESTScopeRoot)
	return mapper, nil
}

// start runs the manager until ctx is done.
func start(ctx context.Context, mgr manager.Manager) error {
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("create certificates: %w", err)
	}
	return nil
}
