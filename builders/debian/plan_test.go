// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTheFilesOfAnImageReplaceThoseThatEveryImageHas(t *testing.T) {
	c, err := newConfiguration(inputWith(map[string]string{"hostname": "web.example.com", "kernelArguments": "panic=5"}))
	require.NoError(t, err)
	p := newPlan(c, texts(map[string]string{
		"root/etc/hosts": "127.0.0.1 all\n", "root/usr/local/bin/hello": "#!/bin/sh\necho hello\n", "root/../../escape": "",
		"root/etc/sudoers.d/admin": "admin ALL=(ALL) NOPASSWD: ALL\n", "root/etc/NetworkManager/system-connections/lan.nmconnection": "#!", "root/root/.ssh/config": "",
		"scripts/20-b": "b", "scripts/10-a": "a", "tests/site.yaml": "port: {}",
	}), "ROOT")
	directory := filepath.Join(t.TempDir(), "plan")
	require.NoError(t, p.write(directory))

	file := require.Value(os.Open(filepath.Join(directory, "root.tar")))(t)
	defer func() { _ = file.Close() }()
	var got []string
	for archive := tar.NewReader(file); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		got = append(got, fmt.Sprintf("%o %d:%d %s: %q", header.Mode, header.Uid, header.Gid, header.Name, require.Value(io.ReadAll(archive))(t)))
	}
	want := []string{
		`644 0:0 boot/grub/grub.cfg: "` + strings.ReplaceAll(fmt.Sprintf(grubConfig, "ROOT", " panic=5"), "\n", `\n`) + `"`,
		`644 0:0 escape: ""`,
		`600 0:0 etc/NetworkManager/system-connections/lan.nmconnection: "#!"`,
		`644 0:0 etc/fstab: "UUID=ROOT / ext4 errors=remount-ro,x-systemd.growfs 0 1\n"`,
		`644 0:0 etc/hostname: "web.example.com\n"`,
		`644 0:0 etc/hosts: "127.0.0.1 all\n"`,
		`644 0:0 etc/locale.conf: "LANG=C.UTF-8\n"`,
		`440 0:0 etc/sudoers.d/admin: "admin ALL=(ALL) NOPASSWD: ALL\n"`,
		`644 0:0 etc/systemd/network/80-dhcp.network: "[Match]\nName=en* eth*\n\n[Network]\nDHCP=yes\n"`,
		`644 0:0 etc/systemd/system/sshd-keygen.service.d/missing.conf: "[Unit]\nConditionFirstBoot=\nConditionPathExists=!/etc/ssh/ssh_host_ed25519_key\n"`,
		`644 0:0 etc/timezone: "Etc/UTC\n"`,
		`600 0:0 root/.ssh/config: ""`,
		`755 0:0 usr/local/bin/hello: "#!/bin/sh\necho hello\n"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if list := string(require.Value(os.ReadFile(filepath.Join(directory, "scripts.list")))(t)); list != "0 10-a\n1 20-b\n" {
		t.Errorf("scripts %q", list)
	}
}

func TestTheHostNameIsThatOfTheImage(t *testing.T) {
	script := filepath.Join(t.TempDir(), "hostname")
	require.NoError(t, os.WriteFile(script, hostname, 0o700))
	files := func(hostname string) map[string]string {
		c, err := newConfiguration(inputWith(map[string]string{"hostname": hostname}))
		require.NoError(t, err)
		contents := map[string]string{}
		for name, file := range newPlan(c, nil, "ROOT").files {
			contents[name] = file.text
		}
		return contents
	}
	for _, test := range []struct {
		files         map[string]string
		command, want string
	}{
		{files("web.example.com"), "hostname", "web.example.com\n"},
		{files("web.example.com"), "hostname -f", "web.example.com\n"},
		{files("web.example.com"), "hostname --short", "web\n"},
		{files("web.example.com"), "hostname -d", "example.com\n"},
		{files("web.example.com"), "dnsdomainname", "example.com\n"},
		{files("web.example.com"), "uname -n", "web.example.com\n"},
		{files("web.example.com"), "hostname -i", "127.0.1.1\n"},
		{files("web"), "hostname --fqdn", "web\n"},
		{files("web"), "hostname --domain", ""},
		{map[string]string{"etc/hostname": "web\n", "etc/hosts": "# web no.example.com web\n10.0.0.7\tweb.example.com web # here\n"}, "hostname --fqdn", "web.example.com\n"},
		{map[string]string{"etc/hostname": "web\n", "etc/hosts": "10.0.0.7 web.example.com web\n"}, "hostname --ip-address", "10.0.0.7\n"},
		{map[string]string{"etc/hostname": "web"}, "hostname -f", "web\n"},
		{nil, "hostname --fqdn", "localhost\n"},
		{nil, "uname -s", "Linux\n"},
	} {
		root := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(root, "etc"), 0o700))
		for _, name := range []string{"etc/hostname", "etc/hosts"} {
			if content, exists := test.files[name]; exists {
				require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(content), 0o600))
			}
		}
		words := strings.Fields(test.command)
		command := exec.CommandContext(t.Context(), script, words[1:]...)
		command.Env = []string{"PATH=/usr/bin:/bin", "FAKECHROOT_BASE_ORIG=" + root, "FAKECHROOT_CMD_ORIG=/usr/bin/" + words[0]}
		if said, err := command.CombinedOutput(); err != nil || string(said) != test.want {
			t.Errorf("%s with %q: %q, %v, want %q", test.command, test.files, said, err, test.want)
		}
	}
}

// stubChroot stands for the program chroot: it records what would run, gives what a file names to tee, and fails what is in the file fail.
const stubChroot = `#!/bin/sh
here=${0%/*}; shift
echo "$*" >>"$here/calls"
case $1 in tee | chpasswd) sed 's/^/  /' >>"$here/calls" ;; esac
while IFS='|' read -r what code said; do
  case "$*" in $what) printf '%b\n' "$said"; exit "$code" ;; esac
done <"$here/fail"
`

// stubStrace runs the program, and stubBuilder finds what the file static has.
const (
	stubStrace  = "#!/bin/sh\nwhile [ \"$1\" != run ]; do shift; done\nshift; exec \"$@\"\n"
	stubBuilder = "#!/bin/sh\ncase $1 in static) cat \"${0%/*}/static\" ;; libraries) echo \"$1\" >>\"${0%/*}/calls\" ;; esac\n"
)

// applied applies a plan with a stub, and returns what would run in the image, and why it fails.
func applied(t *testing.T, parameters, files map[string]string, fail, static string) (calls string, failed error) {
	t.Helper()
	c, err := newConfiguration(inputWith(parameters))
	require.NoError(t, err)
	return apply(t, newPlan(c, texts(files), "ROOT"), fail, static)
}

func apply(t *testing.T, p *plan, fail, static string) (calls string, failed error) {
	t.Helper()
	directory := t.TempDir()
	plan, bin, root := filepath.Join(directory, "plan"), filepath.Join(directory, "bin"), filepath.Join(directory, "root")
	require.NoError(t, p.write(plan))
	require.NoError(t, errors.Join(os.Mkdir(bin, 0o700), os.MkdirAll(filepath.Join(root, "etc/apt/sources.list.d"), 0o700)))
	require.NoError(t, os.WriteFile(filepath.Join(root, "etc/apt/sources.list.d/0000sources.list"), []byte("deb\n"), 0o600))
	const lists = "var/lib/apt/lists"
	require.NoError(t, os.MkdirAll(filepath.Join(root, lists), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(root, lists, "main_Packages"), []byte("Package: p\n"), 0o600))
	for name, content := range map[string]string{"chroot": stubChroot, "strace": stubStrace, "debian-builder": stubBuilder, "fail": fail, "static": strings.NewReplacer("ROOT", root, "BUILDER", filepath.Join(bin, "debian-builder")).Replace(static)} {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte(content), 0o700))
	}
	command := exec.CommandContext(t.Context(), filepath.Join(plan, "customize"), root)
	command.Env = []string{"PATH=" + bin + ":/usr/bin:/bin", "SOURCE_DATE_EPOCH=1", "BUILDER=" + filepath.Join(bin, "debian-builder")}
	output, err := command.CombinedOutput()
	t.Log(string(output))
	failed = planFailure(plan)
	if (err == nil) != (failed == nil) {
		t.Errorf("customize ends with %v, but its failure is %v", err, failed)
	}
	for _, name := range planLists {
		if _, unkept := os.Stat(filepath.Join(plan, name, "main_Packages")); err == nil && unkept != nil {
			t.Errorf("the lists of apt are not kept for the lock: %v", unkept)
		}
	}
	return string(require.Value(os.ReadFile(filepath.Join(bin, "calls")))(t)), failed
}

func TestAPlanIsAppliedInItsOrder(t *testing.T) {
	calls, failed := applied(t, map[string]string{
		"users":    `[{name: admin, groups: [sudo, adm], passwordHash: $6$a$b, authorizedKeys: [` + someKey + `]}]`,
		"services": "nginx -apt-daily.timer", "timeZone": "Europe/Berlin", "locale": "en_GB.UTF-8",
	}, map[string]string{
		"scripts/10 a": "first $(reboot)\n", "scripts/20-b": "second\n", "root/home/other/.config/x": "x", "root/home/admin/x": "x", "root/home/-x/y": "y", "root/home/z": "z",
	}, "", "BUILDER\nROOT/usr/sbin/ldconfig\n")
	require.NoError(t, failed)
	const golden = "testdata/customize.txt"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(calls), 0o600))
	}
	if diff := cmp.Diff(string(require.Value(os.ReadFile(golden))(t)), calls); diff != "" {
		t.Errorf("go test -update writes %s again: %s", golden, diff)
	}
}

func TestPackagesForABaseAreNamesOnly(t *testing.T) {
	c, err := newConfiguration(inputWith(map[string]string{"packages": "g++ curl=8.14-2+b1 libstdc++6"}))
	require.NoError(t, err)
	c.based = true
	calls, _ := apply(t, newPlan(c, nil, "ROOT"), "", "")
	if want := "libraries\napt-get --yes --no-install-recommends " + namesOnly + " install curl:amd64=8.14-2+b1 g++:amd64 libstdc++6:amd64 linux-image-cloud-amd64:amd64\n"; !strings.HasPrefix(calls, want) {
		t.Errorf("calls %s, want %s", calls, want)
	}
}

func TestAPlanThatCannotBeAppliedTellsWhy(t *testing.T) {
	for name, test := range map[string]struct{ fail, want, static string }{
		"time zone": {"grep -q ^TZif *|2|", "UnknownTimeZone: parameter timeZone: there is no time zone Etc/UTC", ""},
		"user":      {"useradd *|6|useradd: group 'wheel' does not exist", "UserNotCreated: parameter users: user a: useradd: group 'wheel' does not exist", ""},
		"service":   {"systemctl enable nginxx|1|Failed to enable unit: Unit nginxx.service does not exist", "UnknownService: parameter services: cannot enable nginxx: Failed to enable unit: Unit nginxx.service does not exist", ""},
		"static":    {"systemctl is-enabled nginxx|0|static", "UnknownService: parameter services: cannot enable nginxx: it has no [Install] section, so only other units start it", ""},
		"alias":     {"systemctl is-enabled nginxx|0|alias", "UnknownService: parameter services: cannot enable nginxx: it is another name of a unit: name that unit", ""},
		"disabled":  {"systemctl is-enabled other.timer|4|not-found", "UnknownService: parameter services: cannot disable other.timer: there is no unit of this name, or it is another name of a unit", ""},
		"made unit": {"systemctl is-enabled nginxx|0|generated", "UnknownService: parameter services: cannot enable nginxx: it is made only when a machine runs", ""},
		"shell":     {"sh -c test -f*/bin/zsh|1|", "UserNotCreated: parameter users: user a: the image has no shell /bin/zsh: add its package to packages, or correct the shell", ""},
		"script":    {`/tmp/.goldsmith-script|3|0%\r50%\rit said this\nlibfakeroot internal error: payload not recognized!`, "ScriptFailed: file scripts/a ended with exit code 3; its last output: it said this", ""},
		"silent":    {`/tmp/.goldsmith-script|1|`, "ScriptFailed: file scripts/a ended with exit code 1, and printed nothing", ""},
		"mount":     {want: "MountNotPossible: file scripts/a: mount: /mnt: permission denied: a build has no privileges, so nothing can be mounted", fail: "/tmp/.goldsmith-script|32|mount: /mnt: permission denied."},
		"program":   {want: "StaticProgram: file scripts/a runs /usr/local/bin/tool, which is linked statically: it does not see the image, but the builder", static: "ROOT/usr/sbin/ldconfig\nROOT/usr/local/bin/tool\n"},
		"files":     {"tar *|2|", "FilesNotWritten: the files of the image cannot be written: is one of them a directory of a package?", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, failed := applied(t, map[string]string{"users": "[{name: a, groups: [wheel], shell: /bin/zsh}]", "services": "nginxx -other.timer"}, map[string]string{"scripts/a": "x"}, test.fail+"\n", test.static)
			if failed == nil || failed.Error() != test.want {
				t.Errorf("failure %v, want %s", failed, test.want)
			}
		})
	}
}
