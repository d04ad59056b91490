// SPDX-License-Identifier: Apache-2.0

// Package keys is the verb that makes and lists SigningKeys, prints their public keys, and signs files with private keys that are no SigningKeys. It never
// prints a private key.
package keys

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	days "goldsmith.dev/goldsmith/cmd/internal/duration"
)

const (
	all  = "<all>"
	none = "<none>"
	// patience is how long create waits for the signer by default.
	patience = 30 * time.Second
	// maxKeyBytes is the maximum size of a file with a private key.
	maxKeyBytes = 64 << 10
)

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "keys",
		Short: "Manage the keys that sign what Goldsmith states about artifacts",
		Long: "Make a SigningKey, list all, or print the public key of one. A SigningKey signs the statements about the artifacts of builds in the " +
			"namespaces that it selects. Its private key is in a Secret that only goldsmith-signer reads, or `goldsmith up`.\n\n" +
			"`goldsmith keys sign` signs a file with a private key of your own, without a server.",
		Example: "  goldsmith keys create release\n  goldsmith keys get release > release.pub",
	}
	command.AddCommand(newCreateCommand(clock.RealClock{}), newListCommand(clock.RealClock{}), newGetCommand(), newSignCommand())
	return command
}

func newCreateCommand(now clock.PassiveClock) *cobra.Command {
	var wanted request
	var selector, notAfter, file string
	var validity, timeout time.Duration
	command := client.NewVerb(&cobra.Command{
		Use:   "create NAME",
		Short: "Make a key, and wait until the signer has published its public key",
		Long: "Make the Secret NAME-signing-key with a new private key, and the SigningKey NAME. Then wait until the signer has published the public " +
			"key. By default the key signs the builds of all namespaces, without an end. The command overwrites nothing: after a failure, " +
			"repeat it, and it uses the private key that it has stored. It needs permission to create Secrets in the namespace of the signer, and SigningKeys.\n\n" +
			"To replace a key, make the next one, wait until every verifier has it, and then set spec.notAfter of the first one.",
		Example: "  goldsmith keys create release --valid-for 365d\n" +
			"  goldsmith keys create red --namespaces team=red --not-after 2027-12-31\n" +
			"  goldsmith keys create imported --from-file cosign.pem",
		Args: client.OneName("the NAME of the new SigningKey", client.Text), ValidArgsFunction: cobra.NoFileCompletions,
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		wanted.name = args[0]
		var err error
		if wanted.selector, err = parseSelector(selector, client.FlagsOf(command).Namespace); err != nil {
			return err
		}
		if wanted.notAfter, err = parseEnd(notAfter, validity, now.Now()); err != nil {
			return err
		}
		if wanted.file = file; file != "" {
			if wanted.private, err = readKey(file); err != nil {
				return fmt.Errorf("--from-file: %w", err)
			}
		}
		made, err := newCreator(connection)
		if err != nil {
			return err
		}
		ctx, stop := context.WithTimeout(command.Context(), timeout)
		defer stop()
		return made.create(ctx, wanted, timeout, command.OutOrStdout(), command.ErrOrStderr())
	})
	flags := command.Flags()
	flags.Lookup("namespace").Usage = "namespace whose builds the key signs (default: all namespaces)"
	flags.StringVar(&selector, "namespaces", "", "`selector` of the namespaces whose builds the key signs, by their labels, such as team=red (default: all namespaces)")
	flags.StringVar(&notAfter, "not-after", "", "`time` from which the key signs nothing, such as 2027-12-31 or 2027-12-31T12:00:00Z (default: no end)")
	days.Var(flags, &validity, "valid-for", 0, "time until the key signs nothing, such as 365d; 0 is no end")
	flags.StringVar(&file, "from-file", "", "`file` with an existing private key: ECDSA on the curve P-256, in PEM, without a passphrase (default: a new key)")
	flags.StringVar(&wanted.namespace, "signer-namespace", v1alpha1.SystemNamespace, "namespace of goldsmith-signer, where the Secret is stored")
	flags.DurationVar(&timeout, "timeout", patience, "time limit, which includes the wait for the signer")
	command.MarkFlagsMutuallyExclusive("namespaces", "namespace")
	command.MarkFlagsMutuallyExclusive("not-after", "valid-for")
	return command
}

// readKey reads a file with a private key, which is small.
func readKey(path string) ([]byte, error) {
	text, err := artifacts.ReadFile(path, maxKeyBytes)
	if errors.Is(err, artifacts.ErrTooLarge) {
		err = fmt.Errorf("%w, and is not a private key", err)
	}
	return text, err
}

// parseSelector returns the selector of namespaces. Nil selects all.
func parseSelector(labels, namespace string) (*metav1.LabelSelector, error) {
	switch {
	case namespace != "":
		return &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}}, nil
	case labels == "":
		return nil, nil
	}
	selector, err := metav1.ParseToLabelSelector(labels)
	if err != nil {
		return nil, fmt.Errorf("--namespaces %q: %w: set a selector such as team=red", labels, err)
	}
	return selector, nil
}

// parseEnd returns the time from which a key signs nothing. Nil is no end.
func parseEnd(text string, validity time.Duration, now time.Time) (*metav1.Time, error) {
	if text != "" {
		for _, layout := range []string{time.RFC3339, time.DateOnly} {
			if end, err := time.Parse(layout, text); err == nil {
				return &metav1.Time{Time: end}, nil
			}
		}
		return nil, fmt.Errorf("--not-after %q: must be a date such as 2027-12-31, or a time such as 2027-12-31T12:00:00Z", text)
	}
	switch {
	case validity < 0:
		return nil, fmt.Errorf("--valid-for %s: must be 0 (no end) or greater", validity)
	case validity == 0:
		return nil, nil
	}
	return &metav1.Time{Time: now.Add(validity).UTC().Truncate(time.Second)}, nil
}

func newListCommand(now clock.PassiveClock) *cobra.Command {
	var format output.Format
	command := client.NewVerb(&cobra.Command{
		Use:   "list",
		Short: "List the SigningKeys, and whether the signer can sign with them",
		Long: "List the SigningKeys. KEY ID is the beginning of the digest of the public key. READY is True if the signer can sign with the key, and " +
			"REASON tells why. EXPIRES is the time from which the key signs nothing. NAMESPACES selects the namespaces whose builds the key signs.",
		Example: "  goldsmith keys list\n  goldsmith keys list -o yaml",
		Args:    cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
	}, func(command *cobra.Command, connection *client.Connection, _ []string) error {
		return list(command.Context(), connection, format, now.Now(), command.OutOrStdout(), command.ErrOrStderr())
	})
	format.AddTo(command)
	return command
}

func list(ctx context.Context, connection *client.Connection, format output.Format, now time.Time, out, stderr io.Writer) error {
	keys, err := connection.ImagesV1alpha1().SigningKeys().List(ctx, metav1.ListOptions{})
	switch {
	case err != nil:
		return fmt.Errorf("list SigningKeys: %w", err)
	case format.ForPrograms():
		return format.Print(keys, out)
	case len(keys.Items) == 0:
		_, err := fmt.Fprintln(stderr, "there are no SigningKeys: make one with `goldsmith keys create NAME`")
		return err
	}
	var rows [][]any
	for i := range keys.Items {
		key := &keys.Items[i]
		ready, reason := string(metav1.ConditionUnknown), none
		if condition := meta.FindStatusCondition(key.Status.Conditions, v1alpha1.SigningKeyReady); condition != nil {
			ready, reason = string(condition.Status), condition.Reason
		}
		id, expires := none, none
		if key.Status.KeyID != "" {
			id = fmt.Sprintf("%.12s", strings.TrimPrefix(key.Status.KeyID, "sha256:"))
		}
		if key.Spec.NotAfter != nil {
			expires = key.Spec.NotAfter.UTC().Format(time.RFC3339)
		}
		rows = append(rows, []any{key.Name, id, ready, reason, expires, namespacesOf(key), duration.HumanDuration(now.Sub(key.CreationTimestamp.Time))})
	}
	return output.Table([]string{"Name", "Key ID", "Ready", "Reason", "Expires", "Namespaces", "Age"}, rows, out)
}

// namespacesOf returns the selector of a key, for people.
func namespacesOf(key *v1alpha1.SigningKey) string {
	selector := key.Spec.NamespaceSelector
	if selector == nil || len(selector.MatchLabels)+len(selector.MatchExpressions) == 0 {
		return all
	}
	return metav1.FormatLabelSelector(selector)
}

func newGetCommand() *cobra.Command {
	var format output.Format
	command := client.NewVerb(&cobra.Command{
		Use:   "get NAME",
		Short: "Print the public key of a SigningKey, for cosign and others",
		Long: "Print the public key of a SigningKey in PEM, as cosign verify --key and podman take it. An expired key is printed, too: it verifies " +
			"what it has signed. With -o, the command prints the SigningKey.",
		Example: "  goldsmith keys get release > release.pub\n  goldsmith keys get release -o yaml",
		Args:    client.OneName("the NAME of a SigningKey", client.Text), ValidArgsFunction: completion.Arguments(listNames),
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		return get(command.Context(), connection, args[0], format, command.OutOrStdout())
	})
	format.AddTo(command)
	return command
}

// listNames lists the names of SigningKeys.
func listNames(ctx context.Context, connection *client.Connection, _ []string) ([]string, error) {
	keys, err := connection.ImagesV1alpha1().SigningKeys().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range keys.Items {
		names = append(names, cobra.CompletionWithDesc(keys.Items[i].Name, namespacesOf(&keys.Items[i])))
	}
	return names, nil
}

func get(ctx context.Context, connection *client.Connection, name string, format output.Format, out io.Writer) error {
	key, err := connection.ImagesV1alpha1().SigningKeys().Get(ctx, name, metav1.GetOptions{})
	switch {
	case client.IsNotFound(err, "signingkeys", name):
		return fmt.Errorf("no SigningKey named %s: `goldsmith keys list` lists all", name)
	case err != nil:
		return fmt.Errorf("get SigningKey %s: %w", name, err)
	case format.ForPrograms():
		return format.Print(key, out)
	case key.Status.PublicKey == "":
		return unpublished(key)
	}
	_, err = io.WriteString(out, key.Status.PublicKey)
	return err
}

// unpublished returns the error for a SigningKey without a public key.
func unpublished(key *v1alpha1.SigningKey) error {
	if ready := meta.FindStatusCondition(key.Status.Conditions, v1alpha1.SigningKeyReady); ready != nil && ready.Status != metav1.ConditionTrue {
		return fmt.Errorf("SigningKey %s has no public key: the signer reports %s: %s", key.Name, ready.Reason, ready.Message)
	}
	return fmt.Errorf("SigningKey %s has no public key yet, because no signer has read it: %s", key.Name, lookAtTheSigner)
}

const lookAtTheSigner = "in a cluster, check the Deployment goldsmith-signer; elsewhere, restart `goldsmith up`"
