// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"archive/tar"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed customize.sh
var customize []byte

//go:embed unpack.sh
var unpack []byte

//go:embed hostname.sh
var hostname []byte

//go:embed first-boot.sh
var firstBoot []byte

//go:embed first-boot.service
var firstBootUnit []byte

const (
	modeFile      = 0o644
	modeProgram   = 0o755
	modePrivate   = 0o600
	modeSudoers   = 0o440
	modeDirectory = 0o755
)

// grubConfig has the boot menu. The kernel's package keeps the links /vmlinuz and /initrd.img, so that it is right after updates, too.
const grubConfig = `set timeout=0
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
menuentry Debian {
  linux /vmlinuz root=UUID=%[1]s ro console=tty0 console=ttyS0,115200%[2]s
  initrd /initrd.img
}
menuentry 'Debian, previous kernel' {
  linux /vmlinuz.old root=UUID=%[1]s ro console=tty0 console=ttyS0,115200%[2]s
  initrd /initrd.img.old
}
`

// keygenCondition lets a machine make its SSH host keys whenever it has none. The unit of Debian does so at the first boot only, and for systemd
// no boot is the first one if the file /etc/machine-id is there.
const keygenCondition = "[Unit]\nConditionFirstBoot=\nConditionPathExists=!/etc/ssh/ssh_host_ed25519_key\n"

// plan is what customize.sh applies to the root file system after the packages are installed.
type plan struct {
	config   *configuration
	rootUUID string
	packages []string
	machine  string          // the list of sources for apt of the machine, or empty: that of the base stays
	files    map[string]file // by their paths in the image
	scripts  []script        // in their order
	kept     bool            // the packages are installed already, in the tar that is unpacked
	// simulated is whether apt only tells which packages it would install. Nothing else of the plan is applied then.
	simulated bool
}

type script struct {
	name string
	file file
}

// newPlan sorts the files of the image, and adds those that every image has.
func newPlan(c *configuration, files map[string]file, rootUUID string) *plan {
	p := &plan{config: c, rootUUID: rootUUID, packages: c.include()}
	own := map[string]string{}
	if !c.based {
		own["etc/fstab"] = "UUID=" + rootUUID + " / ext4 errors=remount-ro,x-systemd.growfs 0 1\n"
		own["etc/systemd/system/sshd-keygen.service.d/missing.conf"] = keygenCondition
		own["etc/systemd/network/80-dhcp.network"] = "[Match]\nName=en* eth*\n\n[Network]\nDHCP=yes\n"
	}
	if !c.based || c.arguments != "" {
		own["boot/grub/grub.cfg"] = fmt.Sprintf(grubConfig, rootUUID, strings.TrimSuffix(" "+c.arguments, " "))
	}
	if c.hostname != "" {
		own["etc/hostname"] = c.hostname + "\n"
		names := c.hostname
		if short, _, qualified := strings.Cut(c.hostname, "."); qualified {
			names += " " + short
		}
		own["etc/hosts"] = "127.0.0.1 localhost\n127.0.1.1 " + names + "\n::1 localhost ip6-localhost ip6-loopback\n"
	}
	if c.locale != "" {
		own["etc/locale.conf"] = "LANG=" + c.locale + "\n"
	}
	if c.timeZone != "" {
		own["etc/timezone"] = c.timeZone + "\n"
	}
	p.files = texts(own)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasPrefix(name, testsPrefix) {
			continue
		}
		if inScripts, isScript := strings.CutPrefix(name, scriptsPrefix); isScript {
			p.scripts = append(p.scripts, script{inScripts, files[name]})
			continue
		}
		inRoot := strings.TrimPrefix(name, rootPrefix)
		p.files[strings.TrimPrefix(path.Clean("/"+inRoot), "/")] = files[name]
	}
	return p
}

// write writes the plan into a directory, which it creates.
func (p *plan) write(directory string) error {
	c := p.config
	if err := os.Mkdir(directory, modeDirectory); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	w := planWriter{directory: directory}
	w.put("customize", string(customize), modeProgram)
	w.put("unpack", string(unpack), modeProgram)
	w.put("hostname", string(hostname), modeProgram)
	w.put("first-boot", string(firstBoot), modeFile)
	w.put("first-boot.service", string(firstBootUnit), modeFile)
	w.put("uuid", p.rootUUID+"\n", modeFile)
	w.put("timezone", c.timeZone+"\n", modeFile)
	w.put("locale", c.generatedLocale()+"\n", modeFile)
	if p.machine != "" {
		w.put("machine.list", p.machine, modeFile)
	}
	enabled := c.enabled
	if c.based {
		w.put("packages", lines(p.packages), modeFile) // others are installed already
	} else {
		enabled = append([]string{"systemd-networkd.service"}, enabled...)
	}
	w.put("enable", lines(enabled), modeFile)
	w.put("disable", lines(c.disabled), modeFile)
	var list []string
	for i, script := range p.scripts {
		list = append(list, fmt.Sprintf("%d %s", i, script.name))
		w.copy(fmt.Sprintf("scripts/%d", i), &script.file)
	}
	w.put("scripts.list", lines(list), modeFile)
	var accounts []string
	for _, user := range c.users {
		accounts = append(accounts, strings.Join([]string{user.Name, cmp.Or(user.Shell, "/bin/bash"), strings.Join(user.Groups, ",")}, "\t"))
		if user.PasswordHash != "" {
			w.put("users/"+user.Name+"/password", user.Name+":"+user.PasswordHash+"\n", modePrivate)
		}
		if len(user.AuthorizedKeys) > 0 {
			w.put("users/"+user.Name+"/authorized_keys", lines(user.AuthorizedKeys), modeFile)
		}
	}
	w.put("accounts", lines(accounts), modeFile)
	w.put("homes", lines(p.homes()), modeFile)
	if w.err == nil {
		w.err = p.writeRoot(filepath.Join(directory, "root.tar"))
	}
	if w.err != nil {
		return fmt.Errorf("write the plan: %w", w.err)
	}
	return nil
}

// homes returns the names of the directories in /home that files of the image are in, except for those of its own users.
func (p *plan) homes() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		inHome, found := strings.CutPrefix(name, "home/")
		owner, _, inDirectory := strings.Cut(inHome, "/")
		isOwn := slices.ContainsFunc(p.config.users, func(user user) bool { return user.Name == owner })
		if found && inDirectory && !isOwn && accountName.MatchString(owner) {
			names = append(names, owner)
		}
	}
	return slices.Compact(names)
}

// lines returns one line for each text.
func lines(texts []string) string {
	var all strings.Builder
	for _, text := range texts {
		all.WriteString(text + "\n")
	}
	return all.String()
}

// planWriter writes files, until the first error.
type planWriter struct {
	directory string
	err       error
}

func (w *planWriter) put(name, content string, mode os.FileMode) {
	if w.err != nil {
		return
	}
	file := filepath.Join(w.directory, filepath.FromSlash(name))
	if w.err = os.MkdirAll(filepath.Dir(file), modeDirectory); w.err == nil {
		w.err = os.WriteFile(file, []byte(content), mode)
	}
}

// copy writes a file with the content of another file.
func (w *planWriter) copy(name string, from *file) {
	w.put(name, "", modeFile)
	if w.err != nil {
		return
	}
	content, err := from.open()
	if err != nil {
		w.err = err
		return
	}
	defer func() { w.err = errors.Join(w.err, content.Close()) }()
	to, err := os.OpenFile(filepath.Join(w.directory, filepath.FromSlash(name)), os.O_WRONLY, 0)
	if err != nil {
		w.err = err
		return
	}
	_, err = io.Copy(to, content)
	w.err = errors.Join(err, to.Close())
}

// writeRoot writes the files of the image as a tar, which belong to root. A tar has their modes, whatever the directory of the build does
// to modes.
func (p *plan) writeRoot(name string) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	archive := tar.NewWriter(file)
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		file := p.files[name]
		if err := file.writeTo(archive, name); err != nil {
			return err
		}
	}
	return archive.Close()
}

// writeTo adds a file to the tar of the image.
func (f *file) writeTo(archive *tar.Writer, name string) (err error) {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: f.mode(name), Size: f.size(), Format: tar.FormatPAX}
	switch f.of.Type {
	case fs.ModeSymlink:
		header.Typeflag, header.Linkname = tar.TypeSymlink, f.target
	case fs.ModeDir:
		header.Typeflag, header.Name = tar.TypeDir, name+"/"
	}
	if err := archive.WriteHeader(header); err != nil || !f.regular() {
		return err
	}
	content, err := f.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	_, err = io.Copy(archive, content)
	return err
}

// modes are those of files that programs refuse, or complain about, if others can read them. The first pattern that matches counts.
var modes = []struct {
	pattern string
	mode    int64
}{
	{"etc/sudoers", modeSudoers},
	{"etc/sudoers.d/*", modeSudoers},
	{"etc/NetworkManager/system-connections/*", modePrivate},
	{"etc/netplan/*", modePrivate},
	{"etc/ssl/private/*", modePrivate},
	{"etc/wireguard/*", modePrivate},
	{"root/.ssh/*", modePrivate},
}

// mode returns the mode of a file in the image. A source tells which of its files are executable.
func (f *file) mode(name string) int64 {
	for _, known := range modes {
		if matches, _ := path.Match(known.pattern, name); matches && f.regular() { // the patterns are valid
			return known.mode
		}
	}
	if f.of.Executable || !f.regular() || strings.HasPrefix(f.text, "#!") {
		return modeProgram
	}
	return modeFile
}
