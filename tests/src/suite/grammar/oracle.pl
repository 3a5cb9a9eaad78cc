# The real ldirectord's own parser as an oracle: loads its program without running it, reads each file
# named on standard input with read_config, and prints what came of it as JSON, a line for each file.
use strict;
use warnings;
use JSON::PP;

my $program = shift @ARGV;
open(my $in, '<', $program) or die "$program: $!";
my $text = do { local $/; <$in> };
close($in);
# Everything between the definitions and the functions acts: it reads the command line, looks for
# ipvsadm, starts.
$text =~ s/^Getopt::Long::Configure.*?^# functions$/# functions/ms or die "$program has another shape";
$text =~ s/^__END__.*//ms;
{
	no strict;
	no warnings;
	eval "package main;\n$text\n1" or die "$program: $@";
}

{
	no warnings;
	# What asks the machine, a name server or the log is answered here.
	*main::config_error = sub { die { line => $_[0], message => $_[1] } };
	*main::config_warn = sub { };
	*main::ld_log = sub { };
	*main::ld_openlog = sub {
		our $LDIRLOG;
		return 0 unless $LDIRLOG =~ m{^(/.*)/[^/]*$|^/};
		return (-d ($1 // '/')) ? 0 : 1;
	};
	my $lookup = \&main::ld_gethostbyname;
	*main::ld_gethostbyname = sub {
		my ($name, $af) = @_;
		my $bare = $name =~ /\[(.*)\]/ ? $1 : $name;
		if ($bare eq 'localhost') {
			return $af == Socket::AF_INET() ? '127.0.0.1' : '[::1]';
		}
		return undef unless $bare =~ /^[0-9.]+$/ or $bare =~ /:/;
		return $lookup->(@_);
	};
}

our (@VIRTUAL, $AUTOCHECK, $READDQUIESCENT, $SUPERVISED, $QUIESCENT, $CLEANSTOP, $CHECKINTERVAL);
our ($CONFIG, $DAEMON_STATUS, $FORKING);
$DAEMON_STATUS = 2;
my $json = JSON::PP->new->canonical->utf8(0)->latin1(0);
binmode(STDOUT, ':utf8');
$| = 1;

sub bare { my ($text) = @_; $text =~ s/[\[\]]//g; return $text; }
sub number { my ($value) = @_; return defined $value ? 0 + $value : undef; }
sub yes { my ($value) = @_; return $value eq 'yes' ? JSON::PP::true : JSON::PP::false; }

sub real {
	my ($real, $own) = @_;
	return {
		server => bare($real->{server}), port => number($real->{port}),
		forward => $real->{forward}, weight => number($real->{weight}),
		lower => number($real->{'l-threshold'} // 0), upper => number($real->{'u-threshold'} // 0),
		request => $own->[0], receive => $own->[1],
	};
}

sub virtual_service {
	my ($virtual, $own) = @_;
	my $six = $virtual->{addressfamily} != Socket::AF_INET();
	my $mark = $virtual->{protocol} eq 'fwm';
	my $fallback = fallback_find($virtual);
	$fallback = undef if $fallback and not defined $fallback->{server};
	return {
		id => $mark ? ($six ? 'fwm6:' : 'fwm:') . $virtual->{fwm}
			: "$virtual->{protocol}:$virtual->{server}:$virtual->{port}",
		family => $six ? 6 : 4,
		scheduler => $virtual->{scheduler},
		persistent => number($virtual->{persistent}),
		netmask => $virtual->{netmask},
		ops => yes($virtual->{ops}),
		service => $virtual->{service},
		checktype => $virtual->{checktype} eq 'combined'
			? 'combined ' . (0 + $virtual->{num_connects}) : $virtual->{checktype},
		checkport => number($virtual->{checkport}),
		request => $virtual->{request}, receive => $virtual->{receive},
		virtualhost => $virtual->{virtualhost}, httpmethod => $virtual->{httpmethod},
		checktimeout => number($virtual->{checktimeout}),
		negotiatetimeout => number($virtual->{negotiatetimeout}),
		checkinterval => number($FORKING eq 'yes' && $virtual->{checkinterval}
			? $virtual->{checkinterval} : $CHECKINTERVAL),
		ignoredinterval => ($FORKING ne 'yes' && $virtual->{checkinterval})
			? JSON::PP::true : JSON::PP::false,
		checkcount => number($virtual->{checkcount}),
		failurecount => number($virtual->{failurecount}),
		quiescent => yes($virtual->{quiescent} // $QUIESCENT),
		cleanstop => yes($virtual->{cleanstop} // $CLEANSTOP),
		servicename => $virtual->{servicename} // '',
		fallback => $fallback && {
			server => bare($fallback->{server}), port => number($fallback->{port}),
			forward => $fallback->{forward},
		},
		reals => [ map { real($virtual->{real}[$_], $own->[$_]) } 0 .. $#{ $virtual->{real} } ],
	};
}

sub reading {
	my ($path) = @_;
	$CONFIG = $path;
	my $result = eval {
		local $SIG{ALRM} = sub { die { line => 0, message => 'no end' } };
		alarm(2);
		read_config();
		my @own = map {
			[ map { [ $_->{request}, $_->{receive} ] } @{ $_->{real} } ]
		} @VIRTUAL;
		ld_setup();
		my $value = {
			usable => JSON::PP::true,
			autoreload => yes($AUTOCHECK), readdquiescent => yes($READDQUIESCENT),
			supervised => yes($SUPERVISED),
			virtuals => [ map { virtual_service($VIRTUAL[$_], $own[$_]) } 0 .. $#VIRTUAL ],
		};
		alarm(0);
		$value;
	};
	my $fault = $@;
	alarm(0);
	return $result if $result;
	$fault = { line => 0, message => "$fault" } unless ref $fault;
	return { usable => JSON::PP::false, line => 0 + $fault->{line}, message => $fault->{message} };
}

local $SIG{__WARN__} = sub { };
while (my $path = <STDIN>) {
	chomp $path;
	print $json->encode(reading($path)), "\n";
}
