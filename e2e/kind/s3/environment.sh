# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared functions of the scripts for the S3 server. Sourced, never run.

# shellcheck source=../inside.sh
source "$(dirname "${BASH_SOURCE[0]}")/../inside.sh"

# need_s3: Docker, the tools and the container image of the server are there.
need_s3() {
  need_image versitygw "$kind_directory/s3/Dockerfile"
}

s3_image() {
  image_of versitygw "$kind_directory/s3/Dockerfile"
}

# access creates the credentials of the server and its clients once: a self-signed certificate, and the secret of the only
# user.
access() {
  local work
  work=$(mktemp -d)
  step 'make a certificate for the S3 server' env -C "$work" GOWORK=off go run "$(go env GOROOT)/src/crypto/tls/generate_cert.go" \
    --host s3.s3.svc --ca --ecdsa-curve P256 --duration 87600h
  kube --namespace s3 create secret generic s3 --from-file="tls.crt=$work/cert.pem" --from-file="tls.key=$work/key.pem" \
    --from-literal=AWS_ACCESS_KEY_ID=logs --from-literal="AWS_SECRET_ACCESS_KEY=$(head -c 24 /dev/urandom | base64)" \
    --from-literal='url=s3://logs?region=us-east-1&endpoint=https://s3.s3.svc&use_path_style=true' >/dev/null
  rm -rf "$work"
}
