// SPDX-License-Identifier: Apache-2.0

package up

import (
	"bytes"
	"context"
	_ "embed" // for the landing page
	"errors"
	"io"
	"net"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/storage/value"

	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/certificates"
	"goldsmith.dev/goldsmith/apiserver/corekinds"
	"goldsmith.dev/goldsmith/apiserver/registry/catalog"
	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/apiserver/storage/memory"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/cmd/internal/advisories"
	"goldsmith.dev/goldsmith/cmd/internal/limits"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/records"
)

const serverName = "goldsmith"

// landingPage tells somebody who opens the server's address in a browser what to do instead. Everybody on this machine can read it.
//
//go:embed landing.html
var landingPage []byte

// describeServer configures the APIs of the server, but neither its address nor its users.
func describeServer(allowed inputs.Builders, kinds *catalog.Configuration, limited limits.Flags, archived *archive.Store, recorded *records.Connection, kept *artifacts.Store,
	known *advisories.Flags, tokens *builderTokens, version string, logs corekinds.LogOpener) *builder.Server {
	options := apiserver.Options{
		Builders:        func() (inputs.Builders, error) { return allowed, nil },
		Kinds:           kinds,
		Local:           true,
		Artifacts:       keptArtifacts{kept},
		Queue:           limited.Read,
		LogArchive:      func() (*archive.Store, error) { return archived, nil },
		Version:         version,
		PublisherTokens: tokens,
		Advisories:      known.Advisories,
		Records:         apiserver.ConnectRecords(func(context.Context) (*records.Connection, error) { return recorded, nil }),
	}
	return corekinds.Register(apiserver.Register(builder.New(serverName), options), logs)
}

// keptArtifacts gives the server the contents of the store.
type keptArtifacts struct{ *artifacts.Store }

// Open opens the content with a digest.
func (k keptArtifacts) Open(_ context.Context, digest string) (io.ReadSeekCloser, error) {
	blob, err := k.OpenBlob(digest)
	if err != nil {
		return nil, err
	}
	return blob, nil
}

// startServer starts the API server with its storage, and returns once it is ready.
func (s *system) startServer(ctx context.Context, listener net.Listener, users *serverUsers, logs corekinds.LogOpener) (*builder.Running, error) {
	server := users.admit(describeServer(s.builders.Allowed(), s.kinds.Configuration, s.options.Limits, s.logs, s.records, s.artifacts, &s.options.Advisories, users.builders, s.options.Version, logs)).
		WithOpenAPI("", s.options.Version).
		WithListener(listener).WithStorage(s.storage()).WithWriter(s.options.Out).WithLandingPage(landingPage)
	if !s.options.Memory {
		server.WithCertificateDirectory(s.data.Join("server")).
			WithEncryption(corev1.Resource("secrets"), func(ctx context.Context, stored builder.Encrypted) (value.Transformer, error) {
				return s.data.OpenEncryption(ctx, stored, s.options.DiscardSecrets, s.options.Notices)
			})
	}
	options, err := server.ToServerOptions()
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	options.ServerRun.CorsAllowedOriginList = s.options.Origins
	if !s.options.Memory {
		if err := s.data.CheckStorage(); err != nil {
			return nil, errors.Join(err, listener.Close())
		}
	}
	bundle, _ := os.ReadFile(s.data.Join("server", certificates.CertificateFile)) // fails at the first start
	former, _ := certificates.AuthorityOf(bundle)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running *builder.Running
	err = s.options.await("the storage, which reads its files", func() (err error) {
		running, err = options.Start(serving)
		return err
	})
	if err != nil {
		stop()
		return nil, err
	}
	if !s.options.Memory {
		s.tellOfAuthority(ctx, former, running.CertificateAuthority())
	}
	s.components.start(ctx, "API server", func(ctx context.Context) error {
		context.AfterFunc(ctx, stop)
		return running.Wait()
	})
	return running, s.options.await("the API server to be ready", func() error { return running.WaitReady(ctx) })
}

// tellOfAuthority tells that kubeconfigs are void, or will be. Those of --user are written at each start.
func (s *system) tellOfAuthority(ctx context.Context, former, current []byte) {
	const again = "remove each user of `goldsmith user list` and add it again"
	if former != nil && !bytes.Equal(former, current) {
		s.problem(ctx, "the authority of the certificate was about to expire, or its files are damaged: the server has a new one, and kubeconfigs of `goldsmith user add` are void: "+
			"if the clock is wrong, stop the server, correct the clock and restore "+s.data.Join("server")+"/*.former; else "+again)
	} else if _, err := os.Stat(s.data.Join("server", "apiserver-ca.key")); err != nil {
		s.problem(ctx, "a version without apiserver-ca.key made the certificate: the first start within 30 days of its end makes kubeconfigs of `goldsmith user add` void: then "+again)
	}
}

func (s *system) storage() builder.StorageBackend {
	interval := s.options.CompactionInterval
	if interval == 0 {
		interval = etcd.DefaultCompactionInterval
	}
	if s.options.Memory {
		return builder.Memory(memory.WithCompactionInterval(interval))
	}
	return builder.EmbeddedEtcd(s.data.Join("storage"), etcd.WithCompactionInterval(interval))
}
