// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/archive/clouds"
	"goldsmith.dev/goldsmith/cmd/internal/archives"
	"goldsmith.dev/goldsmith/cmd/internal/builders"
	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
	"goldsmith.dev/goldsmith/cmd/internal/duration"
	"goldsmith.dev/goldsmith/cmd/internal/flagvalue"
	"goldsmith.dev/goldsmith/cmd/internal/limits"
	"goldsmith.dev/goldsmith/cmd/internal/logarchive"
	"goldsmith.dev/goldsmith/cmd/internal/memory"
	"goldsmith.dev/goldsmith/cmd/internal/records"
	"goldsmith.dev/goldsmith/cmd/internal/registries"
	"goldsmith.dev/goldsmith/cmd/internal/results"
	"goldsmith.dev/goldsmith/cmd/internal/retention"
	"goldsmith.dev/goldsmith/cmd/internal/sources"
	"goldsmith.dev/goldsmith/controllers/certificates"
)

// options are the values of the flags.
type options struct {
	kubeconfig string
	builders   builders.Flags
	limits     limits.Flags
	logArchive logarchive.Flags
	records    records.Flags
	results    results.Flags
	retention  retention.Flags
	registries registries.Flags
	archives   archives.Flags
	sources    sources.Flags

	archiveNamespace string
	publisherImage   string

	leaderElect          bool
	leaderElectNamespace string

	metricsAddress string
	healthAddress  string

	certificates         bool
	certificateDirectory string
	certificateValidity  time.Duration

	verbosity int
}

// newCommand returns the command. log returns its logger, from the standard error of the command and the verbosity.
func newCommand(log func(out io.Writer, verbosity int) (logr.Logger, error)) *cobra.Command {
	o := &options{logArchive: logarchive.Flags{Clouds: clouds.Open}}
	command := &cobra.Command{
		Use:           "goldsmith-controller",
		Short:         "Run Goldsmith's controllers in a cluster",
		Version:       buildversion.Get(version),
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			memory.Manage(command.Context())
			logger, err := log(command.ErrOrStderr(), o.verbosity)
			if err != nil {
				return err
			}
			return o.run(command.Context(), logger)
		},
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagvalue.Explain(err) })
	command.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	o.addTo(command.Flags())
	command.AddCommand(append(newTransferCommands(), newTrialCommand(), newSignCommand(log))...)
	return command
}

func (o *options) addTo(flags *pflag.FlagSet) {
	o.addKubeconfigTo(flags)
	o.builders.AddTo(flags)
	o.limits.AddTo(flags, "no limit")
	o.logArchive.AddTo(flags, "none")
	o.records.AddTo(flags, "none")
	o.results.AddTo(flags)
	o.retention.AddTo(flags)
	o.registries.AddTo(flags)
	o.archives.AddTo(flags)
	o.sources.AddTo(flags)
	flags.StringVar(&o.archiveNamespace, "archive-namespace", v1alpha1.ArchiveNamespace, "namespace of the Jobs that check archives, which must exist")
	flags.StringVar(&o.publisherImage, "publisher-image", "",
		"container image of the containers that push the artifacts of builds with spec.output, and fetch the artifacts of bases; default: the image of this process's pod")
	flags.BoolVar(&o.leaderElect, "leader-elect", true,
		"leader election with a Lease, so that several of these processes can run; "+
			"$POD_NAME, if set, identifies this process, which then continues without waiting after a restart")
	flags.StringVar(&o.leaderElectNamespace, "leader-elect-namespace", "", "namespace of the Leases, and of the Secrets with certificates; default: the namespace that this process runs in")
	flags.BoolVar(&o.certificates, "certificates", false,
		"creation and renewal of the serving certificates and CAs of Goldsmith's programs, in Secrets and the APIService")
	duration.Var(flags, &o.certificateValidity, "certificate-validity", 365*24*time.Hour,
		"validity of serving certificates, such as 90d; each certificate is replaced when a third of this time is left")
	o.addAddressesTo(flags)
}

func (o *options) addKubeconfigTo(flags *pflag.FlagSet) {
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig of the cluster; default: the cluster that this process runs in")
}

// addAddressesTo adds the flags of what each process serves and logs.
func (o *options) addAddressesTo(flags *pflag.FlagSet) {
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8443",
		"address of /metrics, with TLS, for users with permission to get /metrics in the cluster; 0 turns it off")
	flags.StringVar(&o.healthAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 turns it off")
	flags.StringVar(&o.certificateDirectory, "certificate-directory", "",
		"directory with tls.crt and tls.key for /metrics, read again when they change; default: a generated certificate that no client can verify")
	flags.IntVarP(&o.verbosity, "v", "v", 0, "verbosity of the log on stderr")
}

func (o *options) validate() error {
	wrong := validation.IsDNS1123Label(o.archiveNamespace)
	switch {
	case len(wrong) > 0:
		return fmt.Errorf("--archive-namespace %q: must be the name of a namespace: %s", o.archiveNamespace, wrong[0])
	case o.certificates && o.certificateDirectory == "":
		return errors.New("--certificates needs --certificate-directory, the directory with the certificate of this process")
	case o.certificateValidity < certificates.MinValidity:
		return fmt.Errorf("--certificate-validity must be at least %s, not %s", certificates.MinValidity, o.certificateValidity)
	}
	return o.registries.Check()
}
