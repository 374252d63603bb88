/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relay stanza: what cannot be meant, said at its place, and what the model makes of the rest. How
 * it is printed is in the golden files.
 */
#include "conf_rows.h"

static const struct row settings_rows[] = {
	{ .what = "everything given twice", .text =
	  "relay { workers 1; workers 2; tls may; tls none; reuse off; reuse messages 5;\n"
	  "smarthost a; smarthost b; listen *:25 { name a; name b; received on; received off; trust header; trust header; } }",
	  .want = "1:20: 'workers' is given twice: expected once, as at main.conf:1:9\n"
		"1:40: 'tls' is given twice: expected once, as at main.conf:1:31\n"
		"1:61: 'reuse' is given twice: expected once, as at main.conf:1:50\n"
		"2:14: 'smarthost' is given twice: expected once, as at main.conf:2:1\n"
		"2:49: 'name' is given twice: expected once, as at main.conf:2:41\n"
		"2:70: 'received' is given twice: expected once, as at main.conf:2:57\n"
		"2:98: 'trust header' is given twice: expected once, as at main.conf:2:84" },
	{ .what = "two stanzas", .text =
	  "relay { listen *:25; }\n"
	  "relay { listen *:26; }",
	  .want = "2:1: 'relay' is given twice: expected once, as at main.conf:1:1" },
	{ .what = "no listener", .text =
	  "relay { workers 1; }",
	  .want = "1:1: warning: the relay has no listener: expected 'listen' or 'intercept'" },
	{ .what = "numbers", .text =
	  "relay { workers 0; sessions 0; client-sessions 1000001; workers x; size 5; size 1T; reuse messages 0 age 5 idle 0s; listen *:25; }",
	  .want = "1:17: workers '0' is not a number from 1 to 1024\n"
		"1:29: sessions '0' is not a number from 1 to 1000000\n"
		"1:48: client-sessions '1000001' is not a number from 0 to 1000000\n"
		"1:57: 'workers' is given twice: expected once, as at main.conf:1:9\n"
		"1:73: '5' is not the size of a message: expected a number of bytes, or one with K, M or G such as 50M, from 1K to 1024G\n"
		"1:76: 'size' is given twice: expected once, as at main.conf:1:68\n"
		"1:100: messages '0' is not a number from 1 to 1000000\n"
		"1:106: age '5' is not a time from 1s to 86400s\n"
		"1:113: idle '0s' is not a time from 1s to 86400s" },
	{ .what = "tables", .text =
	  "relay { policy-map hash:/etc/x; sts-map \"socketmap:unix:run/x:y\"; }\n"
	  "relay { }",
	  .want = "1:20: 'hash:/etc/x' is not a table: expected \"socketmap:unix:PATH:NAME\" or \"socketmap:inet:ADDRESS:PORT:NAME\"\n"
		"1:41: 'socketmap:unix:run/x:y' is not a table: expected \"socketmap:unix:PATH:NAME\" or \"socketmap:inet:ADDRESS:PORT:NAME\"\n"
		"2:1: 'relay' is given twice: expected once, as at main.conf:1:1" },
	{ .what = "tables of other forms", .text =
	  "relay { policy-map socketmap:inet:mx.example:25:x; sts-map socketmap:unix:/x; listen *:25; }",
	  .want = "1:20: 'socketmap:inet:mx.example:25:x' is not a table: expected \"socketmap:unix:PATH:NAME\" or \"socketmap:inet:ADDRESS:PORT:NAME\"\n"
		"1:60: 'socketmap:unix:/x' is not a table: expected \"socketmap:unix:PATH:NAME\" or \"socketmap:inet:ADDRESS:PORT:NAME\"" },
	{ .what = "levels of TLS", .text =
	  "relay { tls maybe; tls dane to a..b; tls verify to x.example; tls none to X.example; listen *:25; }",
	  .want = "1:13: 'maybe' is not a level of TLS: expected 'none', 'may', 'encrypt', 'verify' or 'dane'\n"
		"1:32: 'a..b' is not a domain, it has an empty label: expected one such as example.com, or .example.com for all below it\n"
		"1:63: TLS to 'x.example' is said already at main.conf:1:38: expected one of them only" },
	{ .what = "DANE below nothing", .text =
	  "relay { tls dane to .; resolver 192.0.2.53; tls dane; listen *:25; }",
	  .want = "1:21: '.' is not a domain, it is empty: expected one such as example.com, or .example.com for all below it" },
	{ .what = "DANE needs a resolver that cannot be forged", .text =
	  "relay { resolver 192.0.2.53; tls dane; listen *:25; }",
	  .want = "1:1: warning: 'tls dane' with a resolver on another host: its answers can be forged on the way, expected a validating one on this host" },
	{ .what = "next hops", .text =
	  "relay { smarthost \"a:0\"; smarthost \"[::1\"; smarthost mx 192.0.2.1; smarthost a_b; smarthost mx; smarthost a for; smarthost b for a; smarthost c "
	  "for a; listen *:25; }\n"
	  "binding a { address 192.0.2.1; }",
	  .want = "1:19: 'a:0' is not a next hop: expected a host, with a port if it is not 25, such as \"mail.isp.example:587\" or \"[2001:db8::25]:587\"\n"
		"1:26: 'smarthost' is given twice: expected once, as at main.conf:1:9\n"
		"1:36: '[::1' is not a next hop: expected a host, with a port if it is not 25, such as \"mail.isp.example:587\" or \"[2001:db8::25]:587\"\n"
		"1:44: 'smarthost' is given twice: expected once, as at main.conf:1:9\n"
		"1:57: '192.0.2.1' is an address, which has no MX: expected a domain, or no 'mx'\n"
		"1:68: 'smarthost' is given twice: expected once, as at main.conf:1:9\n"
		"1:78: 'a_b' is not a next hop: expected a host, with a port if it is not 25, such as \"mail.isp.example:587\" or \"[2001:db8::25]:587\"\n"
		"1:95: found ';', expected a host such as \"mail.isp.example:587\"\n"
		"1:112: found ';', expected the name of a binding\n"
		"1:133: binding 'a' has a smarthost already at main.conf:1:114: expected one of them only" },
};

static const struct row listener_rows[] = {
	{ .what = "endpoints", .text =
	  "relay { listen 127.0.0.1; listen 127.0.0.1:0; listen 127.0.0.1:65536; listen ::1:25; listen [::1]; }",
	  .want = "1:16: '127.0.0.1' is not an endpoint: expected an address and a port such as 127.0.0.1:2525, [::1]:2525 or *:2525, or an absolute path\n"
		"1:34: '127.0.0.1:0' is not an endpoint: expected an address and a port such as 127.0.0.1:2525, [::1]:2525 or *:2525, or an absolute path\n"
		"1:54: '127.0.0.1:65536' is not an endpoint: expected an address and a port such as 127.0.0.1:2525, [::1]:2525 or *:2525, or an absolute path\n"
		"1:78: '::1:25' is not an endpoint: expected an address and a port such as 127.0.0.1:2525, [::1]:2525 or *:2525, or an absolute path\n"
		"1:93: '[::1]' is not an endpoint: expected an address and a port such as 127.0.0.1:2525, [::1]:2525 or *:2525, or an absolute path" },
	{ .what = "endpoints that are none", .text =
	  "relay { listen 224.0.0.1:25; listen mx.example:25;\n"
	  "listen relative/path; listen \"/a/\"; listen \"\"; listen "
	  "/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; }",
	  .want = "1:16: '224.0.0.1:25' is not an endpoint: expected an address and a port such as 127.0.0.1:2525, [::1]:2525 or *:2525, or an absolute path\n"
		"1:37: 'mx.example:25' is not an endpoint: expected an address and a port such as 127.0.0.1:2525, [::1]:2525 or *:2525, or an absolute path\n"
		"2:8: 'relative/path' is not an endpoint: expected an address and a port such as 127.0.0.1:2525, [::1]:2525 or *:2525, or an absolute path\n"
		"2:30: listen: path '/a/' is a directory: expected one such as \"/run/outbind-relay/lmtp\"\n"
		"2:44: '' is not an endpoint: expected an address and a port such as 127.0.0.1:2525, [::1]:2525 or *:2525, or an absolute path\n"
		"2:55: listen: path '/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...' is longer than the 107 bytes that a socket's may have: expected "
		"one such as \"/run/outbind-relay/lmtp\"" },
	{ .what = "resolvers", .text =
	  "relay { resolver *:53; resolver localhost; listen *:25; }",
	  .want = "1:18: '*:53' is not an endpoint: expected the address of a resolver such as 127.0.0.1, 127.0.0.1:5353 or [::1]:53\n"
		"1:24: 'resolver' is given twice: expected once, as at main.conf:1:9" },
	{ .what = "the same endpoint", .text =
	  "relay { listen 127.0.0.1:25; listen 127.0.0.1:25 { name b; }\n"
	  "listen *:25 { name c; } listen \"/a\"; listen \"/a\" { name d; }\n"
	  "listen 0.0.0.0:26; listen [::]:26; listen [::1]:26; intercept x { user 1; listen 127.0.0.1:26; } }",
	  .want = "1:37: 127.0.0.1:25 takes the same connections as 127.0.0.1:25 at main.conf:1:16: expected an endpoint for each\n"
		"2:8: *:25 takes the same connections as 127.0.0.1:25 at main.conf:1:16: expected an endpoint for each\n"
		"2:45: /a takes the same connections as /a at main.conf:2:32: expected an endpoint for each\n"
		"3:43: [::1]:26 takes the same connections as [::]:26 at main.conf:3:27: expected an endpoint for each\n"
		"3:63: 127.0.0.1:26 takes the same connections as 0.0.0.0:26 at main.conf:3:8: expected an endpoint for each" },
	{ .what = "names of listeners", .text =
	  "relay { listen *:25 { name a:b; } listen *:26 { name x; } listen *:27 { name x; } intercept x { user 5; }\n"
	  "intercept \"\" { user 1; listen *:28; } }",
	  .want = "1:28: listener name 'a:b' has a colon: expected a name without spaces, colons and control characters\n"
		"1:66: listener 'x' is defined twice: expected a name other than that at main.conf:1:42\n"
		"1:93: listener 'x' is defined twice: expected a name other than that at main.conf:1:42\n"
		"2:11: the name of an intercept is empty: expected 1 to 63 bytes" },
	{ .what = "tls without its files", .text =
	  "relay { listen *:25 { tls offered; } listen *:26 { tls implicit; certificate /a; } listen *:27 { key /b; }\n"
	  "intercept x { user 1; tls terminate; key /k; } listen *:28 { tls on; } }",
	  .want = "1:23: TLS without a certificate: expected 'certificate \"FILE\";'\n"
		"1:23: TLS without the key of the certificate: expected 'key \"FILE\";'\n"
		"1:52: TLS without the key of the certificate: expected 'key \"FILE\";'\n"
		"1:98: certificate or key of a listener that does no TLS: expected 'tls offered;' with it\n"
		"2:23: TLS without a certificate: expected 'certificate \"FILE\";'\n"
		"2:66: 'on' is not how a listener does TLS: expected 'none', 'offered', 'required' or 'implicit'" },
	{ .what = "logins", .text =
	  "relay { listen *:25 { auth file /a; auth socket /b; auth plain-text; } listen *:26 { auth required; }\n"
	  "listen *:27 { auth plain-text; } listen *:28 { auth file /a; } listen *:29 { auth user x; } }",
	  .want = "1:37: both 'auth file' and 'auth socket': expected one of them, since one must say who may log in\n"
		"1:86: nobody could log in: expected 'auth file \"FILE\";' or 'auth socket \"PATH\";' with this\n"
		"2:15: nobody could log in: expected 'auth file \"FILE\";' or 'auth socket \"PATH\";' with this\n"
		"2:48: 'auth' is offered over TLS only, and this listener has none: expected 'tls required;', or 'auth plain-text;' if passwords may pass in clear\n"
		"2:83: found 'user', expected 'file', 'socket', 'required' or 'plain-text'" },
	{ .what = "what socks and proxy have no use for", .text =
	  "relay { listen *:25 { protocol socks5; trust header; smarthost x; } listen *:26 { protocol proxy; tls none;\n"
	  "mode 0600; auth required; } listen *:27 { protocol http; mode 888; } }",
	  .want = "1:40: a listener of protocol socks5 passes bytes on and takes no mail: expected this setting with smtp or lmtp only\n"
		"1:54: a listener of protocol socks5 passes bytes on and takes no mail: expected this setting with smtp or lmtp only\n"
		"1:99: a listener of protocol proxy passes bytes on and takes no mail: expected this setting with smtp or lmtp only\n"
		"2:1: 'mode' of a listener that is no Unix socket: expected it with a path\n"
		"2:12: a listener of protocol proxy passes bytes on and takes no mail: expected this setting with smtp or lmtp only\n"
		"2:52: 'http' is not a protocol of listeners: expected 'smtp', 'lmtp', 'socks5' or 'proxy'\n"
		"2:58: 'mode' of a listener that is no Unix socket: expected it with a path\n"
		"2:63: '888' is not the mode of a socket: expected one from 0001 to 0777 such as 0660" },
	{ .what = "whose connections are intercepted", .text =
	  "relay { intercept a { port 25; } intercept b { user 1; port 0; listen *:1; } intercept c { unit x; source 10.0.0.1/8; listen *:2; }\n"
	  "intercept d { user 5; source 10.0.0.0/8; listen 127.0.0.1:3; } intercept e { user 5; port 30-20; port 7; listen /x; protocol smtp; } }",
	  .want = "1:19: intercept 'a' has no client: expected 'unit', 'cgroup', 'user', 'group' or 'source'\n"
		"1:61: port '0' is out of range: expected 1 to 65535\n"
		"1:97: unit name 'x' has no suffix: did you mean 'x.service'?\n"
		"1:107: '10.0.0.1/8' has bits set after its prefix length: did you mean '10.0.0.0/8'?\n"
		"2:30: connections from another host cannot be turned to the loopback address that intercept 'd' listens on: expected 'listen *:3;'\n"
		"2:74: *:2526 takes the same connections as *:2526 at main.conf:1:19: expected an endpoint for each\n"
		"2:91: port range '30-20' is reversed: did you mean '20-30'?\n"
		"2:98: 'port' is given twice: expected once, as at main.conf:2:86\n"
		"2:113: '/x' is not an endpoint: expected an address and a port such as 127.0.0.1:2526, [::1]:2526 or *:2526\n"
		"2:117: found 'protocol', expected 'unit', 'cgroup', 'user', 'group', 'source', 'port', 'tls', 'listen', 'certificate', 'key', 'bare-newline' or '}'" },
	{ .what = "clients intercepted twice", .text =
	  "relay { intercept a { user 5; user 5, 6; unit x.service; }\n"
	  "intercept b { user 6; port 20-30; listen *:1; } intercept c { user 6; port 587; unit x.service; listen *:2; }\n"
	  "intercept d { source 10.0.0.0/8; listen *:3; } intercept e { source 10.0.0.0/8; listen *:4; } }",
	  .want = "1:36: this client's connections are intercepted already at main.conf:1:28: expected it once, or with other ports\n"
		"2:20: this client's connections are intercepted already at main.conf:1:39: expected it once, or with other ports\n"
		"3:69: this client's connections are intercepted already at main.conf:3:22: expected it once, or with other ports" },
};

static const struct row rule_rows[] = {
	{ .what = "names that are nobody's", .text =
	  "relay { listen *:25 { name smtp; } sender a.example on stmp use a;\n"
	  "listener nowhere use a; otherwise use b; smarthost x for c; }\n"
	  "binding a { address 192.0.2.1; }",
	  .want = "1:36: unknown listener 'stmp': did you mean 'smtp'?\n"
		"2:1: unknown listener 'nowhere': expected the name of a 'listen' or 'intercept' block\n"
		"2:25: unknown binding 'b': expected one that is defined\n"
		"2:42: unknown binding 'c': expected one that is defined" },
	{ .what = "rules twice", .text =
	  "relay { listen *:25 { name x; } sender A.example use a; sender a.Example. use a; sender u@a.example use a; sender U@a.example use a;\n"
	  "sender a.example on x use a; sender a.example on x reject; client 10.0.0.0/8 use a; client 10.0.0.0/8 use a; peer user www-data use a; peer user 33 "
	  "use a;\n"
	  "otherwise use a; otherwise reject; auth x use a; }\n"
	  "binding a { address 192.0.2.1; }",
	  .want = "1:57: this rule is about the same as the rule at main.conf:1:33: expected one of them only\n"
		"2:30: this rule is about the same as the rule at main.conf:2:1: expected one of them only\n"
		"2:85: this rule is about the same as the rule at main.conf:2:60: expected one of them only\n"
		"2:136: this rule is about the same as the rule at main.conf:2:110: expected one of them only\n"
		"3:18: this rule is about the same as the rule at main.conf:3:1: expected one of them only" },
	{ .what = "senders", .text =
	  "relay { sender @a use a; sender a@ use a; sender a..b use a; sender \"a b\" use a; sender <a@b> use a;\n"
	  "sender . use a; sender [1 use a; listen *:25; }",
	  .want = "1:16: '@a' is not a sender, it has nothing before its '@': expected user@example.com, example.com, .example.com or \"\"\n"
		"1:33: 'a@' is not a sender, it has nothing after its '@': expected user@example.com, example.com, .example.com or \"\"\n"
		"1:50: 'a..b' is not a domain, it has an empty label: expected one such as example.com, or .example.com for all below it\n"
		"1:69: 'a b' is not a domain, it has a character that domains do not have: expected one such as example.com, or .example.com for all below it\n"
		"1:89: '<a@b>' is not a sender, it has a character that addresses do not have: expected user@example.com, example.com, .example.com or \"\"\n"
		"2:8: '.' is not a domain, it is empty: expected one such as example.com, or .example.com for all below it\n"
		"2:24: '[1' is not a domain, it has no ']' at its end: expected one such as example.com, or .example.com for all below it" },
	{ .what = "values of other keys", .text =
	  "relay { recipient u@b.example use a; recipient \"\" use a; auth \"\" use a; ehlo -.-.. use a; peer user nobody use a;\n"
	  "peer cgroup x use a; client 10.0.0.1/8 use a; destination any use a; listen *:25; }",
	  .want = "1:19: 'u@b.example' is not a domain, it has a character that domains do not have: expected one such as example.com, or .example.com for all below it\n"
		"1:48: '' is not a domain, it is empty: expected one such as example.com, or .example.com for all below it\n"
		"1:63: user '' is empty: expected 1 to 255 bytes of text\n"
		"1:78: '-.-..' is not a domain, it has an empty label: expected one such as example.com, or .example.com for all below it\n"
		"1:101: unknown user 'nobody': expected one that exists here, or a number\n"
		"2:13: cgroup path 'x' is not absolute: expected a path below the cgroup root, of at most 8 levels, such as \"/tenants.slice/beta.slice\"\n"
		"2:29: '10.0.0.1/8' has bits set after its prefix length: did you mean '10.0.0.0/8'?\n"
		"2:59: 'any' is not a prefix: expected one such as 192.0.2.0/24" },
	{ .what = "actions", .text =
	  "relay { sender a use \"b c\"; otherwise reject \"\"; otherwise reject text; }",
	  .want = "1:22: binding name 'b c' has a space: expected a name without spaces, colons and control characters\n"
		"1:46: text of a reply '' is empty: expected 1 to 400 bytes of text\n"
		"1:67: found 'text', expected a string or ';'" },
	{ .what = "rules that can never match", .text =
	  "relay { listen *:25 { name s; protocol socks5; } listen *:26 { name m; } sender x on s use a; destination 10.0.0.0/8 on m use a;\n"
	  "auth x on m use a; peer user 1 on m use a; listener m on s use a; }\n"
	  "binding a { address 192.0.2.1; }",
	  .want = "1:74: a rule by 'sender' can never match at listener 's': expected one without 'on', or another key\n"
		"1:95: a rule by 'destination' can never match at listener 'm': expected one without 'on', or another key\n"
		"2:1: a rule by 'auth' can never match at listener 'm': expected one without 'on', or another key\n"
		"2:20: a rule by 'peer user' can never match at listener 'm': expected one without 'on', or another key\n"
		"2:44: 'on' in a rule of a listener: expected it without, since it names the listener already" },
	{ .what = "rules where a header decides", .text =
	  "relay { listen *:25 { name p; protocol proxy; } listen *:26 { name s; protocol socks5; }\n"
	  "client 10.0.0.0/8 on p use a; otherwise on p use a; client 10.0.0.0/8 on s use a;\n"
	  "listener p use a; listener s use a; }\n"
	  "binding a { address 192.0.2.1; }",
	  .want = "2:1: a rule by 'client' can never match at listener 'p': expected one without 'on', or another key\n"
		"2:31: a rule by 'otherwise' can never match at listener 'p': expected one without 'on', or another key\n"
		"3:1: a rule by 'listener' can never match at listener 'p': expected another listener, "
		"since a PROXY header names the binding itself" },
	{ .what = "rules that match nowhere", .text =
	  "relay { listen *:26 { name m; } auth x use a; auth y use a; peer user 1 use a; destination 10.0.0.0/8 use a; otherwise use a; }\n"
	  "binding a { address 192.0.2.1; }",
	  .want = "1:33: warning: a rule by 'auth' can match at no listener that there is\n"
		"1:61: warning: a rule by 'peer user' can match at no listener that there is\n"
		"1:80: warning: a rule by 'destination' can match at no listener that there is" },
	{ .what = "ranges of users", .text =
	  "relay { listen /x; peer user 1-10 use a; peer user 5-15 use a; peer user 6-7 use a; peer user 5-15 on /x use a; }\n"
	  "binding a { address 192.0.2.1; }",
	  .want = "1:42: range 5-15 overlaps range 1-10 of the rule at main.conf:1:20: expected ranges of which one holds the other, or that have nothing in common\n"
		"1:85: range 5-15 overlaps range 1-10 of the rule at main.conf:1:20: expected ranges of which one holds the other, or that have nothing in common" },
};

static const struct row syntax_rows[] = {
	{ .what = "what does not fit", .text =
	  "relay {\n"
	  "wokers 2;\n"
	  "}\n"
	  "relayy { }",
	  .want = "2:1: found 'wokers', expected 'ehlo', 'otherwise', 'destination', 'workers', 'hostname', 'size', 'sessions', 'client-sessions', 'family', '8bit', "
		"'resolver', 'access-log', 'reuse', 'smarthost', 'tls', 'tls-ca', 'policy-map', 'sts-map', 'listen', 'intercept', 'auth', 'sender', 'recipient', "
		"'peer', 'client', 'listener' or '}'; did you mean 'workers'?\n"
		"4:1: found 'relayy', expected 'mark-mask', 'flow-log', 'port-warning', 'include', 'bypass', "
		"'binding', 'policy', 'default-binding', 'uplink', 'group', 'relay', 'metrics' or 'dns'; did you mean "
		"'relay'?" },
	{ .what = "what does not fit in a block", .text =
	  "relay {\n"
	  "listen *:25 {\n"
	  "protcol lmtp;\n"
	  "}\n"
	  "sender x.example;\n"
	  "sender use a;\n"
	  "sender x pass;\n"
	  "otherwise use;\n"
	  "reuse;\n"
	  "}",
	  .want = "3:1: found 'protcol', expected 'protocol', 'smarthost', 'tls', 'name', 'mode', 'certificate', 'key', 'auth', 'trust', 'bare-newline', 'received' or "
		"'}'; did you mean 'protocol'?\n"
		"5:17: found ';', expected 'use', 'reject' or 'on'\n"
		"6:12: found 'a', expected 'use', 'reject' or 'on'\n"
		"7:10: found 'pass', expected 'use', 'reject' or 'on'\n"
		"8:14: found ';', expected the name of a binding\n"
		"9:6: found ';', expected 'messages', 'age', 'idle' or 'off'" },
	{ .what = "reuse of nothing", .text =
	  "relay { reuse off messages 5; listen *:25; }",
	  .want = "1:19: found 'messages', expected ';'" },
	{ .what = "forgotten semicolon", .text =
	  "relay {\n"
	  "  workers 2\n"
	  "  hostname a.example\n"
	  "  listen *:25 {\n"
	  "    name x\n"
	  "    protocol lmtp;\n"
	  "  }\n"
	  "}",
	  .want = "3:3: found 'hostname', expected ';'\n"
		"4:3: found 'listen', expected ';'\n"
		"6:5: found 'protocol', expected ';'" },
	{ .what = "forgotten brace", .text =
	  "relay {\n"
	  "  listen *:25 {\n"
	  "    name x;\n"
	  "binding a { address 192.0.2.1; }",
	  .want = "4:1: found 'binding', expected 'protocol', 'smarthost', 'tls', 'name', 'mode', 'certificate', 'key', 'auth', 'trust', 'bare-newline', 'received' or "
		"'}' to close the '{' at main.conf:2:15\n"
		"4:1: found 'binding', expected 'ehlo', 'otherwise', 'destination', 'workers', 'hostname', 'size', 'sessions', 'client-sessions', 'family', '8bit', "
		"'resolver', 'access-log', 'reuse', 'smarthost', 'tls', 'tls-ca', 'policy-map', 'sts-map', 'listen', 'intercept', 'auth', 'sender', 'recipient', "
		"'peer', 'client', 'listener' or '}' to close the '{' at main.conf:1:7" },
	{ .what = "an EHLO name for one family", .text =
	  "binding a { address 192.0.2.1; ehlo a for ipv5; ehlo b for ipv6; ehlo c for ipv6; ehlo d for; }",
	  .want = "1:43: 'ipv5' is not a family: expected 'ipv4' or 'ipv6'; did you mean 'ipv4'?\n"
		"1:66: 'ehlo ... for ipv6' is given twice: expected once, as at main.conf:1:49\n"
		"1:93: found ';', expected 'ipv4' or 'ipv6'" },
};

static void test_settings(void **unused)
{
	(void)unused;
	check_rows(settings_rows, ARRAY_LEN(settings_rows));
}

static void test_listeners(void **unused)
{
	(void)unused;
	check_rows(listener_rows, ARRAY_LEN(listener_rows));
}

static void test_rules(void **unused)
{
	(void)unused;
	check_rows(rule_rows, ARRAY_LEN(rule_rows));
}

static void test_syntax(void **unused)
{
	(void)unused;
	check_rows(syntax_rows, ARRAY_LEN(syntax_rows));
}

static void read_text(const char *text, struct model *ret)
{
	AUTO(diag_drop) struct diag diag = { 0 };

	if (fake_read_text(text, 0, ret, &diag) < 0 || diag.n)
		fail_msg("%s", fake_found(ret, &diag, false));
}

static void test_defaults(void **unused)
{
	AUTO(model_drop) struct model none = { 0 }, model = { 0 };
	const struct relay *relay = &model.relay;

	(void)unused;
	read_text("", &none);
	assert_false(none.relay.given);
	read_text("relay { listen 127.0.0.1:2525; intercept x { user 5; } }", &model);
	assert_true(relay->given);
	assert_int_equal(relay->size_max, 100 << 20);
	assert_int_equal(relay->sessions_max, 20000);
	assert_int_equal(relay->client_max, 0);
	assert_int_equal(relay->tls, RELAY_UPSTREAM_MAY);
	assert_int_equal(relay->reuse_messages, 100);
	assert_int_equal(relay->reuse_age_s, 300);
	assert_int_equal(relay->reuse_idle_s, 15);
	assert_int_equal(relay->listeners.n, 2);
	assert_string_equal(relay->listeners.at[0].name, "127.0.0.1:2525");
	assert_true(relay->listeners.at[0].received);
	assert_false(relay->listeners.at[1].received);
	assert_int_equal(relay->listeners.at[1].at.port, 2526);
	assert_int_equal(relay->listeners.at[1].intercept.n_ports, 1);
	assert_int_equal(relay->listeners.at[1].intercept.ports[0].first, 25);
}

/* Rules and listeners share one text, so that they can be compared by pointer. */
static void test_names_of_listeners_are_shared(void **unused)
{
	AUTO(model_drop) struct model model = { 0 };
	const struct relay *relay = &model.relay;

	(void)unused;
	read_text("relay { sender x on [::1]:25 use a; listener [::1]:25 use a; listen [0::1]:25; }\n"
		  "binding a { address 192.0.2.1; }", &model);
	assert_ptr_equal(relay->rules.at[0].listener, relay->listeners.at[0].name);
	assert_ptr_equal(relay->rules.at[1].text, relay->listeners.at[0].name);
}

/* Only files know what bindings they have; the agent may have more. */
static void test_unknown_bindings_of_files_only(void **unused)
{
	struct fake_file file = { "main.conf", "relay { listen *:25; sender x use a; smarthost y for b; }", 0 };
	struct fake_files files = { &file, 1 };
	struct conf_world world = FAKE_WORLD(&files);
	AUTO(model_drop) struct model model = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	char *AUTO(mem_drop) found = NULL;

	(void)unused;
	world.files_only = true;
	assert_int_equal(conf_read("main.conf", &world, &model, &diag), 0);
	found = fake_found(&model, &diag, false);
	assert_string_equal(found, "1:22: warning: binding 'a' is not in the files: what is for it is refused "
			    "unless it was added at run time\n"
			    "1:38: warning: binding 'b' is not in the files: what is for it is refused "
			    "unless it was added at run time");
	assert_int_equal(model.relay.rules.n, 1);
}

/* A cgroup that only an intercept speaks of stays, with its index, when run-time texts hide rules. */
static void test_cgroups_below_layers(void **unused)
{
	struct fake_file file = { "main.conf", "binding a { address 192.0.2.1; }\n"
				  "policy { unit x.service use a; unit y.service use a; }\n"
				  "relay { listen *:25; intercept i { unit z.service; unit y.service; } }", 0 };
	struct fake_files files = { &file, 1 };
	const char text[] = "remove policy { unit x.service; unit y.service; }";
	const struct conf_layer layer = { "change", text, sizeof text - 1 };
	AUTO(model_drop) struct model model = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	const struct relay_client *clients;

	(void)unused;
	assert_int_equal(fake_read_layers(&files, &layer, 1, &model, &diag), 0);
	assert_int_equal(model.cgroups.n, 2);
	clients = model.relay.listeners.at[1].intercept.clients;
	assert_string_equal(model.cgroups.at[clients[0].cgroup].name, "z.service");
	assert_string_equal(model.cgroups.at[clients[1].cgroup].name, "y.service");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_names_of_listeners_are_shared),
		cmocka_unit_test(test_unknown_bindings_of_files_only),
		cmocka_unit_test(test_cgroups_below_layers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
