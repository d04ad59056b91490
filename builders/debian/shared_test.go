// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"fmt"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/debian/secrets"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

func TestTheLogAndTheResultTellWhatAllMachinesShare(t *testing.T) {
	const key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAA\n-----END PRIVATE KEY-----\n"
	f := newFixture(t, map[string]string{})
	f.input.Files["root/etc/ssl/mine.key"] = key
	f.sourceWith(map[string]string{"root/etc/ssl/source.key": key})
	f.write("rootfs.tar", rootFS(t, map[string]string{"./etc/ssl/mine.key": key, "./etc/ssl/source.key": key, "./etc/nvme/hostid": "8c4fb1ad-2b3c-4a5d-9e6f-0123456789ab\n"}))
	f.input.Targets = append(f.input.Targets, render.InputTarget{Name: "linux/amd64/oci", Platform: platform, Format: v1alpha1.ArtifactFormatOCI})
	code, said := f.run()
	if code != 0 || len(said.Artifacts) != 2 {
		t.Fatalf("exit code %d, result %+v", code, said)
	}
	for _, line := range []string{"all machines share /etc/nvme/hostid (identifier of a machine)\n", "all machines share /etc/ssl/mine.key (private key), a file of the image\n",
		"all machines share /etc/ssl/source.key (private key), a file of the image\n"} {
		if !strings.Contains(f.log.String(), line) {
			t.Errorf("the log lacks %s", line)
		}
	}
	for _, artifact := range said.Artifacts {
		if got := artifact.Annotations["debian.shared"]; got != "/etc/nvme/hostid (identifier of a machine), /etc/ssl/mine.key (private key), /etc/ssl/source.key (private key)" {
			t.Errorf("the annotation of %s is %q", artifact.Target, got)
		}
	}

	long := make(map[string]string)
	for i := range 200 {
		long[fmt.Sprintf("./srv/%03d\t%s", i, strings.Repeat("<", 50))] = key
	}
	f = newFixture(t, map[string]string{})
	f.write("rootfs.tar", rootFS(t, long))
	f.run()
	if size := len(f.read("result")); size > result.MaxBytes/4 {
		t.Errorf("the result has %d bytes", size)
	}
	if log := f.log.String(); !strings.Contains(log, "all machines share 150 more files\n") || strings.Count(log, "\n") > 80 {
		t.Errorf("log %s", log)
	}
}

func TestTheAnnotationNamesAsManyPathsAsFit(t *testing.T) {
	finding := func(length int) secrets.Finding {
		return secrets.Finding{Path: strings.Repeat("p", length), Kind: secrets.PrivateKey}
	}
	for want, found := range map[string][]secrets.Finding{
		"":                                       nil,
		"/ppp (private key)":                     {finding(3)},
		"/ppp (private key), /ppp (private key)": {finding(3), finding(3)},
		"/ppp (private key), and 2 more":         {finding(3), finding(400), finding(3)},
		"2 files":                                {finding(400), finding(3)},
	} {
		if got := sharedAnnotation(found); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
