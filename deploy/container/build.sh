#!/bin/sh
# Builds the container image. Usage: deploy/container/build.sh [NAME[:TAG]]
#
#   BUILDER    buildah, podman or docker; default: the first that is installed
#   PLATFORM   linux/amd64 or linux/arm64; default: this machine's
#   CA_BUNDLE  PEM file of the certificate authorities; default: this machine's
#   VERSION    default: what git says
set -eu

name=${1:-jmsbridge:latest}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
version=${VERSION:-$(git -C "$root" describe --tags --always --dirty 2>/dev/null || echo unknown)}
platform=${PLATFORM:-linux/$(go env GOARCH)}

builder=${BUILDER:-}
for candidate in buildah podman docker; do
	[ -n "$builder" ] && break
	command -v "$candidate" >/dev/null 2>&1 && builder=$candidate
done
[ -n "$builder" ] || { echo "build.sh: install buildah, podman or docker" >&2; exit 1; }

bundle=${CA_BUNDLE:-}
for candidate in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
	[ -n "$bundle" ] && break
	[ -r "$candidate" ] && bundle=$candidate
done
[ -r "$bundle" ] || { echo "build.sh: no certificate authorities found; set CA_BUNDLE" >&2; exit 1; }

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$bundle" "$context/ca-certificates.crt"
chmod 0644 "$context/ca-certificates.crt"
(cd "$root" && CGO_ENABLED=0 GOOS=${platform%/*} GOARCH=${platform#*/} \
	go build -trimpath -ldflags "-s -w -X main.version=$version" -o "$context/jmsbridge" ./cmd/jmsbridge)

build=build
[ "$builder" = buildah ] && build=bud
$builder $build --platform "$platform" -t "$name" -f "$here/Containerfile" \
	--label "org.opencontainers.image.version=$version" "$context"
echo "built $name ($version, $platform)"
