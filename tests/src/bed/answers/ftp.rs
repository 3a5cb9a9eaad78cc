//! FTP: any login, one file, over a connection that either side opens.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, bail};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::lines::{command, line, say};

const FILE: &str = "Welcome to the lab\n";

/// How the next file travels.
enum Data {
    Unsaid,
    Waits(TcpListener),
    Calls(SocketAddr),
}

pub(super) async fn serve<S>(stream: S, here: SocketAddr) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    let mut data = Data::Unsaid;
    say(&mut stream, "220 files.lab\r\n").await?;
    while let Some(heard) = line(&mut stream).await? {
        let (word, rest) = command(&heard);
        let said = match word.as_str() {
            "USER" => "331 and the password\r\n".to_owned(),
            "PASS" => "230 come in\r\n".to_owned(),
            "CWD" => "250 here\r\n".to_owned(),
            "QUIT" => {
                say(&mut stream, "221 bye\r\n").await?;
                break;
            }
            "PORT" => {
                data = Data::Calls(address(rest)?);
                "200 will call\r\n".to_owned()
            }
            "PASV" | "EPSV" => {
                let listener = TcpListener::bind((here.ip(), 0)).await?;
                let port = listener.local_addr()?.port();
                data = Data::Waits(listener);
                passive(&word, here.ip(), port)?
            }
            "RETR" => {
                say(&mut stream, "150 here it comes\r\n").await?;
                let connection = match std::mem::replace(&mut data, Data::Unsaid) {
                    Data::Unsaid => None,
                    Data::Waits(listener) => Some(listener.accept().await?.0),
                    Data::Calls(to) => Some(TcpStream::connect(to).await?),
                };
                match connection {
                    Some(mut connection) => {
                        connection.write_all(FILE.as_bytes()).await?;
                        connection.shutdown().await?;
                        "226 that was it\r\n".to_owned()
                    }
                    None => "425 over which connection?\r\n".to_owned(),
                }
            }
            "TYPE" => "200 so be it\r\n".to_owned(),
            _ => "502 unknown\r\n".to_owned(),
        };
        say(&mut stream, &said).await?;
    }
    Ok(stream.shutdown().await?)
}

/// `10,10,0,1,200,13` (RFC 959).
fn address(text: &str) -> Result<SocketAddr> {
    let numbers = text.trim().split(',').map(str::parse::<u8>);
    let numbers = numbers.collect::<Result<Vec<u8>, _>>()?;
    let [a, b, c, d, high, low] = numbers[..] else {
        bail!("{text} is no address of FTP");
    };
    let port = u16::from_be_bytes([high, low]);
    Ok(SocketAddr::from(([a, b, c, d], port)))
}

fn passive(word: &str, here: IpAddr, port: u16) -> Result<String> {
    if word == "EPSV" {
        return Ok(format!("229 call me (|||{port}|)\r\n"));
    }
    let IpAddr::V4(here) = here else {
        bail!("PASV is of IPv4");
    };
    let [high, low] = port.to_be_bytes();
    let host = here.to_string().replace('.', ",");
    Ok(format!("227 call me ({host},{high},{low})\r\n"))
}
