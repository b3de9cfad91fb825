#!/usr/bin/env bash
# Sets up everything and runs every test. With arguments, only these suites: lint demo unit integration e2e.
# Downloads go to the user's cache folder; once they are there, no network is needed.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly lint_version=v2.15.0
for name in "$@"; do
	case "$name" in
	all | lint | demo | unit | integration | e2e) ;;
	*)
		echo "There is no suite $name: the suites are lint, demo, unit, integration, e2e, and all." >&2
		exit 2
		;;
	esac
done

cache="${XDG_CACHE_HOME:-$HOME/.cache}/jmsbridge-test"
mkdir -p "$cache"
results="$(mktemp -d)"
trap 'rm -rf "$results"' EXIT
suites=("${@:-all}")
failures=0

say() { printf '\n== %s\n' "$*"; }

wanted() { [[ " ${suites[*]} " == *" all "* || " ${suites[*]} " == *" $1 "* ]]; }

# need COMMAND PACKAGE: notes the Debian package of a command that is missing.
missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }

install_missing() {
	need gcc gcc # the race detector is C
	[[ -e /usr/include/stdlib.h ]] || missing+=(libc6-dev)
	need git git
	if wanted integration || wanted e2e; then
		need javac openjdk-17-jdk-headless
		need mvn maven
		need python3 python3
		python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
	fi
	if wanted integration; then
		need systemd-analyze systemd
		need buildah buildah
		need podman podman
		need runc runc
	fi
	[[ ${#missing[@]} -gt 0 ]] || return 0
	if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
		echo "Missing on this machine: ${missing[*]}. Install them (Debian: apt-get install ${missing[*]}) and run this again." >&2
		exit 1
	fi
	say "installing ${missing[*]}"
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

setup() {
	if ! command -v go >/dev/null; then
		echo "Go 1.26 or newer is missing: https://go.dev/dl/" >&2
		exit 1
	fi
	install_missing
	go mod download
	if wanted lint && [[ ! -x "$cache/golangci-lint-$lint_version/golangci-lint" ]]; then
		say "building golangci-lint $lint_version"
		GOBIN="$cache/golangci-lint-$lint_version" GOFLAGS=-mod=mod go install \
			"github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$lint_version"
	fi
	go build -o "$results/report" ./test/report
	if wanted integration || wanted e2e; then
		go build -o "$results/broker" ./test/brokers/cmd/broker
		for kind in classic6 classic5 artemis; do
			"$results/broker" -install "$kind"
		done
	fi
}

# suite NAME COMMAND…: runs one suite, notes its seconds and whether it passed.
suite() {
	local name="$1" start=$SECONDS verdict=passed status
	shift
	say "$name"
	# In a condition (||, if, !) bash ignores errexit for all that COMMAND does: it would go on after a failure.
	set +e
	(
		set -e
		"$@"
	)
	status=$?
	set -e
	[[ $status -eq 0 ]] || verdict=FAILED
	[[ $verdict == passed ]] || failures=$((failures + 1))
	printf '%-14s %5d s  %s\n' "$name" $((SECONDS - start)) "$verdict" | tee -a "$results/seconds"
}

# gotest ARGUMENTS…: go test, of which a skipped test is a failure.
gotest() {
	go test -json "$@" | "$results/report" | tee -a "$results/packages"
}

# tagged lists the packages that have integration tests, but for the end-to-end tests.
tagged() {
	grep -rl --include='*_test.go' '^//go:build integration' . | xargs -n1 dirname | sort -u | grep -v '^./test/e2e$'
}

lint() {
	go vet -tags integration ./...
	"$cache/golangci-lint-$lint_version/golangci-lint" run --color never ./...
}

unit() { gotest -race -shuffle=on -timeout 10m ./...; }

# One package after the other: brokers are large, and the machine may be small.
# shellcheck disable=SC2046 # package paths without spaces
integration() { gotest -tags integration -shuffle=on -p 1 -timeout 20m $(tagged); }

e2e() { gotest -tags integration -shuffle=on -timeout 30m ./test/e2e; }

demo() {
	CGO_ENABLED=0 go build -trimpath -o "$results/jmsbridge" ./cmd/jmsbridge
	"$results/jmsbridge" demo --messages 20000 | tee "$results/demo"
	tail -n 1 "$results/demo" | grep -qx 'sent 20000, delivered 20000, lost 0, duplicated [0-9]*'
}

setup_start=$SECONDS
say "setup"
setup
printf '%-14s %5d s\n' setup $((SECONDS - setup_start)) | tee -a "$results/seconds"
for s in lint demo unit integration e2e; do # the seeds of the fuzz tests and the simulator's run with the unit tests
	if wanted "$s"; then
		suite "$s" "$s"
	fi
done

say "seconds"
cat "$results/seconds"
printf '%-14s %5d s\n' total "$SECONDS"
if [[ -e "$results/packages" ]]; then
	say "packages"
	grep -E '^(ok|FAIL)' "$results/packages" || true
fi
if [[ $failures -gt 0 ]]; then
	echo "$failures of the suites failed" >&2
	exit 1
fi
