# Makes the certificates of a run: sourced by broker.
# shellcheck shell=bash

new_ca() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$2" \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' \
    -keyout "$1.key" -out "$1.pem"
}

# new_certificate CA FILE NAME EXTENSION...
new_certificate() {
  local ca=$1 file=$2 name=$3
  shift 3
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -keyout "$file.key" -out "$file.csr"
  openssl x509 -req -in "$file.csr" -days 30 -CA "$ca.pem" -CAkey "$ca.key" -CAcreateserial \
    -extfile <(printf '%s\n' basicConstraints=CA:FALSE "$@") -out "$file.pem"
  rm "$file.csr"
}

# The user guest can log in with client.pem by the EXTERNAL mechanism. The two wrong- files belong together and to
# nobody else: for clients that must refuse the broker, and for a client that the broker must refuse.
make_certificates() {
  (
    cd "$1"
    new_ca ca 'rstream test CA'
    new_ca wrong-ca 'rstream wrong CA'
    new_certificate ca server localhost extendedKeyUsage=serverAuth 'subjectAltName=DNS:localhost,IP:127.0.0.1'
    new_certificate ca client guest extendedKeyUsage=clientAuth
    new_certificate wrong-ca wrong-client guest extendedKeyUsage=clientAuth
  ) >"$1/openssl.log" 2>&1 || die "openssl failed; all it said is in $1/openssl.log"
}
