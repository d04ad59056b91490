// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Confinement restricts, on a kernel with Landlock, what a command and all processes that it starts can do. They read no memory and no environment of
// other processes, and those of root have the capabilities of a container. All paths are absolute and have no links.
type Confinement struct {
	// Hidden are files and directories that the command cannot read, nor anything below them. It cannot list the directories above
	// them either, because Landlock grants rights on a directory with everything below it.
	Hidden []string `json:"hidden"`
	// Readable are exceptions from Hidden.
	Readable []string `json:"readable,omitempty"`
	// Writable are the directories and files that the command can change, besides devices. It can read them too.
	Writable []string `json:"writable,omitempty"`
}

const (
	// LandlockTruncate is the first version of Landlock that restricts the truncation of files.
	LandlockTruncate = 3
	// LandlockSignals is the first version of Landlock that restricts signals to processes outside.
	LandlockSignals = 6
	// LandlockSockets is the first version of Landlock that restricts connections to sockets outside.
	LandlockSockets = 9

	readAccess = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR |
		unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX
	writeAccess = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_MAKE_SYM |
		unix.LANDLOCK_ACCESS_FS_REFER | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	// fileAccess are the rights that a rule for a file can have.
	fileAccess = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX
	// deviceAccess are the rights on devices, which are not created.
	deviceAccess = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
)

// devices can be written by every command, within the permissions of the user.
var devices = []string{
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts", "/dev/kvm", "/dev/fuse", "/dev/net/tun",
}

// LandlockVersion returns the version of the kernel's Landlock, or 0 without Landlock.
func LandlockVersion() int {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(version)
}

// apply restricts the calling thread, which cannot be undone. It does nothing without Landlock.
func (c *Confinement) apply() error {
	version := LandlockVersion()
	if version == 0 {
		return nil
	}
	attributes := unix.LandlockRulesetAttr{Handled_access_fs: readAccess | writeAccess}
	if version < 2 {
		attributes.Handled_access_fs &^= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version < LandlockTruncate {
		attributes.Handled_access_fs &^= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version < LandlockSockets {
		attributes.Handled_access_fs &^= unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX
	}
	if version >= LandlockSignals {
		attributes.Scoped = unix.LANDLOCK_SCOPE_SIGNAL
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes), 0) //nolint:gosec // as the kernel wants it
	if errno != 0 {
		return os.NewSyscallError("landlock_create_ruleset", errno)
	}
	rules := ruleset{fd: int(fd), handled: attributes.Handled_access_fs}
	defer func() { _ = unix.Close(rules.fd) }()
	if err := rules.allowOthers("/", c.Hidden); err != nil {
		return err
	}
	for _, path := range devices {
		if err := rules.allow(path, deviceAccess); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, path := range c.Readable {
		if err := rules.allow(path, readAccess); err != nil {
			return err
		}
	}
	for _, path := range c.Writable {
		if err := rules.allow(path, readAccess|writeAccess); err != nil {
			return err
		}
	}
	if err := dropCapabilities(); err != nil {
		return err
	}
	// The flag belongs to a thread.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(rules.fd), 0, 0); errno != 0 {
		return os.NewSyscallError("landlock_restrict_self", errno)
	}
	return nil
}

// ruleset is a Landlock ruleset that is being made.
type ruleset struct {
	fd      int
	handled uint64
}

// allowOthers allows to read everything below a path except the hidden paths. Landlock has no rule that denies, so each neighbour of
// a hidden path, and of the directories above it, gets a rule. A neighbour that is made later cannot be read.
func (r ruleset) allowOthers(path string, hidden []string) error {
	if slices.Contains(hidden, path) {
		return nil
	}
	below := strings.TrimSuffix(path, "/") + "/"
	if !slices.ContainsFunc(hidden, func(other string) bool { return strings.HasPrefix(other, below) }) {
		err := r.allow(path, readAccess)
		for _, lack := range []error{unix.EMFILE, unix.ENFILE, unix.ENOMEM} {
			if errors.Is(err, lack) {
				return err
			}
		}
		return nil // deleted meanwhile, or the command cannot read it anyway: no permission, or a mount whose server is gone
	}
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	for _, entry := range entries {
		if err := r.allowOthers(filepath.Join(path, entry.Name()), hidden); err != nil {
			return err
		}
	}
	return nil
}

// allow allows access to a file, or to a directory with everything below it. It ignores a link, whose target has rules of its own.
func (r ruleset) allow(path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = unix.Close(fd) }()
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		return nil
	case unix.S_IFDIR:
	default:
		access &= fileAccess
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access & r.handled, Parent_fd: int32(fd)}                                                    //nolint:gosec // a file descriptor
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(r.fd), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0) //nolint:gosec // as the kernel wants it
	if errno != 0 {
		return &fs.PathError{Op: "landlock_add_rule", Path: path, Err: errno}
	}
	return nil
}
