# Makes the cached Debian folders that the brokers run from: sourced by broker.
# shellcheck shell=bash disable=SC2154  # common.sh tells where the cache is.

suite_of() {
  case $1 in
    4.0) echo trixie ;;
    4.3) echo forky ;;
    *) usage_error "there is no version '$1', only 4.0 and 4.3" ;;
  esac
}

cached_root() { echo "$cache/broker-$1"; }

# Installs PACKAGE when the host lacks COMMAND.
need() {
  command -v "$1" >/dev/null && return
  command -v apt-get >/dev/null || no_broker_here "'$1' is missing and there is no apt-get to install it."
  say "installing $2"
  refresh_apt_lists
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$2" </dev/null >&2
}

refresh_apt_lists() {
  [[ -z ${apt_lists_fresh-} ]] || return 0
  apt-get update -q </dev/null >&2
  apt_lists_fresh=yes
}

mirror_from_apt() {
  apt-get indextargets --format "\$(SITE)" 'Created-By: Packages' 'Label: Debian' | sed -n 1p
}

# The mirror that the host's own apt uses, so that no network is assumed beyond the one the host was set up for.
debian_mirror() {
  local mirror=${RSTREAM_DEBIAN_MIRROR-}
  [[ -n $mirror ]] || mirror=$(mirror_from_apt)
  if [[ -z $mirror ]]; then
    # A fresh image comes without lists, and only they tell which source is Debian's.
    refresh_apt_lists
    mirror=$(mirror_from_apt)
  fi
  case $mirror in
    # Cloud images keep the address in a list of its own.
    mirror+file:*) sed -n '/^[a-z]/ { s/[[:space:]].*//; p; q }' "/${mirror#mirror+file:*/}" ;;
    *) echo "$mirror" ;;
  esac
}

apt_proxy() {
  local proxy=
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  [[ $proxy == DIRECT ]] || echo "$proxy"
}

# Replaces the shell it is called in. The private process and mount namespaces end with the parent of that shell, however
# it ends: no half-run package script and no mounted /proc stays behind.
exec_debootstrap() {
  local suite=$1 root=$2 mirror=$3 proxy
  proxy=$(apt_proxy)
  # debootstrap of an older release has no script for a newer suite; sid's serves them all.
  exec env ${proxy:+http_proxy="$proxy"} \
    setpriv --pdeathsig KILL unshare --mount --propagation "$(propagation)" --pid --fork --kill-child --mount-proc \
    debootstrap --variant=minbase --include=rabbitmq-server,procps \
    "$suite" "$root" "$mirror" /usr/share/debootstrap/scripts/sid </dev/null
}

build_root() {
  local version=$1 root=$2 suite mirror log
  suite=$(suite_of "$version")
  log=$cache/broker-$version.log
  need debootstrap debootstrap
  need gpgv gpgv
  [[ -e /usr/share/keyrings/debian-archive-keyring.gpg ]] || need debian-archive-keyring debian-archive-keyring
  mirror=$(debian_mirror)
  [[ -n $mirror ]] || no_broker_here "apt knows no Debian mirror; RSTREAM_DEBIAN_MIRROR may name one."
  [[ $mirror != https:* ]] || need update-ca-certificates ca-certificates
  say "installing RabbitMQ $version from Debian $suite in $root: about a minute, only the first time"
  exec_debootstrap "$suite" "$root.new" "$mirror" >"$log" 2>&1 &
  # A shell that waits like this takes a signal at once.
  if ! wait $!; then
    tail -n 20 "$log" >&2
    die "debootstrap failed; all it said is in $log"
  fi
  printf '127.0.0.1 localhost\n' >"$root.new/etc/hosts"
  rm -rf "$root.new"/var/cache/apt/archives/*.deb "$root.new"/var/lib/apt/lists/*
}

# A folder appears under its final name only when it is whole, and only one process at a time builds it.
prepare() {
  local version=$1 root lock
  root=$(cached_root "$version")
  [[ ! -d $root ]] || return 0
  mkdir -p "$cache"
  exec {lock}>"$cache/broker-$version.lock"
  flock "$lock"
  if [[ ! -d $root ]]; then
    rm -rf --one-file-system "$root.new"
    build_root "$version" "$root"
    mv -T "$root.new" "$root"
  fi
  exec {lock}>&-
}
