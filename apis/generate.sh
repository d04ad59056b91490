#!/usr/bin/env bash
# Regenerates everything that is generated from apis/images. Called by `make generate`.
# The generators are installed into the folder named by TOOLS, at the versions of go.mod's libraries.
set -euo pipefail
cd "$(dirname "$0")/.."

module=goldsmith.dev/goldsmith
types=$module/apis/images/v1alpha1
out=apis/generated
header=apis/boilerplate.go.txt
export GOGC=${GOGC:-400} # the compiler and the generators use more memory and a quarter less time
tools=$(mkdir -p "${TOOLS:-.tools}" && cd "${TOOLS:-.tools}" && pwd)

version() { go list -m -f '{{.Version}}' "$1"; }
install() { # install MODULE VERSION COMMAND...: puts these commands on PATH, from a folder that has their version in its name
  local folder=$tools/${1##*/}-$2 command scratch missing=()
  mkdir -p "$folder"
  for command in "${@:3}"; do
    if [ ! -x "$folder/${command##*/}" ]; then missing+=("$1/cmd/$command@$2"); fi
  done
  if [ ${#missing[@]} -gt 0 ]; then
    scratch=$(mktemp -d "$folder/.XXXXXX")
    GOBIN=$scratch GOFLAGS="${GOFLAGS:-} -mod=mod" go install -ldflags='-s -w' "${missing[@]}"
    mv "$scratch"/* "$folder" # by rename: an interruption leaves no part of a command
    rmdir "$scratch"
  fi
  PATH=$folder:$PATH
}
install k8s.io/code-generator "$(version k8s.io/apimachinery)" \
  deepcopy-gen defaulter-gen conversion-gen validation-gen applyconfiguration-gen client-gen lister-gen informer-gen \
  go-to-protobuf go-to-protobuf/protoc-gen-gogo
install golang.org/x/tools "$(version golang.org/x/tools)" goimports

find apis -name 'zz_generated.*' -delete
find apis/images -name 'generated.p*' -delete
rm -rf $out/clientset $out/applyconfiguration $out/listers $out/informers

deepcopy-gen --go-header-file $header --output-file zz_generated.deepcopy.go $types
defaulter-gen --go-header-file $header --output-file zz_generated.defaults.go $types

# Protobuf. go-to-protobuf wants every package below one folder, under its import path: links to where they are.
protos=$(mktemp -d); compiler=$(mktemp -d); schema=$(mktemp); trap 'rm -rf "$protos" "$compiler" "$schema"' EXIT
go build -o "$compiler" ./apis/protoc
mkdir -p "$protos/${module%/*}" "$protos/k8s.io" "$protos/github.com/gogo"
ln -s "$PWD" "$protos/$module"
folder() { go mod download -json "$@" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'; } # of a module, which may not be there yet
generator=$(folder "k8s.io/code-generator@$(version k8s.io/apimachinery)")
gogo=github.com/gogo/protobuf
ln -s "$(folder "$gogo@$(go -C "$generator" list -m -f '{{.Version}}' $gogo)")" "$protos/$gogo"
for library in k8s.io/{api,apimachinery}; do
  ln -s "$(folder "$library@$(version "$library")")" "$protos/$library"
done
PATH=$compiler:$PATH go-to-protobuf --go-header-file $header --output-dir "$protos" \
  --proto-import "$protos/github.com/gogo/protobuf/protobuf" --packages $types \
  --apimachinery-packages "$(printf -- '-k8s.io/%s,' \
    apimachinery/pkg/{util/intstr,api/resource,runtime/schema,runtime,apis/meta/v1} api/core/v1 | sed 's/,$//')"

machinery=(k8s.io/apimachinery/pkg/{apis/meta/v1,runtime,version,api/resource,util/intstr} k8s.io/api/core/v1)
readonly=()
for package in "${machinery[@]}" k8s.io/apimachinery/pkg/types time; do
  readonly+=(--readonly-pkg "$package")
done
validation-gen --go-header-file $header --output-file zz_generated.validations.go "${readonly[@]}" "${machinery[@]/#/--readonly-pkg=}" ./$out/validation

go run ./apis/openapi-gen --go-header-file $header --output-file zz_generated.openapi.go \
  --output-dir $out/openapi --output-pkg $module/$out/openapi --report-filename /dev/null \
  --output-model-name-file zz_generated.model_name.go "${readonly[@]}" "${machinery[@]}" $types

definitions=$out/openapi/zz_generated.openapi.go
pruned=$(awk -f apis/prune-openapi.awk $definitions $definitions)
printf '%s\n' "$pruned" | gofmt > $definitions

# The core types whose apply configurations come from client-go.
external=$(printf 'k8s.io/api/core/v1.%s:k8s.io/client-go/applyconfigurations/core/v1,' \
  Affinity EnvVar Toleration)
go run ./apis/openapischema > "$schema"
applyconfiguration-gen --go-header-file $header --openapi-schema "$schema" \
  --external-applyconfigurations "${external%,}" \
  --output-dir $out/applyconfiguration --output-pkg $module/$out/applyconfiguration $types
client-gen --go-header-file $header --clientset-name versioned --prefers-protobuf \
  --input-base $module/apis --input images/v1alpha1 --apply-configuration-package $module/$out/applyconfiguration \
  --output-dir $out/clientset --output-pkg $module/$out/clientset
lister-gen --go-header-file $header --output-dir $out/listers --output-pkg $module/$out/listers $types
informer-gen --go-header-file $header --output-dir $out/informers --output-pkg $module/$out/informers \
  --versioned-clientset-package $module/$out/clientset/versioned --listers-package $module/$out/listers $types

# The example API of the server builder: two versions and a hub.
library=$module/apiserver/example/library
find apiserver/example -name 'zz_generated.*' -delete
deepcopy-gen --go-header-file $header --output-file zz_generated.deepcopy.go $library $library/v1 $library/v2
defaulter-gen --go-header-file $header --output-file zz_generated.defaults.go $library/v1 $library/v2
conversion-gen --go-header-file $header --output-file zz_generated.conversion.go $library/v1 $library/v2
go run ./apis/openapi-gen --go-header-file $header --output-file zz_generated.openapi.go \
  --output-dir apiserver/example/library/openapi --output-pkg $library/openapi --report-filename /dev/null \
  --output-model-name-file zz_generated.model_name.go "${readonly[@]}" \
  k8s.io/apimachinery/pkg/{apis/meta/v1,runtime,version} $library/v1 $library/v2
