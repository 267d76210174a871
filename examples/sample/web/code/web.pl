#!/usr/bin/perl
# A web service with what every Debian has. The runtime says in PORT where to listen, and the gateway says in Identity who asks.
use strict;
use warnings;
use IO::Socket::INET;

my $port = $ENV{PORT} || 8080;
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 64, ReuseAddr => 1)
  or die "cannot listen on $port: $!\n";
my $served = 0;

$| = 1;
$SIG{PIPE} = 'IGNORE';
$SIG{TERM} = sub { print "Goodbye after $served answers\n"; exit 0 };
print "$ENV{DEPLOY_TASK_NAME} listens on port $port\n";

while (1) {
  my $client = $listener->accept or next;
  # Who says nothing for five seconds must not keep the others waiting.
  eval {
    local $SIG{ALRM} = sub { die "too slow\n" };
    alarm 5;
    answer($client);
    alarm 0;
  };
  alarm 0;
  print "An answer was given up: $@" if $@;
  close $client;
}

sub answer {
  my ($client) = @_;
  my $request = <$client> // return;
  my $who = 'you';
  while (defined(my $line = <$client>)) {
    last if $line =~ /^\r?\n$/;
    $who = $1 if $line =~ /^identity:\s*([^\r\n]*?)\s*$/i;
  }
  my ($method, $path) = $request =~ m{^(GET|HEAD) (/\S*) HTTP/1\.[01]\r?$} or return say_to($client, '405 Method Not Allowed', "Only GET here\n");
  return say_to($client, '404 Not Found', "There is nothing at this address\n") if $path ne '/';
  $served++;
  print "$method for $who\n";
  say_to($client, '200 OK', "$ENV{GREETING}, $who! This is answer $served of this instance.\n", $method eq 'HEAD');
}

sub say_to {
  my ($client, $status, $text, $head_only) = @_;
  # Plain text: what others sent can be shown as it is.
  my @headers = ('Content-Type: text/plain; charset=utf-8', 'X-Content-Type-Options: nosniff', 'Connection: close', 'Content-Length: ' . length $text);
  print $client join("\r\n", "HTTP/1.1 $status", @headers, '', ''), $head_only ? '' : $text;
  # What was sent and not read would cut the answer off.
  shutdown $client, 1;
  1 while read $client, my $rest, 4096;
}
