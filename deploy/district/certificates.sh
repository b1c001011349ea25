#!/bin/sh
# The district's certificates, by openssl: an authority once, then one certificate a broker, receiver or box.
#
#   certificates.sh FOLDER authority                    ca.key (keep it off the network), ca.crt, ca.crl
#   certificates.sh FOLDER broker HOST [HOST ...]       broker.key, broker.crt; an address is a HOST, too
#   certificates.sh FOLDER box ID                       ID.key, ID.crt; `district` is the receiver's ID
#   certificates.sh FOLDER revoke ID                    ID is shut out by the new ca.crl
set -eu
umask 077
folder=$1 what=$2
shift 2
cd "$folder"

new_key() {
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" 2>/dev/null ||
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"
}

sign() { # name, days, extensions
    openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
    printf '%s\n' "$3" > "$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days "$2" -extfile "$1.ext" -out "$1.crt"
    rm "$1.csr" "$1.ext"
}

ca_file() {
    printf '%s\n' '[ca]' 'default_ca=inkgate' '[inkgate]' 'database=index' 'crlnumber=crlnumber' 'default_md=sha256' \
        'default_crl_days=3650' > ca.cnf
}

case $what in
authority)
    new_key ca
    openssl req -x509 -key ca.key -days 7300 -subj "/CN=inkgate district authority" -out ca.crt
    : > index
    echo 01 > crlnumber
    ca_file
    openssl ca -config ca.cnf -gencrl -keyfile ca.key -cert ca.crt -out ca.crl
    ;;
broker)
    new_key broker
    names=
    for host; do
        case $host in
        *[!0-9.]*) names="$names,DNS:$host" ;;
        *) names="$names,IP:$host" ;;
        esac
    done
    sign broker 825 "subjectAltName=${names#,}
extendedKeyUsage=serverAuth"
    ;;
box)
    new_key "$1"
    sign "$1" 825 "extendedKeyUsage=clientAuth"
    ;;
revoke)
    ca_file
    openssl ca -config ca.cnf -revoke "$1.crt" -keyfile ca.key -cert ca.crt
    openssl ca -config ca.cnf -gencrl -keyfile ca.key -cert ca.crt -out ca.crl
    ;;
*)
    echo "certificates.sh FOLDER authority | broker HOST ... | box ID | revoke ID" >&2
    exit 2
    ;;
esac
