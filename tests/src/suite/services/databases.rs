//! The databases, with their files, and the questions to each.

use super::{Row, Server, down, up, up_saying};

/// The questions to a MariaDB, and what else there is to ask.
macro_rules! mariadb_rows {
    ($($more:expr),*) => {
        &[
            up(
                "a row",
                3306,
                &[
                    "service=mysql",
                    "login=\"check\"",
                    "passwd=\"secret\"",
                    "database=\"shop\"",
                    "request=\"SELECT a FROM alive\"",
                ],
            ),
            up(
                "without a database",
                3306,
                &[
                    "service=mysql",
                    "login=\"check\"",
                    "passwd=\"secret\"",
                    "request=\"SELECT 1\"",
                ],
            ),
            down(
                "no row",
                3306,
                &[
                    "service=mysql",
                    "login=\"check\"",
                    "passwd=\"secret\"",
                    "database=\"shop\"",
                    "request=\"SELECT a FROM empty\"",
                ],
                "no row",
            ),
            down(
                "a wrong query",
                3306,
                &[
                    "service=mysql",
                    "login=\"check\"",
                    "passwd=\"secret\"",
                    "database=\"shop\"",
                    "request=\"SELECT a FROM nowhere\"",
                ],
                "shop.nowhere",
            ),
            down(
                "a wrong password",
                3306,
                &[
                    "service=mysql",
                    "login=\"check\"",
                    "passwd=\"wrong\"",
                    "request=\"SELECT 1\"",
                ],
                "Access denied",
            ),
            down(
                "a wrong database",
                3306,
                &[
                    "service=mysql",
                    "login=\"check\"",
                    "passwd=\"secret\"",
                    "database=\"other\"",
                    "request=\"SELECT 1\"",
                ],
                "denied",
            ),
            $($more),*
        ]
    };
}

pub(super) const MARIADB: Server = Server {
    process: "mariadbd",
    prepare: MARIADB_FILES,
    start: "exec mariadbd --no-defaults --user=root --datadir=/srv/db --init-file=/srv/init.sql \
            --bind-address='*' --skip-name-resolve --socket=/srv/db.sock --pid-file=/srv/db.pid \
            --innodb-buffer-pool-size=16M --ssl-cert=/srv/cert.pem --ssl-key=/srv/key.pem",
    rows: mariadb_rows![],
};

const MARIADB_FILES: &str = concat!(
    certificate!(),
    "\
mkdir /srv/db
(echo 'CREATE DATABASE mysql;'; echo 'USE mysql;'; echo 'SET @auth_root_socket = NULL;'
 cd /usr/share/mysql; cat mysql_system_tables.sql mysql_system_tables_data.sql) |
mariadbd --no-defaults --bootstrap --user=root --datadir=/srv/db >/srv/install.log 2>&1
cat > /srv/init.sql <<EOF
CREATE DATABASE shop;
CREATE TABLE shop.alive (a INT);
CREATE TABLE shop.empty (a INT);
INSERT INTO shop.alive VALUES (1), (2);
CREATE USER 'check'@'%' IDENTIFIED BY 'secret';
GRANT SELECT ON shop.* TO 'check'@'%';
CREATE USER 'careful'@'%' IDENTIFIED BY 'secret' REQUIRE SSL;
EOF"
);

/// The same server once more, which takes nobody without TLS.
pub(super) const MARIADB_WITH_TLS_ALONE: Server = Server {
    start: "exec mariadbd --no-defaults --user=root --datadir=/srv/db --init-file=/srv/init.sql \
            --bind-address='*' --skip-name-resolve --socket=/srv/db.sock --pid-file=/srv/db.pid \
            --innodb-buffer-pool-size=16M --ssl-cert=/srv/cert.pem --ssl-key=/srv/key.pem \
            --require-secure-transport=ON",
    rows: mariadb_rows![up_saying(
        "a certificate that ends soon",
        3306,
        &[
            "service=mysql",
            "login=\"check\"",
            "passwd=\"secret\"",
            "request=\"SELECT 1\"",
            "certexpirywarn=14",
        ],
        "a row; the certificate expires in",
    )],
    ..MARIADB
};

/// And once more, with a TLS that ldird does not speak.
pub(super) const MARIADB_WITH_OLD_TLS: Server = Server {
    start: "exec mariadbd --no-defaults --user=root --datadir=/srv/db --init-file=/srv/init.sql \
            --bind-address='*' --skip-name-resolve --socket=/srv/db.sock --pid-file=/srv/db.pid \
            --innodb-buffer-pool-size=16M --ssl-cert=/srv/cert.pem --ssl-key=/srv/key.pem \
            --tls-version=TLSv1.1 --ssl-cipher=ALL:@SECLEVEL=0",
    rows: &[
        up(
            "a login without TLS",
            3306,
            &[
                "service=mysql",
                "login=\"check\"",
                "passwd=\"secret\"",
                "request=\"SELECT 1\"",
            ],
        ),
        // It says the same of a wrong password: refused is refused.
        down(
            "a login with TLS alone",
            3306,
            &[
                "service=mysql",
                "login=\"careful\"",
                "passwd=\"secret\"",
                "request=\"SELECT 1\"",
            ],
            "; over TLS: connected, and no more was asked: the server wants TLS 1.1 with",
        ),
    ],
    ..MARIADB
};

pub(super) const POSTGRESQL: Server = Server {
    process: "postgres",
    prepare: POSTGRESQL_FILES,
    start: "bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
exec setpriv --reuid=postgres --regid=postgres --clear-groups $bin/postgres -D /srv/db -F -h '*' \
     -k /srv/db -c ssl=on -c ssl_cert_file=/srv/cert.pem -c ssl_key_file=/srv/key.pem",
    rows: POSTGRESQL_ROWS,
};

/// The same with a TLS that ldird does not speak.
pub(super) const POSTGRESQL_WITH_OLD_TLS: Server = Server {
    start: "bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
exec setpriv --reuid=postgres --regid=postgres --clear-groups $bin/postgres -D /srv/db -F -h '*' \
     -k /srv/db -c ssl=on -c ssl_cert_file=/srv/cert.pem -c ssl_key_file=/srv/key.pem \
     -c ssl_min_protocol_version=TLSv1 -c ssl_max_protocol_version=TLSv1.1 \
     -c ssl_ciphers=ALL:@SECLEVEL=0",
    rows: &[
        up_saying(
            "a server of its time",
            5432,
            &[
                "service=pgsql",
                "login=\"check\"",
                "passwd=\"secret\"",
                "database=\"postgres\"",
                "request=\"SELECT 1\"",
            ],
            "the server wants TLS 1.1 with",
        ),
        up_saying(
            "a login that it takes without",
            5432,
            &[
                "service=pgsql",
                "login=\"check\"",
                "passwd=\"secret\"",
                "database=\"template1\"",
                "request=\"SELECT 1\"",
            ],
            "a row",
        ),
    ],
    ..POSTGRESQL
};

const POSTGRESQL_FILES: &str = concat!(
        certificate!(),
        "\
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
mkdir /srv/db; echo secret > /srv/password; chown postgres /srv/db /srv/password /srv/key.pem
as() { setpriv --reuid=postgres --regid=postgres --clear-groups \"$@\"; }
as $bin/initdb -D /srv/db -U check -A scram-sha-256 --pwfile=/srv/password --no-sync --no-locale >/srv/initdb.log 2>&1
cat > /srv/db/pg_hba.conf <<EOF
local all all trust
hostssl postgres check 0.0.0.0/0 scram-sha-256
hostssl postgres check ::0/0 scram-sha-256
hostnossl template1 check 0.0.0.0/0 scram-sha-256
hostnossl template1 check ::0/0 scram-sha-256
EOF
chown postgres /srv/db/pg_hba.conf"
    );

const POSTGRESQL_ROWS: &[Row] = &[
    up(
        "a row over TLS",
        5432,
        &[
            "service=pgsql",
            "login=\"check\"",
            "passwd=\"secret\"",
            "database=\"postgres\"",
            "request=\"SELECT 1\"",
        ],
    ),
    up_saying(
        "a certificate that ends soon",
        5432,
        &[
            "service=pgsql",
            "login=\"check\"",
            "passwd=\"secret\"",
            "database=\"postgres\"",
            "request=\"SELECT 1\"",
            "certexpirywarn=14",
        ],
        "a row; the certificate expires in",
    ),
    up(
        "a row without TLS",
        5432,
        &[
            "service=pgsql",
            "login=\"check\"",
            "passwd=\"secret\"",
            "database=\"template1\"",
            "request=\"SELECT datname FROM pg_database\"",
        ],
    ),
    down(
        "no row",
        5432,
        &[
            "service=pgsql",
            "login=\"check\"",
            "passwd=\"secret\"",
            "database=\"postgres\"",
            "request=\"SELECT 1 WHERE false\"",
        ],
        "no row",
    ),
    down(
        "a wrong query",
        5432,
        &[
            "service=pgsql",
            "login=\"check\"",
            "passwd=\"secret\"",
            "database=\"postgres\"",
            "request=\"SELECT nothing\"",
        ],
        "nothing",
    ),
    down(
        "a query that fails",
        5432,
        &[
            "service=pgsql",
            "login=\"check\"",
            "passwd=\"secret\"",
            "database=\"postgres\"",
            "request=\"SELECT 1/(3-g) FROM generate_series(1,5) g\"",
        ],
        "division by zero",
    ),
    down(
        "a wrong password",
        5432,
        &[
            "service=pgsql",
            "login=\"check\"",
            "passwd=\"wrong\"",
            "database=\"postgres\"",
            "request=\"SELECT 1\"",
        ],
        "password authentication failed",
    ),
    down(
        "a wrong database",
        5432,
        &[
            "service=pgsql",
            "login=\"check\"",
            "passwd=\"secret\"",
            "database=\"other\"",
            "request=\"SELECT 1\"",
        ],
        "pg_hba.conf",
    ),
];
