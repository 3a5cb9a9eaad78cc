//! The checks external and external-perl (specification 2.6 and 2.7): a command of the site says
//! whether a server is up, by its exit code. The last line that it writes is the result's message.
//!
//! Its deadline counts from its own start, and what outlives it is ended with its group.

use super::awake::Late;
use super::{Answer, Means};
use crate::process::{self, End, Job, Leftovers, NotStarted, Ran, Running};
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt as _;
use std::time::Duration;

/// What runs Perl scripts.
pub(crate) const PERL: &str = "perl";

/// As the old daemon did it: the file is the body of a subroutine, which is called with the arguments
/// as `@ARGV` and `@_`. Falling off its end is success.
const BODY: &str = r#"
my $file = shift @ARGV;
open my $handle, '<', $file or die "cannot read $file: $!\n";
my $text = do { local $/; <$handle> };
close $handle;
my $check = eval "sub {\n#line 1 \"$file\"\n$text\n}";
die $@ if $@;
$check->(@ARGV);
exit 0;
"#;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct External {
    pub(crate) command: Command,
    /// Virtual address or mark, virtual port, real address, real port.
    pub(crate) arguments: [String; 4],
    /// What else it finds in its environment.
    pub(crate) environment: Vec<(&'static str, Vec<u8>)>,
    /// For the whole check, from the start of the command.
    pub(crate) timeout: Duration,
}

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Command {
    /// A program, with arguments of its own before the four.
    Words(Vec<String>),
    /// A file of Perl.
    Perl(String),
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => f.write_str(&words.join(" ")),
            Self::Perl(file) => f.write_str(file),
        }
    }
}

impl External {
    pub(super) async fn ask(&self, means: &Means) -> Answer {
        let mut running: Option<Running> = None;
        let asked = async {
            let running = running.insert(process::start(self.job()).await?);
            Ok::<Ran, NotStarted>(running.finish().await)
        };
        // On the heap, so that waiting connect checks stay small.
        match means.awake.within(self.timeout, Box::pin(asked)).await {
            Ok(Ok(ran)) => verdict(&ran),
            Ok(Err(fault)) => self.not_started(&fault),
            Err(late) => {
                if let Some(running) = running {
                    running.end();
                }
                self.late(late)
            }
        }
    }

    fn job(&self) -> Job {
        let (program, first) = match &self.command {
            Command::Words(words) => match words.split_first() {
                Some((program, rest)) => (program.clone(), rest.to_vec()),
                None => (String::new(), Vec::new()),
            },
            Command::Perl(file) => {
                let options = ["-e", BODY, "--", file];
                (PERL.to_owned(), options.map(str::to_owned).to_vec())
            }
        };
        let arguments = first.iter().chain(&self.arguments).map(OsString::from);
        let environment = self.environment.iter();
        Job {
            arguments: arguments.collect(),
            environment: environment
                .map(|(name, value)| ((*name).to_owned(), OsString::from_vec(value.clone())))
                .collect(),
            leftovers: Leftovers::Ended,
            ..Job::new(program)
        }
    }

    /// With the old daemon's words in its log.
    fn not_started(&self, fault: &NotStarted) -> Answer {
        match (fault, &self.command) {
            // The old daemon was Perl itself: no site knows that its servers depend on this.
            (NotStarted::Unusable(_), Command::Perl(_)) => {
                Answer::unasked("perl is not installed on this director")
            }
            (NotStarted::Unusable(why), Command::Words(_)) => {
                Answer::down(format!("exec({}) failed: {why}", self.shown()))
            }
            (NotStarted::NoMeans(why), Command::Words(_) | Command::Perl(_)) => {
                Answer::unasked(format!("fork failed: {why}"))
            }
        }
    }

    fn late(&self, late: Late) -> Answer {
        if late.ours {
            return Answer::too_slow();
        }
        let seconds = self.timeout.as_secs_f64();
        Answer::down(format!(
            "system_timeout({seconds}, {}) timed out, kill -TERM child",
            self.shown()
        ))
    }

    fn shown(&self) -> String {
        format!("{} {}", self.command, self.arguments.join(" "))
    }
}

fn verdict(ran: &Ran) -> Answer {
    match ran.end {
        End::Exited(0) if !ran.last_line.is_empty() => Answer::up(&ran.last_line),
        End::Exited(0) => Answer::up(ran.to_string()),
        // The old daemon looked at the exit code alone, and a command that a signal had ended was up.
        End::Exited(_) | End::Signalled(_) | End::Flooded => Answer::down(ran.to_string()),
    }
}

#[cfg(test)]
mod tests;
