// SPDX-License-Identifier: Apache-2.0

package ldd

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// program is an ELF file that tells the dynamic linker what it needs.
type program struct {
	interpreter string
	runpath     string
	rpath       string
	needed      []string
}

// write writes the file: headers, then the interpreter, the names, and the table that refers to them.
func (p program) write(t *testing.T, path string) {
	t.Helper()
	names := []byte{0}
	var table []elf.Dyn64
	add := func(tag elf.DynTag, text string) {
		table = append(table, elf.Dyn64{Tag: int64(tag), Val: uint64(len(names))})
		names = append(append(names, text...), 0)
	}
	for _, library := range p.needed {
		add(elf.DT_NEEDED, library)
	}
	if p.runpath != "" {
		add(elf.DT_RUNPATH, p.runpath)
	}
	if p.rpath != "" {
		add(elf.DT_RPATH, p.rpath)
	}
	table = append(table, elf.Dyn64{Tag: int64(elf.DT_NULL)})

	const headers = 64 + 2*56 + 3*64
	interpreter := append([]byte(p.interpreter), 0)
	namesAt := uint64(headers + len(interpreter))
	tableAt := namesAt + uint64(len(names))
	header := elf.Header64{
		Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Shoff: 64 + 2*56,
		Ehsize: 64, Phentsize: 56, Phnum: 2, Shentsize: 64, Shnum: 3,
	}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	first := elf.Prog64{Type: uint32(elf.PT_INTERP), Off: headers, Filesz: uint64(len(interpreter))}
	if p.interpreter == "" {
		first.Type = uint32(elf.PT_NOTE)
	}
	size := uint64(binary.Size(table))
	var file bytes.Buffer
	for _, part := range []any{
		header, first, elf.Prog64{Type: uint32(elf.PT_DYNAMIC), Off: tableAt, Filesz: size},
		elf.Section64{}, elf.Section64{Type: uint32(elf.SHT_STRTAB), Off: namesAt, Size: uint64(len(names))},
		elf.Section64{Type: uint32(elf.SHT_DYNAMIC), Off: tableAt, Size: size, Link: 1, Entsize: 16},
		interpreter, names, table,
	} {
		require.NoError(t, binary.Write(&file, binary.LittleEndian, part))
	}
	put(t, path, file.String())
}

func put(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o700))
}

func TestLibrariesAreFoundInTheRootDirectoryAlone(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	// udevd finds a library by its RUNPATH, and that finds another one in a directory of the architecture. Links lead to both.
	program{interpreter: dynamicLinker, runpath: "/usr/lib/systemd", needed: []string{"libshared.so", "libc.so.6"}}.write(t, at("usr/bin/udevd"))
	program{runpath: "$ORIGIN/private", needed: []string{"libnear.so", "libc.so.6", "ld-linux-x86-64.so.2"}}.write(t, at("opt/shared/real.so"))
	program{}.write(t, at("opt/shared/private/libnear.so"))
	program{}.write(t, at("opt/arch/libc.so.6.1"))
	program{interpreter: dynamicLinker, needed: []string{"libgone.so"}}.write(t, at("usr/bin/broken"))
	program{interpreter: dynamicLinker, needed: []string{"libloop.so", "libtext.so"}}.write(t, at("usr/bin/loop"))
	put(t, at("opt/arch/libtext.so"), "INPUT(libc.so.6)")
	put(t, at("etc/ld.so.conf.d/arch.conf"), "# comment\n/opt/arch\n")
	put(t, at("usr/bin/script"), "#!/bin/sh\n")
	for name, target := range map[string]string{
		"bin": "usr/bin", "usr/lib/systemd/libshared.so": "/opt/shared/real.so", "opt/arch/libc.so.6": at("opt/arch/libc.so.6.1"), "opt/arch/libloop.so": "libloop.so",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(at(name)), 0o700))
		require.NoError(t, os.Symlink(target, at(name)))
	}
	const linked = "\tlibshared.so => /usr/lib/systemd/libshared.so (0x0000000000000000)\n" +
		"\tlibc.so.6 => /opt/arch/libc.so.6 (0x0000000000000000)\n" +
		"\tlibnear.so => /opt/shared/private/libnear.so (0x0000000000000000)\n" +
		"\t/lib64/ld-linux-x86-64.so.2 (0x0000000000000000)\n"
	for _, test := range []struct {
		args         []string
		code         int
		want, errors string
	}{
		{args: []string{"/usr/bin/udevd"}, want: linked},
		{args: []string{"--", "/bin/udevd"}, want: linked},
		{args: []string{at("usr/bin/udevd")}, want: linked},
		{args: []string{"/bin/broken"}, want: "\tlibgone.so => not found\n\t/lib64/ld-linux-x86-64.so.2 (0x0000000000000000)\n"},
		{args: []string{"/bin/loop"}, want: "\tlibloop.so => not found\n\tlibtext.so => not found\n\t/lib64/ld-linux-x86-64.so.2 (0x0000000000000000)\n"},
		{args: []string{"/bin/script"}, code: 1, errors: "\tnot a dynamic executable\n"},
		{args: []string{"/bin/script", "/bin/broken"}, code: 1, errors: "\tnot a dynamic executable\n",
			want: "/bin/script:\n/bin/broken:\n\tlibgone.so => not found\n\t/lib64/ld-linux-x86-64.so.2 (0x0000000000000000)\n"},
		{args: []string{"/bin/gone"}, code: 1, errors: "\topen " + at("usr/bin/gone") + ": no such file or directory\n"},
	} {
		for _, variable := range []string{envRoot, envOriginalRoot} {
			var out, problems bytes.Buffer
			getenv := func(name string) string { return map[string]string{variable: root}[name] }
			if code := Main(getenv, &out, &problems, test.args); code != test.code || out.String() != test.want || problems.String() != test.errors {
				t.Errorf("ldd %q with %s: code %d\n%s%s", test.args, variable, code, &out, &problems)
			}
		}
	}
}
