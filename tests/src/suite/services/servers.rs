//! The servers, with their files, and the questions to each.

use super::{Row, Server, down, up};

pub(super) const UNBOUND: Server = Server {
    process: "unbound",
    prepare: UNBOUND_FILES,
    start: "exec unbound -d -c /srv/unbound.conf",
    rows: UNBOUND_ROWS,
};

const UNBOUND_FILES: &str = "\
cat > /srv/unbound.conf <<EOF
server:
  interface: 0.0.0.0
  interface: ::0
  access-control: 0.0.0.0/0 allow
  access-control: ::0/0 allow
  do-daemonize: no
  username: \"\"
  chroot: \"\"
  directory: /srv
  pidfile: /srv/unbound.pid
  use-syslog: no
  local-zone: lab. static
  local-data: \"www.lab. A 10.0.0.7\"
  local-data: \"www.lab. AAAA fd00::7\"
  local-data: \"lab. MX 10 mail.lab.\"
  local-data-ptr: \"10.0.0.7 www.lab\"
EOF
for n in $(seq 0 99); do echo \"  local-data: 'many.lab. A 10.1.0.$n'\"; done >> /srv/unbound.conf";

const UNBOUND_ROWS: &[Row] = &[
    up(
        "an address",
        53,
        &[
            "service=dns",
            "protocol=udp",
            "request=\"www.lab\"",
            "receive=\"^10\\.0\\.0\\.7$\"",
        ],
    ),
    up(
        "over TCP",
        53,
        &[
            "service=dns",
            "protocol=tcp",
            "request=\"www.lab\"",
            "receive=\"10.0.0.7\"",
        ],
    ),
    up(
        "any answer",
        53,
        &["service=dns", "protocol=udp", "request=\"www.lab\""],
    ),
    up(
        "a name",
        53,
        &[
            "service=dns",
            "protocol=udp",
            "request=\"10.0.0.7\"",
            "receive=\"^www\\.lab$\"",
        ],
    ),
    up(
        "another type",
        53,
        &[
            "service=dns",
            "protocol=udp",
            "request=\"lab. MX\"",
            "receive=\"10 mail\"",
        ],
    ),
    up(
        "cut, and whole over TCP",
        53,
        &[
            "service=dns",
            "protocol=udp",
            "request=\"many.lab\"",
            "receive=\"10.1.0.99\"",
        ],
    ),
    down(
        "another address",
        53,
        &[
            "service=dns",
            "protocol=udp",
            "request=\"www.lab\"",
            "receive=\"10.0.0.8\"",
        ],
        "Response mismatch",
    ),
    down(
        "an unknown name",
        53,
        &["service=dns", "protocol=udp", "request=\"no.lab\""],
        "Non-Existent Domain",
    ),
    down(
        "nothing of that type",
        53,
        &["service=dns", "protocol=udp", "request=\"www.lab MX\""],
        "without records",
    ),
];

pub(super) const SLAPD: Server = Server {
    process: "slapd",
    prepare: SLAPD_FILES,
    start: "exec slapd -d 0 -f /srv/slapd.conf -h 'ldap:/// ldaps:///'",
    rows: SLAPD_ROWS,
};

const SLAPD_FILES: &str = concat!(
    certificate!(),
    "\
mkdir /srv/db
cat > /srv/slapd.conf <<EOF
include /etc/ldap/schema/core.schema
pidfile /srv/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile /srv/cert.pem
TLSCertificateKeyFile /srv/key.pem
database mdb
suffix o=Lab
rootdn cn=admin,o=Lab
rootpw secret
directory /srv/db
access to dn.base=ou=Closed,o=Lab by dn.exact=cn=admin,o=Lab read by * none
access to * by * read
EOF
slapadd -f /srv/slapd.conf 2>/srv/slapadd.log <<EOF
dn: o=Lab
objectClass: organization
o: Lab

dn: ou=Closed,o=Lab
objectClass: organizationalUnit
ou: Closed
EOF"
);

const SLAPD_ROWS: &[Row] = &[
    up(
        "an entry",
        389,
        &[
            "service=ldap",
            "protocol=tcp",
            "request=\"o=lab\"",
            "receive=\"^o=Lab$\"",
        ],
    ),
    up(
        "over TLS",
        636,
        &[
            "service=ldaps",
            "protocol=tcp",
            "request=\"o=Lab\"",
            "receive=\"Lab\"",
        ],
    ),
    up(
        "with a login",
        389,
        &[
            "service=ldap",
            "protocol=tcp",
            "request=\"ou=Closed,o=Lab\"",
            "login=\"cn=admin,o=Lab\"",
            "passwd=\"secret\"",
        ],
    ),
    down(
        "without the login",
        389,
        &[
            "service=ldap",
            "protocol=tcp",
            "request=\"ou=Closed,o=Lab\"",
        ],
        "No answer received",
    ),
    down(
        "a wrong password",
        636,
        &[
            "service=ldaps",
            "protocol=tcp",
            "request=\"o=Lab\"",
            "login=\"cn=admin,o=Lab\"",
            "passwd=\"wrong\"",
        ],
        "invalid credentials",
    ),
    down(
        "another name",
        389,
        &[
            "service=ldap",
            "protocol=tcp",
            "request=\"o=Lab\"",
            "receive=\"other\"",
        ],
        "Response mismatch",
    ),
    down(
        "no such entry",
        389,
        &["service=ldap", "protocol=tcp", "request=\"o=other,o=Lab\""],
        "no such object",
    ),
];

pub(super) const FREERADIUS: Server = Server {
    process: "freeradius",
    prepare: FREERADIUS_FILES,
    start: "exec freeradius -f -l stdout -d /srv/radius",
    rows: FREERADIUS_ROWS,
};

const FREERADIUS_FILES: &str = "\
mkdir /srv/radius
cat > /srv/radius/radiusd.conf <<EOF
prefix = /usr
libdir = /usr/lib/freeradius
logdir = /srv/radius
run_dir = /srv/radius
security {
  allow_vulnerable_openssl = yes
}
client lab4 {
  ipaddr = 10.0.0.0/24
  secret = s3cret
  require_message_authenticator = yes
}
client lab6 {
  ipv6addr = fd00::/64
  secret = s3cret
  require_message_authenticator = yes
}
modules {
  pap {
  }
  files {
    filename = /srv/radius/users
  }
}
server default {
  listen {
    type = auth
    ipaddr = *
    port = 1812
  }
  listen {
    type = auth
    ipv6addr = ::
    port = 1812
  }
  authorize {
    files
    pap
  }
  authenticate {
    Auth-Type PAP {
      pap
    }
  }
}
EOF
echo 'check Cleartext-Password := \"a password that is longer than one block\"' > /srv/radius/users";

const FREERADIUS_ROWS: &[Row] = &[
    up(
        "a login",
        1812,
        &[
            "service=radius",
            "protocol=udp",
            "login=\"check\"",
            "passwd=\"a password that is longer than one block\"",
            "secret=\"s3cret\"",
        ],
    ),
    down(
        "a wrong password",
        1812,
        &[
            "service=radius",
            "protocol=udp",
            "login=\"check\"",
            "passwd=\"wrong\"",
            "secret=\"s3cret\"",
        ],
        "Access-Reject",
    ),
    down(
        "an unknown login",
        1812,
        &[
            "service=radius",
            "protocol=udp",
            "login=\"nobody\"",
            "passwd=\"x\"",
            "secret=\"s3cret\"",
        ],
        "Access-Reject",
    ),
    down(
        "a wrong secret",
        1812,
        &[
            "service=radius",
            "protocol=udp",
            "login=\"check\"",
            "passwd=\"x\"",
            "secret=\"other\"",
        ],
        "secret",
    ),
];

pub(super) const KAMAILIO: Server = Server {
    process: "kamailio",
    prepare: KAMAILIO_FILES,
    start: "exec kamailio -f /srv/kamailio.cfg -DD -E -m 16 -M 4 -Y /srv",
    rows: KAMAILIO_ROWS,
};

const KAMAILIO_FILES: &str = "\
cat > /srv/kamailio.cfg <<EOF
debug=0
log_stderror=yes
fork=yes
children=1
tcp_children=1
listen=udp:10.0.0.11:5060
listen=tcp:10.0.0.11:5060
listen=udp:[fd00::11]:5060
listen=tcp:[fd00::11]:5060
loadmodule \"pv.so\"
loadmodule \"sl.so\"
request_route {
  if (method == \"OPTIONS\" && \\$rU == \"check\") {
    sl_send_reply(\"200\", \"All well\");
    exit;
  }
  sl_send_reply(\"404\", \"Nobody\");
}
EOF";

const KAMAILIO_ROWS: &[Row] = &[
    up(
        "over UDP",
        5060,
        &["service=sip", "protocol=udp", "login=\"check@lab\""],
    ),
    up(
        "over TCP",
        5060,
        &["service=sip", "protocol=tcp", "login=\"check@lab\""],
    ),
    down(
        "another login",
        5060,
        &["service=sip", "protocol=udp", "login=\"other@lab\""],
        "404 Nobody",
    ),
    down(
        "another login over TCP",
        5060,
        &["service=sip", "protocol=tcp", "login=\"other@lab\""],
        "404 Nobody",
    ),
];
