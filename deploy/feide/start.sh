#!/bin/sh
# Starts OpenLDAP as a directory for Feide, for a kommune without a BAS: docker compose --profile feide up.
# docs/engineer/deploy.md says how it is set up. The configuration is made anew at each start; the data stay.
#
#   FEIDE_REALM            haugesund.kommune.no: the tree is dc=haugesund,dc=kommune,dc=no
#   FEIDE_PASSWORD         of cn=dataflyt,<tree>, with which Dataflyt writes
#   FEIDE_READER_PASSWORD  of cn=feide,<tree>, with which Feide finds a person before the person logs in
set -eu
umask 077

here="$(cd "$(dirname "$0")" && pwd)"
data="${FEIDE_DATA:-/var/lib/feide}"
tls="${FEIDE_TLS:-/opt/feide/tls}"
port="${FEIDE_PORT:-1636}"
schemas="${FEIDE_SCHEMAS:-/etc/ldap/schema}"

fail() {
    echo "$1" >&2
    exit 1
}
for name in FEIDE_REALM FEIDE_PASSWORD FEIDE_READER_PASSWORD; do
    eval "value=\${$name:-}"
    test -n "$value" || fail "$name is empty: set it in .env."
done
echo "$FEIDE_REALM" | grep -Eqx '[a-z0-9-]+(\.[a-z0-9-]+)+' || fail "FEIDE_REALM is no domain: write haugesund.kommune.no."
for file in tls.crt tls.key; do
    test -r "$tls/$file" || fail "$tls/$file cannot be read: make a certificate as docs/engineer/deploy.md says."
done
modules="$(dirname "$(find /usr/lib -name 'back_mdb.*' -path '*ldap*' 2>/dev/null | head -n 1)")"
suffix="dc=$(echo "$FEIDE_REALM" | sed 's/\./,dc=/g')"

hashed() { printf '%s' "$1" | slappasswd -T /dev/stdin; } # in no command line: everybody on a machine can read those
password="$(hashed "$FEIDE_PASSWORD")"
reader="$(hashed "$FEIDE_READER_PASSWORD")"

rm -rf "$data/config"
mkdir -p "$data/config" "$data/mdb" "$data/run"
{
    cat <<END
dn: cn=config
objectClass: olcGlobal
cn: config
olcPidFile: $data/run/slapd.pid
olcTLSCertificateFile: $tls/tls.crt
olcTLSCertificateKeyFile: $tls/tls.key
olcTLSProtocolMin: 3.3
olcLogLevel: none

dn: cn=module,cn=config
objectClass: olcModuleList
cn: module
olcModulePath: $modules
olcModuleLoad: back_mdb
olcModuleLoad: unique

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

END
    for name in core cosine inetorgperson; do
        printf 'include: file://%s/%s.ldif\n\n' "$schemas" "$name"
    done
    printf 'include: file://%s/schema.ldif\n\n' "$here"
    cat <<END
dn: olcDatabase=frontend,cn=config
objectClass: olcDatabaseConfig
objectClass: olcFrontendConfig
olcDatabase: frontend
olcPasswordHash: {SSHA}

dn: olcDatabase=mdb,cn=config
objectClass: olcMdbConfig
olcDatabase: mdb
olcSuffix: $suffix
olcRootDN: cn=dataflyt,$suffix
olcRootPW: $password
olcDbDirectory: $data/mdb
olcDbMaxSize: 8589934592
olcDbIndex: objectClass,uid,mail,norEduPersonNIN,norEduPersonLIN eq
olcDbIndex: eduPersonPrincipalName,norEduOrgUnitUniqueIdentifier eq
olcAccess: to attrs=userPassword by self =xw by anonymous auth by * none
olcAccess: to * by dn.exact=cn=feide,$suffix read by self read by * none

dn: olcOverlay=unique,olcDatabase={1}mdb,cn=config
objectClass: olcOverlayConfig
objectClass: olcUniqueConfig
olcOverlay: unique
olcUniqueURI: ldap:///?norEduPersonNIN?sub
olcUniqueURI: ldap:///?norEduPersonLIN?sub
olcUniqueURI: ldap:///?eduPersonPrincipalName?sub
olcUniqueURI: ldap:///?norEduOrgUnitUniqueIdentifier?sub
END
} >"$data/run/config.ldif"
slapadd -n 0 -F "$data/config" -l "$data/run/config.ldif"
rm "$data/run/config.ldif"

if [ ! -e "$data/mdb/data.mdb" ]; then # the rest of the tree is Dataflyt's to make
    slapadd -b "$suffix" -F "$data/config" <<END
dn: $suffix
objectClass: top
objectClass: organization
objectClass: dcObject
o: $FEIDE_REALM
dc: ${FEIDE_REALM%%.*}

dn: cn=feide,$suffix
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: feide
userPassword: $reader
END
fi
slapmodify -b "$suffix" -F "$data/config" <<END
dn: cn=feide,$suffix
changetype: modify
replace: userPassword
userPassword: $reader
END

# -d keeps it in the foreground; 0 logs nothing, since names and searches would be in it.
socket="ldapi://$(echo "$data/run/ldapi" | sed 's|/|%2F|g')" # for the health check
exec slapd -d 0 -h "ldaps://${FEIDE_HOST:-0.0.0.0}:$port $socket" -F "$data/config"
