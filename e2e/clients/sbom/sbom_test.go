// SPDX-License-Identifier: Apache-2.0

// Package sbom_test reads bills of materials with the libraries of scanners, and compares CycloneDX with its official schema.
package sbom_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdxlib"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/lock"
	"goldsmith.dev/goldsmith/jobs/sbom"
)

// locks returns locks of known distributions, and many of a builder that writes whatever package lock lets through.
func locks(t *testing.T) map[string]*v1alpha1.Lock {
	locks := map[string]*v1alpha1.Lock{}
	add := func(name, text string) {
		its, err := lock.Read([]byte(text))
		if err != nil {
			t.Fatalf("lock %s: %v: %s", name, err, text)
		}
		locks[name] = its
	}
	add("empty", `{"version": 1, "packages": []}`)
	add("fedora", `{"version": 1, "distribution": {"id": "fedora", "version": "43"},
		"sources": [{"uri": "https://mirror.example/", "release": {"date": "2026-11-20T08:00:00+02:00"}}],
		"packages": [{"name": "openssl-libs", "version": "1:3.5.4-1.fc43", "architecture": "x86_64", "licence": "Apache-2.0 AND LicenseRef-Fedora-Public-Domain",
		"source": {"name": "openssl", "version": "1:3.5.4-1.fc43"}}]}`)
	long := strings.Repeat("é", 2000)
	add("long", fmt.Sprintf(`{"version": 1, "distribution": {"id": "debian", "version": %[1]q}, "packages": [
		{"name": %[1]q, "version": %[1]q, "architecture": %[1]q, "licence": %[1]q, "source": {"name": %[1]q, "version": "1"}}]}`, long))
	for seed := range 200 {
		name := fmt.Sprint("random ", seed)
		add(name, string(require.Value(json.Marshal(random(rand.New(rand.NewPCG(uint64(seed), 0)))))(t)))
	}
	return locks
}

// random returns a lock that package lock lets through.
func random(source *rand.Rand) *v1alpha1.Lock {
	letters := []rune("aAzZ09+~:.-_%@/?#&='\"\\<>{}|^`,;!*()[]$éßжא日🙂\u2028")
	letters = slices.DeleteFunc(letters, func(letter rune) bool { return !v1alpha1.Printable(string(letter)) })
	text := func(most int, further ...string) string {
		var text strings.Builder
		for range 1 + source.IntN(most) {
			text.WriteRune(letters[source.IntN(len(letters))])
		}
		return append(further, text.String())[source.IntN(len(further)+1)]
	}
	its := &v1alpha1.Lock{Version: v1alpha1.LockVersion, Packages: []v1alpha1.Package{}}
	ids := []string{"", "alpine", "arch", "debian", "gentoo", "opensuse-leap", "rhel"}
	if id := ids[source.IntN(len(ids))]; id != "" {
		its.Distribution = &v1alpha1.Distribution{ID: id, Version: text(5, "", "13")}
	}
	for i := range source.IntN(20) {
		one := v1alpha1.Package{
			Name: text(8, "openssl", "left-pad"), Version: fmt.Sprint(text(8, "1", "1:2.0-1+b1"), i), Architecture: text(3, "amd64"),
			Licence: text(10, "", "MIT", "GPL-2+", "GPL-2 plus", "GPL-2-plus", "LicenseRef-GPL-2-plus OR ISC", "A B", "A-B", "A  B"),
			SHA256:  []string{"", strings.Repeat("0a", 32)}[source.IntN(2)],
		}
		if source.IntN(2) == 0 {
			one.Source = &v1alpha1.SourcePackage{Name: text(5, "openssl", one.Name), Version: text(5, "", one.Version)}
		}
		its.Packages = append(its.Packages, one)
	}
	return its
}

var subjects = []sbom.Subject{{Target: "linux/amd64/raw", Digest: "sha256:" + strings.Repeat("0a", 32)}, {Target: "linux/arm64/oci"}}

func TestCycloneDX(t *testing.T) {
	schema := cycloneDXSchema(t)
	for name, its := range locks(t) {
		for _, of := range subjects {
			var text bytes.Buffer
			require.NoError(t, sbom.CycloneDX(&text, its, of))
			document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text.Bytes()))
			if err == nil {
				err = schema.Validate(document)
			}
			if err != nil {
				t.Fatalf("%s: %v: %s", name, err, &text)
			}
			var bill cyclonedx.BOM
			require.NoError(t, cyclonedx.NewBOMDecoder(&text, cyclonedx.BOMFileFormatJSON).Decode(&bill))
			if got := bill.Metadata.Component; got.Name != of.Target || (got.Type == cyclonedx.ComponentTypeContainer) != strings.HasSuffix(of.Target, "oci") {
				t.Errorf("%s: the bill is about %v", name, got)
			}
			references := map[string]bool{bill.Metadata.Component.BOMRef: true}
			var packages []cyclonedx.Component
			for _, component := range *bill.Components {
				if references[component.BOMRef] {
					t.Errorf("%s: two components are %s", name, component.BOMRef)
				}
				references[component.BOMRef] = true
				if component.Type != cyclonedx.ComponentTypeOS {
					packages = append(packages, component)
				} else if component.Name != its.Distribution.ID {
					t.Errorf("%s: the distribution is %s", name, component.Name)
				}
			}
			if len(packages) != len(its.Packages) {
				t.Fatalf("%s: got %d packages of %d", name, len(packages), len(its.Packages))
			}
			for i, got := range packages {
				one := &its.Packages[i]
				if got.Name != one.Name || got.Version != one.Version && len(one.Version) <= 1024 || (got.Hashes != nil) != (one.SHA256 != "") {
					t.Errorf("%s: got %v of %v", name, got, one)
				}
				if licences := got.Licenses; one.Licence != "" && ((*licences)[0].Expression == "" && (*licences)[0].License.Name != one.Licence) {
					t.Errorf("%s: got the licence %v of %q", name, (*licences)[0], one.Licence)
				}
				checkPackageURL(t, got.PackageURL, its, one)
			}
		}
	}
}

// cycloneDXSchema returns the official schema of CycloneDX 1.6, which the library has with those that it refers to.
func cycloneDXSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	folder := strings.TrimSpace(string(require.Value(exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output())(t)))
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	for file, as := range map[string]string{
		"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schemax.json": "jsf-0.82.schema.json",
	} {
		document := require.Value(jsonschema.UnmarshalJSON(bytes.NewReader(require.Value(os.ReadFile(filepath.Join(folder, "schema", file)))(t))))(t)
		require.NoError(t, compiler.AddResource("http://cyclonedx.org/schema/"+as, document))
	}
	return require.Value(compiler.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json"))(t)
}

// checkPackageURL compares a package URL with what another library reads in it, and writes of it.
func checkPackageURL(t *testing.T, got string, its *v1alpha1.Lock, one *v1alpha1.Package) {
	t.Helper()
	parsed, err := packageurl.FromString(got)
	if err != nil || parsed.ToString() != got {
		t.Errorf("%s is read as %s, %v", got, parsed.ToString(), err)
		return
	}
	qualifiers := parsed.Qualifiers.Map()
	version := parsed.Version
	if epoch := qualifiers["epoch"]; epoch != "" {
		version = epoch + ":" + version
	}
	name := one.Name
	if parsed.Type != packageurl.TypeRPM && parsed.Type != packageurl.TypeGeneric {
		name = strings.ToLower(name)
	}
	if parsed.Name != name || version != one.Version || qualifiers["arch"] != one.Architecture {
		t.Errorf("%s is read as %q %q %q, want %v", got, parsed.Name, version, qualifiers["arch"], one)
	}
	if distribution := its.Distribution; distribution != nil && !strings.HasPrefix(qualifiers["distro"], distribution.ID) {
		t.Errorf("%s is of the distribution %q, want %v", got, qualifiers["distro"], distribution)
	}
	if source := one.Source; source != nil && source.Name != one.Name && source.Version != "" && !strings.HasPrefix(qualifiers["upstream"], source.Name) {
		t.Errorf("%s is of the source %q, want %v", got, qualifiers["upstream"], source)
	}
}

func TestSPDX(t *testing.T) {
	id, reference := regexp.MustCompile(`\A[A-Za-z0-9.-]+\z`), regexp.MustCompile(`LicenseRef-[A-Za-z0-9.-]+`)
	for name, its := range locks(t) {
		for _, of := range subjects {
			var text bytes.Buffer
			require.NoError(t, sbom.SPDX(&text, its, of))
			bill, err := spdxjson.Read(&text)
			if err == nil {
				err = spdxlib.ValidateDocument(bill)
			}
			if err != nil {
				t.Fatalf("%s: %v: %s", name, err, &text)
			}
			if described := require.Value(spdxlib.GetDescribedPackageIDs(bill))(t); !slices.Equal(described, []common.ElementID{"Artifact"}) {
				t.Errorf("%s: the bill is about %v", name, described)
			}
			defined, ids := map[string]bool{}, map[common.ElementID]bool{}
			for _, licence := range bill.OtherLicenses {
				if licence.ExtractedText == "" || defined[licence.LicenseIdentifier] {
					t.Errorf("%s: licence %v", name, licence)
				}
				defined[licence.LicenseIdentifier] = true
			}
			skip := len(bill.Packages) - len(its.Packages)
			for i, got := range bill.Packages {
				if ids[got.PackageSPDXIdentifier] || !id.MatchString(string(got.PackageSPDXIdentifier)) || got.FilesAnalyzed {
					t.Errorf("%s: package %v", name, got)
				}
				ids[got.PackageSPDXIdentifier] = true
				if i < skip {
					continue
				}
				one := &its.Packages[i-skip]
				if got.PackageName != one.Name || got.PackageVersion != one.Version || (len(got.PackageChecksums) > 0) != (one.SHA256 != "") {
					t.Errorf("%s: got %v of %v", name, got, one)
				}
				if one.Source != nil && strings.TrimPrefix(got.PackageSourceInfo, "built package from: ") != strings.TrimSpace(one.Source.Name+" "+one.Source.Version) {
					t.Errorf("%s: got the source %q of %v", name, got.PackageSourceInfo, one.Source)
				}
				for _, used := range reference.FindAllString(got.PackageLicenseDeclared, -1) {
					if !defined[used] {
						t.Errorf("%s: licence %s is not defined", name, used)
					}
				}
				if (got.PackageLicenseDeclared != "") != (one.Licence != "") {
					t.Errorf("%s: got the licence %q of %q", name, got.PackageLicenseDeclared, one.Licence)
				}
				checkPackageURL(t, got.PackageExternalReferences[0].Locator, its, one)
			}
			if want := len(bill.Packages); len(bill.Relationships) != want {
				t.Errorf("%s: got %d relationships, want %d", name, len(bill.Relationships), want)
			}
		}
	}
}
