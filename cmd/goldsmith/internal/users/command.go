// SPDX-License-Identifier: Apache-2.0

// Package users is the verb that adds and removes the users of a data directory, and the rights of their groups. It must never store a token.
package users

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"goldsmith.dev/goldsmith/apiserver/certificates"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/kubeconfig"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/shellword"
)

// packaged is the data directory of the service of the packages.
const packaged = "/var/lib/goldsmith"

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	directory := datadir.Default
	command := &cobra.Command{
		Use:   "user",
		Short: "Manage the users of a server on this machine",
		Long: "Add, list or remove the users of the server whose data directory is on this machine. The server need not run. A running server " +
			"learns of a change at once. Run it as the user of the server, or as root.",
		Example: "  goldsmith user add ann --group edit\n  goldsmith user list --data-dir " + packaged,
	}
	adding := &cobra.Command{
		Use:   "add NAME --group GROUP",
		Short: "Add a user, and write the user's kubeconfig",
		Long: "Add a user with the rights of groups, in all namespaces. The groups view, edit and admin have the rights of a cluster's roles of these " +
			"names, and system:masters has all rights. No group is the default, so that nobody gets rights by accident. " +
			"The kubeconfig has the user's token, which is stored nowhere else.",
		Example: "  goldsmith user add ann --group edit\n  sudo goldsmith user add ann --group view --data-dir " + packaged + " --output ann.kubeconfig",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
	}
	var groups []string
	var file string
	adding.Flags().StringSliceVar(&groups, "group", nil, "`group` of the user: "+strings.Join(Groups(), ", ")+"; comma-separated or repeated; required")
	adding.Flags().StringVar(&file, "output", "", "new `file` for the kubeconfig, or - for standard output (default DATA-DIR/kubeconfigs/NAME)")
	adding.RunE = func(command *cobra.Command, args []string) error {
		data, err := findDataDirectory(command, directory)
		if err != nil {
			return err
		}
		return data.add(command.Context(), args[0], groups, file, command.OutOrStdout())
	}
	listing := &cobra.Command{
		Use:     "list",
		Short:   "List the users and their groups",
		Example: "  goldsmith user list\n  sudo goldsmith user list --data-dir " + packaged,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			data, err := findDataDirectory(command, directory)
			if err != nil {
				return err
			}
			return data.list(command.OutOrStdout(), command.ErrOrStderr())
		},
	}
	removing := &cobra.Command{
		Use:     "remove NAME",
		Short:   "Remove a user, whose access ends at once",
		Long:    "Remove a user. A running server refuses the user's next request, and ends the watches and logs that the user follows.",
		Example: "  goldsmith user remove ann\n  sudo goldsmith user remove ann --data-dir " + packaged,
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			data, err := findDataDirectory(command, directory)
			if err != nil {
				return err
			}
			return data.remove(command.Context(), args[0], command.OutOrStdout())
		},
		ValidArgsFunction: func(command *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			data, err := findDataDirectory(command, directory)
			if err != nil || len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			users, _ := data.users() // without them, there is nothing to complete
			for _, user := range users {
				names = append(names, user.Name)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
	for _, child := range []*cobra.Command{adding, listing, removing} {
		child.Flags().StringVar(&directory, "data-dir", datadir.Default, "data directory of the server")
		command.AddCommand(child)
	}
	if err := adding.RegisterFlagCompletionFunc("group", cobra.FixedCompletions(Groups(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // only of a flag that the command has not
	}
	return command
}

// dataDirectory is a data directory that a server has used.
type dataDirectory struct {
	path    string
	address string
}

// findDataDirectory returns the data directory that a flag names.
func findDataDirectory(command *cobra.Command, path string) (*dataDirectory, error) {
	data := &dataDirectory{path: path}
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && !command.Flags().Changed("data-dir") {
		if _, missing := os.Stat(packaged); missing == nil {
			return nil, fmt.Errorf("this directory has no %s: for the server of this machine, add --data-dir %s", path, packaged)
		}
	}
	if err == nil {
		data.path, err = filepath.Abs(path)
	}
	if err == nil {
		err = data.asOwner(data.readAddress)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("no server has used the data directory %s yet: first start it with `goldsmith up --data-dir %s`, or with systemctl", path, shellword.Quote(path))
	case err != nil:
		return nil, fmt.Errorf("read the data directory: %w", err)
	}
	return data, nil
}

func (d *dataDirectory) readAddress() error {
	path := filepath.Join(d.path, "server", "address")
	content, err := datadir.ReadFile(path, syscall.O_NOFOLLOW)
	if err != nil {
		return err
	}
	address, err := netip.ParseAddrPort(strings.TrimSpace(string(content)))
	if err != nil || !address.Addr().IsLoopback() {
		return fmt.Errorf("%s has no loopback address: restart the server, which writes the file", path)
	}
	d.address = address.String()
	return nil
}

// asOwner accesses the data directory as its owner, if root calls it.
func (d *dataDirectory) asOwner(access func() error) error {
	return datadir.Explain(d.path, datadir.AsOwner(d.path, access))
}

func (d *dataDirectory) kubeconfig(name string) string {
	return filepath.Join(d.path, "kubeconfigs", name)
}

// add adds a user, and writes the kubeconfig to a new file, to out for "-", or to the data directory for "".
func (d *dataDirectory) add(ctx context.Context, name string, groups []string, file string, out io.Writer) (err error) {
	if err := CheckName(name); err != nil {
		return fmt.Errorf("user %q: %w", name, err)
	}
	if err := checkGroups(groups); err != nil {
		return fmt.Errorf("--group: %w", err)
	}
	stored := file == ""
	if stored {
		file = d.kubeconfig(name)
	}
	var authority []byte
	err = d.asOwner(func() (err error) {
		if token := filepath.Join(d.path, "server", "users", name); exists(token) {
			return fmt.Errorf("user %s has a token of `goldsmith up --user %[1]s`: choose another name, or start the server without the flag and delete %s", name, shellword.Quote(token))
		}
		bundle, err := datadir.ReadFile(filepath.Join(d.path, "server", certificates.CertificateFile), syscall.O_NOFOLLOW)
		if err == nil {
			authority, err = certificates.AuthorityOf(bundle)
		}
		if err == nil && stored {
			err = kubeconfig.Check(file)
		}
		return err
	})
	if err != nil {
		return err
	}
	encode := func(token string) *clientcmdapi.Config {
		return kubeconfig.New((&url.URL{Scheme: "https", Host: d.address}).String(), token, authority)
	}
	var token string
	store := func() error {
		return d.asOwner(func() (err error) {
			token, err = add(ctx, d.path, name, groups, time.Now())
			return err
		})
	}
	write := func(to io.Writer) error {
		content, err := clientcmd.Write(*encode(token))
		if err == nil {
			_, err = to.Write(content)
		}
		return err
	}
	added := func(err error) error {
		if err != nil {
			err = fmt.Errorf("%w: the user is added: remove it before another try", err)
		}
		return err
	}
	switch {
	case stored:
		if err := store(); err != nil {
			return err
		}
		if err := d.asOwner(func() error { return kubeconfig.Write(file, encode(token)) }); err != nil {
			return added(err)
		}
	case file == "-":
		if err := store(); err != nil {
			return err
		}
		return added(write(out))
	default:
		created, err := create(file)
		if err != nil {
			return err
		}
		if err := store(); err != nil {
			return errors.Join(err, created.Close(), os.Remove(file))
		}
		if err := errors.Join(write(created), created.Close()); err != nil {
			return added(err)
		}
	}
	_, err = fmt.Fprintf(out, "user %s added to %s\nkubeconfig: %s\n", name, strings.Join(groups, ", "), file)
	return err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// create creates a file that only its owner can read.
func create(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s exists: remove it, or name another file", path)
	}
	if err != nil {
		return nil, fmt.Errorf("write the kubeconfig: %w", err)
	}
	if err := giveToCaller(file); err != nil {
		return nil, errors.Join(fmt.Errorf("write the kubeconfig: %w", err), file.Close(), os.Remove(path))
	}
	return file, nil
}

// giveToCaller gives a new file of root to the user who called sudo, if its directory belongs to that user.
func giveToCaller(file *os.File) error {
	info, err := os.Stat(filepath.Dir(file.Name()))
	if err != nil {
		return err
	}
	owner, _ := info.Sys().(*syscall.Stat_t)
	if os.Geteuid() != 0 || strconv.Itoa(int(owner.Uid)) != os.Getenv("SUDO_UID") {
		return nil
	}
	return file.Chown(int(owner.Uid), int(owner.Gid))
}

func (d *dataDirectory) users() (users []User, err error) {
	err = d.asOwner(func() (err error) {
		users, err = Read(d.path)
		return err
	})
	return users, err
}

func (d *dataDirectory) list(out, notices io.Writer) error {
	users, err := d.users()
	if err != nil {
		return err
	}
	if len(users) == 0 {
		_, err := fmt.Fprintln(notices, "no users: `goldsmith user add NAME --group GROUP` adds one")
		return err
	}
	var rows [][]any
	for _, user := range users {
		rows = append(rows, []any{user.Name, strings.Join(user.Groups, ","), user.Created.UTC().Format(time.RFC3339)})
	}
	return output.Table([]string{"Name", "Groups", "Created"}, rows, out)
}

func (d *dataDirectory) remove(ctx context.Context, name string, out io.Writer) error {
	err := d.asOwner(func() error {
		if err := remove(ctx, d.path, name); err != nil {
			return err
		}
		path := d.kubeconfig(name)
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	if err == nil {
		_, err = fmt.Fprintf(out, "user %s removed\n", name)
	}
	return err
}
